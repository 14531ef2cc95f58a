"""Which rows lie in which scope, and who holds which scope, each with the change number at which it became so.

A scope is a set of rows that are seen together: ``territory:<id>``, ``owner:<user>``, ``customer:<id>``,
``station:<id>``, ``user:<id>``. A synced table says in its models how its rows come to lie in scopes
(``declare_rows``). ``transaction()`` keeps the entries after every write, whatever wrote: a row that changed, came in,
left or was deleted gets the transaction's change number in each scope concerned. So one index scan per scope tells a
phone what is new, also where only a parent moved and the row itself did not change.

The entries are computed after the change number was drawn. The counter's lock then makes transactions
follow one another, so that no two of them can decide membership by a state the other is just changing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import BigInteger, Connection, Index, String, delete, func, null, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db import AFTER_STAMP, TRACKED, Base, ChangeCounter, Moment, insert_into, last_change, now


class ScopeEntry(Base):
    """One row in one scope. ``change_no``: when it last changed, came in or left; ``gone``: it left or was deleted."""

    __tablename__ = "scope_entries"
    __table_args__ = (
        Index("ix_scope_entries_delta", "scope", "change_no"),
        Index("ix_scope_entries_row", "collection", "row_id"),
        Index(
            "ix_scope_entries_change_no",
            "change_no",
            postgresql_where=text("change_no IS NULL"),
            sqlite_where=text("change_no IS NULL"),
        ),
        {"sqlite_with_rowid": False},
    )
    scope: Mapped[str] = mapped_column(String(60), primary_key=True)
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    row_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    # Empty until the end of its transaction, like a row's own; see ``core/db.py``.
    change_no: Mapped[int | None] = mapped_column(BigInteger, default=None, onupdate=null())
    gone: Mapped[bool]


TRACKED.add(ScopeEntry.__tablename__)


class ScopeGrant(Base):
    """One person holding one scope, from a change number to another; open while they hold it."""

    __tablename__ = "scope_grants"
    __table_args__ = (Index("ix_scope_grants_scope", "scope"),)
    user_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    scope: Mapped[str] = mapped_column(String(60), primary_key=True)
    entered_no: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    left_no: Mapped[int | None] = mapped_column(BigInteger)


class ForgottenRemovals(Base):
    """Up to which change number the removals of a collection were deleted: a phone that stands before it starts anew."""

    __tablename__ = "forgotten_removals"
    collection: Mapped[str] = mapped_column(String(40), primary_key=True)
    upto: Mapped[int] = mapped_column(BigInteger)


class ChangeTime(Base):
    """The last change number at some instants, so that an age in days becomes a number."""

    __tablename__ = "change_times"
    at: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


@dataclass(frozen=True)
class _Rows:
    """How rows of one table come to lie in scopes; SQL that both databases speak.

    ``ways``: selects of (row_id, scope) for live rows, narrowed by ``{ids}``, a select of the ids that may have moved.
    ``follows``: for each other table, a select of the ids that a change of its rows (``change_no = :n``) may move.
    """

    ways: tuple[str, ...]
    follows: Mapping[str, str]


# Day 1 of the epochs; 13 bits of a cursor hold 22 years of days.
_FIRST_DAY = date(2026, 1, 1)

_ROWS: dict[str, _Rows] = {}
_HOLDERS: dict[str, _Rows] = {}


def declare_rows(table: str, ways: tuple[str, ...], follows: Mapping[str, str] | None = None) -> None:
    """Let the rows of a tracked table lie in scopes. Called once for each synced table, beside its model.

    Args:
        table: name of the tracked table; phones know the rows as the collection of this name.
        ways: selects of (row id, scope) of live rows, each with ``{ids}`` in a condition ``... IN ({ids})``.
        follows: table name -> select of row ids whose scopes hang on rows of that table with ``change_no = :n``.
    """
    _ROWS[table] = _Rows(ways, follows or {})


def declare_holders(table: str, ways: tuple[str, ...], follows: Mapping[str, str]) -> None:
    """Say which scopes the people in a table hold; as ``declare_rows``, with (user id, scope)."""
    _HOLDERS[table] = _Rows(ways, follows)


def send_away(session: Session, user_id: str, collection: str, row_id: str) -> None:
    """Tell one person's phones with this transaction's number that a row is gone, whether or not they ever held it."""
    insert = insert_into(session, ScopeEntry).values(
        scope=f"user:{user_id}", collection=collection, row_id=row_id, change_no=None, gone=True
    )
    session.execute(
        insert.on_conflict_do_update(index_elements=["scope", "collection", "row_id"], set_={"change_no": None, "gone": True})
    )


def keep_scopes(connection: Connection, number: int, touched: frozenset[str]) -> None:
    """Bring entries and grants up to date with the rows that carry this change number."""
    for statement in _statements(touched, connection.dialect.name):
        _run(connection, statement, number)


def fill_scopes(connection: Connection, number: int) -> None:
    """Compute every entry and grant anew; for a database that has rows from before there were scopes."""
    everything = {name: _Rows(rows.ways, {}) for name, rows in _ROWS.items()}
    for name, rows in everything.items():
        for statement in _entry_statements({name: (f"SELECT id FROM {name}", rows)}, {name}, connection.dialect.name, whole=True):
            _run(connection, statement, number)
    for name, rows in _HOLDERS.items():
        for statement in _grant_statements(f"SELECT id FROM {name}", rows):
            _run(connection, statement, number)


def forget_removals(session: Session, days: int) -> int:
    """Delete removals older than ``days`` and note up to where; to be called about once an hour. Return how many."""
    present = now(session)
    session.add(ChangeTime(at=present, n=last_change(session)))
    old = session.scalar(select(func.max(ChangeTime.n)).where(ChangeTime.at <= present - timedelta(days=days)))
    if old is None:
        return 0
    session.execute(delete(ChangeTime).where(ChangeTime.n < old))
    dead = (ScopeEntry.gone.is_(True), ScopeEntry.change_no <= old)
    found = session.execute(
        select(ScopeEntry.collection, func.max(ScopeEntry.change_no), func.count()).where(*dead).group_by(ScopeEntry.collection)
    ).all()
    for collection, newest, _ in found:
        insert = insert_into(session, ForgottenRemovals).values(collection=collection, upto=newest)
        session.execute(insert.on_conflict_do_update(index_elements=["collection"], set_={"upto": newest}))
    session.execute(delete(ScopeEntry).where(*dead))
    return sum(count for _, _, count in found)


def begin_history_anew(session: Session) -> int:
    """Give this history another name, after a backup was restored: cursors of the other one are of no use any more.

    Returns:
        The new epoch, which no restore of an older backup of this deployment can give again the next day.
    """
    days = (now(session).date() - _FIRST_DAY).days
    present = session.execute(select(ChangeCounter.epoch).where(ChangeCounter.id == 1)).scalar_one()
    epoch = max(present + 1, days)
    session.execute(update(ChangeCounter).where(ChangeCounter.id == 1).values(epoch=epoch))
    return epoch


def _run(connection: Connection, statement: str, number: int) -> None:
    if connection.dialect.name == "postgresql":
        statement = statement.replace(":n", "%(n)s")
    connection.exec_driver_sql(statement, {"n": number})


@lru_cache(maxsize=1024)
def _statements(touched: frozenset[str], dialect: str) -> tuple[str, ...]:
    """Return the statements after a transaction that wrote to these tables. There are few such sets, so they are kept."""
    moved: dict[str, tuple[str, _Rows]] = {}
    for name, rows in _ROWS.items():
        if found := _candidates(name, rows, touched):
            moved[name] = (found, rows)
    statements = _entry_statements(moved, touched, dialect) if moved else ()
    for name, rows in _HOLDERS.items():
        if found := _candidates(name, rows, touched):
            statements += _grant_statements(found, rows)
    return statements


def _candidates(name: str, rows: _Rows, touched: frozenset[str]) -> str:
    """Return a select of the ids whose scopes may have changed, or nothing."""
    selects = [f"SELECT id FROM {name} WHERE change_no = :n"] if name in touched else []
    selects += [select for parent, select in rows.follows.items() if parent in touched]
    return " UNION ".join(selects)


def _entry_statements(
    moved: Mapping[str, tuple[str, _Rows]], touched: Collection[str], dialect: str, *, whole: bool = False
) -> tuple[str, ...]:
    hint = "MATERIALIZED " if dialect == "postgresql" else ""
    parts = [f"may_{name} (id) AS {hint}({select})" for name, (select, _) in moved.items()]
    for name, (_, rows) in moved.items():
        ways = " UNION ALL ".join(way.format(ids=f"SELECT id FROM may_{name}") for way in rows.ways)
        parts.append(f"in_{name} (row_id, scope) AS ({ways})")
    wanted = " UNION ".join(f"SELECT '{name}', row_id, scope FROM in_{name}" for name in moved)
    parts.append(f"wanted (collection, row_id, scope) AS {hint}({wanted})")
    ids = " UNION ALL ".join(f"SELECT '{name}', id FROM may_{name}" for name in moved)
    parts.append(f"moved (collection, row_id) AS ({ids})")
    fresh = [
        "NOT EXISTS (SELECT 1 FROM scope_entries e WHERE e.scope = w.scope AND e.collection = w.collection"
        " AND e.row_id = w.row_id AND NOT e.gone)"
    ]
    fresh += [
        "1 = 1"
        if whole
        else f"(w.collection = '{name}' AND EXISTS (SELECT 1 FROM {name} r WHERE r.id = w.row_id AND r.change_no = :n))"
        for name in moved
        if name in touched
    ]
    no, yes = ("false", "true") if dialect == "postgresql" else ("0", "1")
    enter = (
        "INSERT INTO scope_entries (scope, collection, row_id, change_no, gone)"
        f" SELECT w.scope, w.collection, w.row_id, :n, {no} FROM wanted w WHERE {' OR '.join(fresh)}"
        " ON CONFLICT (scope, collection, row_id) DO UPDATE SET change_no = excluded.change_no, gone = excluded.gone"
    )
    leave = (
        f"UPDATE scope_entries SET gone = {yes}, change_no = :n FROM moved m"
        " WHERE scope_entries.collection = m.collection AND scope_entries.row_id = m.row_id AND NOT scope_entries.gone"
        " AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.scope = scope_entries.scope"
        " AND w.collection = scope_entries.collection AND w.row_id = scope_entries.row_id)"
    )
    if dialect == "postgresql":
        # One round trip under the counter's lock; the two writes touch different rows.
        return (f"WITH {', '.join(parts)}, entered AS ({enter}) {leave}",)
    known = f"WITH {', '.join(parts)} "
    return (known + enter, known + leave)


def _grant_statements(candidates: str, rows: _Rows) -> tuple[str, ...]:
    wanted = " UNION ".join(way.format(ids=candidates) for way in rows.ways)
    known = f"WITH wanted (user_id, scope) AS ({wanted}) "
    enter = (
        "INSERT INTO scope_grants (user_id, scope, entered_no, left_no) SELECT w.user_id, w.scope, :n, NULL FROM wanted w"
        " WHERE NOT EXISTS (SELECT 1 FROM scope_grants g WHERE g.user_id = w.user_id AND g.scope = w.scope AND g.left_no IS NULL)"
    )
    leave = (
        f"UPDATE scope_grants SET left_no = :n WHERE left_no IS NULL AND user_id IN ({candidates})"
        " AND NOT EXISTS (SELECT 1 FROM wanted w WHERE w.user_id = scope_grants.user_id AND w.scope = scope_grants.scope)"
    )
    return (known + enter, known + leave)


AFTER_STAMP.append(keep_scopes)
