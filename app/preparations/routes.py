"""Preparations over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.preparations import news, operations, queries, schemas
from app.preparations.models import BringRule
from app.users.rights import Actor
from app.visits.queries import access_visit

routes = Routes("preparations", __name__, description="What to know and to bring before a visit")


@routes.door("GET", "/visits/<visit_id>/preparation", policy="visits.read", answer=schemas.VisitPreparationSchema)
def read_preparation(session: Session, actor: Actor, visit_id: str) -> dict[str, Any]:
    """Read what changed at the customer since the last visit to the site, and what to bring."""
    return queries.preparation(session, edge_settings(), actor, access_visit(session, actor, visit_id))


@routes.door("GET", "/visits/<visit_id>/new-information", policy="visits.read", answer=schemas.NewsSchema)
def read_news(session: Session, actor: Actor, visit_id: str) -> dict[str, Any]:
    """Read what a visit brought to light that nobody knew before."""
    return news.shown(session, actor, access_visit(session, actor, visit_id))


@routes.door("GET", "/bring-rules", policy="visits.manage", query=PageQuery, answer=page_of(schemas.BringRuleSchema))
def list_rules(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List the rules about what to bring."""
    return page(session, queries.visible_to(actor), BringRule, query)


@routes.door(
    "POST", "/bring-rules", policy="visits.manage", body=schemas.BringRuleSchema, answer=schemas.BringRuleSchema, status=201
)
def create_rule(session: Session, actor: Actor, body: dict[str, Any]) -> BringRule:
    """Add a rule about what to bring when something changed at a customer."""
    return operations.create_rule(session, actor, body)


@routes.door(
    "PATCH",
    "/bring-rules/<bring_rule_id>",
    policy="visits.manage",
    body=schemas.BringRuleEditSchema,
    answer=schemas.BringRuleSchema,
)
def edit_rule(session: Session, actor: Actor, body: dict[str, Any], bring_rule_id: str) -> BringRule:
    """Change a rule about what to bring, or switch it off."""
    rule = queries.access_rule(session, actor, bring_rule_id)
    check_version(rule)
    return operations.edit_rule(session, actor, rule, body)
