"""``python -m app backup`` and ``restore``: a consistent copy while others write, and back into an empty database.

SQLite is copied by its own backup API, PostgreSQL by ``pg_dump``. Beside the copy lies an account of it: how many rows each
table had and a checksum over them, of the very snapshot that was copied. A restore compares what it loaded with that.

What was restored is another history than the one that went on after the backup: phones load everything again, and no message
leaves until an operator says so, for the ones queued in the backup may have been sent since.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import sql
from sqlalchemy import inspect, make_url
from sqlalchemy.engine import URL

from app.core.clock import Clock
from app.core.db import Database, missing_file
from app.core.scopes import begin_history_anew
from app.core.settings import Settings
from app.migrate import known_revision, migrate, revisions
from push.outbox import hold

_SQLITE_MARK, _POSTGRES_MARK = b"SQLite format 3\x00", b"PGDMP"


class BackupRefused(Exception):
    """A backup or a restore that cannot be. ``english`` and ``chinese``: why, and what to do."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.english, self.chinese = english, chinese


class TableAccount(msgspec.Struct, frozen=True):
    """What a table held: ``checksum`` is the sum of its rows' hashes, whatever their order."""

    rows: int
    checksum: str


class Account(msgspec.Struct, frozen=True):
    """What a backup holds. ``revision``: of its tables."""

    database: str
    made_at: datetime
    revision: str
    tables: dict[str, TableAccount]

    @property
    def rows(self) -> int:
        """How many rows there are in all."""
        return sum(table.rows for table in self.tables.values())


class Restored(NamedTuple):
    """What a restore did. ``account``: None where none lay beside the backup, so that nothing could be compared."""

    account: Account | None
    epoch: int
    seconds: float


def account_path(target: Path) -> Path:
    """Return where the account of a backup lies."""
    return target.with_name(target.name + ".json")


def back_up(settings: Settings, target: Path, clock: Clock | None = None) -> Account:
    """Copy the database while others write, with its account beside it.

    Args:
        settings: of these, ``database_url``.
        target: a file that does not exist yet; readable by its owner only, and there whole or not at all.
        clock: says when; by default the real one.

    Returns:
        What was copied.

    Raises:
        BackupRefused: the target exists, there is no database, or a program of PostgreSQL is missing or fails.
        OSError: the target cannot be written.
    """
    made_at = (clock or Clock()).now()
    url = make_url(settings.database_url)
    missing = missing_file(settings.database_url)
    if missing is not None:
        raise BackupRefused(f"there is no database file {missing}", f"数据库文件 {missing} 不存在")
    if target.exists() or account_path(target).exists():
        raise BackupRefused(f"{target} exists already; name another file", f"{target} 已存在，请改用其他文件名")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        if url.get_backend_name() == "sqlite":
            revision, tables = _copy_sqlite(str(url.database), part)
        else:
            revision, tables = _dump(url, part)
        account = Account(url.get_backend_name(), made_at, revision, tables)
        account_path(target).write_bytes(msgspec.json.format(msgspec.json.encode(account)))
        _sync(part)
        part.rename(target)
    finally:
        part.unlink(missing_ok=True)
    return account


def restore(settings: Settings, source: Path, clock: Clock | None = None) -> Restored:
    """Load a backup into an empty database, bring its tables to the present ones, begin another history, hold the outbox.

    Args:
        settings: of these, ``database_url``; the database must be of the backup's kind, and empty.
        source: what ``back_up`` wrote; where its account lies beside it, what was loaded is compared with that.

    Raises:
        BackupRefused: not a backup of this kind, the database is not empty, the backup is newer than this program, what was
            loaded is not what was backed up, or a program of PostgreSQL is missing or fails.
        OSError: the source cannot be read.
    """
    began_s = (clock or Clock()).monotonic()
    url = make_url(settings.database_url)
    _check_kind(source, url)
    beside = account_path(source)
    account = msgspec.json.decode(beside.read_bytes(), type=Account) if beside.exists() else None
    if account is not None:
        _refuse_newer(account.revision)
    if url.get_backend_name() == "sqlite":
        epoch = _load_sqlite(Path(str(url.database)), source, account, clock)
    else:
        epoch = _load_dump(settings.database_url, url, source, account, clock)
    return Restored(account, epoch, (clock or Clock()).monotonic() - began_s)


