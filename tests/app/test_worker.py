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
from app.core.metrics import JOB_RUNS
from app.core.settings import Settings
from app.jobs import Job, Scheduler
from tests.conftest import SetClock
from tests.iot.broker.brokers import wait_until

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


def test_a_database_that_is_away_is_one_line_a_try_and_no_traceback(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """For as long as it is away: with tracebacks the log alone filled a disk."""
    away, stopping = Database("postgresql://nobody@127.0.0.1:1/none"), threading.Event()
    tries = iter([False, False, True])
    monkeypatch.setattr(worker, "_FAULT_S", 0)
    monkeypatch.setattr(worker, "Scheduler", lambda *_: Idle())
    monkeypatch.setattr(stopping, "is_set", lambda: next(tries))
    with structlog.testing.capture_logs() as told:
        worker.work(away, settings, stopping)
        assert not Scheduler(away, settings, ()).run(Job("late", 5, lambda *_: 0))
    away.close()

    found = [(e["event"], e["log_level"], e["work"], "exc_info" in e) for e in told if e["log_level"] == "error"]
    assert found == [("database unavailable", "error", work, False) for work in ("delivery", "delivery", "late")]
    assert all("127.0.0.1" in e["problem"] and "\n" not in e["problem"] for e in told if e["log_level"] == "error")


def test_a_file_without_room_is_one_line_too(db: Database, settings: Settings) -> None:
    def fills(database: Database, _: Settings) -> int:
        with database.transaction() as session:
            pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
            session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            session.connection().exec_driver_sql("CREATE TABLE filler AS SELECT randomblob(100000) AS x")
        return 1

    with structlog.testing.capture_logs() as told:
        assert not Scheduler(db, settings, ()).run(Job("fills", 5, fills))

    [entry] = [entry for entry in told if entry["log_level"] == "error"]
    assert (entry["event"], entry["work"], "exc_info" in entry) == ("database unavailable", "fills", False)
    assert "full" in entry["problem"]


class Idle:
    """A scheduler with nothing to do."""

    holder = "idle"

    def start(self) -> None: ...

    def stop(self) -> None: ...


def test_runs_that_are_skipped_are_counted_and_told_once_a_minute(
    db: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("WARNING")
    runs, goes_on = JOB_RUNS.labels("slow", "skipped")._value, threading.Event()
    before = runs.get()
    scheduler = Scheduler(db, settings, (Job("slow", 1, lambda *_: int(goes_on.wait(60))),))
    with structlog.testing.capture_logs() as told:
        scheduler.start()
        try:
            wait_until(lambda: runs.get() >= before + 2, "two runs to be skipped")
        finally:
            goes_on.set()
            scheduler.stop()

    [line] = [entry for entry in told if entry["log_level"] == "warning"]
    assert line["event"] == "job takes longer than its interval"
    assert (line["job"], line["every_s"], line["runs_skipped"]) == ("slow", 1, 1)
    assert [record for record in caplog.records if record.name.startswith("apscheduler")] == []


def test_what_was_not_told_is_told_with_the_next_minute(db: Database, settings: Settings, clock: SetClock) -> None:
    class Slow:
        job_id = "slow"

    scheduler = Scheduler(db, settings, ())
    with structlog.testing.capture_logs() as told:
        for seconds in (0, 1, 58, 1, 1):  # since the one before
            clock.advance(seconds=seconds)
            scheduler._skipped(Slow())
    assert [entry["runs_skipped"] for entry in told] == [1, 3]
