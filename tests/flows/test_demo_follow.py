"""What `make run` tells of the demo: what happens now, not what happened when it ran before."""

from __future__ import annotations

import threading

import pytest

from app.core.db import Database
from app.core.history import Subject, record
from app.core.settings import Settings
from demo import follow as module
from demo.follow import follow


def happens(db: Database, kind: str) -> None:
    with db.transaction() as session:
        record(session, kind, Subject("task", "t"))


@pytest.fixture
def stopped() -> threading.Event:
    """Told to stop: each look is the last."""
    event = threading.Event()
    event.set()
    return event


def lines(db: Database, settings: Settings, stopping: threading.Event) -> str:
    said: list[str] = []
    follow(db, settings, said.append, stopping)
    return "\n".join(said)


def test_a_demo_that_ran_to_its_end_is_not_told_again(db: Database, settings: Settings, stopped: threading.Event) -> None:
    happens(db, "station_task.offered")
    happens(db, "notification.queued")

    told = lines(db, settings, stopped)

    assert "station_task.offered" not in told
    assert "This demo ran before" in told
    assert str(settings.var_dir) in told
    assert "make story" in told


def test_of_a_demo_that_was_stopped_early_only_the_rest_is_told(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE_S", 5)
    happens(db, "alarm.raised")
    stopping = threading.Event()
    later = threading.Timer(0.3, lambda: [happens(db, kind) for kind in ("station_task.offered", "notification.queued")])
    later.start()

    told = lines(db, settings, stopping)
    later.join(5)

    assert "alarm.raised" not in told
    assert told.count("station_task.offered") == 1
    assert "notification.queued" in told
    assert "make story" in told
