"""Bringing a database to the present tables, and asking whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, select, text

from app.core.db import Database, draw_number
from app.core.scopes import ScopeGrant, fill_scopes
from app.tables import METADATA  # noqa: F401 - so that every table has said how its rows lie in scopes
from app.users.models import User

if TYPE_CHECKING:  # else where it is used: every process has this module, and few migrate
    from alembic.config import Config

_ROOT = Path(__file__).resolve().parent.parent


def _config() -> Config:
    from alembic.config import Config

    config = Config(str(_ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(_ROOT / "migrations"))
    return config


def migrate(database: Database) -> None:
    """Run every migration that is missing, in one transaction, one process at a time.

    A database from before there were scopes gets the entries of all its rows.
    """
    from alembic import command

    config = _config()
    with (
        database.engine.execution_options(fieldloop_writes=True).connect() as connection,
        _tables_may_be_copied(connection),
        connection.begin(),
    ):
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7241001)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.scalar(select(User.id).limit(1)) and not connection.scalar(select(ScopeGrant.user_id).limit(1)):
            fill_scopes(connection, draw_number(connection))
        if connection.dialect.name == "sqlite" and (astray := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
            raise RuntimeError(f"a migration left a row of {astray[0]} that names a missing row of {astray[2]}")


@contextmanager
def _tables_may_be_copied(connection: Connection) -> Iterator[None]:
    """Let SQLite replace a table by a changed copy of it while rows of others name its rows.

    Source: the procedure in https://www.sqlite.org/lang_altertable.html, section 7. Has no effect inside a transaction.
    """
    raw = connection.connection.driver_connection if connection.dialect.name == "sqlite" else None
    if raw is not None:
        raw.execute("PRAGMA foreign_keys=OFF")
    try:
        yield
    finally:
        if raw is not None:
            raw.execute("PRAGMA foreign_keys=ON")


def known_revision(revision: str) -> bool:
    """Tell whether this program has a migration to or from some revision: else it is of a newer program."""
    from alembic.script import ScriptDirectory

    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def revisions(database: Database) -> tuple[str | None, str | None]:
    """Return (revision of the database, newest revision there is)."""
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head
