"""The only readers of visit plans."""

from __future__ import annotations

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.users.rights import Actor
from app.visit_plans.models import VisitPlan


def visible_to(actor: Actor) -> Select[VisitPlan]:
    """Return the visit plans an actor may see: the office all, others none."""
    plans = select(VisitPlan).where(VisitPlan.deleted_at.is_(None))
    return plans if actor.sees_all else plans.where(false())


def access_plan(session: Session, actor: Actor, plan_id: str) -> VisitPlan:
    """Load one visit plan the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), VisitPlan, plan_id)


def all_ids(session: Session) -> list[str]:
    """Return every plan, also those that are switched off: what they had planned is called off."""
    return list(session.scalars(select(VisitPlan.id).where(VisitPlan.deleted_at.is_(None)).order_by(VisitPlan.id)))
