"""Notifications, the outbox, registration tokens and preferences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.scopes import declare_rows
from app.core.tracked import Tracked

CHANNELS = ("fcm", "web_push", "email")
ON_SCREEN = frozenset({"fcm", "web_push"})
"""Channels whose messages stay on a screen, where a later one of the same subject takes the place of an earlier."""

OUTBOX_STATES = ("queued", "accepted", "delivered", "opened", "failed", "superseded")


class Notification(Tracked):
    """One message to one person; the inbox. Put into words in the reader's language when it is read."""

    __tablename__ = "notifications"
    __table_args__ = (Index(None, "subject_id", "user_id"),)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    data: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    subject_kind: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[str] = mapped_column(String(36))
    dedupe_key: Mapped[str] = mapped_column(String(160), unique=True)
    delivered_at: Mapped[datetime | None] = mapped_column(Moment)
    opened_at: Mapped[datetime | None] = mapped_column(Moment)


class RegistrationToken(Base):
    """Where FCM reaches one installation of the app. Deleted when FCM says UNREGISTERED, and only then."""

    __tablename__ = "registration_tokens"
    __table_args__ = (CheckConstraint("address_kind IN ('token', 'fid')", name="address_kind"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    address_kind: Mapped[str] = mapped_column(String(10))
    address: Mapped[str] = mapped_column(String(500), unique=True)
    registered_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)


class BrowserSubscription(Base):
    """Where Web Push reaches one browser, and the keys only it can read with. Deleted when its service says 404 or 410."""

    __tablename__ = "browser_subscriptions"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    endpoint: Mapped[str] = mapped_column(String(1000), unique=True)
    p256dh: Mapped[str] = mapped_column(String(100))
    auth: Mapped[str] = mapped_column(String(40))
    registered_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)


class ChannelPreference(Base):
    """A channel a person switched off, or on again. No row means on."""

    __tablename__ = "channel_preferences"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    enabled: Mapped[bool]


class VerifiedAddress(Base):
    """An address that a person has shown to reach them, by its hash: another address is not verified by it."""

    __tablename__ = "verified_addresses"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    verified_at: Mapped[datetime] = mapped_column(Moment)


class FallbackOrder(Base):
    """The order in which a person's channels are tried, and after how many minutes unopened the next one is."""

    __tablename__ = "fallback_orders"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    channels: Mapped[list[str]] = mapped_column(JsonValue)
    after_min: Mapped[int]


class FallbackPlan(Base):
    """Which channels are left to try for one notification, and when. ``step`` guards each going on."""

    __tablename__ = "fallback_plans"
    notification_id: Mapped[str] = mapped_column(ForeignKey("notifications.id"), primary_key=True)
    channels: Mapped[list[str]] = mapped_column(JsonValue)
    after_min: Mapped[int]
    step: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(Moment, index=True)


class QuietHours(Base):
    """When a person wants to be left alone: from ``begins`` to ``ends``, "HH:MM" by the clocks of ``time_zone``."""

    __tablename__ = "quiet_hours"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    begins: Mapped[str] = mapped_column(String(5))
    ends: Mapped[str] = mapped_column(String(5))
    time_zone: Mapped[str] = mapped_column(String(60))


class OutboxMessage(Base):
    """The intent to send one message through one channel, written in the transaction of its reason.

    ``address_id``: the registration token for FCM, the subscription for Web Push. Claimed by setting ``leased_until``.
    ``quiet_until``: the end of the person's quiet hours, for which it waits or has waited.
    """

    __tablename__ = "outbox"
    __table_args__ = (
        CheckConstraint(f"state IN {OUTBOX_STATES}", name="state"),
        CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        Index("ix_outbox_due", "next_at", postgresql_where=text("state = 'queued'"), sqlite_where=text("state = 'queued'")),
    )
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    notification_id: Mapped[str] = mapped_column(ForeignKey("notifications.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    channel: Mapped[str] = mapped_column(String(20))
    address_id: Mapped[str | None] = mapped_column(String(36))
    dedupe_key: Mapped[str] = mapped_column(String(240), unique=True)
    state: Mapped[str] = mapped_column(String(20), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime] = mapped_column(Moment)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    leased_until: Mapped[datetime | None] = mapped_column(Moment)
    quiet_until: Mapped[datetime | None] = mapped_column(Moment)
    queued_at: Mapped[datetime] = mapped_column(Moment)
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
    last_error: Mapped[str | None] = mapped_column(String(200))


class OutboxHold(Base):
    """While its one row is there, nothing leaves the outbox: after a restore, until an operator says go."""

    __tablename__ = "outbox_holds"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    reason: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime] = mapped_column(Moment)


declare_rows(
    "notifications",
    ("SELECT r.id, 'user:' || r.user_id FROM notifications r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",),
)
