"""Putting a message into the outbox: rows in the caller's transaction, nothing sent here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import insert_once, now
from app.core.ids import new_id
from app.core.tracked import add
from app.users.models import User
from push.messages import LINK_KINDS
from push.models import ChannelPreference, Notification, OutboxHold, OutboxMessage, RegistrationToken

_KEPT_FOR = timedelta(days=3)
_OUTBOX = history.Subject("outbox", "outbox")


def enqueue(
    session: Session,
    recipients: Iterable[User],
    kind: str,
    subject: history.Subject,
    *,
    dedupe: str,
    causes: Sequence[history.HistoryEntry | None] = (),
    channels: Sequence[str] = ("fcm", "email"),
    **data: Any,
) -> list[Notification]:
    """Queue one message per recipient, once: the same ``dedupe`` for the same person is queued never again.

    Args:
        recipients: people; each gets it in their own language.
        kind: a row of ``push/messages.py``.
        subject: what it is about; the app opens it.
        dedupe: what makes it the same message, such as ``alarm:<id>:raised``.
        causes: history entries it follows from.
        channels: which of the channels besides the inbox may carry it.
        data: the facts the words need. JSON values; never a coupon's code or a link's secret.

    Returns:
        The notifications made now.
    """
    made = []
    for user in recipients:
        key = f"{dedupe}:{user.id}"
        if session.scalar(select(Notification.id).where(Notification.dedupe_key == key)):
            continue
        notification = add(
            session,
            Notification(user_id=user.id, kind=kind, data=data, subject_kind=subject.kind, subject_id=subject.id, dedupe_key=key),
        )
        history.record(
            session,
            "notification.queued",
            history.Subject("notification", notification.id),
            causes=causes,
            message=kind,
            recipient_id=user.id,
        )
        _fan_out(session, user, notification, channels)
        made.append(notification)
    return made


def _fan_out(session: Session, user: User, notification: Notification, channels: Sequence[str]) -> None:
    """Queue one outbox row per address the person can be reached at."""
    switched_off = set(
        session.scalars(
            select(ChannelPreference.channel).where(ChannelPreference.user_id == user.id, ChannelPreference.enabled.is_(False))
        )
    )
    addresses: list[tuple[str, str | None]] = []
    if "fcm" in channels and "fcm" not in switched_off:
        tokens = session.scalars(select(RegistrationToken.id).where(RegistrationToken.user_id == user.id))
        addresses += [("fcm", token_id) for token_id in tokens]
    # A link somebody asked for is no news: it comes by mail even where news do not.
    if "email" in channels and user.email and ("email" not in switched_off or notification.kind in LINK_KINDS):
        addresses.append(("email", None))
    present = now(session)
    for channel, address_id in addresses:
        session.add(
            OutboxMessage(
                id=new_id(),
                notification_id=notification.id,
                user_id=user.id,
                channel=channel,
                address_id=address_id,
                dedupe_key=f"{notification.id}:{channel}:{address_id or user.id}",
                next_at=present,
                expires_at=present + _KEPT_FOR,
                queued_at=present,
            )
        )
    session.flush()


def hold(session: Session, reason: str) -> bool:
    """Hold every message back from now on; what is queued meanwhile waits, too. Tell whether it was not held already.

    Args:
        reason: a row of ``CODED`` in ``app/pages/reasons.py``.
    """
    held = insert_once(session, OutboxHold, id=1, reason=reason, since=now(session))
    if held:
        history.record(session, "outbox.held", _OUTBOX, reason=reason)
    return held


def resume(session: Session, *, discard: bool = False) -> tuple[int, int]:
    """Let messages leave again.

    Args:
        discard: those queued before the hold are given up: they stay in the inbox, and nothing is sent.

    Returns:
        How many wait to be sent now, and how many were given up.
    """
    found = session.get(OutboxHold, 1)
    discarded = _discard(session, found) if discard and found is not None else 0
    if found is not None:
        session.execute(delete(OutboxHold))
        history.record(
            session,
            "outbox.resumed",
            _OUTBOX,
            causes=[history.last_entry(session, _OUTBOX, "outbox.held")],
            discarded=discarded,
        )
    waiting = session.scalar(select(func.count()).select_from(OutboxMessage).where(OutboxMessage.state == "queued")) or 0
    return waiting, discarded


def _discard(session: Session, found: OutboxHold) -> int:
    given_up = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.state == "queued", OutboxMessage.queued_at <= found.since)
        .values(state="failed", settled_at=now(session), leased_until=None, last_error="discarded_by_operator")
        .returning(OutboxMessage.notification_id, OutboxMessage.channel)
        .execution_options(synchronize_session=False)
    ).all()
    for notification_id, channel in given_up:
        about = history.Subject("notification", notification_id)
        cause = history.last_entry(session, about, "notification.queued")
        history.record(session, "notification.failed", about, causes=[cause], channel=channel, reason="discarded_by_operator")
    return len(given_up)
