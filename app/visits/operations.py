"""Verbs on visits: plan, move, begin with a check-in, end with one, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.numbers import next_number
from app.core.settings import Settings
from app.core.tracked import add, touch, transition
from app.customers import queries as customers
from app.customers.models import Site
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor
from app.visits import queries
from app.visits.check_ins import check_in
from app.visits.models import CheckIn, Visit


def plan_visit(session: Session, actor: Actor, values: Mapping[str, Any]) -> Visit:
    """Plan a visit: a rep their own, the office anybody's.

    Args:
        values: ``site_id``, ``planned_from``, ``planned_until``, and optionally ``id``, ``user_id`` and ``purpose``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (site_id, user_id), ``already_exists`` (id), ``out_of_range`` (planned_until).
    """
    site = session.scalar(customers.visible_sites(actor).where(Site.id == values["site_id"]))
    if site is None:
        raise FieldsInvalid({"site_id": ["unknown_reference"]})
    if values.get("id") and session.get(Visit, values["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    row = Visit(
        number=next_number(session, "V"),
        customer_id=site.customer_id,
        site_id=site.id,
        user_id=_rep(session, actor, values.get("user_id")),
        purpose=values.get("purpose", ""),
        planned_from=values["planned_from"],
        planned_until=values["planned_until"],
        state="planned",
    )
    if values.get("id"):
        row.id = values["id"]
    _check_window(row.planned_from, row.planned_until)
    add(session, row)
    record(session, "visit.planned", Subject("visit", row.id), actor_id=actor.id, number=row.number)
    return row


def _rep(session: Session, actor: Actor, user_id: str | None) -> str:
    if user_id is None or user_id == actor.id:
        if actor.role != REP:
            raise FieldsInvalid({"user_id": ["required"]})
        return actor.id
    rep = users.visible_to(actor).where(User.id == user_id, User.role == REP, User.state == "active", User.partner_id.is_(None))
    if not actor.sees_all or session.scalar(rep.with_only_columns(User.id)) is None:
        raise FieldsInvalid({"user_id": ["unknown_reference"]})
    return user_id


def _check_window(begins: datetime, ends: datetime) -> None:
    if begins > ends:
        raise FieldsInvalid({"planned_until": ["out_of_range"]})


def move_visit(session: Session, actor: Actor, visit: Visit, changes: Mapping[str, Any]) -> Visit:
    """Move a planned visit to another time, or say what it is for.

    Raises:
        Conflict: ``state_conflict`` when it is not planned any more.
        FieldsInvalid: ``out_of_range`` (planned_until).
    """
    if visit.state != "planned":
        raise Conflict("state_conflict", state=visit.state, wanted="planned")
    for name, value in changes.items():
        setattr(visit, name, value)
    _check_window(visit.planned_from, visit.planned_until)
    touch(session, visit)
    about = Subject("visit", visit.id)
    record(session, "visit.moved", about, causes=[last_entry(session, about)], actor_id=actor.id, fields=sorted(changes))
    return visit


def begin_visit(session: Session, settings: Settings, actor: Actor, visit: Visit, told: Mapping[str, Any]) -> CheckIn:
    """Check in: the visit begins.

    Args:
        told: see ``check_ins.check_in``.

    Raises:
        Conflict: ``visit_in_progress`` while the rep is at another one; ``state_conflict`` unless it is planned.
    """
    session.refresh(session.get_one(User, actor.id), with_for_update=True)  # of two that begin at once one waits here
    other = queries.in_progress(session, actor.id)
    if other is not None and other is not visit:
        raise Conflict("visit_in_progress", number=other.number)
    transition(session, visit, "in_progress")
    row, entry = check_in(session, settings, actor, visit, told, leaving=False)
    visit.began_at = row.at
    touch(session, visit)
    record(session, "visit.began", Subject("visit", visit.id), causes=[entry], actor_id=actor.id, occurred_at=row.at)
    return row


def end_visit(
    session: Session, settings: Settings, actor: Actor, visit: Visit, told: Mapping[str, Any], outcome: str, next_step: str
) -> CheckIn:
    """Check out: the visit ends, with what came of it and what comes next.

    Raises:
        Conflict: ``state_conflict`` unless it is in progress.
    """
    transition(session, visit, "finished", outcome=outcome, next_step=next_step)
    row, entry = check_in(session, settings, actor, visit, told, leaving=True)
    visit.ended_at = row.at if visit.began_at is None else max(row.at, visit.began_at)
    touch(session, visit)
    record(session, "visit.ended", Subject("visit", visit.id), causes=[entry], actor_id=actor.id, occurred_at=row.at)
    return row


def cancel_visit(session: Session, actor: Actor, visit: Visit, reason: str) -> Visit:
    """Cancel a planned visit.

    Raises:
        Conflict: ``state_conflict`` unless it is planned.
    """
    about = Subject("visit", visit.id)
    before = last_entry(session, about)
    transition(session, visit, "cancelled", cancel_reason=reason)
    record(session, "visit.cancelled", about, causes=[before], actor_id=actor.id, reason=reason)
    return visit
