"""The only readers of plans of a day, and of the visits and sites they are about."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from app.core.db import among, database_now
from app.core.tracked import one_of
from app.customers.models import Site
from app.day_plans.models import DayPlan
from app.users.rights import REP, Actor
from app.visits import queries as visits
from app.visits.models import Visit


def visible_to(actor: Actor) -> Select[DayPlan]:
    """Return the plans an actor may see: a rep their own; the office all."""
    plans = select(DayPlan).where(DayPlan.deleted_at.is_(None))
    return plans if actor.sees_all else plans.where(DayPlan.user_id == actor.id)


def access_plan(session: Session, actor: Actor, plan_id: str) -> DayPlan:
    """Load one plan the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), DayPlan, plan_id)


def visits_of_day(session: Session, user_id: str, since: datetime, until: datetime, limit: int) -> list[tuple[Visit, Site]]:
    """Return a rep's visits that are planned for a time or under way then, with their sites, in the order of their windows."""
    query = (
        select(Visit, Site)
        .join(Site, Site.id == Visit.site_id)
        .where(
            Visit.user_id == user_id,
            Visit.deleted_at.is_(None),
            Visit.state.in_(("planned", "in_progress")),
            Visit.planned_from < until,
            Visit.planned_until >= since,
        )
    )
    rows = session.execute(query.order_by(Visit.planned_from, Visit.planned_until, Visit.id).limit(limit))
    return [(visit, site) for visit, site in rows]


def visits_by_id(session: Session, actor: Actor, user_id: str, ids: Collection[str]) -> dict[str, tuple[Visit, Site]]:
    """Return those of some visits that are a rep's and that the actor may see, with their sites, by id."""
    named = visits.visible_to(actor).where(among(session, Visit.id, sorted(ids)), Visit.user_id == user_id)
    return {
        visit.id: (visit, site) for visit, site in session.execute(named.join(Site, Site.id == Visit.site_id).add_columns(Site))
    }


def waiting(session: Session, user_id: str) -> int:
    """Return how many plans of a rep are still to be worked out."""
    some = select(func.count()).where(DayPlan.user_id == user_id, DayPlan.state.in_(("queued", "running")))
    return int(session.scalar(some) or 0)


def next_due(session: Session) -> DayPlan | None:
    """Return the plan that waits longest, or one whose worker was not heard of any more."""
    due = or_(DayPlan.state == "queued", (DayPlan.state == "running") & (DayPlan.leased_until < database_now(session)))
    query = select(DayPlan).where(due, DayPlan.deleted_at.is_(None)).order_by(DayPlan.created_at, DayPlan.id).limit(1)
    return session.scalar(query.with_for_update(skip_locked=True))


def is_rep(actor: Actor) -> bool:
    """Tell whether an actor makes visits."""
    return actor.role == REP and actor.partner_id is None
