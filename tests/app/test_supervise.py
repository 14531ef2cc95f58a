"""The supervisor's own manners: what it leaves behind, says and takes; the processes themselves run in tests/flows."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from app.supervise import Child, Supervisor
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