def begin_after_restore(database: Database) -> int:
    """Begin another history and hold the outbox back; for a database that was restored by whatever means.

    Returns:
        The new epoch.
    """
    with database.transaction() as session:
        hold(session, "restored")
        return begin_history_anew(session)


def _check_kind(source: Path, url: URL) -> None:
    with source.open("rb") as file:
        head = file.read(16)
    kind = "sqlite" if head == _SQLITE_MARK else "postgresql" if head.startswith(_POSTGRES_MARK) else None
    if kind is None:
        raise BackupRefused(f"{source} is no backup", f"{source} 不是备份文件")
    if kind != url.get_backend_name():
        raise BackupRefused(
            f"{source} is a backup of {kind}, but FIELDLOOP_DATABASE_URL names {url.get_backend_name()}",
            f"{source} 是 {kind} 的备份，而 FIELDLOOP_DATABASE_URL 指向 {url.get_backend_name()}",
        )


def _refuse_newer(revision: str | None) -> None:
    if revision is not None and not known_revision(revision):
        raise BackupRefused(
            f"the backup is of a newer program (tables at {revision}); install that one first",
            f"备份来自更新版本的程序（迁移版本 {revision}），请先安装该版本",
        )


def _not_empty() -> BackupRefused:
    return BackupRefused(
        "the database is not empty; a restore never overwrites: name an empty one in FIELDLOOP_DATABASE_URL",
        "数据库不是空的，恢复操作不会覆盖已有数据：请在 FIELDLOOP_DATABASE_URL 中指定空数据库",
    )


def _compare(account: Account | None, found: Mapping[str, TableAccount]) -> None:
    wrong = sorted(name for name, table in account.tables.items() if found.get(name) != table) if account else []
    if wrong:
        names = ", ".join(wrong[:5])
        raise BackupRefused(
            f"what was loaded is not what was backed up: {names}; use another backup",
            f"载入的数据与备份时不一致：{names}；请使用其他备份",
        )


# --- SQLite ---


def _copy_sqlite(database: str, part: Path) -> tuple[str, dict[str, TableAccount]]:
    with closing(sqlite3.connect(f"{Path(database).resolve().as_uri()}?mode=ro", uri=True, timeout=15)) as running:
        _copy_pages(running, part)
    with closing(sqlite3.connect(part)) as copy:
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, without a companion that could be forgotten
        [(verdict,)] = copy.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise BackupRefused(f"the database is damaged: {verdict}", f"数据库已损坏：{verdict}")
        return _revision(copy), _account_of_sqlite(copy)


def _copy_pages(running: sqlite3.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target)) as copy:
        # All pages in one step: one snapshot, and in WAL mode nobody who writes waits for it.
        running.backup(copy, pages=-1)


def _load_sqlite(database: Path, source: Path, account: Account | None, clock: Clock | None) -> int:
    if database.exists() and database.stat().st_size and _has_tables(database):
        raise _not_empty()
    part = database.with_name(database.name + ".restoring")
    database.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as kept:
            _copy_pages(kept, part)
        with closing(sqlite3.connect(part)) as loaded:
            _compare(account, _account_of_sqlite(loaded))
        epoch = _begin(f"sqlite:///{part}", clock)
        with closing(sqlite3.connect(part)) as loaded:
            loaded.execute("PRAGMA journal_mode=DELETE")
        _sync(part)
        for suffix in ("-wal", "-shm"):  # of an empty database that was there: they would be taken for this one's
            database.with_name(database.name + suffix).unlink(missing_ok=True)
        part.rename(database)
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)
    return epoch


def _has_tables(database: Path) -> bool:
    with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as there:
        return bool(there.execute("SELECT 1 FROM sqlite_schema WHERE type = 'table' LIMIT 1").fetchone())


def _revision(copy: sqlite3.Connection) -> str:
    try:
        [(revision,)] = copy.execute("SELECT version_num FROM alembic_version").fetchall()
    except (sqlite3.OperationalError, ValueError):
        raise _no_tables() from None
    return str(revision)


