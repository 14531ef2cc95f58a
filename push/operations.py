"""Verbs on one's own notifications, channels and phones."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core import history, tracked
from app.core.db import now
from app.core.errors import FieldsInvalid, TooMany
from app.core.ids import new_id
from app.core.settings import Settings
from app.users.models import User
from app.users.rights import Actor
from push.endpoints import is_allowed, is_auth_secret, is_public_key
from push.models import (
    ON_SCREEN,
    BrowserSubscription,
    ChannelPreference,
    FallbackOrder,
    Notification,
    OutboxMessage,
    QuietHours,
    RegistrationToken,
)
from push.outbox import enqueue

Faults = dict[str, list[str]]

_PHONES_PER_PERSON = 20
_TESTS_PER_MINUTE = 5


def report_delivered(session: Session, actor: Actor, notification: Notification) -> Notification:
    """Note that an app showed a notification. A repetition, or one already opened, changes nothing.

    Side effects:
        ``delivered_at``, the notification's accepted FCM rows, history.
    """
    _move_forward(session, actor, notification, "delivered")
    return notification


def report_opened(session: Session, actor: Actor, notification: Notification) -> Notification:
    """Note that the person opened a notification, which was delivered then, too. A repetition changes nothing.

    Side effects:
        ``opened_at`` and ``delivered_at``, the notification's accepted and delivered FCM rows, history.
    """
    _move_forward(session, actor, notification, "opened")
    return notification


def _move_forward(session: Session, actor: Actor, notification: Notification, to: str) -> None:
    """Take one step, guarded in SQL: of two racing reports one writes.

    Only rows of channels on a screen follow: an app's report says nothing about a letter box. Rows still queued stay so,
    the person's other phone waits for its own.
    """
    present = now(session)
    own_column = Notification.opened_at if to == "opened" else Notification.delivered_at
    moved = session.execute(
        update(Notification)
        .where(Notification.id == notification.id, own_column.is_(None), Notification.opened_at.is_(None))
        .values(
            {
                Notification.delivered_at: func.coalesce(Notification.delivered_at, present),
                own_column: present,
                Notification.version: Notification.version + 1,
                Notification.updated_at: present,
            }
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(notification)
    if moved.rowcount != 1:  # type: ignore[attr-defined]
        return
    behind = ("accepted", "delivered") if to == "opened" else ("accepted",)
    session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.notification_id == notification.id,
            OutboxMessage.channel.in_(sorted(ON_SCREEN)),
            OutboxMessage.state.in_(behind),
        )
        .values(state=to)
        .execution_options(synchronize_session=False)
    )
    subject = history.Subject("notification", notification.id)
    cause = history.last_entry(session, subject, "notification.delivered_to_channel", "notification.queued")
    history.record(session, f"notification.{to}", subject, causes=[cause], actor_id=actor.id)


def set_channel(session: Session, actor: Actor, channel: str, enabled: bool) -> None:
    """Switch one of one's own channels off, or on again. The inbox cannot be switched off."""
    _upsert(session, ChannelPreference, ["user_id", "channel"], user_id=actor.id, channel=channel, enabled=enabled)
    history.record(
        session, "user.channel_set", history.Subject("user", actor.id), actor_id=actor.id, channel=channel, enabled=enabled
    )


def set_fallback_order(session: Session, actor: Actor, channels: list[str], after_min: int) -> FallbackOrder:
    """Set the order in which the actor's channels are tried; from now on one carries a message at a time.

    Args:
        channels: the first is tried at once; those not named carry nothing but what one asks for oneself.
        after_min: minutes a message may stay unopened until the next one is tried.
    """
    _upsert(session, FallbackOrder, ["user_id"], user_id=actor.id, channels=channels, after_min=after_min)
    holder = history.Subject("user", actor.id)
    history.record(session, "user.fallback_order_set", holder, actor_id=actor.id, channels=channels, after_min=after_min)
    return session.get_one(FallbackOrder, actor.id, populate_existing=True)


