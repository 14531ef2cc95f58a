"""The tests' own organisation: written from what is kept, it is what the verbs make, and of nobody else."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from app.core.db import Base, Database
from app.core.settings import Settings
from tests import factories, worlds
from tests.databases import empty, empty_sqlite
from tests.factories import World, make_world

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}")


def rows(db: Database) -> dict[str, list[str]]:
    """Return every row of every table as text, ids by the order in which they were made."""
    with db.reading() as session:
        found = {
            table.name: sorted(map(str, session.connection().exec_driver_sql(f"SELECT * FROM {table.name}").all()))
            for table in Base.metadata.sorted_tables
        }
    number = {one: f"id {n:03}" for n, one in enumerate(sorted(set(_ID.findall(str(found)))))}
    return {name: sorted(_ID.sub(lambda match: number[match[0]], row) for row in some) for name, some in found.items()}


def ids(world: World) -> set[str]:
    told = [getattr(world, field.name) for field in fields(world) if field.name not in {"db", "settings", "device"}]
    return {one for some in told for one in (some if isinstance(some, list) else [some])}


def test_a_world_that_is_written_is_the_one_that_the_verbs_make(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worlds, "_kept", {})
    made = make_world(db, settings, station_count=3)
    by_verbs = rows(db)
    key = next(iter(worlds._kept))
    if db.dialect == "postgresql":
        empty(db)
    else:
        empty_sqlite(settings.database_url)
    monkeypatch.setattr(factories, "_make_world", None)
    written = make_world(db, settings, station_count=3)

    assert list(worlds._kept) == [key]
    assert rows(db) == by_verbs
    assert not ids(made) & ids(written)


def test_into_a_database_that_is_not_empty_nothing_is_written(db: Database, settings: Settings) -> None:
    make_world(db, settings)

    assert worlds.key_of(db, settings, 2, 1) is None
