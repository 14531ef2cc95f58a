"""Plans of a day over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes
from app.core.paging import page, page_of
from app.day_plans import operations, queries, schemas
from app.day_plans.models import DayPlan
from app.day_plans.words import in_words
from app.users.rights import Actor

routes = Routes("day_plans", __name__, description="The order of a day's visits")
_FIELDS = tuple(schemas.DayPlanSchema().fields)


def _shown(actor: Actor, row: DayPlan) -> dict[str, Any]:
    """Return a plan with the reasons of what does not fit in the reader's language."""
    return {name: getattr(row, name) for name in _FIELDS} | {"answer": in_words(row.answer, actor.locale)}


@routes.door(
    "POST", "/visits/plan-day", policy="visits.write", body=schemas.PlanDaySchema, answer=schemas.DayPlanSchema, status=202
)
def plan_day(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    """Ask for the best order of a day's visits; it is worked out in the background.

    ``Location`` names the plan; it is ``ready`` some seconds later. Visits that do not fit are listed with the reason.
    """
    row = operations.ask_for_plan(session, edge_settings(), actor, body)
    return _shown(actor, row), 202, {"Location": f"/api/v1/day-plans/{row.id}"}


@routes.door("GET", "/day-plans", policy="visits.read", query=schemas.DayPlanQuery, answer=page_of(schemas.DayPlanSchema))
def list_plans(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List plans of days: a rep their own, the office all."""
    plans = queries.visible_to(actor)
    for name in ("user_id", "day", "state"):
        if name in query:
            plans = plans.where(getattr(DayPlan, name) == query[name])
    listed = page(session, plans, DayPlan, query)
    return listed | {"items": [_shown(actor, row) for row in listed["items"]]}


@routes.door("GET", "/day-plans/<day_plan_id>", policy="visits.read", answer=schemas.DayPlanSchema)
def read_plan(session: Session, actor: Actor, day_plan_id: str) -> dict[str, Any]:
    """Read one plan of a day."""
    return _shown(actor, queries.access_plan(session, actor, day_plan_id))


@routes.door("POST", "/day-plans/<day_plan_id>/apply", policy="visits.write", answer=schemas.DayPlanSchema)
def apply_plan(session: Session, actor: Actor, day_plan_id: str) -> dict[str, Any]:
    """Take a plan over: its visits get the times it found, if nothing of the day has changed meanwhile."""
    plan = queries.access_plan(session, actor, day_plan_id)
    return _shown(actor, operations.apply_plan(session, actor, plan))
