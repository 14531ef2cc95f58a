"""Engine, types and ``transaction()``, the only place in the product that commits.

Every write to a tracked table (see ``tracked.py``) leaves its ``change_no`` empty. ``transaction()``
draws the next number of the change counter and stamps those rows as its last statement before the
commit, whatever wrote them: ORM objects, guarded UPDATEs or bulk inserts. The counter's row lock is
held until the commit, so numbers become visible in their own order on both databases.
"""

from __future__ import annotations

import json
import random
import re
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    DateTime,
    Dialect,
    Engine,
    MetaData,
    Numeric,
    Select,
    String,
    Table,
    TypeDecorator,
    UpdateBase,
    bindparam,
    cast,
    column,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import JSON, UserDefinedType

from app.core.clock import Clock
from app.core.fault_points import FaultPoint, passed

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The registry of all tables."""

    metadata = MetaData(naming_convention=NAMING)


class Moment(TypeDecorator[datetime]):
    """An aware instant: stored in UTC, loaded in UTC, on both databases."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive instants; SQLite stores no offset, so it gets naive UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime reached the database")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Money(TypeDecorator[Decimal]):
    """A decimal amount with two places. SQLite has no decimal type, so it keeps the text."""

    impl = Numeric(14, 2)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Choose the column type."""
        return dialect.type_descriptor(String(20) if dialect.name == "sqlite" else Numeric(14, 2))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """Quantise to two places."""
        if value is None:
            return None
        value = Decimal(value).quantize(Decimal("0.01"))
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """Return a decimal."""
        return None if value is None else Decimal(value)


class in_ms(FunctionElement[int]):  # noqa: N801 - named as the function it is in SQL
    """A moment as whole Unix milliseconds, as ``to_ms`` makes them: ``in_ms(column)``."""

    type = BigInteger()
    inherit_cache = True


@compiles(in_ms, "sqlite")
def _in_ms_sqlite(element: in_ms, compiler: Any, **options: Any) -> str:
    moment = compiler.process(element.clauses, **options)
    # The whole second as it is written: strftime would round .9995 and above up to the next one.
    second = f"CAST(strftime('%s', substr({moment}, 1, 19)) AS INTEGER)"
    return f"({second} * 1000 + CAST(substr({moment}, 21, 3) AS INTEGER))"


@compiles(in_ms, "postgresql")
def _in_ms_postgresql(element: in_ms, compiler: Any, **options: Any) -> str:
    return f"CAST(floor(extract(epoch FROM {compiler.process(element.clauses, **options)}) * 1000) AS BIGINT)"


JsonValue = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class _JsonText(UserDefinedType[str]):
    """A JSON document that is text already."""

    cache_ok = True

    def get_col_spec(self, **_options: Any) -> str:
        return "JSON"


class ChangeCounter(Base):
    """One row: the number of the last committed transaction that changed a tracked row.

    ``epoch`` names this history: another one after a backup was restored.
    """

    __tablename__ = "change_counter"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(default=1, server_default="1")


TRACKED: set[str] = set()
# Called with (connection, change number, touched tables) once the rows are stamped, in the same transaction.
AFTER_STAMP: list[Callable[[Connection, int, frozenset[str]], None]] = []
_SQLITE_WAIT_S = 15.0
_FEW = 50
_FETCHED = 2000
_PARAMETER = re.compile(r"(?<!\w):([a-z_0-9]+)")


class Database:
    """One engine for one process, and the two ways to use it."""

    def __init__(self, url: str, clock: Clock | None = None, pool_size: int = 5) -> None:
        """Connect lazily to ``url``; ``clock`` is what every verb below will ask for the time."""
        self.clock = clock or Clock()
        self.engine = _make_engine(url, pool_size)
        self.dialect = self.engine.dialect.name
        self._writer = self.engine.execution_options(fieldloop_writes=True)
        self._hasty = self.engine.execution_options(fieldloop_writes=True, fieldloop_hasty=True)
        self._reader: Engine = self.engine
        if self.dialect == "postgresql":
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def transaction(self, *, durable: bool = True) -> Iterator[Session]:
        """Open a session whose work is committed, stamped, when the block ends, and rolled back when it raises.

        Args:
            durable: False where it does not matter that a failure of the machine loses what was written just before: then
                nobody waits for the disk.
        """
        engine = self._writer if durable else self._hasty
        with Session(engine, expire_on_commit=False, info={"clock": self.clock}) as session:
            try:
                if not durable and self.dialect == "postgresql":
                    session.connection().exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield session
                session.flush()
                passed(FaultPoint.ROWS_WRITTEN)
                stamp_changes(session)
                passed(FaultPoint.ROWS_STAMPED)
                session.commit()
            except BaseException:
                session.rollback()
                raise
            passed(FaultPoint.COMMITTED)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that sees one snapshot and writes nothing."""
        with Session(self._reader, expire_on_commit=False, autoflush=False, info={"clock": self.clock}) as session:
            yield session

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def now(session: Session) -> datetime:
    """Return the present instant of the clock this session was opened with."""
    clock: Clock = session.info["clock"]
    return clock.now()


