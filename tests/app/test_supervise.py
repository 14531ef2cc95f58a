"""The supervisor's own manners: what it leaves behind, says and takes; the processes themselves run in tests/flows."""

from __future__ import annotations

import os
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from app import supervise
from app.core.db import Database
from app.core.settings import Settings
from app.supervise import Child, Supervisor, alone, free_port, metrics_folder
from tests.iot.broker.brokers import wait_until

_FORKS_AND_DIES = """
import os, subprocess, sys
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "a").write(f"{left.pid}\\n")
os.kill(os.getpid(), 9)
"""


def supervisor(folder: Path, *children: Child) -> tuple[Supervisor, list[str]]:
    said: list[str] = []
    return Supervisor(list(children), dict(os.environ), folder / "logs", said.append), said


def test_what_a_dead_child_left_running_is_ended_before_it_is_started_again(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    child = Child("web", [sys.executable, "-c", _FORKS_AND_DIES, str(pids)])
    keeper, said = supervisor(tmp_path, child)
    keeper.start()
    assert child.process is not None
    wait_until(lambda: child.process is None or child.process.poll() is not None, "the child to die")
    left = int(pids.read_text())

    keeper._look_after(child)

    wait_until(lambda: not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE, "its heir to end")
    assert f"web ended with code {-signal.SIGKILL}" in said[0]


@pytest.mark.parametrize(("lived_s", "told"), [(100.0, "again in 0.5 s"), (1.0, "again in 1 s")])
def test_it_says_how_long_it_really_waits(tmp_path: Path, lived_s: float, told: str) -> None:
    child = Child("worker", [sys.executable, "-c", ""])
    keeper, said = supervisor(tmp_path, child)
    keeper.start()
    assert child.process is not None
    child.process.wait()
    child.started -= lived_s

    keeper._look_after(child)

    assert told in said[0]


def test_a_child_that_cannot_be_started_is_named_and_tried_again(tmp_path: Path) -> None:
    child = Child("broker", [str(tmp_path / "nothing")])
    keeper, said = supervisor(tmp_path, child)

    keeper._look_after(child)

    assert "broker could not be started" in said[0]
    assert child.process is None
    assert child.pause_s == 1.0


def test_counters_lie_in_memory_in_a_folder_of_this_deployment_that_nobody_else_reads(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    found = metrics_folder(first, tmp_path)
    (found / "counter_1.db").touch()

    assert found.parent == tmp_path
    assert found.stat().st_mode & 0o777 == 0o700
    assert metrics_folder(second, tmp_path) != found
    assert metrics_folder(first, tmp_path) == found
    assert not list(found.iterdir())


def test_without_memory_to_be_had_counters_lie_beside_the_rest(tmp_path: Path) -> None:
    taken = metrics_folder(tmp_path / "var", tmp_path)
    taken.rmdir()
    taken.symlink_to(tmp_path)  # as another user of the machine might do

    assert metrics_folder(tmp_path / "var", tmp_path) == tmp_path / "var" / "metrics"
    assert metrics_folder(tmp_path / "var", tmp_path / "nothing") == tmp_path / "var" / "metrics"
    assert (tmp_path / "var" / "metrics").stat().st_mode & 0o777 == 0o700


def test_one_supervisor_for_one_folder(tmp_path: Path) -> None:
    first = alone(tmp_path)
    assert first is not None
    assert alone(tmp_path) is None

    os.close(first)
    again = alone(tmp_path)
    assert again is not None
    os.close(again)


def test_a_child_that_lingers_does_not_keep_the_next_supervisor_out(tmp_path: Path) -> None:
    lock = alone(tmp_path)
    assert lock is not None
    child = Child("web", [sys.executable, "-c", "import time; time.sleep(600)"])
    keeper, _ = supervisor(tmp_path, child)
    keeper.start()

    os.close(lock)
    again = alone(tmp_path)
    assert child.process is not None
    child.process.kill()
    child.process.wait()

    assert again is not None
    os.close(again)


def test_the_port_that_another_part_is_to_have_is_left_to_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wanted = taken.getsockname()[1]
        assert free_port(wanted, besides=wanted + 1) > wanted + 1


def test_ready_is_told_however_late_and_every_ten_seconds_what_is_missing(
    tmp_path: Path, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A web process that needs 95 s, and dies once on the way."""
    keeper, said = supervisor(tmp_path, Child("web", [sys.executable, "-c", "import time; time.sleep(600)"]))
    clock = Hours()
    monkeypatch.setattr(supervise, "time", clock)
    monkeypatch.setattr(supervise, "_LOOK_EVERY_S", 0)
    monkeypatch.setattr(supervise, "readiness", lambda *_, **__: [] if clock.at > 95 else ["worker: not heard for 15 s"])
    with socket.socket() as web:
        web.bind(("127.0.0.1", 0))
        web.listen()
        keeper.start()
        [child] = keeper.children
        assert child.process is not None
        os.killpg(child.process.pid, signal.SIGKILL)
        child.process.wait()
        try:
            assert supervise.wait_ready(replace(settings, http_port=web.getsockname()[1]), db, keeper)
            assert child.process is not None
        finally:
            keeper.stop()

    waits = [line for line in said if "not ready yet: worker: not heard for 15 s" in line]
    assert 8 <= len(waits) <= 9
    assert "web ended with code -9" in said[0]


def test_who_is_told_to_stop_while_it_waits_stops(tmp_path: Path, db: Database, settings: Settings) -> None:
    keeper, _ = supervisor(tmp_path)
    keeper.stopping.set()

    assert not supervise.wait_ready(settings, db, keeper)


class Hours:
    """Time that passes by a second each time it is asked for."""

    at = 0.0

    def monotonic(self) -> float:
        self.at += 1
        return self.at
