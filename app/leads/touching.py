"""The first touch: what its rep did with a lead stops its clock, by when it happened and not by when we hear of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core.history import HistoryEntry, Subject, record
from app.core.tracked import hold, touch, transition
from app.leads.assigning import take_charge
from app.leads.models import Lead, LeadHolding
from app.users.models import User
from app.users.rights import Actor
from push.outbox import withdraw

REMINDERS = frozenset({"lead_waiting", "lead_waits_long", "lead_assigned"})


def keep_lead(session: Session, actor: Actor, lead_id: str) -> tuple[User | None, Lead]:
    """Keep a lead, and before it whoever does something with it, from others until the commit; return both as they are now.

    Who gives leads to people takes the person first, too, so that none waits in a circle.
    """
    user = session.scalar(select(User).where(User.id == actor.id).with_for_update(read=True))
    return user, hold(session, Lead, lead_id)


def touch_lead(session: Session, actor: Actor, lead_id: str, at: datetime, cause: HistoryEntry) -> None:
    """Take in that somebody did something with a lead.

    A call that a rep made in time and whose phone told of it only after the lead went back to the pool brings the lead
    back to them, unless somebody has claimed it meanwhile.

    Args:
        at: when it happened.
        cause: its entry in the causal log.
    """
    user, lead = keep_lead(session, actor, lead_id)
    about = Subject("lead", lead.id)
    if user is not None and lead.in_pool and _had_then(session, lead, actor.id, at):
        cause = take_charge(session, None, lead, user, "kept", [cause], actor_id=actor.id)
    elif not (actor.sees_all or lead.owner_id == actor.id):
        _note(session, lead, actor.id, at)
        return
    if lead.owner_id is not None and (lead.first_touch_at is None or at < lead.first_touch_at):
        lead.first_touch_at = at
        touch(session, lead)
        _note(session, lead, lead.owner_id, at)
        cause = record(session, "lead.first_touched", about, causes=[cause], actor_id=actor.id, occurred_at=at)
        withdraw(session, REMINDERS, about, cause)
    if lead.state == "open":
        transition(session, lead, "contacted")
        record(session, "lead.contacted", about, causes=[cause], actor_id=actor.id, occurred_at=at)


def _had_then(session: Session, lead: Lead, user_id: str, at: datetime) -> bool:
    """Tell whether a lead was taken from a rep as untouched who at that instant had it."""
    last = session.scalars(
        select(LeadHolding).where(LeadHolding.lead_id == lead.id).order_by(LeadHolding.number.desc()).limit(1)
    ).one_or_none()
    if last is None or last.user_id != user_id or last.end_reason != "untouched" or last.ended_at is None:
        return False
    return at <= last.ended_at


def _note(session: Session, lead: Lead, user_id: str, at: datetime) -> None:
    """Write into a rep's last holding of a lead when they first touched it."""
    mine = (LeadHolding.lead_id == lead.id, LeadHolding.user_id == user_id)
    session.execute(
        update(LeadHolding)
        .where(*mine, (LeadHolding.touched_at.is_(None)) | (LeadHolding.touched_at > at))
        .where(
            LeadHolding.number
            == select(LeadHolding.number).where(*mine).order_by(LeadHolding.number.desc()).limit(1).scalar_subquery()
        )
        .values(touched_at=at)
        .execution_options(synchronize_session=False)
    )
