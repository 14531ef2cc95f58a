"""Verbs on visits: plan, move, begin with a check-in, end with one, note that nobody was there, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.numbers import next_number
from app.core.settings import Settings
from app.core.tracked import add, hold, touch, transition
from app.customers import queries as customers
from app.customers.models import Site
from app.entitlements.operations import Ended, spend_for_visit
from app.follow_ups.operations import log_visit
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor
from app.visit_types import queries as types
from app.visit_types.models import VisitType
from app.visits import queries, steps
from app.visits.check_ins import check_in
from app.visits.models import CheckIn, Visit

# Why a visit was not missed, by what its check-in says of its day.
_HELD = {"day_passed": "held_later", "day_ahead": "held_ahead"}
# How far ahead a visit is planned at most, and how long the window is in which it is to begin.
FARTHEST = timedelta(days=2 * 365)
LONGEST_WINDOW = timedelta(days=31)
_TIMES = ("planned_from", "planned_until")


def plan_visit(session: Session, actor: Actor, values: Mapping[str, Any]) -> Visit:
    """Plan a visit: a rep their own, the office anybody's.

    Args:
        values: ``site_id``, ``planned_from``, ``planned_until``, and optionally ``id``, ``user_id``, ``type_id``, ``purpose`` and
            ``length_minutes``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (site_id, user_id, type_id), ``already_exists`` (id), ``too_far_ahead``
            (planned_from), ``out_of_range`` and ``window_too_long`` (planned_until).
    """
    site = session.scalar(customers.visible_sites(actor).where(Site.id == values["site_id"]))
    if site is None:
        raise FieldsInvalid({"site_id": ["unknown_reference"]})
    if values.get("id") and session.get(Visit, values["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    type_id = values.get("type_id")
    if type_id is not None and session.scalar(types.visible_to(actor).where(VisitType.id == type_id, VisitType.active)) is None:
        raise FieldsInvalid({"type_id": ["unknown_reference"]})
    row = Visit(
        number=next_number(session, "V"),
        type_id=type_id,
        customer_id=site.customer_id,
        site_id=site.id,
        user_id=_rep(session, actor, values.get("user_id")),
        purpose=values.get("purpose", ""),
        planned_from=values["planned_from"],
        planned_until=values["planned_until"],
        length_minutes=values.get("length_minutes"),
        state="planned",
    )
    if values.get("id"):
        row.id = values["id"]
    _check_window(session, row.planned_from, row.planned_until)
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


def _check_window(session: Session, begins: datetime, ends: datetime) -> None:
    faults: dict[str, list[str]] = {}
    if begins > now(session) + FARTHEST:
        faults["planned_from"] = ["too_far_ahead"]
    if begins > ends:
        faults["planned_until"] = ["out_of_range"]
    elif ends - begins > LONGEST_WINDOW:
        faults["planned_until"] = ["window_too_long"]
    if faults:
        raise FieldsInvalid(faults)


def move_visit(
    session: Session, actor: Actor, visit: Visit, changes: Mapping[str, Any], because: HistoryEntry | None = None
) -> Visit:
    """Move a visit to another time, or say what it is for. One that was missed is planned again by that.

    Args:
        changes: ``planned_from``, ``planned_until``, ``purpose``, each where it changes, and optionally the ``reason``.
        because: what it follows from, where that is something else than the actor's wish.

    Raises:
        Conflict: ``state_conflict`` when it is not planned any more.
        FieldsInvalid: ``too_far_ahead`` (planned_from), ``out_of_range`` and ``window_too_long`` (planned_until).
    """
    visit = hold(session, Visit, visit.id)
    if visit.state not in {"planned", "missed"}:
        raise Conflict("state_conflict", state=visit.state, wanted="planned")
    about = Subject("visit", visit.id)
    before = because or last_entry(session, about)
    times = {name: value for name, value in changes.items() if name in _TIMES and getattr(visit, name) != value}
    if times and visit.state == "missed":
        transition(session, visit, "planned")
    for name in changes.keys() - {"reason"}:
        setattr(visit, name, changes[name])
    if times:  # one of an older release may stand farther off; only who moves it has to mind
        _check_window(session, visit.planned_from, visit.planned_until)
    fields = sorted(changes.keys() - {"reason"})
    if times:
        visit.moved_count, visit.move_reason = visit.moved_count + 1, changes.get("reason")
        touch(session, visit)
        record(
            session,
            "visit.rescheduled",
            about,
            causes=[before],
            actor_id=actor.id,
            fields=fields,
            count=visit.moved_count,
            reason=visit.move_reason,
            planned_from=visit.planned_from.isoformat(),
        )
    else:
        touch(session, visit)
        record(session, "visit.moved", about, causes=[before], actor_id=actor.id, fields=fields)
    return visit


def begin_visit(session: Session, settings: Settings, actor: Actor, visit: Visit, told: Mapping[str, Any]) -> CheckIn:
    """Check in: the visit begins, with the kit its phone had. One that was marked as missed was not.

    Args:
        told: see ``check_ins.check_in``; and optionally ``kit_id``.

    Raises:
        Conflict: ``visit_in_progress`` while the rep is at another one; ``state_conflict`` unless it is planned or missed.
    """
    visit, was = _held_for(session, actor, visit)
    transition(session, visit, "in_progress")
    row, entry = check_in(session, settings, actor, visit, told, leaving=False)
    visit.began_at = row.at
    if visit.type_id is not None:
        visit.kit_id = types.kit_of(session, visit.type_id, told.get("kit_id")).id
    touch(session, visit)
    causes = [entry, _take_back(session, visit, was, row, entry)]
    record(session, "visit.began", Subject("visit", visit.id), causes=causes, actor_id=actor.id, occurred_at=row.at)
    return row


def _held_for(session: Session, actor: Actor, visit: Visit) -> tuple[Visit, str]:
    """Keep a rep and their visit from others; return the visit as it is this instant, and its state.

    Raises:
        Conflict: ``visit_in_progress`` while the rep is at another one.
    """
    # Of two that begin at once one waits here. Not locked against rows that name this person: who writes one of their visits
    # holds that visit, and would wait for us while we wait for it.
    session.refresh(session.get_one(User, actor.id), with_for_update={"key_share": True})
    other = queries.in_progress(session, actor.id)
    if other is not None and other is not visit:
        raise Conflict("visit_in_progress", number=other.number)
    visit = hold(session, Visit, visit.id)
    return visit, visit.state


def _take_back(session: Session, visit: Visit, was: str, row: CheckIn, entry: HistoryEntry) -> HistoryEntry | None:
    """Say that a visit was not missed after all, where somebody had marked it so."""
    if was != "missed":
        return None
    about = Subject("visit", visit.id)
    causes = [entry, last_entry(session, about, "visit.missed")]
    why = next((why for reason, why in _HELD.items() if reason in row.reasons), "told_late")
    return record(session, "visit.not_missed", about, causes=causes, occurred_at=row.at, reason=why)


def note_absence(
    session: Session, settings: Settings, actor: Actor, visit: Visit, told: Mapping[str, Any], reason: str
) -> CheckIn:
    """Note that the rep was there and the customer was not, with a check-in that shows it.

    Args:
        told: see ``check_ins.check_in``.

    Raises:
        Conflict: ``visit_in_progress`` while the rep is at another one; ``state_conflict`` unless it is planned or missed.
    """
    visit, was = _held_for(session, actor, visit)
    transition(session, visit, "no_show", absence=reason)
    row, entry = check_in(session, settings, actor, visit, told, leaving=False)
    touch(session, visit)
    causes = [entry, _take_back(session, visit, was, row, entry)]
    about = Subject("visit", visit.id)
    record(session, "visit.no_show", about, causes=causes, actor_id=actor.id, occurred_at=row.at, reason=reason)
    return row


def end_visit(
    session: Session,
    settings: Settings,
    actor: Actor,
    visit: Visit,
    told: Mapping[str, Any],
    outcome: str,
    next_step: str,
    incomplete_reason: str = "",
) -> CheckIn:
    """Check out: the visit ends, with what came of it and what comes next, as a follow-up. What its kit still asks for is noted,
    and what its type spends of what the customer is owed is spent.

    Args:
        told: see ``check_ins.check_in``; and ``next_due``, the day by which the next step is to be done.
        incomplete_reason: why something was left; kept where something was.

    Raises:
        Conflict: ``state_conflict`` unless it is in progress.
    """
    transition(session, visit, "finished", outcome=outcome, next_step=next_step)
    row, entry = check_in(session, settings, actor, visit, told, leaving=True)
    visit.ended_at = row.at if visit.began_at is None else max(row.at, visit.began_at)
    visit.lacking = steps.lacking(session, visit)
    visit.incomplete = bool(visit.lacking)
    visit.incomplete_reason = incomplete_reason or None if visit.incomplete else None
    touch(session, visit)
    about = Subject("visit", visit.id)
    ended = record(session, "visit.ended", about, causes=[entry], actor_id=actor.id, occurred_at=row.at)
    if visit.incomplete:
        steps.note_incomplete(session, visit, [ended], at=row.at)
    over = Ended(visit.id, visit.customer_id, visit.type_id, visit.user_id, visit.began_at, visit.ended_at)
    spend_for_visit(session, settings, over, ended)
    if outcome or next_step:
        came = {"summary": outcome, "next_step": next_step, "next_due": told.get("next_due") if next_step else None}
        met = {"kind": "meeting", "visit_id": visit.id, "happened_at": row.at}
        log_visit(session, actor, visit.customer_id, came | met, ended)
    return row


def explain_incomplete(session: Session, actor: Actor, visit: Visit, reason: str) -> Visit:
    """Say why a visit was left without what its kit asks for.

    Raises:
        Conflict: ``visit_complete`` when nothing is missing.
    """
    if not visit.incomplete:
        raise Conflict("visit_complete")
    visit.incomplete_reason = reason
    touch(session, visit)
    about = Subject("visit", visit.id)
    causes = [last_entry(session, about, "visit.left_incomplete")]
    record(session, "visit.explained", about, causes=causes, actor_id=actor.id, reason=reason)
    return visit


def cancel_visit(session: Session, actor: Actor, visit: Visit, reason: str) -> Visit:
    """Cancel a visit that is planned, or was missed.

    Raises:
        Conflict: ``state_conflict`` unless it is one of both.
    """
    about = Subject("visit", visit.id)
    before = last_entry(session, about)
    transition(session, visit, "cancelled", cancel_reason=reason)
    record(session, "visit.cancelled", about, causes=[before], actor_id=actor.id, reason=reason)
    return visit
