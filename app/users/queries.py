"""The only readers of people and partners."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, false, or_, select
from sqlalchemy.orm import Session

from app.core.narrowing import same_or_none
from app.core.tracked import one_of
from app.core.wire import fold
from app.users.models import Partner, User, UserTerritory
from app.users.rights import Actor


def visible_to(actor: Actor) -> Select[User]:
    """Return the people an actor may see: all for the office, a partner's own for the partner, else oneself."""
    users = select(User).where(User.deleted_at.is_(None))
    if actor.sees_all:
        return users
    if actor.partner_id is not None and actor.role in {"admin", "manager"}:
        return users.where(User.partner_id == actor.partner_id)
    return users.where(User.id == actor.id)


def access_user(session: Session, actor: Actor, user_id: str) -> User:
    """Load one person the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), User, user_id)


def find_by_login(session: Session, login: str) -> User | None:
    """Return who signs in with this name, in whatever case or width it is written; the exact spelling goes first."""
    named = or_(User.login == login, User.login_key == fold(login))
    found = session.scalars(select(User).where(named, User.deleted_at.is_(None))).all()
    return next((user for user in found if user.login == login), found[0] if found else None)


def login_key_of(user: User | None, login: str) -> str:
    """Return under which name tries at an account are counted, whether or not somebody has it."""
    return user.login_key if user is not None else fold(login)


def visible_partners(actor: Actor) -> Select[Partner]:
    """Return the partners an actor may see."""
    partners = select(Partner).where(Partner.deleted_at.is_(None))
    if actor.sees_all:
        return partners
    return partners.where(Partner.id == actor.partner_id if actor.partner_id else false())


def staff_of(session: Session, station_id: str) -> list[User]:
    """Return the active staff of a station."""
    return list(
        session.scalars(
            select(User).where(
                User.station_id == station_id, User.role == "station_staff", User.state == "active", User.deleted_at.is_(None)
            )
        )
    )


def still_there(session: Session, user_id: str | None) -> list[User]:
    """Return the person who is to be told something, as a list of at most one: whose account is closed is told nothing."""
    user = session.get(User, user_id) if user_id else None
    return [user] if user is not None and user.state == "active" and user.deleted_at is None else []


def people_of_customer(session: Session, customer_id: str) -> list[User]:
    """Return the active people who sign in as this customer."""
    return list(
        session.scalars(select(User).where(User.customer_id == customer_id, User.role == "customer", User.state == "active"))
    )


def in_team(column: Any, team_id: str) -> ColumnElement[bool]:
    """Return the condition that a column names a person who is in a team today, or for ``none`` in no team."""
    return column.in_(select(User.id).where(same_or_none(User.team_id, team_id)))  # type: ignore[no-any-return]


def managers_of(session: Session, territory_id: str | None) -> list[User]:
    """Return the active managers responsible for a territory: those assigned to it, else all of them."""
    managers = select(User).where(
        User.role == "manager", User.state == "active", User.partner_id.is_(None), User.deleted_at.is_(None)
    )
    assigned = managers.where(User.id.in_(select(UserTerritory.user_id).where(UserTerritory.territory_id == territory_id)))
    return list(session.scalars(assigned)) or list(session.scalars(managers))


def active_admins(session: Session) -> list[User]:
    """Return the active administrators of the principal organisation."""
    return list(session.scalars(select(User).where(User.role == "admin", User.state == "active", User.partner_id.is_(None))))
