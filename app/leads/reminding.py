"""What the clock does with leads nobody touches: reminds the rep, then the managers, then puts them back into the pool."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import NotFound
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import hold, touch
from app.leads.assigning import pooled
from app.leads.models import LIVE_STATES, Lead
from app.users import queries as users
from app.users.models import User
from push.outbox import enqueue

# So many at a run.
_MOST = 200


def _untouched() -> ColumnElement[bool]:
    return and_(Lead.owner_id.is_not(None), Lead.first_touch_at.is_(None), Lead.state.in_(LIVE_STATES), Lead.deleted_at.is_(None))


def due(session: Session) -> list[str]:
    """Return leads nobody touched of which it is time to remind somebody, or to put them back; the longest due first."""
    present = now(session)
    step = or_(
        and_(Lead.reminded_at.is_(None), Lead.first_touch_due_at <= present),
        and_(Lead.escalated_at.is_(None), Lead.escalate_at <= present),
        Lead.recycle_at <= present,
    )
    waiting = select(Lead.id).where(_untouched(), step)
    return list(session.scalars(waiting.order_by(Lead.first_touch_due_at, Lead.id).limit(_MOST)))


def remind(session: Session, lead_id: str) -> int:
    """Do for one lead what it is time for, each step once; return how many steps that were.

    What is due is asked again once the lead is held: it may have been touched since it was found.
    """
    try:
        lead = hold(session, Lead, lead_id)
    except NotFound:
        return 0
    present = now(session)
    if lead.owner_id is None or lead.first_touch_at is not None or lead.state not in LIVE_STATES:
        return 0
    about = Subject("lead", lead.id)
    before = last_entry(session, about)
    if lead.recycle_at is not None and lead.recycle_at <= present:
        pooled(session, lead, "untouched", [before])
        return 1
    steps = 0
    owner = session.get_one(User, lead.owner_id)
    if lead.reminded_at is None and lead.first_touch_due_at is not None and lead.first_touch_due_at <= present:
        lead.reminded_at = present
        before, steps = _tell(session, lead, [owner], before, owner), steps + 1
    if lead.escalated_at is None and lead.escalate_at is not None and lead.escalate_at <= present:
        lead.escalated_at = present
        managers = users.managers_of(session, lead.territory_id)
        before, steps = _tell(session, lead, managers, before, owner, late=True), steps + 1
    return steps


def _tell(
    session: Session, lead: Lead, people: list[User], cause: HistoryEntry | None, owner: User, *, late: bool = False
) -> HistoryEntry:
    touch(session, lead)
    about = Subject("lead", lead.id)
    since = lead.assigned_at.isoformat() if lead.assigned_at else ""
    entry = record(
        session, "lead.reminded", about, causes=[cause], to="to_manager" if late else "to_rep", since=since, owner_id=owner.id
    )
    enqueue(
        session,
        people,
        "lead_waits_long" if late else "lead_waiting",
        about,
        dedupe=f"lead:{lead.id}:{lead.assignments}:{'late' if late else 'due'}",
        causes=[entry],
        lead_number=lead.number,
        lead_name=lead.name,
        rep_name=owner.name,
        interest=lead.interest,
        recycle_at=lead.recycle_at.isoformat() if lead.recycle_at else "",
    )
    return entry
