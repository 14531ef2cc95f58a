"""Which rows lie in which scope, and who holds which scope, each with the change number at which it became so.

A scope is a set of rows that are seen together: ``territory:<id>``, ``owner:<user>``, ``customer:<id>``,
``station:<id>``, ``user:<id>``, ``office:all``. A synced table says in its models how its rows come to lie in scopes
(``declare_rows``). ``transaction()`` keeps the entries after every write, whatever wrote: a row that changed, came in,
left or was deleted gets the transaction's change number in each scope concerned. So one index scan per scope tells a
phone what is new, also where only a parent moved and the row itself did not change.

The entries are computed after the change number was drawn. The counter's lock then makes transactions
follow one another, so that no two of them can decide membership by a state the other is just changing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from sqlalchemy import BigInteger, Connection, Index, String, delete, func, null, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db import AFTER_STAMP, TRACKED, Base, ChangeCounter, Moment, as_list, insert_into, last_change, now, run_text


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


# So many rows are compared at a time.
_BATCH = 5000

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
    plan = _plan(touched, connection.dialect.name)
    if plan.moved:
        renewed: dict[tuple[str, str], bool] = {}
        for is_changed, name, row_id in run_text(connection, plan.moved, n=number).all():
            renewed[name, row_id] = bool(is_changed) or renewed.get((name, row_id), False)
        _keep_entries(connection, number, renewed)
    for statement in plan.grants:
        run_text(connection, statement, n=number)


def fill_scopes(connection: Connection, number: int) -> None:
    """Compute every entry and grant anew; for a database that has rows from before there were scopes."""
    for name in _ROWS:
        ids = {row_id for (row_id,) in run_text(connection, f"SELECT id FROM {name}").all()}
        _keep_entries(connection, number, dict.fromkeys(((name, row_id) for row_id in ids), True))
    for name, rows in _HOLDERS.items():
        for statement in _grant_statements(f"SELECT id FROM {name}", rows):
            run_text(connection, statement, n=number)


def forget_removals(session: Session, days: int) -> int:
    """Delete removals older than ``days`` and note up to where; to be called about once an hour. Return how many."""
    present = now(session)
    noted = session.scalar(select(func.max(ChangeTime.at)))
    # A clock that went back would else say that today's changes were made long ago.
    insert = insert_into(session, ChangeTime).values(at=max(present, noted or present), n=last_change(session))
    session.execute(insert.on_conflict_do_update(index_elements=["at"], set_={"n": insert.excluded.n}))
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


@dataclass(frozen=True)
class _Plan:
    """What follows a transaction. ``moved``: a select of (changed itself, table, id) of the rows whose scopes may be others."""

    moved: str
    grants: tuple[str, ...]


@lru_cache(maxsize=1024)
def _plan(touched: frozenset[str], dialect: str) -> _Plan:
    """Return what follows a transaction that wrote to these tables. There are few such sets, so they are kept."""
    selects = [f"SELECT 1, '{name}', id FROM {name} WHERE change_no = :n" for name in _ROWS if name in touched]
    for name, rows in _ROWS.items():
        if followers := [select for parent, select in rows.follows.items() if parent in touched]:
            selects.append(f"SELECT 0, '{name}', f.id FROM ({_named(' UNION '.join(followers))}) f")
    grants: list[str] = []
    for name, rows in _HOLDERS.items():
        if found := _candidates(name, rows, touched):
            grants += _grant_statements(found, rows)
    return _Plan(" UNION ALL ".join(selects), tuple(grants))


def _named(select: str) -> str:
    """Return a select of ids whose column is named ``id``, whatever its parts call it."""
    return f"WITH found (id) AS ({select}) SELECT id FROM found"


def _candidates(name: str, rows: _Rows, touched: frozenset[str]) -> str:
    """Return a select of the ids whose scopes may have changed, or nothing."""
    selects = [f"SELECT id FROM {name} WHERE change_no = :n"] if name in touched else []
    selects += [select for parent, select in rows.follows.items() if parent in touched]
    return " UNION ".join(selects)


def _keep_entries(connection: Connection, number: int, renewed: Mapping[tuple[str, str], bool]) -> None:
    """Let rows lie where they now belong.

    Two small statements and the difference in Python: the change counter is locked meanwhile, so round trips count; but of
    one statement for all of it, no planner makes a plan that holds for two rows and for a hundred thousand.

    Args:
        number: of the transaction.
        renewed: rows by (table, id): True: they changed themselves and get the number in each of their scopes; False: only
            where they are new.
    """
    ordered = sorted(renewed)
    for start in range(0, len(ordered), _BATCH):
        ids: defaultdict[str, list[str]] = defaultdict(list)
        for name, row_id in ordered[start : start + _BATCH]:
            ids[name].append(row_id)
        statement = _lying(tuple(ids), connection.dialect.name)
        given = {f"ids{i}": as_list(connection.dialect.name, some) for i, some in enumerate(ids.values())}
        wanted: set[tuple[str, str, str]] = set()
        present: set[tuple[str, str, str]] = set()
        for is_wanted, name, row_id, scope in run_text(connection, statement, **given).all():
            (wanted if is_wanted else present).add((scope, name, row_id))
        entries = [(*place, False) for place in wanted if renewed[place[1:]] or place not in present]
        entries += [(*place, True) for place in present - wanted]
        if entries:
            _write_entries(connection, number, sorted(entries))


@lru_cache(maxsize=1024)
def _lying(names: tuple[str, ...], dialect: str) -> str:
    """Return a select of (belongs there, table, row id, scope): where some rows of tables belong, and where they lie."""
    selects = []
    for i, name in enumerate(names):
        ids = f"= ANY(CAST(:ids{i} AS text[]))" if dialect == "postgresql" else f"IN (SELECT value FROM json_each(:ids{i}))"
        ways = " UNION ALL ".join(way.replace("IN ({ids})", ids) for way in _ROWS[name].ways)
        selects.append(f"SELECT 1, '{name}', w{i}.* FROM ({ways}) w{i}")
        lying = f"WHERE collection = '{name}' AND row_id {ids} AND NOT gone"
        selects.append(f"SELECT 0, '{name}', row_id, scope FROM scope_entries {lying}")
    return " UNION ALL ".join(selects)


_ENTER = "INSERT INTO scope_entries (scope, collection, row_id, change_no, gone) "
_AGAIN = " ON CONFLICT (scope, collection, row_id) DO UPDATE SET change_no = excluded.change_no, gone = excluded.gone"


def _write_entries(connection: Connection, number: int, entries: Sequence[tuple[str, str, str, bool]]) -> None:
    if connection.dialect.name == "postgresql":
        scopes, names, rows, gone = (list(column) for column in zip(*entries, strict=True))
        values = (
            "SELECT e.scope, e.name, e.row_id, :n, e.gone FROM unnest(CAST(:scopes AS text[]), CAST(:names AS text[]),"
            " CAST(:rows AS text[]), CAST(:gone AS bool[])) e (scope, name, row_id, gone)"
        )
        run_text(connection, _ENTER + values + _AGAIN, n=number, scopes=scopes, names=names, rows=rows, gone=gone)
    else:
        rows_of = [(scope, name, row_id, number, gone) for scope, name, row_id, gone in entries]
        connection.exec_driver_sql(_ENTER + "VALUES (?, ?, ?, ?, ?)" + _AGAIN, rows_of)


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
