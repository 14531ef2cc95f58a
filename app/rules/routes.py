"""Rules over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.rules import operations, queries, schemas
from app.rules.models import Rule, RuleVersion
from app.users.rights import Actor

routes = Routes("rules", __name__, description="Rules and their versions")


def _shown(session: Session, rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "version": rule.version,
        "created_at": rule.created_at,
        "updated_at": rule.updated_at,
        "code": rule.code,
        "enabled": rule.enabled,
        "number": rule.number,
        "document": queries.version_of(session, rule).document,
    }


@routes.door("GET", "/rules", policy="rules.read", query=PageQuery, answer=page_of(schemas.RuleSchema))
def list_rules(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List rules."""
    found = page(session, queries.visible(), Rule, query)
    return {"items": [_shown(session, rule) for rule in found["items"]], "next": found["next"]}


@routes.door("POST", "/rules", policy="rules.manage", body=schemas.RuleSchema, answer=schemas.RuleSchema, status=201)
def create_rule(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Add a rule."""
    return _shown(session, operations.create_rule(session, actor.id, body["code"], body["document"], body["enabled"]))


@routes.door("GET", "/rules/<rule_id>", policy="rules.read", answer=schemas.RuleSchema)
def read_rule(session: Session, actor: Actor, rule_id: str) -> dict[str, Any]:
    """Read one rule."""
    return _shown(session, queries.access_rule(session, rule_id))


@routes.door("PATCH", "/rules/<rule_id>", policy="rules.manage", body=schemas.RuleEditSchema, answer=schemas.RuleSchema)
def edit_rule(session: Session, actor: Actor, body: dict[str, Any], rule_id: str) -> dict[str, Any]:
    """Switch a rule on or off, or give it a new version.

    A new version decides from now on: an open alarm that it does not show is withdrawn at the next
    reading; alarms that ended stay as they were.
    """
    rule = queries.access_rule(session, rule_id)
    check_version(rule)
    return _shown(session, operations.edit_rule(session, actor.id, rule, body))


@routes.door("GET", "/rules/<rule_id>/versions", policy="rules.read", answer=schemas.RuleVersionsSchema)
def list_versions(session: Session, actor: Actor, rule_id: str) -> dict[str, Any]:
    """List all versions of a rule, newest first."""
    rule = queries.access_rule(session, rule_id)
    rows = session.scalars(
        select(RuleVersion).where(RuleVersion.rule_id == rule.id).order_by(RuleVersion.number.desc()).limit(100)
    )
    return {"items": list(rows)}
