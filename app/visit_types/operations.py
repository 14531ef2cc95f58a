"""Verbs on visit types: add, change. Other steps make a new kit; visits that have begun keep theirs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch
from app.users.rights import Actor
from app.visit_types.kits import check_steps
from app.visit_types.models import VisitKit, VisitType
from app.visit_types.queries import kit_of

MOST_TYPES = 100


def create_type(session: Session, actor: Actor, values: dict[str, Any]) -> VisitType:
    """Add a visit type with its first kit.

    Args:
        values: ``code``, ``name_zh``, ``name_en``, ``active``, ``steps``, and optionally ``id``.

    Raises:
        FieldsInvalid: ``already_exists`` (code, id), or what is wrong with the steps; see ``kits.check_steps``.
        Conflict: ``too_many_visit_types``.
    """
    steps = values["steps"]
    check_steps(steps)
    if session.scalar(select(VisitType.id).where(VisitType.code == values["code"])):
        raise FieldsInvalid({"code": ["already_exists"]})
    if values.get("id") and session.get(VisitType, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    if (session.scalar(select(func.count()).select_from(VisitType)) or 0) >= MOST_TYPES:
        raise Conflict("too_many_visit_types", most=MOST_TYPES)
    row = add(session, VisitType(number=1, **{name: value for name, value in values.items() if name != "steps"}))
    add(session, VisitKit(type_id=row.id, number=1, steps=steps))
    record(session, "visit_type.created", Subject("visit_type", row.id), actor_id=actor.id, code=row.code)
    return row


def edit_type(session: Session, actor: Actor, row: VisitType, changes: dict[str, Any]) -> VisitType:
    """Change a visit type; other steps are its next kit, and what has begun keeps the one it began with.

    Raises:
        FieldsInvalid: what is wrong with the steps; see ``kits.check_steps``.
    """
    steps = changes.get("steps")
    if steps is not None:
        check_steps(steps)
    is_new = steps is not None and steps != kit_of(session, row.id).steps
    for name in changes.keys() - {"steps"}:
        setattr(row, name, changes[name])
    row.number += is_new
    touch(session, row)  # of two that change it at once one is refused here
    if steps is not None and is_new:
        add(session, VisitKit(type_id=row.id, number=row.number, steps=steps))
    about = Subject("visit_type", row.id)
    causes = [last_entry(session, about)]
    record(session, "visit_type.edited", about, causes=causes, actor_id=actor.id, fields=sorted(changes), number=row.number)
    return row
