"""What the worker says when it cannot go on."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import structlog
from sqlalchemy.exc import OperationalError

from app import worker
from app.core import db as core_db
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import Job, Scheduler

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def wait_in_vain(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meet SQLite's own refusal while somebody else writes."""
    monkeypatch.setattr(core_db, "_SQLITE_WAIT_S", 0.01)
    with database.transaction() as first:
        first.connection()
        with database.transaction() as second:
            second.connection()


def test_a_busy_database_is_one_warning_and_no_traceback(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = threading.Event()

    def drain(*_given: Any, **_named: Any) -> int:
        stopping.set()
        wait_in_vain(db, monkeypatch)
        return 0

    def broken(*_given: Any) -> int:
        raise OperationalError("SELECT", {}, Exception("no such table"))

    monkeypatch.setattr(worker, "drain", drain)
    monkeypatch.setattr(worker, "_FAULT_S", 0)
    monkeypatch.setattr(worker, "Scheduler", lambda *_: Scheduler(db, settings, ()))
    scheduler = Scheduler(db, settings, ())
    with structlog.testing.capture_logs() as told:
        worker.work(db, settings, stopping)
        assert not scheduler.run(Job("busy", 5, lambda *_: wait_in_vain(db, monkeypatch) or 0))  # type: ignore[func-returns-value]
        assert not scheduler.run(Job("broken", 5, broken))

    found = [(e["event"], e["log_level"], e.get("work") or e.get("job"), "exc_info" in e) for e in told]
    assert [entry for entry in found if entry[1] != "info"][-3:] == [
        ("database busy", "warning", "delivery", False),
        ("database busy", "warning", "busy", False),
        ("job failed", "error", "broken", True),
    ]
