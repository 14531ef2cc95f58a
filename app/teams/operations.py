"""Verbs on teams. Who is in one is changed with the person, in ``app/accounts``."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch
from app.teams.models import Team
from app.users.rights import Actor


def create_team(session: Session, actor: Actor, values: Mapping[str, str]) -> Team:
    """Add a team.

    Args:
        values: ``code`` and ``name``.

    Raises:
        FieldsInvalid: ``already_exists`` for a code that is taken.
    """
    _check_code(session, values["code"])
    team = add(session, Team(code=values["code"], name=values["name"]))
    record(session, "team.created", Subject("team", team.id), actor_id=actor.id, name=team.name)
    return team


def edit_team(session: Session, actor: Actor, team: Team, changes: Mapping[str, str]) -> Team:
    """Give a team another code or name.

    Raises:
        FieldsInvalid: ``already_exists`` for a code that is taken.
    """
    if changes.get("code", team.code) != team.code:
        _check_code(session, changes["code"])
    for name, value in changes.items():
        setattr(team, name, value)
    touch(session, team)
    about = Subject("team", team.id)
    record(session, "team.edited", about, causes=[last_entry(session, about)], actor_id=actor.id, fields=sorted(changes))
    return team


def _check_code(session: Session, code: str) -> None:
    if session.scalar(select(Team.id).where(Team.code == code)) is not None:
        raise FieldsInvalid({"code": ["already_exists"]})
