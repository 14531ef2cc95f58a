"""CONDUCTOR of messages leaving: claim due rows, put into words, send, settle. Called by the worker, again and again.

Promises: nothing is sent inside a transaction; of racing drains one sends; a crash between sending
and settling repeats under the same dedupe id and loses nothing. The outbox alone repeats, the
channels never do.
"""

from __future__ import annotations

import json
import random
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, literal, or_, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import Database, database_now, is_busy, now
from app.core.fault_points import FaultPoint, passed
from app.core.logs import get_log
from app.core.metrics import PUSH_SENT
from app.core.settings import Settings
from app.users.models import OneTimeLink, User
from app.users.secrets import derived_code
from push.channels import Accepted, Address, Channel, DeadAddress, Failed, Outcome, Retry, configured_channels
from push.fallback import after_failure
from push.kinds import LINK_KINDS, STANDALONE_KINDS
from push.messages import render, urgency_of
from push.models import (
    CHANNELS,
    ON_SCREEN,
    BrowserSubscription,
    ChannelPreference,
    Notification,
    OutboxHold,
    OutboxMessage,
    RegistrationToken,
)
from push.outbox import newer_than, note_held, note_superseded
from push.quiet import rest_until
from push.verification import code_of

log = get_log(__name__)

Place = RegistrationToken | BrowserSubscription

_FIRST_PAUSE_S = 20.0
_GROWTH = 3.0
_LONGEST_PAUSE_S = 3600.0
# Inlined into the statement: with a bound value the databases would not use the partial index of due rows.
_QUEUED = literal("queued", literal_execute=True)


@dataclass(frozen=True)
class _Claim:
    """A row that is ours until ``leased_until``. That instant only grows, so it also tells one claim from the next."""

    id: str
    channel: str
    leased_until: datetime


@dataclass(frozen=True)
class _Attempt(_Claim):
    """Everything one send needs, read before it begins."""

    attempts: int
    expires_at: datetime
    dedupe_key: str
    notification: Notification
    user: User
    token: Place | None
    address: Address | None
    keep_s: int
    refusal: Failed | None = None


def make_channels(settings: Settings) -> dict[str, Channel]:
    """Make the configured channels, once per process; say in the logs which ones are not.

    Args:
        settings: ``fcm_*``, ``vapid_*`` and ``smtp_*``.

    Returns:
        Channels by name. Messages for a missing one settle as ``channel_not_configured``; the inbox still has them.
    """
    from push.channels.email import EmailChannel
    from push.channels.fcm import FcmChannel
    from push.channels.web_push import WebPushChannel

    makers: dict[str, Callable[[Settings], Channel]] = {"fcm": FcmChannel, "web_push": WebPushChannel, "email": EmailChannel}
    configured = configured_channels(settings)
    for channel in sorted(set(CHANNELS) - configured):
        log.warning("channel not configured; its messages stay in the inbox", channel=channel)
    return {channel: makers[channel](settings) for channel in sorted(configured)}


def drain(db: Database, settings: Settings, channels: Mapping[str, Channel], limit: int = 50) -> int:
    """Send what is due, once, and settle each message in a transaction of its own.

    Args:
        db: the database; rows of ``outbox`` are claimed in it.
        settings: ``push_attempts``, ``push_lease_s``, and what messages say of the organisation.
        channels: as ``make_channels`` made them.
        limit: how many rows at most, at least 1.

    Returns:
        How many rows were claimed; when that is ``limit``, more may be due.

    Side effects:
        Messages leave. Outbox rows move on, dead registration tokens are deleted, history is written.
    """
    claims = _claim(db, settings, limit)
    if claims:
        passed(FaultPoint.MESSAGES_CLAIMED)
    resting: dict[str, Retry] = {}
    for claim in claims:
        try:
            if claim.channel in resting:
                _put_back(db, claim, _pause_s(1, resting[claim.channel].after_s), None)
                continue
            attempt = _begin(db, settings, channels, claim)
            if attempt is None:
                continue
            claim = attempt
            passed(FaultPoint.ATTEMPT_COUNTED)
            outcome = _send(settings, channels, attempt)
            passed(FaultPoint.MESSAGE_SENT)
            _settle(db, settings, attempt, outcome)
            if isinstance(outcome, Retry) and outcome.channel_down:
                resting[claim.channel] = outcome
        except Exception as fault:  # noqa: BLE001 - one bad message may not stop the others
            if is_busy(fault):
                log.warning("database busy", work="message", message_id=claim.id)
            else:
                # Not as exc_info: a console that prints local variables would print a link's secret.
                log.error("message not sent", message_id=claim.id, channel=claim.channel, problem=traceback.format_exc()[-3000:])
            PUSH_SENT.labels(claim.channel, "error").inc()
            tries = claim.attempts if isinstance(claim, _Attempt) else 1
            _put_back(db, claim, _pause_s(tries, None), f"fault: {type(fault).__name__}")
    return len(claims)


