"""One-time links: made, mailed, used once; and the two public doors that stand on them.

Whoever writes to a person and to their links locks the person first, so that two of these verbs
never wait for each other in a ring.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.db import now, stamp_changes
from app.core.errors import Invalid, TooMany
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import add, transition
from app.users import operations as users
from app.users import secrets, tries
from app.users.models import OneTimeLink, User
from app.users.queries import find_by_login, login_key_of
from push.outbox import enqueue

INVITATION, PASSWORD_RESET = "invitation", "password_reset"
_LIFE = {INVITATION: timedelta(days=7), PASSWORD_RESET: timedelta(hours=1)}
_KEPT = timedelta(days=30)
_LINK_TRIES = 20
_RESETS_PER_ACCOUNT = 5
_RESETS_PER_ADDRESS = 30


def send_link(session: Session, settings: Settings, user: User, kind: str, cause: HistoryEntry) -> str | None:
    """Make a link and mail it; earlier links of its kind end.

    Args:
        kind: ``invitation`` (7 days) or ``password_reset`` (1 hour).
        cause: the history entry it follows from.

    Returns:
        The code when the person has no e-mail address, for somebody to hand over; else None.
    """
    session.execute(select(User.id).where(User.id == user.id).with_for_update())
    end_links(session, user, kind)
    link_id = new_id()
    code = secrets.derived_code(settings, "link", link_id)
    ends = now(session) + _LIFE[kind]
    session.add(OneTimeLink(id=link_id, kind=kind, user_id=user.id, secret_hash=secrets.token_hash(code), expires_at=ends))
    session.flush()
    if not user.email:
        return code
    subject = Subject("user", user.id)
    enqueue(session, [user], kind, subject, dedupe=f"link:{link_id}", causes=[cause], channels=("email",), link_id=link_id)
    return None


def end_links(session: Session, user: User, *kinds: str) -> None:
    """End a person's unused links of some kinds, by default of every kind."""
    session.execute(
        update(OneTimeLink)
        .where(
            OneTimeLink.user_id == user.id,
            OneTimeLink.kind.in_(kinds or tuple(_LIFE)),
            OneTimeLink.used_at.is_(None),
            OneTimeLink.expires_at > now(session),
        )
        .values(expires_at=now(session))
        .execution_options(synchronize_session=False)
    )


def accept_link(session: Session, settings: Settings, code: str, password: str, address: str) -> User:
    """Set the password of the person a link was made for; an invited person becomes active.

    Unknown, used, expired and ended links get the same answer. A weak password leaves the link as it was.

    Raises:
        Invalid: ``link_invalid``; its trace counts the failure per address. ``password_weak``.
        TooMany: ``too_many_requests`` while the address is locked.
    """
    origin = tries.subject_of("link-address", address)
    _refuse_locked(session, origin)
    user = _use(session, code)
    if user is None:
        raise Invalid("link_invalid", trace=lambda own: _count(own, origin, _LINK_TRIES))
    users.set_password(session, settings, user, password)
    if user.state == "invited":
        transition(session, user, "active", expect={"invited"})
        invited = last_entry(session, Subject("user", user.id), "user.invited", "user.invited_again")
        record(session, "user.joined", Subject("user", user.id), causes=[invited], actor_id=user.id)
    end_links(session, user)
    # Whoever can read the mail need not wait until failed guesses at the old password are forgotten.
    tries.forget_failures(session, tries.subject_of("sign-in", user.login_key))
    return user


def _use(session: Session, code: str) -> User | None:
    """Use a link up, guarded in SQL: of two racing callers one gets the person."""
    found = session.scalar(select(OneTimeLink).where(OneTimeLink.secret_hash == secrets.token_hash(code.upper())))
    if found is None:
        return None
    user = session.scalar(select(User).where(User.id == found.user_id, User.deleted_at.is_(None)).with_for_update())
    used = session.execute(
        update(OneTimeLink)
        .where(OneTimeLink.id == found.id, OneTimeLink.used_at.is_(None), OneTimeLink.expires_at > now(session))
        .values(used_at=now(session))
        .execution_options(synchronize_session=False)
    )
    if user is None or used.rowcount != 1:  # type: ignore[attr-defined]
        return None
    fits = user.state == "active" or (user.state == "invited" and found.kind == INVITATION)
    return user if fits else None


def request_reset(session: Session, settings: Settings, login: str, address: str) -> None:
    """Mail a link to choose a new password, when there is an active account with an e-mail address.

    Otherwise the same rows are written for a person nobody is, and taken back, so that neither the
    answer nor its time tells which accounts exist; for the same reason that person is made in any
    case. Beyond 5 requests for an account within an hour nothing is sent for a while.

    Raises:
        TooMany: ``too_many_requests`` after 30 requests from an address within an hour.
    """
    origin = tries.subject_of("password-reset-address", address)
    _refuse_locked(session, origin)
    _count(session, origin, _RESETS_PER_ADDRESS)
    user = find_by_login(session, login)
    account = tries.subject_of("password-reset", login_key_of(user, login))
    if tries.locked_until(session, account) is not None:
        return
    _count(session, account, _RESETS_PER_ACCOUNT)
    if user is not None and (user.state != "active" or user.email is None):
        user = None
    with session.begin_nested() as trial:
        with session.begin_nested() as made_up:
            nobody = _nobody(session, settings)
            if user is not None:
                made_up.rollback()
        person = user or nobody
        asked = record(session, "user.reset_requested", Subject("user", person.id), address=address)
        send_link(session, settings, person, PASSWORD_RESET, asked)
        if user is None:
            stamp_changes(session)  # part of the work, and taken back with it: only untracked rows were written before
            trial.rollback()


def _nobody(session: Session, settings: Settings) -> User:
    known: dict[str, Any] = {"name": "-", "role": "rep", "state": "active", "email": "nobody@localhost"}
    return add(session, User(login=new_id(), locale=settings.default_locale, valid_from=now(session), **known))


def _refuse_locked(session: Session, subject: str) -> None:
    left_s = tries.locked_for_s(session, subject)
    if left_s is not None:
        raise TooMany("too_many_requests", retry_after_s=left_s)


def _count(session: Session, subject: str, allowed: int) -> None:
    """Count one try; of two first ones at the same instant the later finds the row of the earlier."""
    try:
        with session.begin_nested():
            tries.count_failure(session, subject, allowed)
    except IntegrityError:
        tries.count_failure(session, subject, allowed)


def purge_links(session: Session) -> None:
    """Delete links whose time was over more than 30 days ago."""
    session.execute(delete(OneTimeLink).where(OneTimeLink.expires_at < now(session) - _KEPT))
