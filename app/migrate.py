"""Bringing a database to the present tables, and asking whether it is there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import select, text

from app.core.db import Database, draw_number
from app.core.scopes import ScopeGrant, fill_scopes
from app.tables import METADATA  # noqa: F401 - so that every table has said how its rows lie in scopes
from app.users.models import User

_ROOT = Path(__file__).resolve().parent.parent


def _config() -> Config:
    config = Config(str(_ROOT / "alembic.ini"))
    config.set_main_option("script_location", str(_ROOT / "migrations"))
    return config


def migrate(database: Database) -> None:
    """Run every migration that is missing, in one transaction, one process at a time.

    A database from before there were scopes gets the entries of all its rows.
    """
    config = _config()
    with database.engine.execution_options(fieldloop_writes=True).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7241001)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if connection.scalar(select(User.id).limit(1)) and not connection.scalar(select(ScopeGrant.user_id).limit(1)):
            fill_scopes(connection, draw_number(connection))


def revisions(database: Database) -> tuple[str | None, str | None]:
    """Return (revision of the database, newest revision there is)."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision(), head
