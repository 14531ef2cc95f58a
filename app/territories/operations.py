"""Verbs on territories."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.core import history
from app.core.errors import FieldsInvalid, Forbidden
from app.core.tracked import add, renumber
from app.territories import queries
from app.territories.models import Territory
from app.users.models import User, UserTerritory
from app.users.rights import Actor


def create_territory(session: Session, actor: Actor, code: str, name: str) -> Territory:
    """Add a territory; the principal organisation's office alone does.

    Raises:
        Forbidden: to a partner's people.
        FieldsInvalid: ``already_exists`` for a code that is taken.
    """
    if not actor.sees_all:
        raise Forbidden("forbidden")
    if session.scalar(select(Territory).where(Territory.code == code)):
        raise FieldsInvalid({"code": ["already_exists"]})
    territory = add(session, Territory(code=code, name=name))
    history.record(session, "territory.created", history.Subject("territory", territory.id), actor_id=actor.id)
    return territory


def assign_territories(session: Session, actor: Actor, user: User, territory_ids: list[str]) -> None:
    """Set the territories a person works in.

    Raises:
        FieldsInvalid: ``unknown_reference``.
    """
    wanted = set(territory_ids)
    known = set(
        session.scalars(queries.visible_to(actor).with_only_columns(Territory.id).where(Territory.id.in_(sorted(wanted))))
    )
    if wanted - known:
        raise FieldsInvalid({"territory_ids": ["unknown_reference"]})
    session.execute(delete(UserTerritory).where(UserTerritory.user_id == user.id))
    for territory_id in sorted(wanted):
        session.add(UserTerritory(user_id=user.id, territory_id=territory_id))
    session.flush()
    renumber(session, user)
    history.record(
        session, "user.territories_assigned", history.Subject("user", user.id), actor_id=actor.id, territories=sorted(wanted)
    )
