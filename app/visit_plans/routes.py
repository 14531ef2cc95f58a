"""Visit plans over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.locales import EN
from app.core.paging import PageQuery, page, page_of
from app.customers.models import Site
from app.users.rights import Actor
from app.visit_plans import operations, planning, queries, schemas
from app.visit_plans.models import VisitPlan
from app.visit_plans.segments import sites_of

# What comes of a site in a period: (English, Chinese).
OUTCOMES: dict[str, tuple[str, str]] = {
    "due": ("It is due on this day.", "将于当日安排拜访。"),
    "not_yet": ("Its day lies further ahead.", "拜访日期在 14 天之后。"),
    "planned_by_this_plan": ("This plan has planned it already.", "本计划已安排过该期拜访。"),
    "planned_otherwise": ("A visit in this period is planned already.", "该期内已另有计划的拜访。"),
    "visited_meanwhile": ("It was visited in this period already.", "该期内已拜访过。"),
    "no_rep": ("No active rep is in charge of the customer.", "该客户没有在岗的负责业务员。"),
    "no_working_day": ("No working day is left in this period.", "该期内没有剩余工作日。"),
}

routes = Routes("visit_plans", __name__, description="How often customers are visited")


@routes.door("GET", "/visit-plans", policy="visits.manage", query=PageQuery, answer=page_of(schemas.VisitPlanSchema))
def list_plans(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List visit plans."""
    return page(session, queries.visible_to(actor), VisitPlan, query)


@routes.door(
    "POST",
    "/visit-plans",
    policy="visits.manage",
    body=schemas.VisitPlanSchema,
    answer=schemas.VisitPlanSchema,
    status=201,
)
def create_plan(session: Session, actor: Actor, body: dict[str, Any]) -> VisitPlan:
    """Add a visit plan. Its visits of the next 14 days are made within minutes."""
    return operations.create_plan(session, edge_settings(), actor, body)


@routes.door("GET", "/visit-plans/<visit_plan_id>", policy="visits.manage", answer=schemas.VisitPlanSchema)
def read_plan(session: Session, actor: Actor, visit_plan_id: str) -> VisitPlan:
    """Read one visit plan."""
    return queries.access_plan(session, actor, visit_plan_id)


@routes.door(
    "PATCH",
    "/visit-plans/<visit_plan_id>",
    policy="visits.manage",
    body=schemas.VisitPlanEditSchema,
    answer=schemas.VisitPlanSchema,
)
def edit_plan(session: Session, actor: Actor, body: dict[str, Any], visit_plan_id: str) -> VisitPlan:
    """Change a visit plan, or switch it off. What it has planned and does not want any more is called off."""
    plan = queries.access_plan(session, actor, visit_plan_id)
    check_version(plan)
    return operations.edit_plan(session, edge_settings(), actor, plan, body)


@routes.door(
    "GET",
    "/visit-plans/<visit_plan_id>/preview",
    policy="visits.manage",
    query=PageQuery,
    answer=schemas.PlanPreviewSchema,
)
def preview_plan(session: Session, actor: Actor, query: dict[str, Any], visit_plan_id: str) -> dict[str, Any]:
    """Read what comes of a plan in the next 14 days, site by site and period by period, and why not."""
    plan = queries.access_plan(session, actor, visit_plan_id)
    sites = sites_of(plan.conditions)
    listed = page(session, sites, Site, query)
    since, until = planning.horizon(session, edge_settings())
    side = 0 if actor.locale == EN else 1
    items = [
        {
            "site_id": one.site.id,
            "customer_id": one.site.customer_id,
            "user_id": one.user_id,
            "first": one.period.first,
            "last": one.period.last,
            "day": one.day,
            "outcome": one.outcome,
            "text": OUTCOMES[one.outcome][side],
            "visit_id": one.visit.id if one.visit is not None else None,
        }
        for one in planning.propose(session, edge_settings(), plan, listed["items"])
    ]
    count = session.scalar(select(func.count()).select_from(sites.with_only_columns(Site.id).subquery()))
    return {"since": since, "until": until, "sites": count or 0, "items": items, "next": listed["next"]}