def forget_fallback_order(session: Session, actor: Actor) -> None:
    """Have every channel that is on carry every message again. A repetition changes nothing."""
    gone = session.execute(
        delete(FallbackOrder).where(FallbackOrder.user_id == actor.id).execution_options(synchronize_session=False)
    )
    if gone.rowcount:  # type: ignore[attr-defined]
        history.record(session, "user.fallback_order_forgotten", history.Subject("user", actor.id), actor_id=actor.id)


def set_quiet_hours(session: Session, actor: Actor, begins: str, ends: str, time_zone: str) -> QuietHours:
    """Set from when to when the actor wants to be left alone, each day.

    Args:
        begins: "HH:MM" on the clocks of ``time_zone``.
        ends: likewise; earlier than ``begins`` when the night lies between.
        time_zone: a name of the IANA time zone database.

    Side effects:
        What waits for the end of earlier quiet hours is judged anew by the next delivery. History.
    """
    _upsert(session, QuietHours, ["user_id"], user_id=actor.id, begins=begins, ends=ends, time_zone=time_zone)
    _judge_waiting_anew(session, actor)
    holder = history.Subject("user", actor.id)
    history.record(session, "user.quiet_hours_set", holder, actor_id=actor.id, begins=begins, ends=ends, time_zone=time_zone)
    return session.get_one(QuietHours, actor.id, populate_existing=True)


def forget_quiet_hours(session: Session, actor: Actor) -> None:
    """Have no quiet hours any more; what waits for their end leaves now. A repetition changes nothing."""
    gone = session.execute(delete(QuietHours).where(QuietHours.user_id == actor.id).execution_options(synchronize_session=False))
    if gone.rowcount:  # type: ignore[attr-defined]
        _judge_waiting_anew(session, actor)
        history.record(session, "user.quiet_hours_forgotten", history.Subject("user", actor.id), actor_id=actor.id)


def _judge_waiting_anew(session: Session, actor: Actor) -> None:
    """Make due what waits for the end of quiet hours: the delivery looks whether it still has to wait."""
    session.execute(
        update(OutboxMessage)
        .where(
            OutboxMessage.user_id == actor.id,
            OutboxMessage.state == "queued",
            OutboxMessage.quiet_until.is_not(None),
            OutboxMessage.next_at == OutboxMessage.quiet_until,
        )
        .values(next_at=now(session))
        .execution_options(synchronize_session=False)
    )


def register_token(session: Session, actor: Actor, address_kind: str, address: str) -> RegistrationToken:
    """Note where FCM reaches the phone the actor is signed in on.

    A phone belongs to whoever signed in on it last: the token moves, and what is still queued for
    its former holder does not reach it any more. Beyond 20 phones the one not seen for longest goes.

    Returns:
        The token's row.
    """
    present = now(session)
    before = session.scalar(select(RegistrationToken.user_id).where(RegistrationToken.address == address))
    _upsert(
        session,
        RegistrationToken,
        ["address"],
        keep=("id", "registered_at") if before == actor.id else ("id",),
        id=new_id(),
        user_id=actor.id,
        address_kind=address_kind,
        address=address,
        registered_at=present,
        seen_at=present,
    )
    token = session.scalars(
        select(RegistrationToken).where(RegistrationToken.address == address).execution_options(populate_existing=True)
    ).one()
    if before != actor.id:
        holder = history.Subject("user", actor.id)
        history.record(session, "user.phone_registered", holder, actor_id=actor.id, moved=before is not None)
    _forget_longest_unseen(session, RegistrationToken, actor, token.id)
    return token


