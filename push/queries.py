"""The only readers of notifications, channels and the outbox."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.logs import get_log
from app.core.settings import Settings
from app.core.tracked import one_of
from app.users import queries as users
from app.users.models import User
from app.users.rights import ADMIN, Actor
from push.channels import configured_channels
from push.messages import MessageError, render
from push.models import (
    CHANNELS,
    BrowserSubscription,
    ChannelPreference,
    FallbackOrder,
    Notification,
    OutboxHold,
    OutboxMessage,
    QuietHours,
    RegistrationToken,
)
from push.verification import is_verified

log = get_log(__name__)


def visible_to(actor: Actor) -> Select[Notification]:
    """Return an actor's own notifications; nobody reads anybody else's."""
    return select(Notification).where(Notification.user_id == actor.id, Notification.deleted_at.is_(None))


def access_notification(session: Session, actor: Actor, notification_id: str) -> Notification:
    """Load one of the actor's own notifications.

    Raises:
        NotFound: when there is none, or it is somebody else's.
    """
    return one_of(session, visible_to(actor), Notification, notification_id)


def explainable_to(actor: Actor) -> Select[Notification]:
    """Return the notifications whose reasons an actor may see: their own, and an administrator those of all they see."""
    if actor.role != ADMIN:
        return visible_to(actor)
    theirs = users.visible_to(actor).with_only_columns(User.id)
    return select(Notification).where(Notification.user_id.in_(theirs), Notification.deleted_at.is_(None))


def access_explainable(session: Session, actor: Actor, notification_id: str) -> Notification:
    """Load a notification whose reasons the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, explainable_to(actor), Notification, notification_id)


def in_words(notification: Notification, locale: str, settings: Settings) -> dict[str, Any]:
    """Return a notification with title and body in the reader's language.

    The secret of a link is never in it. A kind this version cannot put into words shows without them
    rather than making the whole inbox unreadable.
    """
    try:
        words = render(
            notification.kind,
            notification.data,
            locale,
            organisation=settings.organisation_name,
            public_url=settings.public_url,
            time_zone=settings.time_zone,
        )
        title, body = words.title, words.body
    except MessageError as fault:
        log.error("notification cannot be put into words", notification_id=notification.id, problem=str(fault)[:300])
        title, body = settings.organisation_name, ""
    names = ("id", "version", "created_at", "updated_at", "kind", "subject_kind", "subject_id", "delivered_at", "opened_at")
    return {name: getattr(notification, name) for name in names} | {"title": title, "body": body}


def channels_of(session: Session, actor: Actor, settings: Settings) -> list[dict[str, Any]]:
    """Return, per channel, whether the actor wants it, whether it is configured, and whether it has an address."""
    choices = select(ChannelPreference.channel, ChannelPreference.enabled).where(ChannelPreference.user_id == actor.id)
    chosen = {choice.channel: choice.enabled for choice in session.execute(choices)}
    configured = configured_channels(settings)
    reachable = {
        "fcm": session.scalar(select(RegistrationToken.id).where(RegistrationToken.user_id == actor.id).limit(1)) is not None,
        "web_push": session.scalar(select(BrowserSubscription.id).where(BrowserSubscription.user_id == actor.id).limit(1))
        is not None,
        "email": bool(session.scalar(select(User.email).where(User.id == actor.id))),
    }
    return [
        {
            "channel": channel,
            "enabled": chosen.get(channel, True),
            "configured": channel in configured,
            "reachable": reachable[channel],
            "verified": is_verified(session, actor.id, channel),
        }
        for channel in CHANNELS
    ]


def fallback_order_of(session: Session, actor: Actor) -> FallbackOrder | None:
    """Return the order in which the actor's channels are tried, or None when all carry everything at once."""
    return session.get(FallbackOrder, actor.id)


def quiet_hours_of(session: Session, actor: Actor) -> QuietHours | None:
    """Return the actor's quiet hours, or None when there are none."""
    return session.get(QuietHours, actor.id)


def rows_of(session: Session, notification: Notification) -> list[OutboxMessage]:
    """Return the outbox rows of a notification, oldest first."""
    rows = select(OutboxMessage).where(OutboxMessage.notification_id == notification.id)
    return list(session.scalars(rows.order_by(OutboxMessage.queued_at, OutboxMessage.id)))


def visible_outbox(actor: Actor, *, state: str | None = None, channel: str | None = None) -> Select[OutboxMessage]:
    """Return outbox rows an actor may see: all for the principal organisation, a partner's own people's for a partner."""
    rows = select(OutboxMessage)
    if not actor.sees_all:
        rows = rows.where(OutboxMessage.user_id.in_(users.visible_to(actor).with_only_columns(User.id)))
    if state is not None:
        rows = rows.where(OutboxMessage.state == state)
    if channel is not None:
        rows = rows.where(OutboxMessage.channel == channel)
    return rows


def held_since(session: Session) -> datetime | None:
    """Return since when the outbox is held back; None: it is not."""
    return session.scalar(select(OutboxHold.since))
