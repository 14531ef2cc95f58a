"""What the server keeps for phones: installations, intents, refused rows, conflicts, and what each phone sent last."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.scopes import declare_rows
from app.core.tracked import Tracked

VERDICTS = ("accepted", "needs_review", "rejected")
_OWN = "SELECT r.id, 'user:' || r.user_id FROM {table} r WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL"


class Installation(Base):
    """One app on one phone, as one person uses it: what it said of itself, and how far it has come."""

    __tablename__ = "installations"
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    protocol: Mapped[str] = mapped_column(String(20))
    first_seen_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    pulled_no: Mapped[int | None] = mapped_column(BigInteger)
    pushed_at: Mapped[datetime | None] = mapped_column(Moment)
    queue_age_ms: Mapped[int | None] = mapped_column(BigInteger)
    skew_ms: Mapped[int | None] = mapped_column(BigInteger)
    app_version: Mapped[str | None] = mapped_column(String(40))
    schema_version: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(60))
    wipe_asked_at: Mapped[datetime | None] = mapped_column(Moment)
    wiped_at: Mapped[datetime | None] = mapped_column(Moment)


class Intent(Tracked):
    """What a person wanted done, made offline; carried out once. ``body`` is the JSON text as sent; ``facts`` fill the words.

    ``made_ms`` is by the phone's clock, which was ``skew_ms`` before ours when it sent this, as far as the app told.
    """

    __tablename__ = "intents"
    __table_args__ = (CheckConstraint(f"verdict IN {VERDICTS}", name="verdict"),)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    installation_id: Mapped[str] = mapped_column(String(36))
    kind: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    made_ms: Mapped[int] = mapped_column(BigInteger)
    skew_ms: Mapped[int | None] = mapped_column(BigInteger)
    verdict: Mapped[str | None] = mapped_column(String(20))
    code: Mapped[str | None] = mapped_column(String(60))
    facts: Mapped[dict[str, Any] | None] = mapped_column(JsonValue)
    decided_at: Mapped[datetime | None] = mapped_column(Moment)


class SyncProblem(Tracked):
    """A row a phone sent that could not be taken: its content, and what is wrong with each field.

    It is open again when the same content is tried once more and refused.
    """

    __tablename__ = "sync_problems"
    __table_args__ = (
        UniqueConstraint("installation_id", "collection", "row_id", "content_hash", name="uq_sync_problems_sent"),
        CheckConstraint("state IN ('open', 'mended', 'replayed', 'dismissed')", name="state"),
    )
    STATES = {
        "open": frozenset({"mended", "replayed", "dismissed"}),
        **dict.fromkeys(("mended", "replayed", "dismissed"), frozenset({"open"})),
    }
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    installation_id: Mapped[str] = mapped_column(String(36))
    collection: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[str] = mapped_column(String(60))
    reasons: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    content: Mapped[str] = mapped_column(Text)
    content_hash: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(20), default="open")


class SyncConflict(Tracked):
    """Two people changed one field, or one edited what another deleted (``field`` is then empty): the value that lost."""

    __tablename__ = "sync_conflicts"
    __table_args__ = (
        Index(None, "collection", "row_id"),
        CheckConstraint("state IN ('open', 'restored')", name="state"),
    )
    STATES = {"open": frozenset({"restored"})}
    collection: Mapped[str] = mapped_column(String(40))
    row_id: Mapped[str] = mapped_column(String(36))
    field: Mapped[str] = mapped_column(String(40))
    kept: Mapped[Any] = mapped_column(JsonValue, nullable=True)
    lost: Mapped[Any] = mapped_column(JsonValue, nullable=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    installation_id: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(20), default="open")


class Receipt(Base):
    """A digest of the value each field of a row had when an installation last sent it: tells a repeat from an edit."""

    __tablename__ = "sync_receipts"
    installation_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    digests: Mapped[dict[str, str]] = mapped_column(JsonValue)
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class EarlyRow(Base):
    """A new row that came before the one it hangs on, which the same phone sends apart: it is taken once that one is here."""

    __tablename__ = "early_rows"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    installation_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    parent_collection: Mapped[str] = mapped_column(String(40))
    parent_id: Mapped[str] = mapped_column(String(36))
    sent: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class DeletedId(Base):
    """A row that a person deleted before it ever arrived: should its creation come late, it stays deleted.

    Nobody else is kept from using the id.
    """

    __tablename__ = "deleted_ids"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)


declare_rows("intents", (_OWN.format(table="intents"),))
declare_rows("sync_problems", (_OWN.format(table="sync_problems"),))