def subscribe_browser(
    session: Session, actor: Actor, settings: Settings, endpoint: str, p256dh: str, auth: str
) -> BrowserSubscription:
    """Note where Web Push reaches the browser the actor is signed in with; like a phone it belongs to who came last.

    Raises:
        FieldsInvalid: when the endpoint is at no service that is allowed, or a key is none.
    """
    faults: Faults = {}
    if not is_allowed(endpoint, settings):
        faults["endpoint"] = ["service_not_allowed"]
    if not is_public_key(p256dh):
        faults["keys.p256dh"] = ["key_invalid"]
    if not is_auth_secret(auth):
        faults["keys.auth"] = ["key_invalid"]
    if faults:
        raise FieldsInvalid(faults)
    present = now(session)
    of_endpoint = select(BrowserSubscription).where(BrowserSubscription.endpoint == endpoint)
    before = session.scalar(of_endpoint.with_only_columns(BrowserSubscription.user_id))
    _upsert(
        session,
        BrowserSubscription,
        ["endpoint"],
        keep=("id", "registered_at") if before == actor.id else ("id",),
        id=new_id(),
        user_id=actor.id,
        endpoint=endpoint,
        p256dh=p256dh,
        auth=auth,
        registered_at=present,
        seen_at=present,
    )
    subscription = session.scalars(of_endpoint.execution_options(populate_existing=True)).one()
    if before != actor.id:
        holder = history.Subject("user", actor.id)
        history.record(session, "user.browser_subscribed", holder, actor_id=actor.id, moved=before is not None)
    _forget_longest_unseen(session, BrowserSubscription, actor, subscription.id)
    return subscription


def unsubscribe_browser(session: Session, actor: Actor, endpoint: str) -> None:
    """Forget a browser of the actor's; nothing is sent to it any more. Somebody else's stays."""
    gone = session.execute(
        delete(BrowserSubscription)
        .where(BrowserSubscription.endpoint == endpoint, BrowserSubscription.user_id == actor.id)
        .execution_options(synchronize_session=False)
    )
    if gone.rowcount:  # type: ignore[attr-defined]
        history.record(session, "user.browser_forgotten", history.Subject("user", actor.id), actor_id=actor.id)


def _forget_longest_unseen(
    session: Session, places: type[RegistrationToken] | type[BrowserSubscription], actor: Actor, kept_id: str
) -> None:
    """Delete what goes beyond twenty phones, or browsers, of one person."""
    stale = (
        select(places.id)
        .where(places.user_id == actor.id, places.id != kept_id)
        .order_by(places.seen_at.desc(), places.id.desc())
        .offset(_PHONES_PER_PERSON - 1)
        .limit(_PHONES_PER_PERSON)
    )
    gone = list(session.scalars(stale))
    session.execute(delete(places).where(places.id.in_(gone)))


def _upsert(session: Session, model: type, key: list[str], *, keep: tuple[str, ...] = (), **values: object) -> None:
    """Insert a row or overwrite the one with this key, in one statement; ``keep`` names what an old row keeps."""
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    changed = {name: value for name, value in values.items() if name not in {*key, *keep}}
    session.execute(
        make(model)
        .values(**values)
        .on_conflict_do_update(index_elements=key, set_=changed)
        .execution_options(synchronize_session=False)
    )


def forget_token(session: Session, actor: Actor, address: str) -> None:
    """Forget a phone the actor signs out on; nothing is sent to it any more. Somebody else's phone stays."""
    gone = session.execute(
        delete(RegistrationToken)
        .where(RegistrationToken.address == address, RegistrationToken.user_id == actor.id)
        .execution_options(synchronize_session=False)
    )
    if gone.rowcount:  # type: ignore[attr-defined]
        history.record(session, "user.phone_forgotten", history.Subject("user", actor.id), actor_id=actor.id)


def send_test(session: Session, actor: Actor) -> Notification:
    """Queue a test message to oneself through every channel that is on.

    Raises:
        TooMany: ``too_many_requests`` after five within a minute.
    """
    recent = session.scalar(
        select(func.count())
        .select_from(Notification)
        .where(
            Notification.user_id == actor.id,
            Notification.kind == "test",
            Notification.created_at > now(session) - timedelta(minutes=1),
        )
    )
    if (recent or 0) >= _TESTS_PER_MINUTE:
        raise TooMany("too_many_requests")
    user = tracked.fetch(session, User, actor.id)
    (notification,) = enqueue(session, [user], "test", history.Subject("user", user.id), dedupe=f"test:{new_id()}")
    return notification