def database_now(session: Session) -> datetime:
    """Return the present instant of the database's clock: the one that leases are judged by."""
    clock: Clock = session.info["clock"]
    return clock.database_now(session)


def stamp_changes(session: Session) -> int | None:
    """Draw the next change number and write it to every tracked row this transaction touched.

    Returns:
        The number, or None when no tracked row was touched.
    """
    connection = session.connection()
    touched: set[str] = connection.info.get("touched", set())
    if not touched:
        return None
    names = sorted(touched)
    if connection.dialect.name == "postgresql":
        # One statement, so that the counter is locked for no round trip more than it must be.
        stamps = ", ".join(
            f"s{i} AS (UPDATE {name} SET change_no = (SELECT n FROM drawn) WHERE change_no IS NULL)"
            for i, name in enumerate(names)
        )
        statement = f"WITH drawn AS (UPDATE change_counter SET n = n + 1 WHERE id = 1 RETURNING n), {stamps} SELECT n FROM drawn"
        number: int = connection.exec_driver_sql(statement).scalar_one()
    else:
        number = draw_number(connection)
        for name in names:
            connection.exec_driver_sql(f"UPDATE {name} SET change_no = ? WHERE change_no IS NULL", (number,))
    for keep in AFTER_STAMP:
        keep(connection, number, frozenset(touched))
    touched.clear()
    return number


def draw_number(connection: Connection) -> int:
    """Take the next change number; the counter is locked until the commit."""
    return int(connection.exec_driver_sql("UPDATE change_counter SET n = n + 1 WHERE id = 1 RETURNING n").scalar_one())


