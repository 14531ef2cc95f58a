"""Migrations end where the models are, on both databases."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.core.db import Database
from app.migrate import migrate, revisions
from app.tables import METADATA


def test_the_migrated_tables_are_those_of_the_models(db: Database) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"render_as_batch": True})

        assert compare_metadata(context, METADATA) == []


def test_migrating_again_changes_nothing(db: Database) -> None:
    migrate(db)

    found, head = revisions(db)
    assert found == head
