"""Runs migrations on the database of the settings, or on the one a caller hands over."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import JSON

from app.core.db import Database, Moment, Money
from app.core.settings import settings_or_exit
from app.tables import METADATA

connection = context.config.attributes.get("connection")


def render_item(kind: str, item: Any, context_: Any) -> str | bool:
    """Write our column types as plain SQLAlchemy, so that a migration stands without the program's later changes."""
    if kind == "type" and isinstance(item, Moment):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Money):
        return 'sa.Numeric(14, 2).with_variant(sa.String(20), "sqlite")'
    if kind == "type" and isinstance(item, JSON):
        context_.imports.add("from sqlalchemy.dialects import postgresql")
        return 'sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")'
    return False


def run(on: object) -> None:
    """Run the migrations in one transaction. SQLite cannot alter columns, so it works on copies of tables."""
    context.configure(connection=on, target_metadata=METADATA, render_as_batch=True, render_item=render_item)  # type: ignore[arg-type]
    with context.begin_transaction():
        context.run_migrations()


if connection is not None:
    run(connection)
else:
    database = Database(settings_or_exit().database_url)
    with database.engine.execution_options(fieldloop_writes=True).begin() as own:
        run(own)
    database.close()
