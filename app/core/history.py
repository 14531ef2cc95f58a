"""The causal log: what happened, to what, by whom, and because of what.

Every verb writes its entry in its own transaction. Following causes from a redeemed coupon leads
back to the readings that began it; following effects leads forward again. Entries are never changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, ForeignKey, Index, Insert, Select, String, and_, bindparam, func, insert, null, select, text, update
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


@lru_cache(maxsize=500)
def _writing(kind: str, dialect: str) -> tuple[Insert, Insert]:
    """Return how an entry about a kind of subject is written, and how its causes are, each made once.

    The customer in whose story it is told is found as it is written. On PostgreSQL the second statement writes both.
    """
    table: Any = HistoryEntry.__table__
    values: dict[str, Any] = {column.name: bindparam(f"e_{column.name}", type_=column.type) for column in table.c}
    about = bindparam("e_subject_id", type_=table.c.subject_id.type)
    rows = _STORIES.get(kind)
    if kind == "customer":
        values["customer_id"] = about
    elif rows is None:
        values["customer_id"] = null()
    else:
        row_id, customer_id = rows.selected_columns
        values["customer_id"] = rows.with_only_columns(customer_id).where(row_id == about).limit(1).scalar_subquery()
    entry, arrows = insert(table).values(values), insert(HistoryCause.__table__)  # type: ignore[arg-type]
    if dialect != "postgresql":
        return entry, arrows
    written = entry.returning(table.c.id).cte("entry")
    causes = func.unnest(bindparam("causes", type_=ARRAY(String)))
    return entry, arrows.from_select(["effect_id", "cause_id"], select(written.c.id, causes))


def _customers_of(session: Session, kind: str, ids: Sequence[str]) -> dict[str, str | None]:
    """Return in whose stories many subjects' entries are told."""
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
        The entry, for use as a cause of what follows; not attached to the session, and without its customer.
    """
    session.flush()
    present = now(session)
    values: dict[str, Any] = {
        "id": new_id(),
        "kind": kind,
        "subject_kind": subject.kind,
        "subject_id": subject.id,
        "actor_id": actor_id,
        "occurred_at": occurred_at or present,
        "recorded_at": present,
        "facts": facts,
    }
    dialect = session.get_bind().dialect.name
    writing, with_causes = _writing(subject.kind, dialect)
    given = {f"e_{name}": value for name, value in values.items()}
    cause_ids = list(dict.fromkeys(cause.id for cause in causes if cause is not None))
    if cause_ids and dialect == "postgresql":
        session.execute(with_causes, given | {"causes": cause_ids})
    else:
        session.execute(writing, given)
        if cause_ids:
            session.execute(with_causes, [{"effect_id": values["id"], "cause_id": cause_id} for cause_id in cause_ids])
    return HistoryEntry(**values)


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


def last_entries(session: Session, subject_kind: str, subject_ids: Collection[str]) -> dict[str, HistoryEntry]:
    """Return the newest entry about each of some subjects of a kind that have any, by id."""
    if not subject_ids:
        return {}
    query = select(HistoryEntry).where(
        HistoryEntry.subject_kind == subject_kind, among(session, HistoryEntry.subject_id, subject_ids)
    )
    return {entry.subject_id: entry for entry in session.scalars(query.order_by(HistoryEntry.id))}
