"""Verbs on follow-ups: log one, finish its next step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import FieldsInvalid, NotFound
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import add, transition
from app.customers import merging
from app.customers import queries as customers
from app.customers.models import Customer
from app.follow_ups.models import FollowUp
from app.follow_ups.references import named
from app.leads import queries as leads
from app.leads.models import Lead
from app.leads.touching import keep_lead, touch_lead
from app.users.rights import Actor


def log_follow_up(session: Session, actor: Actor, values: Mapping[str, Any]) -> FollowUp:
    """Write down what was done with a customer or a lead. The first real one stops the lead's clock, by when it happened.

    Args:
        values: ``kind``, ``customer_id`` or ``lead_id``, and optionally ``id``, ``happened_at`` (by default now; what a phone
            whose clock is ahead tells counts as now), ``summary``, ``duration_s`` (of a call), ``next_step`` with
            ``next_due``, ``contact_id``, ``visit_id``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (customer_id, lead_id; contact_id, visit_id of another customer), ``one_of_two``
            (lead_id), ``already_exists`` (id), ``required`` (next_step, of a due day), ``unknown`` (duration_s of what is no
            call).
    """
    _check(session, values)
    customer_id, lead = _subject(session, actor, values)
    if lead is not None:
        keep_lead(session, actor, lead.id)  # it may become a customer this instant, whose story this is then
    values = dict(values) | named(session, actor, customer_id, lead, values)
    about = Subject("lead", lead.id) if lead else Subject("customer", str(customer_id))
    row, entry = _log(session, actor, customer_id, lead, values, last_entry(session, about))
    if values.get("customer_id") not in (None, customer_id):
        merging.note_late(session, values["customer_id"], "follow_ups", [row.id])
    if lead is not None and row.is_real:
        touch_lead(session, actor, lead.id, row.happened_at, entry)
    return row


def log_visit(session: Session, actor: Actor, customer_id: str, values: Mapping[str, Any], cause: HistoryEntry) -> FollowUp:
    """Write down what came of a visit, whose customer may be the actor's to see only as long as it is ahead.

    Args:
        values: as of ``log_follow_up``, without the customer.
        cause: the end of the visit.
    """
    return _log(session, actor, customer_id, None, values, cause)[0]


def _log(
    session: Session,
    actor: Actor,
    customer_id: str | None,
    lead: Lead | None,
    values: Mapping[str, Any],
    cause: HistoryEntry | None,
) -> tuple[FollowUp, HistoryEntry]:
    row = add(session, _row(session, actor, values, customer_id, lead))
    entry = record(
        session,
        "follow_up.logged",
        Subject("follow_up", row.id),
        causes=[cause],
        actor_id=actor.id,
        occurred_at=row.happened_at,
        kind_of=f"by_{row.kind}",
        summary=row.summary[:200] or "–",
    )
    return row, entry


def _row(session: Session, actor: Actor, values: Mapping[str, Any], customer_id: str | None, lead: Lead | None) -> FollowUp:
    return FollowUp(
        user_id=actor.id,
        customer_id=customer_id,
        lead_id=lead.id if lead else None,
        happened_at=min(values.get("happened_at") or now(session), now(session)),
        state="open" if values.get("next_step") else "logged",
        **{name: values.get(name) or None for name in ("next_step", "next_due", "contact_id", "visit_id")},
        **{name: values[name] for name in ("id", "kind") if values.get(name)},
        summary=values.get("summary") or "",
        duration_s=values.get("duration_s"),
    )


def _check(session: Session, values: Mapping[str, Any]) -> None:
    faults: dict[str, list[str]] = {}
    if values.get("id") and session.get(FollowUp, values["id"]) is not None:
        faults["id"] = ["already_exists"]
    if bool(values.get("customer_id")) == bool(values.get("lead_id")):
        faults["lead_id"] = ["one_of_two"]
    if values.get("next_due") and not values.get("next_step"):
        faults["next_step"] = ["required"]
    if values.get("duration_s") is not None and values["kind"] != "call":
        faults["duration_s"] = ["unknown"]
    if faults:
        raise FieldsInvalid(faults)


def _subject(session: Session, actor: Actor, values: Mapping[str, Any]) -> tuple[str | None, Lead | None]:
    """Return the customer or the lead that a follow-up is about; of a merged customer, the one it is now."""
    if values.get("lead_id"):
        try:
            return None, leads.held_lead(session, actor, values["lead_id"])
        except NotFound:
            raise FieldsInvalid({"lead_id": ["unknown_reference"]}) from None
    try:
        customer: Customer = customers.named_customer(session, actor, values["customer_id"])
    except NotFound:
        raise FieldsInvalid({"customer_id": ["unknown_reference"]}) from None
    return customers.heirs(session, [customer.id]).get(customer.id, customer.id), None


def finish_step(session: Session, actor: Actor, row: FollowUp, done_at: datetime | None = None) -> FollowUp:
    """Say that the next step was done.

    Args:
        done_at: when; by default now.

    Raises:
        Conflict: ``state_conflict`` unless a next step is open.
    """
    if row.lead_id is not None:
        keep_lead(session, actor, row.lead_id)  # as in ``log_follow_up``
    about = Subject("follow_up", row.id)
    before = last_entry(session, about)
    present = now(session)
    at = min(done_at or present, present)
    transition(session, row, "done", done_at=at, done_by=actor.id)
    record(session, "follow_up.done", about, causes=[before], actor_id=actor.id, occurred_at=at, step=row.next_step or "–")
    return row
