"""Verbs on kinds of entitlements: add, change, retire."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, renumber_many, touch
from app.entitlements.models import LENGTH, STEPS_MIN, Entitlement, EntitlementKind
from app.users.rights import Actor
from app.visit_types import queries as types
from app.visit_types.models import VisitType

MOST_KINDS = 100


def create_kind(session: Session, actor: Actor, values: Mapping[str, Any]) -> EntitlementKind:
    """Add a kind.

    Args:
        values: ``code``, ``name_zh``, ``name_en``, ``unit``, ``active``, ``step_minutes``, and optionally ``id``,
            ``visit_type_id`` with ``per_visit``.

    Raises:
        FieldsInvalid: ``already_exists`` (code, id), or what ``_check`` finds.
        Conflict: ``too_many_entitlement_kinds``.
    """
    _check(session, actor, values)
    if session.scalar(select(EntitlementKind.id).where(EntitlementKind.code == values["code"])):
        raise FieldsInvalid({"code": ["already_exists"]})
    if values.get("id") and session.get(EntitlementKind, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    if (session.scalar(select(func.count()).select_from(EntitlementKind)) or 0) >= MOST_KINDS:
        raise Conflict("too_many_entitlement_kinds", most=MOST_KINDS)
    row = add(session, EntitlementKind(**values))
    record(session, "entitlement_kind.created", Subject("entitlement_kind", row.id), actor_id=actor.id, code=row.code)
    return row


def edit_kind(session: Session, actor: Actor, row: EntitlementKind, changes: Mapping[str, Any]) -> EntitlementKind:
    """Change a kind; ``active`` false retires it. What was spent of it stays as it is.

    Phones hear of its balances again where its name changed, which stands in their sentences.

    Raises:
        FieldsInvalid: what ``_check`` finds.
    """
    names = ("unit", "visit_type_id", "per_visit", "step_minutes")
    _check(session, actor, {name: getattr(row, name) for name in names} | dict(changes), was=row.visit_type_id)
    renamed = any(name in changes and changes[name] != getattr(row, name) for name in ("name_zh", "name_en"))
    for name, value in changes.items():
        setattr(row, name, value)
    touch(session, row)
    if renamed:
        balances = select(Entitlement.id).where(Entitlement.kind_id == row.id, Entitlement.deleted_at.is_(None))
        renumber_many(session, Entitlement, session.scalars(balances).all())
    about = Subject("entitlement_kind", row.id)
    causes = [last_entry(session, about)]
    record(session, "entitlement_kind.edited", about, causes=causes, actor_id=actor.id, fields=sorted(changes))
    return row


def _check(session: Session, actor: Actor, values: Mapping[str, Any], was: str | None = None) -> None:
    """Refuse what contradicts itself.

    Raises:
        FieldsInvalid: ``unknown_reference`` (visit_type_id); ``required`` (per_visit) with a visit type, ``unknown`` without;
            ``quantity_invalid`` (per_visit) that is neither an amount above zero nor "length" of hours; ``not_one_of``
            (step_minutes).
    """
    faults: dict[str, list[str]] = {}
    type_id, per_visit = values.get("visit_type_id"), values.get("per_visit")
    is_new = type_id is not None and type_id != was
    if is_new and session.scalar(types.visible_to(actor).where(VisitType.id == type_id)) is None:
        faults["visit_type_id"] = ["unknown_reference"]
    if (type_id is None) != (per_visit is None):
        faults["per_visit"] = ["required" if per_visit is None else "unknown"]
    elif per_visit == LENGTH:
        if values["unit"] != "hour":
            faults["per_visit"] = ["quantity_invalid"]
    elif per_visit is not None and not Decimal(per_visit) > 0:
        faults["per_visit"] = ["quantity_invalid"]
    if values.get("step_minutes", STEPS_MIN[-1]) not in STEPS_MIN:
        faults["step_minutes"] = ["not_one_of"]
    if faults:
        raise FieldsInvalid(faults)