def _no_tables() -> BackupRefused:
    return BackupRefused(
        "there is nothing to back up: the database has no tables; python -m app migrate makes them",
        "没有可备份的内容：数据库中没有表；请先执行 python -m app migrate",
    )


def _account_of_sqlite(copy: sqlite3.Connection) -> dict[str, TableAccount]:
    names = [name for (name,) in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return {name: _sum_rows(copy.execute(f'SELECT * FROM "{name}"')) for name in names if not name.startswith("sqlite_")}  # noqa: S608


def _sum_rows(rows: Iterator[tuple[Any, ...]] | sqlite3.Cursor) -> TableAccount:
    n = total = 0
    for row in rows:
        n += 1
        total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest())
    return TableAccount(n, f"{total % 2**128:032x}")


# --- PostgreSQL ---


def _dump(url: URL, part: Path) -> tuple[str, dict[str, TableAccount]]:
    """Dump one exported snapshot, and take account of the same one."""
    pg_dump = _program("pg_dump")
    with psycopg.connect(_conninfo(url)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        [(snapshot,)] = connection.execute("SELECT pg_export_snapshot()").fetchall()
        _run(url, pg_dump, "--format=custom", "--no-owner", "--no-privileges", f"--snapshot={snapshot}", f"--file={part}")
        tables = _account_of_postgres(connection)
        if "alembic_version" not in tables:
            raise _no_tables()
        [(revision,)] = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return str(revision), tables


def _load_dump(database_url: str, url: URL, source: Path, account: Account | None, clock: Clock | None) -> int:
    pg_restore = _program("pg_restore")
    database = Database(database_url)
    with database.engine.connect() as connection:
        empty = not inspect(connection).get_table_names()
    database.close()
    if not empty:
        raise _not_empty()
    _run(url, pg_restore, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(source.resolve()))
    with psycopg.connect(_conninfo(url)) as connection:
        _compare(account, _account_of_postgres(connection))
    try:
        return _begin(database_url, clock)
    except BackupRefused:
        raise
    except Exception as fault:
        raise BackupRefused(
            f"the rows are back, but the rest failed ({type(fault).__name__}); before anything starts: python -m app migrate, "
            "then python -m app restored",
            f"数据已恢复，但后续步骤失败（{type(fault).__name__}）；启动任何进程之前请先执行 python -m app migrate，"
            "再执行 python -m app restored",
        ) from fault


def _begin(database_url: str, clock: Clock | None) -> int:
    database = Database(database_url, clock)
    try:
        _refuse_newer(revisions(database)[0])
        migrate(database)
        return begin_after_restore(database)
    finally:
        database.close()


def _account_of_postgres(connection: psycopg.Connection[Any]) -> dict[str, TableAccount]:
    names = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY relname"
    ).fetchall()
    # The server sums: a row's text is the same wherever it is restored, under one setting of these.
    connection.execute("SET LOCAL timezone TO 'UTC'")
    connection.execute("SET LOCAL extra_float_digits TO 1")
    connection.execute("SET LOCAL statement_timeout TO 0")
    summed = "SELECT count(*), coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0) FROM {} t"
    found = {}
    for (name,) in names:
        [(n, total)] = connection.execute(sql.SQL(summed).format(sql.Identifier(name))).fetchall()
        found[name] = TableAccount(n, f"{int(total) % 2**128:032x}")
    return found


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise BackupRefused(
            f"{name} is not on the PATH; install PostgreSQL's client programs of the server's version or a later one "
            "(Debian: postgresql-client)",
            f"PATH 中找不到 {name}；请安装不低于服务器版本的 PostgreSQL 客户端程序（Debian：postgresql-client）",
        )
    return found


def _conninfo(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _run(url: URL, program: str, *arguments: str) -> None:
    # The password goes by the environment: everybody on the machine can read a command line.
    named = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environ = os.environ | ({"PGPASSWORD": str(url.password)} if url.password else {})
    done = subprocess.run([program, *arguments, f"--dbname={named}"], env=environ, capture_output=True, check=False)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[:500]
        raise BackupRefused(f"{Path(program).name} failed: {said}", f"{Path(program).name} 执行失败：{said}")


def _sync(path: Path) -> None:
    """Wait until a file is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
