"""Putting a message into the outbox: rows in the caller's transaction, nothing sent here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from app.core import history
from app.core.db import database_now, insert_once, now
from app.core.ids import new_id
from app.core.tracked import add
from app.users.models import User
from push.kinds import STANDALONE_KINDS
from push.messages import urgency_of
from push.models import (
    CHANNELS,
    ON_SCREEN,
    FallbackPlan,
    Notification,
    OutboxHold,
    OutboxMessage,
)
from push.reach import Reach, reach_of

_KEPT_FOR = timedelta(days=3)
_REACHED = ("accepted", "delivered", "opened")
_OUTBOX = history.Subject("outbox", "outbox")


def enqueue(
    session: Session,
    recipients: Iterable[User],
    kind: str,
    subject: history.Subject,
    *,
    dedupe: str,
    causes: Sequence[history.HistoryEntry | None] = (),
    channels: Sequence[str] = CHANNELS,
    **data: Any,
) -> list[Notification]:
    """Queue one message per recipient, once: the same ``dedupe`` for the same person is queued never again.

    What is still unsent of an earlier message of this kind about this subject is superseded.

    Args:
        recipients: people; each gets it in their own language.
        kind: a row of ``push/kinds``.
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
        reach = reach_of(session, user)
        ways = reach.ways(kind, channels)
        order = None if kind in STANDALONE_KINDS else reach.order
        later = _put_off(ways, order.channels) if order else []
        entry = history.record(
            session,
            "notification.queued",
            history.Subject("notification", notification.id),
            causes=causes,
            message=kind,
            recipient_id=user.id,
            recipient_role=user.role,
            recipient_because="asked_for" if kind in STANDALONE_KINDS else None,
            channels={channel: way if isinstance(way, str) else "chosen" for channel, way in ways.items()},
        )
        _supersede(session, notification, entry)
        chosen = {channel: way for channel, way in ways.items() if not isinstance(way, str)}
        quiet_until = fan_out(session, notification, reach, chosen, entry)
        if order and later:
            due_at = (quiet_until or now(session)) + timedelta(minutes=order.after_min)
            session.add(FallbackPlan(notification_id=notification.id, channels=later, after_min=order.after_min, due_at=due_at))
            session.flush()
        made.append(notification)
    return made


def _put_off(ways: dict[str, list[str | None] | str], order: Sequence[str]) -> list[str]:
    """Leave only the first channel of a person's order among the ways; return the ones to try later, in order."""
    able = [channel for channel in order if not isinstance(ways.get(channel, ""), str)]
    for channel, way in ways.items():
        if not isinstance(way, str) and channel not in able[:1]:
            ways[channel] = "later" if channel in able else "not_in_order"
    return able[1:]


def fan_out(
    session: Session, notification: Notification, reach: Reach, ways: dict[str, list[str | None]], entry: history.HistoryEntry
) -> datetime | None:
    """Queue one outbox row per address; return when the person's quiet hours end, if the rows wait for that."""
    present = now(session)
    urgent = urgency_of(notification.kind, notification.data) == "high"
    quiet_until = None if urgent else reach.rest_until(present)
    for channel, address_ids in ways.items():
        for address_id in address_ids:
            session.add(
                OutboxMessage(
                    id=new_id(),
                    notification_id=notification.id,
                    user_id=notification.user_id,
                    channel=channel,
                    address_id=address_id,
                    dedupe_key=f"{notification.id}:{channel}:{address_id or notification.user_id}",
                    next_at=quiet_until or present,
                    expires_at=present + _KEPT_FOR,
                    queued_at=present,
                    quiet_until=quiet_until,
                )
            )
        if quiet_until is not None:
            note_held(session, notification.id, channel, quiet_until, entry)
    session.flush()
    return quiet_until


