"""The only readers of teams."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.errors import NotFound
from app.teams.models import Team
from app.users.models import User
from app.users.rights import Actor


def visible_to(actor: Actor) -> Select[Team]:
    """Return the teams an actor may see: all for the office, else the own one."""
    teams = select(Team).where(Team.deleted_at.is_(None))
    if actor.sees_all:
        return teams
    return teams.where(Team.id.in_(select(User.team_id).where(User.id == actor.id)))


def access_team(session: Session, actor: Actor, team_id: str) -> Team:
    """Load one team the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    team = session.scalar(visible_to(actor).where(Team.id == team_id))
    if team is None:
        raise NotFound
    return team
