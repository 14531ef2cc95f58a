"""Territories over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.core.tracked import touch
from app.territories import operations, queries, schemas
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import Actor
from app.users.schemas import UserSchema

routes = Routes("territories", __name__, description="Areas of responsibility")


@routes.door("GET", "/territories", policy="territories.read", query=PageQuery, answer=page_of(schemas.TerritorySchema))
def list_territories(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List territories."""
    return page(session, queries.visible_to(actor), Territory, query)


@routes.door(
    "POST", "/territories", policy="territories.manage", body=schemas.TerritorySchema, answer=schemas.TerritorySchema, status=201
)
def create_territory(session: Session, actor: Actor, body: dict[str, Any]) -> Territory:
    """Add a territory."""
    return operations.create_territory(session, actor, body["code"], body["name"])


@routes.door("PUT", "/users/<user_id>/territories", policy="users.manage", body=schemas.AssignmentSchema, answer=UserSchema)
def assign_territories(session: Session, actor: Actor, body: dict[str, Any], user_id: str) -> User:
    """Set the territories a person works in."""
    user = users.access_user(session, actor, user_id)
    check_version(user)
    operations.assign_territories(session, actor, user, body["territory_ids"])
    touch(session, user)
    return user
