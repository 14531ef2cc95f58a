"""The only readers of follow-ups."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.follow_ups.models import FollowUp
from app.leads.models import LIVE_STATES, Lead
from app.users.rights import REP, Actor

# The follow-up rate looks at so many local days, today among them.
RATE_DAYS = 7


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``FollowUp``: a rep's own, and those with leads and customers they are in charge of."""
    if actor.sees_all:
        return true()
    if actor.role != REP or actor.partner_id is not None:
        return false()
    in_charge = select(Customer.id).where(customers.in_scope(actor))
    leads = select(Lead.id).where(or_(Lead.owner_id == actor.id, Lead.customer_id.in_(in_charge)))
    return or_(FollowUp.user_id == actor.id, FollowUp.customer_id.in_(in_charge), FollowUp.lead_id.in_(leads))


def visible_to(actor: Actor) -> Select[FollowUp]:
    """Return the follow-ups an actor may see."""
    return select(FollowUp).where(FollowUp.deleted_at.is_(None), in_scope(actor))


def access_follow_up(session: Session, actor: Actor, follow_up_id: str) -> FollowUp:
    """Load one follow-up the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), FollowUp, follow_up_id)


def with_customer(customer_id: str) -> ColumnElement[bool]:
    """Return the condition for what was done with a customer, also while it was a lead."""
    return or_(FollowUp.customer_id == customer_id, FollowUp.lead_id.in_(select(Lead.id).where(Lead.customer_id == customer_id)))


def _real() -> ColumnElement[bool]:
    """Return the condition for ``FollowUp.is_real``."""
    unanswered = and_(FollowUp.kind == "call", func.coalesce(FollowUp.duration_s, 1) == 0)
    return and_(FollowUp.kind != "note", ~unanswered, FollowUp.deleted_at.is_(None))


def follow_up_rates(session: Session, time_zone: tzinfo) -> list[dict[str, Any]]:
    """Return, for each territory, how many of its live leads that somebody has were followed up in the last 7 local days.

    Args:
        time_zone: of the organisation: its days count, today among them.

    Returns:
        ``territory_id`` (None: leads without one), ``leads``, ``followed``, ``percent``: of all that have live leads.
    """
    since = rate_since(now(session), time_zone)
    done = exists().where(FollowUp.lead_id == Lead.id, FollowUp.happened_at >= since, _real())
    rows = session.execute(
        select(Lead.territory_id, func.count(), func.count().filter(done))
        .where(Lead.owner_id.is_not(None), Lead.state.in_(LIVE_STATES), Lead.deleted_at.is_(None))
        .group_by(Lead.territory_id)
        .order_by(Lead.territory_id)
    )
    return [
        {"territory_id": territory_id, "leads": count, "followed": followed, "percent": round(100 * followed / count, 1)}
        for territory_id, count, followed in rows
    ]


def rate_since(present: datetime, time_zone: tzinfo) -> datetime:
    """Return the beginning of the first of the local days that the rate looks at."""
    first = present.astimezone(time_zone).date() - timedelta(days=RATE_DAYS - 1)
    return datetime.combine(first, time(), time_zone)
