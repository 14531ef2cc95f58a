"""The causal log: what happened, to what, by whom, and because of what.

Every verb writes its entry in its own transaction. Following causes from a redeemed coupon leads
back to the readings that began it; following effects leads forward again. Entries are never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Select, String, and_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db import Base, JsonValue, Moment, among, insert_many, now
from app.core.ids import new_id

_TOLD_OF = text("customer_id IS NOT NULL")


class HistoryEntry(Base):
    """One thing that happened to one subject. ``occurred_at`` is event time, ``recorded_at`` ours.

    ``customer_id``: in whose story it is told: the customer that the subject belonged to then; of a lead, the one it became.
    """

    __tablename__ = "history"
    __table_args__ = (
        Index(None, "subject_kind", "subject_id", "id"),
        Index("ix_history_story", "customer_id", "recorded_at", "id", postgresql_where=_TOLD_OF, sqlite_where=_TOLD_OF),
        Index(
            "ix_history_story_of_kind",
            "customer_id",
            "subject_kind",
            "recorded_at",
            "id",
            postgresql_where=_TOLD_OF,
            sqlite_where=_TOLD_OF,
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(60))
    subject_kind: Mapped[str] = mapped_column(String(30))
    subject_id: Mapped[str] = mapped_column(String(36))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    occurred_at: Mapped[datetime] = mapped_column(Moment)
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    facts: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    customer_id: Mapped[str | None] = mapped_column(String(36))


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


# Kind of subject -> a select of (its id, the customer's id). A kind without a row is told in nobody's story.
_STORIES: dict[str, Select[Any, Any]] = {}
# Kind of subject -> (the kind it belongs to, a select of (its id, that one's id)): it gets its customer with that one.
_PARTS: dict[str, tuple[str, Select[Any, Any]]] = {}


def declare_story(kind: str, rows: Select[Any, Any], part_of: tuple[str, Select[Any, Any]] | None = None) -> None:
    """Let what happens to subjects of a kind be told in their customers' stories. Called once, beside the subject's model.

    Args:
        kind: of the subject, as entries have it.
        rows: a select of (the subject's id, the customer's id).
        part_of: another kind that may get its customer later, and a select of (the subject's id, the other's id); see
            ``tell_of_customer``.
    """
    _STORIES[kind] = rows
    if part_of is not None:
        _PARTS[kind] = part_of


def tell_of_customer(session: Session, subject: Subject, customer_id: str) -> None:
    """Let what happened to a subject before it had a customer be told in that customer's story, and what happened to its parts.

    What happened stays as it was written; entries that are told of a customer already stay where they are.
    """
    own = HistoryEntry.subject_id == subject.id
    conditions = [and_(HistoryEntry.subject_kind == subject.kind, own)]
    for kind, (whole, rows) in _PARTS.items():
        if whole == subject.kind:
            row_id, whole_id = rows.selected_columns
            parts = rows.with_only_columns(row_id).where(whole_id == subject.id)
            conditions.append(and_(HistoryEntry.subject_kind == kind, HistoryEntry.subject_id.in_(parts)))
    for condition in conditions:
        untold = update(HistoryEntry).where(condition, HistoryEntry.customer_id.is_(None))
        session.execute(untold.values(customer_id=customer_id), execution_options={"synchronize_session": False})


def _customer_of(subject: Subject) -> Any:
    """Return the customer in whose story a subject's entry is told, or SQL that finds it as the entry is written."""
    if subject.kind == "customer":
        return subject.id
    rows = _STORIES.get(subject.kind)
    if rows is None:
        return None
    row_id, customer_id = rows.selected_columns
    return rows.with_only_columns(customer_id).where(row_id == subject.id).limit(1).scalar_subquery()


def _customers_of(session: Session, kind: str, ids: Sequence[str]) -> dict[str, str | None]:
    """As ``_customer_of``, of many subjects, with a query of its own."""
    if kind == "customer":
        return {row_id: row_id for row_id in ids}
    rows = _STORIES.get(kind)
    if rows is None or not ids:
        return {}
    found: dict[str, str | None] = {}
    for row_id, customer_id in session.execute(rows.where(among(session, rows.selected_columns[0], ids))):
        found.setdefault(row_id, customer_id)
    return found


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
        customer_id=_customer_of(subject),
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
    ids = list(subject_ids)
    customers = _customers_of(session, subject_kind, ids)
    entries: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "kind": kind,
            "subject_kind": subject_kind,
            "subject_id": subject_id,
            "actor_id": actor_id,
            "occurred_at": present,
            "recorded_at": present,
            "facts": {},
            "customer_id": customers.get(subject_id),
        }
        for subject_id in ids
    ]
    insert_many(session, HistoryEntry, entries)


def last_entry(session: Session, subject: Subject, *kinds: str) -> HistoryEntry | None:
    """Return the newest entry about a subject, of the given kinds when any are named."""
    query = select(HistoryEntry).where(HistoryEntry.subject_kind == subject.kind, HistoryEntry.subject_id == subject.id)
    if kinds:
        query = query.where(HistoryEntry.kind.in_(kinds))
    return session.scalar(query.order_by(HistoryEntry.id.desc()).limit(1))
