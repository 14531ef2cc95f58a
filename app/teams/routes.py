"""Teams over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.teams import operations, queries, schemas
from app.teams.models import Team
from app.users.rights import Actor

routes = Routes("teams", __name__, description="Reps who work together")


@routes.door("GET", "/teams", policy="teams.read", query=PageQuery, answer=page_of(schemas.TeamSchema))
def list_teams(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List teams: the office all, a rep the own one."""
    return page(session, queries.visible_to(actor), Team, query)


@routes.door("POST", "/teams", policy="teams.manage", body=schemas.TeamSchema, answer=schemas.TeamSchema, status=201)
def create_team(session: Session, actor: Actor, body: dict[str, Any]) -> Team:
    """Add a team. Who is in it is said of each person (`PATCH /users/<user_id>`, `team_id`)."""
    return operations.create_team(session, actor, body)


@routes.door("PATCH", "/teams/<team_id>", policy="teams.manage", body=schemas.TeamEditSchema, answer=schemas.TeamSchema)
def edit_team(session: Session, actor: Actor, body: dict[str, Any], team_id: str) -> Team:
    """Give a team another code or name."""
    team = queries.access_team(session, actor, team_id)
    check_version(team)
    return operations.edit_team(session, actor, team, body)