def note_held(session: Session, notification_id: str, channel: str, until: datetime, cause: history.HistoryEntry | None) -> None:
    """Write down that a message waits for the end of its reader's quiet hours."""
    about = history.Subject("notification", notification_id)
    history.record(session, "notification.held", about, causes=[cause], channel=channel, until=until.isoformat())


def _supersede(session: Session, notification: Notification, entry: history.HistoryEntry) -> None:
    """Close what is unsent of earlier messages of this kind about this subject.

    A row somebody is sending this moment is left to them; if it must be repeated, ``newer_than`` stops it.
    """
    if notification.kind in STANDALONE_KINDS:
        return
    earlier = select(Notification.id).where(
        Notification.user_id == notification.user_id,
        Notification.kind == notification.kind,
        Notification.subject_kind == notification.subject_kind,
        Notification.subject_id == notification.subject_id,
        Notification.id < notification.id,
    )
    for earlier_id, channel in _close_unsent(session, earlier):
        note_superseded(session, earlier_id, channel, entry)


def withdraw(session: Session, kinds: Collection[str], subject: history.Subject, cause: history.HistoryEntry) -> int:
    """Give up what is still unsent of messages of some kinds about a subject: what they ask for was done. Return how many.

    They stay in the inbox. A row somebody is sending this moment is left to them.

    Args:
        kinds: rows of ``push/kinds``.
        subject: what they are about.
        cause: the entry that makes them pointless.
    """
    about = select(Notification.id).where(
        Notification.kind.in_(sorted(kinds)),
        Notification.subject_kind == subject.kind,
        Notification.subject_id == subject.id,
    )
    gone = _close_unsent(session, about)
    for notification_id, channel in gone:
        note_superseded(session, notification_id, channel, cause)
    return len(gone)


def _close_unsent(session: Session, notifications: Select[str]) -> list[tuple[str, str]]:
    """Close what nobody is sending of some messages; return which one on which channel."""
    gone = session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.notification_id.in_(notifications),
            OutboxMessage.state == "queued",
            or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= database_now(session)),
        )
        .values(state="superseded", settled_at=now(session), leased_until=None)
        .returning(OutboxMessage.notification_id, OutboxMessage.channel)
        .execution_options(synchronize_session=False)
    ).all()
    return sorted({(row.notification_id, row.channel) for row in gone})


def newer_than(session: Session, notification: Notification, channel: str) -> str | None:
    """Return the id of a message that makes an unsent one pointless, or None.

    That is a newer one of the same kind about the same subject; and on a screen, where messages about one subject
    take each other's place, a newer one of any kind that has arrived there.
    """
    if notification.kind in STANDALONE_KINDS:
        return None
    newer, sent = aliased(Notification), aliased(OutboxMessage)
    arrived = select(sent.id).where(sent.notification_id == newer.id, sent.channel == channel, sent.state.in_(_REACHED)).exists()
    replaced = and_(newer.kind.not_in(sorted(STANDALONE_KINDS)), arrived) if channel in ON_SCREEN else None
    same = newer.kind == notification.kind
    found: str | None = session.scalar(
        select(newer.id)
        .where(
            newer.user_id == notification.user_id,
            newer.subject_kind == notification.subject_kind,
            newer.subject_id == notification.subject_id,
            newer.id > notification.id,
            same if replaced is None else or_(same, replaced),
        )
        .limit(1)
    )
    return found


def note_superseded(session: Session, notification_id: str, channel: str, newer: history.HistoryEntry | None) -> None:
    """Write down that a message does not leave because a newer one says more."""
    about = history.Subject("notification", notification_id)
    queued = history.last_entry(session, about, "notification.queued")
    history.record(session, "notification.superseded", about, causes=[queued, newer], channel=channel)


def hold(session: Session, reason: str) -> bool:
    """Hold every message back from now on; what is queued meanwhile waits, too. Tell whether it was not held already.

    Args:
        reason: a row of ``CODED`` in ``app/pages/codes.py``.
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