def insert_into(session: Session, model: type[Base]) -> Any:
    """Return an INSERT of this session's dialect, which knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""
    return insert_for(session.get_bind().dialect.name, model)


def insert_for(dialect: str, model: type[Base]) -> Any:
    """As ``insert_into``, for a statement that is built once."""
    make = postgresql.insert if dialect == "postgresql" else sqlite.insert
    return make(model.__table__)  # type: ignore[arg-type]


def among(session: Session, column: Any, values: Collection[Any]) -> ColumnElement[bool]:
    """Return ``column IN values``, for thousands of values.

    They are one parameter where they are many: the statement stays the same text, so it is compiled and planned once.
    """
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        return column == func.any(cast(list(values), ARRAY(column.type)))  # type: ignore[no-any-return]
    if len(values) < _FEW:
        return column.in_(list(values))  # type: ignore[no-any-return]
    as_stored = column.type.dialect_impl(dialect).bind_processor(dialect)
    listed = func.json_each(json.dumps([as_stored(value) if as_stored else value for value in values])).table_valued("value")
    return column.in_(select(listed.c.value))  # type: ignore[no-any-return]


def among_given(dialect: str, column: Any, name: str) -> ColumnElement[bool]:
    """Return ``column IN :name``, for a statement that is built once and run with ``as_list``."""
    if dialect == "postgresql":
        return column == func.any(bindparam(name, type_=ARRAY(column.type)))  # type: ignore[no-any-return]
    return column.in_(select(func.json_each(bindparam(name, type_=String())).table_valued("value").c.value))  # type: ignore[no-any-return]


def as_list(dialect: str, values: Collection[str]) -> Any:
    """Return many values as the one parameter that ``among_given`` takes."""
    return list(values) if dialect == "postgresql" else json.dumps(list(values))


def raw_rows(session: Session, query: Select[Any], **values: Any) -> Iterator[Any]:
    """Yield rows as the driver has them, for thousands of them: only expressions whose values need no conversion."""
    result = session.connection().execute(query, values)
    cursor: Any = result.cursor
    try:
        while found := cursor.fetchmany(_FETCHED):
            yield from found
    finally:
        result.close()


def run_text(connection: Connection, statement: str, **values: Any) -> Any:
    """Run SQL as text, with parameters written as ``:name`` on both databases; return the driver's rows as a result."""
    if connection.dialect.name == "postgresql":
        statement = _in_pyformat(statement)
    return connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=4096)
