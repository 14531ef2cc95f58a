"""Showing that a channel reaches a person: a code goes out through it, and comes back from the person."""

from __future__ import annotations

import hmac
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import insert_once, now
from app.core.errors import Conflict, Invalid, TooMany
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import fetch
from app.users import tries
from app.users.models import User
from app.users.rights import Actor
from app.users.secrets import derived_code, token_hash
from push.channels import configured_channels
from push.models import BrowserSubscription, Notification, OutboxMessage, RegistrationToken, VerifiedAddress
from push.outbox import enqueue

_VALID_FOR = timedelta(minutes=30)
_CODE_LETTERS = 8  # 40 bits, against ten tries until a lock
_TRIES = 10
_CHECKS_PER_MINUTE = 3


def code_of(settings: Settings, message_id: str) -> str:
    """Return the code that one outbox message of a check carries."""
    return derived_code(settings, "channel", message_id)[:_CODE_LETTERS]


def check_channel(session: Session, actor: Actor, settings: Settings, channel: str) -> Notification:
    """Send a code to oneself through one channel.

    Raises:
        Conflict: ``channel_unreachable`` when this server does not have the channel, or nothing can be sent through it.
        TooMany: ``too_many_requests`` after three within a minute.
    """
    recent = session.scalars(
        select(Notification.id)
        .where(
            Notification.user_id == actor.id,
            Notification.kind == "channel_check",
            Notification.created_at > now(session) - timedelta(minutes=1),
        )
        .limit(_CHECKS_PER_MINUTE)
    ).all()
    if len(recent) >= _CHECKS_PER_MINUTE:
        raise TooMany("too_many_requests")
    user = fetch(session, User, actor.id)
    about = history.Subject("user", user.id)
    (made,) = enqueue(session, [user], "channel_check", about, dedupe=f"check:{new_id()}", channels=(channel,))
    leaves = session.scalar(select(OutboxMessage.id).where(OutboxMessage.notification_id == made.id).limit(1))
    if leaves is None or channel not in configured_channels(settings):
        raise Conflict("channel_unreachable")
    return made


def verify_channel(session: Session, actor: Actor, settings: Settings, channel: str, code: str) -> None:
    """Take a code that came through a channel: the address it was sent to is verified. A repetition changes nothing.

    Raises:
        Invalid: ``code_wrong`` for a code that was not sent within 30 minutes, or to an address that is gone.
        TooMany: ``too_many_requests`` after ten wrong ones.
    """
    subject = tries.subject_of("channel", actor.id)
    if tries.locked_until(session, subject) is not None:
        raise TooMany("too_many_requests")
    sent = session.scalars(
        select(OutboxMessage)
        .join(Notification, Notification.id == OutboxMessage.notification_id)
        .where(
            OutboxMessage.user_id == actor.id,
            OutboxMessage.channel == channel,
            OutboxMessage.attempts > 0,
            OutboxMessage.queued_at > now(session) - _VALID_FOR,
            Notification.kind == "channel_check",
        )
    )
    given = code.strip().upper().encode()
    matching = [row for row in sent if hmac.compare_digest(code_of(settings, row.id).encode(), given)]
    hashed = address_hashes(session, actor.id, channel)
    if not matching or (matching[0].address_id or "") not in hashed:
        raise Invalid("code_wrong", trace=lambda s: tries.count_failure(s, subject, _TRIES))
    tries.forget_failures(session, subject)
    address_hash = hashed[matching[0].address_id or ""]
    if insert_once(
        session, VerifiedAddress, user_id=actor.id, channel=channel, address_hash=address_hash, verified_at=now(session)
    ):
        holder = history.Subject("user", actor.id)
        cause = history.last_entry(session, history.Subject("notification", matching[0].notification_id))
        history.record(session, "user.channel_verified", holder, causes=[cause], actor_id=actor.id, channel=channel)


def address_hashes(session: Session, user_id: str, channel: str) -> dict[str, str]:
    """Return the hashes of a person's present addresses on a channel by their ids; an e-mail address has the id ""."""
    if channel == "email":
        email = session.scalar(select(User.email).where(User.id == user_id))
        return {"": token_hash(email)} if email else {}
    columns = (
        (BrowserSubscription.id, BrowserSubscription.endpoint)
        if channel == "web_push"
        else (RegistrationToken.id, RegistrationToken.address)
    )
    found = session.execute(select(*columns).where(columns[0].class_.user_id == user_id)).all()
    return {row_id: token_hash(address) for row_id, address in found}


def is_verified(session: Session, user_id: str, channel: str) -> bool:
    """Tell whether one of a person's present addresses on a channel has been shown to reach them."""
    hashes = list(address_hashes(session, user_id, channel).values())
    known = select(VerifiedAddress.user_id).where(
        VerifiedAddress.user_id == user_id, VerifiedAddress.channel == channel, VerifiedAddress.address_hash.in_(hashes)
    )
    return bool(hashes) and session.scalar(known.limit(1)) is not None