def _claim(db: Database, settings: Settings, limit: int) -> list[_Claim]:
    """Take due rows that nobody holds, none at all while the outbox is held back.

    Rows that another drain is taking right now are passed over, not waited for.
    """
    with db.transaction() as session:
        moment = database_now(session)
        due = (
            select(OutboxMessage.id)
            .where(
                OutboxMessage.state == _QUEUED,
                OutboxMessage.next_at <= now(session),
                or_(OutboxMessage.leased_until.is_(None), OutboxMessage.leased_until <= moment),
                ~exists(select(OutboxHold.id)),
            )
            .order_by(OutboxMessage.next_at, OutboxMessage.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .cte("due")
            # Else PostgreSQL may run the subquery again per row, and lock and take more than the limit.
            .prefix_with("MATERIALIZED")
        )
        taken = session.execute(
            update(OutboxMessage)
            .where(OutboxMessage.id.in_(select(due.c.id)))
            .values(leased_until=moment + timedelta(seconds=settings.push_lease_s))
            .returning(OutboxMessage.id, OutboxMessage.channel, OutboxMessage.leased_until, OutboxMessage.next_at)
            .execution_options(synchronize_session=False)
        ).all()
    return [_Claim(row.id, row.channel, row.leased_until) for row in sorted(taken, key=lambda row: (row.next_at, row.id))]


def _begin(db: Database, settings: Settings, channels: Mapping[str, Channel], claim: _Claim) -> _Attempt | None:
    """Renew the lease, count the attempt before it is made, and read what it needs.

    Returns:
        None when nothing is to be sent now: another drain has the row, a newer message makes it pointless, or its
        reader's quiet hours have begun.
    """
    with db.transaction() as session:
        row = session.get_one(OutboxMessage, claim.id)
        user = session.get_one(User, row.user_id)
        token = _place_of(session, row)
        attempt = _Attempt(
            id=row.id,
            channel=row.channel,
            leased_until=max(claim.leased_until, database_now(session) + timedelta(seconds=settings.push_lease_s)),
            attempts=row.attempts,
            expires_at=row.expires_at,
            dedupe_key=row.dedupe_key,
            notification=session.get_one(Notification, row.notification_id),
            user=user,
            token=token,
            address=_address_of(row, user, token),
            keep_s=max(int((row.expires_at - now(session)).total_seconds()), 0),
        )
        if _superseded(session, claim, attempt) or _held(session, claim, attempt):
            return None
        refusal = _refusal(session, settings, channels, attempt)
        attempt = replace(attempt, refusal=refusal, attempts=row.attempts + (refusal is None))
        ours = _update_claimed(session, claim, leased_until=attempt.leased_until, attempts=attempt.attempts)
    if not ours:
        log.info("lease lapsed before sending", message_id=claim.id)
        return None
    return attempt


def _superseded(session: Session, claim: _Claim, attempt: _Attempt) -> bool:
    """Close a row that a newer message has made pointless; tell whether it was one."""
    newer_id = newer_than(session, attempt.notification, attempt.channel)
    if newer_id is None:
        return False
    if _update_claimed(session, claim, state="superseded", settled_at=now(session), leased_until=None):
        newer = history.last_entry(session, history.Subject("notification", newer_id), "notification.queued")
        note_superseded(session, attempt.notification.id, attempt.channel, newer)
    return True


def _held(session: Session, claim: _Claim, attempt: _Attempt) -> bool:
    """Give a row back until its reader's quiet hours end; tell whether it has to wait."""
    notification = attempt.notification
    if urgency_of(notification.kind, notification.data) == "high":
        return False
    until = rest_until(session, notification.user_id, now(session))
    if until is None:
        return False
    if _update_claimed(session, claim, leased_until=None, next_at=until, quiet_until=until):
        queued = history.last_entry(session, history.Subject("notification", notification.id), "notification.queued")
        note_held(session, notification.id, attempt.channel, until, queued)
    return True


def _place_of(session: Session, row: OutboxMessage) -> Place | None:
    """Return the phone or the browser a row goes to, unless it is gone; a mail goes to none."""
    if row.address_id is None:
        return None
    if row.channel == "web_push":
        return session.get(BrowserSubscription, row.address_id)
    return session.get(RegistrationToken, row.address_id)


def _address_of(row: OutboxMessage, user: User, token: Place | None) -> Address | None:
    """Return where this row goes now. A phone that somebody else signed in on since is no address any more."""
    if row.channel == "email":
        return Address("email", user.email) if user.email else None
    if token is None or token.user_id != row.user_id:
        return None
    if isinstance(token, BrowserSubscription):
        keys = {"p256dh": token.p256dh, "auth": token.auth}
        return Address("subscription", json.dumps({"endpoint": token.endpoint, "keys": keys}))
    return Address("fid" if token.address_kind == "fid" else "token", token.address)


def _refusal(session: Session, settings: Settings, channels: Mapping[str, Channel], attempt: _Attempt) -> Failed | None:
    """Tell why this message may not leave at all, or None."""
    user, carries_link = attempt.user, attempt.notification.kind in LINK_KINDS
    preference = session.get(ChannelPreference, (user.id, attempt.channel))
    link = session.get(OneTimeLink, str(attempt.notification.data.get("link_id"))) if carries_link else None
    reasons = {
        "channel_not_configured": attempt.channel not in channels,
        "recipient_gone": user.state == "deactivated" or user.deleted_at is not None,
        "switched_off": preference is not None and not preference.enabled and not carries_link,
        "address_gone": attempt.address is None,
        "link_over": carries_link and (link is None or link.used_at is not None or link.expires_at <= now(session)),
        "expired": attempt.expires_at <= now(session),
        "attempts_exhausted": attempt.attempts >= settings.push_attempts,
    }
    return next((Failed(reason) for reason, applies in reasons.items() if applies), None)


def _send(settings: Settings, channels: Mapping[str, Channel], attempt: _Attempt) -> Outcome:
    """Put the message into words and hand it to its channel; no transaction is open."""
    if attempt.refusal is not None or attempt.address is None:
        return attempt.refusal or Failed("address_gone")
    notification = attempt.notification
    link_code = None
    if notification.kind in LINK_KINDS and attempt.channel == "email":
        link_code = derived_code(settings, "link", notification.data["link_id"])
    # Each address has a code of its own, so that the code also tells which one was reached.
    channel_code = code_of(settings, attempt.id) if notification.kind == "channel_check" else None
    words = render(
        notification.kind,
        notification.data,
        attempt.user.locale,
        organisation=settings.organisation_name,
        public_url=settings.public_url,
        time_zone=settings.time_zone,
        link_code=link_code,
        channel_code=channel_code,
    )
    place = {
        "notification_id": notification.id,
        "subject_kind": notification.subject_kind,
        "subject_id": notification.subject_id,
    }
    if channel_code is not None:
        place["code"] = channel_code
    message = replace(
        words,
        data=words.data | place,
        collapse="" if notification.kind in STANDALONE_KINDS else f"{notification.subject_kind}:{notification.subject_id}",
        urgency=urgency_of(notification.kind, notification.data),
        keep_s=attempt.keep_s,
    )
    return channels[attempt.channel].send(attempt.address, message, attempt.dedupe_key)


def _settle(db: Database, settings: Settings, attempt: _Attempt, outcome: Outcome) -> None:
    """Write what came of an attempt, if the row is still ours."""
    with db.transaction() as session:
        present = now(session)
        if isinstance(outcome, Retry):
            next_at = present + timedelta(seconds=_pause_s(attempt.attempts, outcome.after_s))
            if attempt.attempts >= settings.push_attempts:
                outcome = Failed(f"attempts_exhausted: {outcome.reason}")
            elif next_at >= attempt.expires_at:
                outcome = Failed(f"expired: {outcome.reason}")
        if isinstance(outcome, Retry):
            ours = _update_claimed(session, attempt, leased_until=None, next_at=next_at, last_error=outcome.reason[:200])
        else:
            ours = _close(session, attempt, outcome, present)
    if not ours:
        log.warning("settled by somebody else", message_id=attempt.id, outcome=outcome.name)
        return
    PUSH_SENT.labels(attempt.channel, outcome.name).inc()
    if not isinstance(outcome, Accepted):
        log.info(
            "message not accepted", message_id=attempt.id, channel=attempt.channel, outcome=outcome.name, reason=outcome.reason
        )


def _close(session: Session, attempt: _Attempt, outcome: Accepted | DeadAddress | Failed, present: datetime) -> bool:
    """Settle a row for good, with its history; delete the one address that died."""
    error = None if isinstance(outcome, Accepted) else outcome.reason[:200]
    state = _accepted_state(session, attempt) if isinstance(outcome, Accepted) else "failed"
    if not _update_claimed(session, attempt, leased_until=None, state=state, settled_at=present, last_error=error):
        return False
    subject = history.Subject("notification", attempt.notification.id)
    cause = history.last_entry(session, subject, "notification.queued")
    if isinstance(outcome, Accepted):
        history.record(session, "notification.delivered_to_channel", subject, causes=[cause], channel=attempt.channel)
        return True
    history.record(session, "notification.failed", subject, causes=[cause], channel=attempt.channel, reason=error)
    if isinstance(outcome, DeadAddress) and attempt.token is not None:
        # Registered again since we sent: then the phone is back and the answer is about the past.
        places = type(attempt.token)
        session.execute(delete(places).where(places.id == attempt.token.id, places.seen_at == attempt.token.seen_at))
    after_failure(session, attempt.notification.id)
    return True


def _accepted_state(session: Session, attempt: _Attempt) -> str:
    """Return the state of an accepted row: a quick phone may have reported before we settle."""
    if attempt.channel not in ON_SCREEN:
        return "accepted"
    seen = session.execute(
        select(Notification.delivered_at, Notification.opened_at).where(Notification.id == attempt.notification.id)
    ).one()
    return "opened" if seen.opened_at else "delivered" if seen.delivered_at else "accepted"


def _put_back(db: Database, claim: _Claim, pause_s: float, error: str | None) -> None:
    """Give a row back, due again after a pause."""
    with db.transaction() as session:
        values = {"last_error": error} if error else {}
        _update_claimed(session, claim, leased_until=None, next_at=now(session) + timedelta(seconds=pause_s), **values)


def _update_claimed(session: Session, claim: _Claim, **values: object) -> bool:
    """Write to a row if this claim still holds it; tell whether it did."""
    written = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == claim.id, OutboxMessage.state == "queued", OutboxMessage.leased_until == claim.leased_until)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return bool(written.rowcount == 1)  # type: ignore[attr-defined]


def _pause_s(attempts: int, wanted_s: float | None) -> float:
    """Return how long to wait before the next attempt.

    Three times as long each time, at most an hour, less a random part of up to half, so that what
    failed together does not return together. What the provider asked for is never undercut.
    """
    grown_s = _FIRST_PAUSE_S * _GROWTH ** min(max(attempts, 1) - 1, 10)
    pause_s = min(grown_s, _LONGEST_PAUSE_S) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return pause_s if wanted_s is None else max(pause_s, wanted_s * random.uniform(1.0, 1.1))  # noqa: S311
