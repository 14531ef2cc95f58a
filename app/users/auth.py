"""Signing in and out, refresh tokens that rotate, and who the bearer of an access token is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import Database, now
from app.core.errors import Unauthenticated
from app.core.ids import new_id
from app.core.logs import get_log
from app.core.settings import Settings
from app.users import queries, secrets, tries
from app.users.models import RefreshToken, SignInSession, User, UserTerritory
from app.users.rights import Actor

log = get_log(__name__)

_ACCOUNT_TRIES = 5
_ADDRESS_TRIES = 30
# So often one refresh token is exchanged, as long as no answer arrives.
_MOST_EXCHANGES = 20


@dataclass(frozen=True)
class Tokens:
    """What a sign-in or a refresh hands out. The refresh token is shown once."""

    access_token: str
    refresh_token: str
    expires_in_s: int
    user: User


# Built once, of columns and not of objects: it is asked with every request. One row for each territory, or one without.
_users, _sessions, _areas = User.__table__.c, SignInSession.__table__.c, UserTerritory.__table__.c
_BEARER = (
    select(
        *(_users[name] for name in ("id", "role", "name", "locale", "partner_id", "station_id", "customer_id")),
        *(_users.state, _users.valid_from, _sessions.ended_at, _areas.territory_id),
    )
    .join_from(User.__table__, SignInSession.__table__, _sessions.user_id == _users.id)
    .outerjoin(UserTerritory.__table__, _areas.user_id == _users.id)
    .where(_users.id == bindparam("user_id"), _sessions.id == bindparam("session_id"))
)


def sign_in(database: Database, settings: Settings, login: str, password: str, address: str, label: str) -> Tokens:
    """Check a password and open a session.

    Unknown, wrong and deactivated accounts cost the same work, and with locked ones they get the same
    answer. A locked account costs no hash, so it answers sooner: that tells only that this name was
    tried too often, for names that nobody has are locked the same way. An address that failed too often
    shuts nobody out; while it is locked, one failure from it locks an account instead of five. The costly
    check runs between two transactions, so that nobody waits for a lock held meanwhile.

    Raises:
        Unauthenticated: ``bad_credentials``; its trace counts the failure per account and per address.
    """
    origin = tries.subject_of("sign-in-address", address)
    with database.reading() as session:
        user = queries.find_by_login(session, login)
        account = tries.subject_of("sign-in", queries.login_key_of(user, login))
        locked = tries.locked_until(session, account) is not None
        allowed = 1 if tries.locked_until(session, origin) else _ACCOUNT_TRIES
    fits = not locked and secrets.password_fits(user.password_hash if user else None, password, settings.argon2_profile)
    if user is None or not fits or user.state != "active":
        user_id = user.id if user else None
        log.warning("sign-in refused", address=address, account=user_id or account[:16], known=user_id is not None, locked=locked)

        def trace(own: Session) -> None:
            if not locked:
                tries.count_failure(own, account, allowed)
                tries.count_failure(own, origin, _ADDRESS_TRIES)
            if user_id:
                about = history.Subject("user", user_id)
                history.record(own, "user.sign_in_failed", about, address=address, locked=locked)

        raise Unauthenticated("bad_credentials", trace=trace)
    with database.transaction() as session:
        present = session.scalar(select(User).where(User.id == user.id).with_for_update())
        if present is None or (present.password_hash, present.state) != (user.password_hash, "active"):
            raise Unauthenticated("bad_credentials")  # changed or deactivated during the check
        tries.forget_failures(session, account)
        opened = SignInSession(id=new_id(), user_id=user.id, began_at=now(session), label=label)
        session.add(opened)
        session.flush()
        history.record(session, "user.signed_in", history.Subject("user", user.id), actor_id=user.id, address=address)
        return _issue(session, settings, user, opened.id)


def refresh(session: Session, settings: Settings, token: str) -> Tokens:
    """Exchange a refresh token for new tokens.

    Whose answer was lost may ask again: until one of the tokens it was exchanged for is used, it still counts. From
    then on it, and the others it was exchanged for, are used up.

    Raises:
        Unauthenticated: ``refresh_refused``. A token that is used up was stolen, or its thief used it first: the trace
            ends the whole session.
    """
    hashed = secrets.token_hash(token)
    found = session.get(RefreshToken, hashed)
    if found is None:
        raise Unauthenticated("refresh_refused")
    # One refresh of a session after the other: each must see which tokens the one before it used up.
    opened = session.scalars(select(SignInSession).where(SignInSession.id == found.session_id).with_for_update()).one()
    user = session.get_one(User, opened.user_id)
    if (
        opened.ended_at is not None
        or found.expires_at <= now(session)
        or user.state != "active"
        or opened.began_at < user.valid_from
    ):
        raise Unauthenticated("refresh_refused")
    if _is_used_up(session, found):
        session_id, user_id = opened.id, user.id

        def trace(own: Session) -> None:
            if end_session(own, session_id, "refresh_token_reused"):
                history.record(own, "user.refresh_token_reused", history.Subject("user", user_id))

        raise Unauthenticated("refresh_refused", trace=trace)
    if _exchanges(session, hashed) >= _MOST_EXCHANGES:
        raise Unauthenticated("refresh_refused")
    session.execute(
        update(RefreshToken)
        .where(RefreshToken.token_hash == hashed, RefreshToken.used_at.is_(None))
        .values(used_at=now(session))
        .execution_options(synchronize_session=False)
    )
    return _issue(session, settings, user, opened.id, parent=hashed)


def _is_used_up(session: Session, token: RefreshToken) -> bool:
    """Tell whether a token that this one was exchanged for, or another that its parent was exchanged for, was used."""
    akin = RefreshToken.parent_hash == token.token_hash
    if token.parent_hash is not None:
        siblings = (RefreshToken.parent_hash == token.parent_hash, RefreshToken.token_hash != token.token_hash)
        akin = or_(akin, and_(*siblings))
    return session.scalar(select(RefreshToken.token_hash).where(akin, RefreshToken.used_at.is_not(None)).limit(1)) is not None


def _exchanges(session: Session, hashed: str) -> int:
    return session.scalar(select(func.count()).where(RefreshToken.parent_hash == hashed)) or 0


def _issue(session: Session, settings: Settings, user: User, session_id: str, parent: str | None = None) -> Tokens:
    token = secrets.random_token()
    present = now(session)
    session.add(
        RefreshToken(
            token_hash=secrets.token_hash(token),
            session_id=session_id,
            expires_at=present + timedelta(days=settings.refresh_token_days),
            parent_hash=parent,
        )
    )
    session.flush()
    access = secrets.make_access_token(settings, user_id=user.id, session_id=session_id, issued_s=present.timestamp())
    return Tokens(access, token, settings.access_token_s, user)


def end_session(session: Session, session_id: str, reason: str) -> bool:
    """End one session for ever; tell whether it was still open."""
    ended = session.execute(
        update(SignInSession)
        .where(SignInSession.id == session_id, SignInSession.ended_at.is_(None))
        .values(ended_at=now(session), end_reason=reason)
        .execution_options(synchronize_session=False)
    )
    return bool(ended.rowcount == 1)  # type: ignore[attr-defined]


def end_all_sessions(session: Session, user: User, reason: str) -> None:
    """End every session of a person and refuse every access token issued until now."""
    user.valid_from = now(session)
    session.execute(
        update(SignInSession)
        .where(SignInSession.user_id == user.id, SignInSession.ended_at.is_(None))
        .values(ended_at=now(session), end_reason=reason)
        .execution_options(synchronize_session=False)
    )


def authenticate(session: Session, settings: Settings, header: str | None) -> Actor:
    """Return who bears the access token of an Authorization header.

    Raises:
        Unauthenticated: no token, a forged, foreign or expired one, an ended session, a person
            who is no longer active.
    """
    scheme, _, token = (header or "").partition(" ")
    claims = secrets.read_access_token(settings, token.strip(), now(session).timestamp()) if scheme.lower() == "bearer" else None
    if claims is None:
        raise Unauthenticated("unauthenticated")
    found = session.connection().execute(_BEARER, {"user_id": claims["sub"], "session_id": claims["sid"]}).all()
    user = found[0] if found else None
    if user is None or user.state != "active" or user.ended_at is not None or claims["iat"] < user.valid_from.timestamp():
        raise Unauthenticated("unauthenticated")
    return _actor(user, (row.territory_id for row in found if row.territory_id is not None), claims["sid"])


def actor_of(session: Session, user: User) -> Actor:
    """Return a person as the verbs take them."""
    return _actor(user, session.scalars(select(UserTerritory.territory_id).where(UserTerritory.user_id == user.id)))


def _actor(user: Any, territories: Iterable[str], session_id: str | None = None) -> Actor:
    return Actor(
        id=user.id,
        role=user.role,
        name=user.name,
        locale=user.locale,
        partner_id=user.partner_id,
        station_id=user.station_id,
        customer_id=user.customer_id,
        territory_ids=frozenset(territories),
        session_id=session_id,
    )


def purge_tokens(session: Session) -> None:
    """Delete refresh tokens that expired more than a week ago."""
    session.execute(delete(RefreshToken).where(RefreshToken.expires_at < now(session) - timedelta(days=7)))
