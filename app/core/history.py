"""The causal log: what happened, to what, by whom, and because of what.

Every verb writes its entry in its own transaction. Following causes from a redeemed coupon leads
back to the readings that began it; following effects leads forward again. Entries are never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db import Base, JsonValue, Moment, insert_many, now
from app.core.ids import new_id


class HistoryEntry(Base):
    """One thing that happened to one subject. ``occurred_at`` is event time, ``recorded_at`` ours."""

    __tablename__ = "history"
    __table_args__ = (Index(None, "subject_kind", "subject_id", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[str] = mapped_column(String(36))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    occurred_at: Mapped[datetime] = mapped_column(Moment)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    facts: Mapped[dict[str, Any]] = mapped_column(JsonValue)


class HistoryCause(Base):
    """One arrow of the log: ``effect`` happened because of ``cause``."""

    __tablename__ = "history_causes"

    effect_id: Mapped[str] = mapped_column(ForeignKey("history.id"), primary_key=True)
    cause_id: Mapped[str] = mapped_column(ForeignKey("history.id"), primary_key=True, index=True)


@dataclass(frozen=True)
class Subject:
    """What an entry is about: a kind of noun and its id."""

    kind: str
    id: str


def record(
    session: Session,
    kind: str,
    subject: Subject,
    *,
    causes: Sequence[HistoryEntry | None] = (),
    actor_id: str | None = None,
    occurred_at: datetime | None = None,
    **facts: Any,
) -> HistoryEntry:
    """Write one entry and its causes.

    Args:
        kind: ``noun.happened``, such as ``alarm.raised``.
        subject: what it happened to.
        causes: entries it follows from; None entries are left out.
        actor_id: the person who did it; None for the product itself.
        occurred_at: event time; by default now.
        facts: values that make the reason readable later. Never a secret, never a coupon's code.

    Returns:
        The entry, for use as a cause of what follows.
    """
    present = now(session)
    entry = HistoryEntry(
        id=new_id(),
        kind=kind,
        subject_kind=subject.kind,
        subject_id=subject.id,
        actor_id=actor_id,
        occurred_at=occurred_at or present,
        recorded_at=present,
        facts=facts,
    )
    session.add(entry)
    session.flush()
    for cause_id in dict.fromkeys(cause.id for cause in causes if cause is not None):
        session.add(HistoryCause(effect_id=entry.id, cause_id=cause_id))
    session.flush()
    return entry


def record_many(session: Session, kind: str, subject_kind: str, subject_ids: Iterable[str], *, actor_id: str) -> None:
    """Write one entry for each of many subjects that a person did the same to; without causes and facts."""
    present = now(session)
    entries = [
        {
            "id": new_id(),
            "kind": kind,
            "subject_kind": subject_kind,
            "subject_id": subject_id,
            "actor_id": actor_id,
            "occurred_at": present,
            "recorded_at": present,
            "facts": {},
        }
        for subject_id in subject_ids
    ]
    insert_many(session, HistoryEntry, entries)


def last_entry(session: Session, subject: Subject, *kinds: str) -> HistoryEntry | None:
    """Return the newest entry about a subject, of the given kinds when any are named."""
    query = select(HistoryEntry).where(HistoryEntry.subject_kind == subject.kind, HistoryEntry.subject_id == subject.id)
    if kinds:
        query = query.where(HistoryEntry.kind.in_(kinds))
    return session.scalar(query.order_by(HistoryEntry.id.desc()).limit(1))
