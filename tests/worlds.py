"""What ``make_world`` made once is written again for the tests after it: under new ids, without going through the verbs again.

Only into an empty database, at the same set time and with the same settings; the rows are those that the verbs left.
"""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from app.core.db import Base, Database
from app.core.ids import new_id
from app.core.settings import Settings
from tests.conftest import SetClock

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_COUNTER = "change_counter"
Ids = dict[str, Any]
_kept: dict[str, tuple[str, str]] = {}


def key_of(db: Database, settings: Settings, *asked: object) -> str | None:
    """Return the name under which a world may be kept; None where it must be made: time runs, or something is there already."""
    if type(db.clock) is not SetClock:
        return None
    with db.reading() as session:
        if session.connection().exec_driver_sql(f"SELECT n FROM {_COUNTER}").scalar_one():
            return None
    same = replace(settings, database_url="", var_dir=Path())
    return repr((db.dialect, db.clock.now(), [getattr(same, field.name) for field in fields(same)], asked))


def keep(key: str, db: Database, ids: Ids) -> None:
    """Keep every row of the database, and the ids by which the test knows them."""
    with db.reading() as session:
        rows = _postgres_rows(session.connection()) if db.dialect == "postgresql" else _sqlite_rows(session.connection())
    _kept[key] = (rows, json.dumps(ids))


def write(key: str, db: Database) -> Ids | None:
    """Write what is kept under new ids, in the order of the old ones, and return them; None where nothing is kept."""
    if key not in _kept:
        return None
    rows, ids = _kept[key]
    new = {old: new_id() for old in sorted(set(_ID.findall(rows)))}

    def renamed(text: str) -> str:
        return _ID.sub(lambda found: new.get(found[0], found[0]), text)

    if db.dialect == "postgresql":
        with db.engine.begin() as connection:
            _into_postgres(connection, json.loads(renamed(rows)))
    else:
        _into_sqlite(db, renamed(rows))
    found: Ids = json.loads(renamed(ids))
    return found


def _postgres_rows(connection: Connection) -> str:
    found = {}
    for table in Base.metadata.sorted_tables:
        rows = connection.exec_driver_sql(f"SELECT json_agg(t)::text FROM {table.name} AS t").scalar()
        if rows:
            found[table.name] = rows
    return json.dumps(found)


def _into_postgres(connection: Connection, rows: dict[str, str]) -> None:
    """One statement: foreign keys are asked at its end."""
    inserts = [
        f"w{i} AS (INSERT INTO {name} SELECT * FROM json_populate_recordset(NULL::{name}, %(w{i})s::json))"
        for i, name in enumerate(rows)
        if name != _COUNTER
    ]
    told = ", ".join(inserts)
    number = json.loads(rows[_COUNTER])[0]["n"]
    connection.exec_driver_sql(
        f"WITH {told} UPDATE {_COUNTER} SET n = {number}", {f"w{i}": text for i, text in enumerate(rows.values())}
    )


def _sqlite_rows(connection: Connection) -> str:
    script = []
    for table in Base.metadata.sorted_tables:
        names = [column.name for column in table.columns]
        quoted = " || ', ' || ".join(f'quote("{name}")' for name in names)
        rows = connection.exec_driver_sql(f"SELECT {quoted} FROM {table.name}").scalars().all()
        if rows:
            listed = ", ".join(f'"{name}"' for name in names)
            script.append(f"INSERT OR REPLACE INTO {table.name} ({listed}) VALUES " + ",\n".join(f"({row})" for row in rows))
    return ";\n".join(script)


def _into_sqlite(db: Database, script: str) -> None:
    """One transaction: foreign keys are asked at its end."""
    raw: Any = db.engine.raw_connection()
    try:
        raw.executescript(f"BEGIN IMMEDIATE; PRAGMA defer_foreign_keys=ON; {script}; COMMIT")
    finally:
        raw.close()
