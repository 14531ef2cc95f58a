"""Notifications, the outbox, registration tokens and preferences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.scopes import declare_rows
from app.core.tracked import Tracked

CHANNELS = ("fcm", "email")
OUTBOX_STATES = ("queued", "accepted", "delivered", "opened", "failed")


class Notification(Tracked):
    """One message to one person; the inbox. Put into words in the reader's language when it is read."""

    __tablename__ = "notifications"
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


class ChannelPreference(Base):
    """A channel a person switched off, or on again. No row means on."""

    __tablename__ = "channel_preferences"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    channel: Mapped[str] = mapped_column(String(20), primary_key=True)
    enabled: Mapped[bool]


class OutboxMessage(Base):
    """The intent to send one message through one channel, written in the transaction of its reason.

    ``address_id``: the registration token for FCM. Claimed by setting ``leased_until``.
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