def _in_pyformat(statement: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", statement)


def insert_once(session: Session, model: type[Base], **values: Any) -> bool:
    """Insert a row unless a unique key is taken; tell whether it went in.

    On PostgreSQL a twin in another transaction makes this wait until that one has ended.
    """
    session.flush()
    insert = insert_into(session, model).values(**values).on_conflict_do_nothing()
    done = session.execute(insert.execution_options(preserve_rowcount=True))
    return bool(done.rowcount == 1)  # type: ignore[attr-defined]


def insert_many(session: Session, model: type[Base], rows: Sequence[Mapping[str, Any]], replacing: Sequence[str] = ()) -> None:
    """Insert thousands of rows, in one statement on PostgreSQL.

    Args:
        rows: each with the same columns, all that have no default in the database.
        replacing: a unique key: rows that have it already get the other columns' new values, where there are others.
    """
    if not rows:
        return
    session.flush()
    names = list(rows[0])
    insert = insert_into(session, model)
    if session.get_bind().dialect.name == "postgresql":
        # Faster than many parameters by far: one JSON document, which the server takes apart.
        document = cast(msgspec.json.encode(rows).decode(), _JsonText())
        columns = [column(name, model.__table__.c[name].type) for name in names]
        listed = func.json_to_recordset(document).table_valued(*columns).render_derived(with_types=True)
        insert = insert.from_select(names, select(*[listed.c[name] for name in names]))
    if replacing:
        changed = {name: insert.excluded[name] for name in names if name not in replacing}
        key = list(replacing)
        insert = (
            insert.on_conflict_do_update(index_elements=key, set_=changed)
            if changed
            else insert.on_conflict_do_nothing(index_elements=key)
        )
    if session.get_bind().dialect.name == "postgresql":
        session.execute(insert)
    else:
        session.execute(insert, list(rows))


def mark_touched(session: Session, tables: Sequence[str]) -> None:
    """Say that a statement SQLAlchemy cannot see into (COPY, driver calls) wrote to these tracked tables."""
    session.connection().info.setdefault("touched", set()).update(tables)


def last_change(session: Session) -> int:
    """Return the highest change number this session can see."""
    return int(session.execute(text("SELECT n FROM change_counter WHERE id = 1")).scalar_one())


def missing_file(url: str) -> Path | None:
    """Return the file of an SQLite database that is not there; connecting would make an empty one."""
    found = make_url(url)
    if found.get_backend_name() != "sqlite" or not found.database or found.database == ":memory:":
        return None
    path = Path(found.database)
    return None if path.exists() else path


def is_deadlock(fault: OperationalError) -> bool:
    """Tell whether the database ended the transaction because it and others waited for each other: begin it anew."""
    return getattr(fault.orig, "sqlstate", None) in {"40P01", "40001"}


def is_busy(fault: Exception) -> bool:
    """Tell whether others held a lock for longer than we wait: nothing is broken, the same may be tried again."""
    cause = getattr(fault, "orig", None)
    code = getattr(cause, "sqlite_errorcode", None)
    return getattr(cause, "sqlstate", None) == "55P03" or (code is not None and code & 0xFF == sqlite3.SQLITE_BUSY)


# Of SQLite: SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. Of PostgreSQL (appendix A): no connection, ended, or not taken now.
_SQLITE_AWAY = frozenset({10, 13, 14})
_POSTGRES_AWAY = ("08", "57P", "53")


def is_away(fault: BaseException) -> bool:
    """Tell whether the database could not be reached, or has no room: it is the operator's to mend, and no fault of ours."""
    if isinstance(fault, InterfaceError | PoolTimeout):
        return True
    if not isinstance(fault, OperationalError):
        return False
    code = getattr(fault.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_AWAY
    state = getattr(fault.orig, "sqlstate", "")  # None: it never came to a connection
    return fault.connection_invalidated or state is None or state.startswith(_POSTGRES_AWAY)


def first_line(fault: BaseException) -> str:
    """Return what a fault says, for one line of a log."""
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]


def _make_engine(url: str, pool_size: int) -> Engine:
    if url.startswith("postgresql://"):
        url = url.replace("postgresql://", "postgresql+psycopg://", 1)
    if url.startswith("sqlite"):
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=5,
            hide_parameters=True,
            connect_args={"timeout": _SQLITE_WAIT_S},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        options = "-c lock_timeout=8000 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000"
        engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=5,
            pool_timeout=5,
            pool_pre_ping=True,
            hide_parameters=True,  # of a statement that fails: they are people's data, and errors are logged
            connect_args={"options": options, "connect_timeout": 5, "application_name": "fieldloop"},
        )
        event.listen(engine, "begin", _begin)
    event.listen(engine, "before_execute", _note_writes)
    return engine


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    # The driver must not begin transactions by itself: a deferred one that is upgraded
    # later fails at once with SQLITE_BUSY_SNAPSHOT, whatever the busy timeout says.
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        f"busy_timeout={_SQLITE_WAIT_S * 1000:.0f}",
        "foreign_keys=ON",
        "cache_size=-32000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    connection.info["touched"] = set()
    options = connection.get_execution_options()
    if options.get("fieldloop_writes", False):
        safety = "NORMAL" if options.get("fieldloop_hasty", False) else "FULL"
        if connection.info.get("safety", "FULL") != safety:  # it cannot be changed within a transaction
            connection.exec_driver_sql(f"PRAGMA synchronous={safety}")
            connection.info["safety"] = safety
        _take_write_lock(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _take_write_lock(connection: Connection) -> None:
    """Begin a writing transaction on SQLite, asking every 1 to 3 ms for as long as SQLite itself would wait.

    SQLite's own wait asks ever more rarely, at last every 100 ms: who has waited longest gets the lock least often,
    and it lies idle in between.
    """
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA busy_timeout=0")
    try:
        deadline = time.monotonic() + _SQLITE_WAIT_S
        while time.monotonic() < deadline:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as fault:
                if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            time.sleep(random.uniform(0.001, 0.003))  # noqa: S311 - jitter, not a secret
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises the reason as SQLAlchemy names it
    finally:
        driver.execute(f"PRAGMA busy_timeout={_SQLITE_WAIT_S * 1000:.0f}")


def _begin(connection: Connection) -> None:
    connection.info["touched"] = set()


def _note_writes(connection: Connection, statement: Any, *_rest: object) -> None:
    if isinstance(statement, UpdateBase):
        table = statement.table
        if isinstance(table, Table) and table.name in TRACKED:
            connection.info.setdefault("touched", set()).add(table.name)
