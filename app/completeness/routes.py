"""Completeness over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.completeness import operations, queries, schemas
from app.completeness.models import RepairTask
from app.completeness.scores import completeness
from app.core.http import Routes
from app.core.paging import page, page_of
from app.customers import queries as customers
from app.users.rights import Actor

routes = Routes("completeness", __name__, description="How complete customers are, and who fills the gaps")


@routes.door("GET", "/customers/<customer_id>/completeness", policy="completeness.read", answer=schemas.CompletenessSchema)
def read_completeness(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """Tell how complete a customer is now, and what is missing."""
    customer = customers.follow_customer(session, actor, customer_id)
    score, missing = completeness(queries.present_in(session, [customer])[customer.id], queries.rule_of(session)[1])
    return {"score": score, "missing": missing}


@routes.door("GET", "/completeness-rule", policy="completeness.read", answer=schemas.CompletenessRuleSchema)
def read_rule(session: Session, actor: Actor) -> dict[str, Any]:
    """Show which fields count, and how much."""
    version, counted, least = queries.rule_of(session)
    return {"version": version, "counted": counted, "least": least}


@routes.door(
    "POST",
    "/completeness-rule",
    policy="completeness.manage",
    body=schemas.CompletenessRuleSchema,
    answer=schemas.CompletenessRuleSchema,
)
def set_rule(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Say which fields count from now on; all customers are scanned anew."""
    row = operations.set_rule(session, actor, body["counted"], body["least"])
    return {"version": row.version, "counted": row.fields, "least": row.least}


@routes.door(
    "GET",
    "/repair-tasks",
    policy="completeness.read",
    query=schemas.RepairTaskQuery,
    answer=page_of(schemas.RepairTaskSchema),
)
def list_tasks(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List what is missing of customers."""
    return page(session, queries.visible_tasks(actor, query), RepairTask, query)


@routes.door(
    "GET",
    "/repair-tasks/export",
    policy="completeness.read",
    query=schemas.RepairTaskFilter,
    answer=schemas.ExportSchema,
)
def export_tasks(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Give the repair tasks as a CSV file, at most 5,000, the least complete first."""
    return operations.exported(session, actor, query)
