"""Follow-ups over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import now
from app.core.edge import edge_settings
from app.core.http import Routes
from app.core.paging import page, page_of
from app.follow_ups import figures, operations, queries, schemas
from app.follow_ups.models import FollowUp
from app.users.rights import Actor

routes = Routes("follow_ups", __name__, description="What was done with customers and leads, and what comes next")
_FIELDS = tuple(schemas.FollowUpSchema().fields)


def _today(session: Session) -> date:
    return now(session).astimezone(edge_settings().time_zone).date()


def _shown(row: FollowUp, today: date) -> dict[str, Any]:
    overdue = row.state == "open" and row.next_due is not None and row.next_due < today
    return {name: getattr(row, name) for name in _FIELDS if name != "overdue"} | {"overdue": overdue}


@routes.door("GET", "/follow-ups", policy="follow_ups.read", query=schemas.FollowUpQuery, answer=page_of(schemas.FollowUpSchema))
def list_follow_ups(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List follow-ups; with ``due_until``, those with an open next step that is due up to and with that day."""
    found = figures.narrowed(edge_settings(), queries.visible_to(actor), query)
    if "figure" in query:
        found = found.where(figures.conditions(_today(session))[query["figure"]])
    for name in ("lead_id", "visit_id", "state"):
        if name in query:
            found = found.where(getattr(FollowUp, name) == query[name])
    if "customer_id" in query:
        found = found.where(queries.with_customer(query["customer_id"]))
    if "due_until" in query:
        found = found.where(FollowUp.state == "open", FollowUp.next_due <= query["due_until"])
    listed = page(session, found, FollowUp, query)
    today = _today(session)
    return listed | {"items": [_shown(row, today) for row in listed["items"]]}


@routes.door(
    "POST",
    "/follow-ups",
    policy="follow_ups.write",
    body=schemas.FollowUpSchema,
    answer=schemas.FollowUpSchema,
    status=201,
)
def log_follow_up(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Write down what was done with a customer or a lead, and what comes next."""
    return _shown(operations.log_follow_up(session, actor, body), _today(session))


@routes.door("GET", "/follow-ups/<follow_up_id>", policy="follow_ups.read", answer=schemas.FollowUpSchema)
def read_follow_up(session: Session, actor: Actor, follow_up_id: str) -> dict[str, Any]:
    """Read one follow-up."""
    return _shown(queries.access_follow_up(session, actor, follow_up_id), _today(session))


@routes.door(
    "POST",
    "/follow-ups/<follow_up_id>/done",
    policy="follow_ups.write",
    body=schemas.StepDoneSchema,
    answer=schemas.FollowUpSchema,
)
def finish_step(session: Session, actor: Actor, body: dict[str, Any], follow_up_id: str) -> dict[str, Any]:
    """Say that the next step was done."""
    row = queries.access_follow_up(session, actor, follow_up_id)
    return _shown(operations.finish_step(session, actor, row, body.get("done_at")), _today(session))


@routes.door("GET", "/follow-up-rates", policy="leads.manage", answer=schemas.RatesSchema)
def follow_up_rates(session: Session, actor: Actor) -> dict[str, Any]:
    """Tell, for each territory, the share of its live leads that were followed up in the last 7 days, today among them."""
    zone = edge_settings().time_zone
    return {"since": queries.rate_since(now(session), zone), "items": queries.follow_up_rates(session, zone)}
