"""Verbs on people that need nothing above this room. Inviting and leaving are in ``app/accounts``."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid, Forbidden, Invalid, Unauthenticated
from app.core.settings import Settings
from app.core.tracked import add, touch
from app.core.wire import fold
from app.users import auth, secrets, tries
from app.users.models import Partner, User
from app.users.rights import Actor

_SHORTEST_PASSWORD = 10


def check_password_strength(password: str, login: str) -> None:
    """Refuse a password that is short or holds the person's own name (ASVS 5.0, 6.2).

    Raises:
        Invalid: ``password_weak``.
    """
    name = fold(login.partition("@")[0])
    if len(password) < _SHORTEST_PASSWORD or (len(name) >= 4 and name in fold(password)) or len(set(password)) < 4:
        raise Invalid("password_weak")


def edit_self(session: Session, user: User, changes: dict[str, Any]) -> User:
    """Change one's own name, language or addresses."""
    for name, value in changes.items():
        setattr(user, name, value)
    touch(session, user)
    history.record(session, "user.edited", history.Subject("user", user.id), actor_id=user.id, fields=sorted(changes))
    return user


def change_password(session: Session, settings: Settings, user: User, old: str, new: str) -> None:
    """Set a new password and end every session.

    Raises:
        Unauthenticated: ``bad_credentials`` when the old one is wrong; counted like a failed sign-in.
        FieldsInvalid: ``unchanged`` when the new one is the old one.
        Invalid: ``password_weak``.
    """
    account = tries.subject_of("sign-in", user.login_key)
    locked = tries.locked_until(session, account)
    # As at sign-in: while locked nothing is tried at the real hash, and nothing is counted.
    if not secrets.password_fits(None if locked else user.password_hash, old, settings.argon2_profile):
        raise Unauthenticated("bad_credentials", trace=None if locked else lambda own: tries.count_failure(own, account, 5))
    if new == old:
        raise FieldsInvalid({"new_password": ["unchanged"]})
    set_password(session, settings, user, new)


def set_password(session: Session, settings: Settings, user: User, password: str) -> None:
    """Store the hash of a new password and end every session.

    Raises:
        Invalid: ``password_weak``.
    """
    check_password_strength(password, user.login)
    user.password_hash = secrets.hash_password(password, settings.argon2_profile)
    auth.end_all_sessions(session, user, "password_changed")
    touch(session, user)
    history.record(session, "user.password_set", history.Subject("user", user.id), actor_id=user.id)


def create_partner(session: Session, actor: Actor, name: str) -> Partner:
    """Add a partner organisation; the principal organisation's office alone does.

    Raises:
        Forbidden: to a partner's people.
        FieldsInvalid: ``already_exists`` for a name that is taken.
    """
    if not actor.sees_all:
        raise Forbidden("forbidden")
    if session.scalar(select(Partner.id).where(Partner.name == name)) is not None:
        raise FieldsInvalid({"name": ["already_exists"]})
    partner = add(session, Partner(name=name))
    history.record(session, "partner.created", history.Subject("partner", partner.id), actor_id=actor.id)
    return partner


def create_first_admin(session: Session, settings: Settings, login: str, password: str) -> User:
    """Make the administrator of a fresh deployment.

    Raises:
        Conflict: ``already_exists`` when there is one.
        Invalid: ``password_weak``.
    """
    if session.scalar(select(User.id).where(User.role == "admin")) is not None:
        raise Conflict("already_exists", what="administrator")
    check_password_strength(password, login)
    user = add(
        session,
        User(
            login=login,
            name=login,
            role="admin",
            state="active",
            locale=settings.default_locale,
            password_hash=secrets.hash_password(password, settings.argon2_profile),
            valid_from=now(session),
        ),
    )
    history.record(session, "user.created", history.Subject("user", user.id), role="admin")
    return user
