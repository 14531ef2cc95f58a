"""``python -m app up``: broker, web, ingest, worker as processes under one supervisor that restarts what dies."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from app.core.db import Database
from app.core.locales import in_terminal
from app.core.settings import Settings
from app.meta import readiness
from app.serve import end_with_parent

_STABLE_S = 60.0
_LONGEST_PAUSE_S = 30.0
_GRACE_S = 12.0
_LOOK_EVERY_S = 0.3
_SAY_EVERY_S = 10.0
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is made for this user only
_MEMORY_NEEDED = 16_000_000
Say = Callable[[str], None]


@dataclass
class Child:
    """One process that is kept running."""

    name: str
    command: list[str]
    once: bool = False
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = 0.5
    due: float = 0.0


def alone(var_dir: Path) -> int | None:
    """Take the lock of the deployment at ``var_dir`` until this process ends; None when another supervisor has it.

    Children do not inherit it, so that one that lingers does not keep the next supervisor out.
    """
    lock = os.open(var_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def free_port(wanted: int, host: str = "127.0.0.1", besides: int = 0) -> int:
    """Return ``wanted``, or the next port above it that nobody listens on and that is not ``besides``.

    Raises:
        OSError: when the 50 above it are taken too.
    """
    for port in range(wanted, wanted + 50):
        if port == besides:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"no free port from {wanted} to {wanted + 49}")


def children_of(settings: Settings) -> list[Child]:
    """Return the processes of a whole deployment on one machine."""
    python = sys.executable
    children = []
    if settings.mqtt_broker == "embedded":
        children.append(Child("broker", [python, "-m", "iot.broker"]))
    children.append(
        Child(
            "web",
            [
                python,
                "-m",
                "granian",
                "--interface",
                "rsgi",
                "--host",
                settings.http_host,
                "--port",
                str(settings.http_port),
                "--workers",
                str(settings.http_workers),
                "--respawn-failed-workers",
                "--workers-kill-timeout",
                "6",
                "--no-ws",
                "--log-level",
                "warning",
                "wsgi:served",
            ],
        )
    )
    children += [Child(f"ingest-{shard}", [python, "-m", "iot", "--shard", str(shard)]) for shard in settings.mqtt_shards]
    children.append(Child("worker", [python, "-m", "app", "worker"]))
    return children


@dataclass
class Supervisor:
    """Keeps children running until told to stop; ends them cleanly, in reverse order."""

    children: list[Child]
    environ: dict[str, str]
    folder: Path
    say: Say
    stopping: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start every child."""
        for child in self.children:
            self.start_one(child)

    def start_one(self, child: Child) -> None:
        """Start one child; when that cannot be done (a full disk, no memory), say so and leave it to be tried again."""
        try:
            child.process = self._process(child)
        except OSError as fault:
            self._put_off(child)
            self.say(
                in_terminal()(
                    f"{child.name} could not be started: {fault}; again in {child.pause_s:g} s",
                    f"{child.name} 无法启动：{fault}，{child.pause_s:g} 秒后重试",
                )
            )
        child.started = time.monotonic()

    def _process(self, child: Child) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{child.name}.log").open("ab") as log_file:
            return subprocess.Popen(
                child.command,
                env=self.environ,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                # However the supervisor goes: the next one needs its children's ports.
                preexec_fn=functools.partial(end_with_parent, os.getpid(), signal.SIGTERM),
            )

    def _put_off(self, child: Child, lived_s: float = 0.0) -> None:
        child.pause_s = 0.5 if lived_s > _STABLE_S else min(child.pause_s * 2, _LONGEST_PAUSE_S)
        child.due = time.monotonic() + child.pause_s

    def watch(self) -> None:
        """Restart what dies, after a pause that grows while it keeps dying; return when told to stop."""
        while not self.stopping.wait(0.25):
            self.look_after()

    def look_after(self) -> None:
        """Restart what has died, once its pause is over."""
        for child in self.children:
            self._look_after(child)

    def _look_after(self, child: Child) -> None:
        present = time.monotonic()
        if child.process is None:
            if not child.once and present >= child.due:
                self.start_one(child)
            return
        code = child.process.poll()
        if code is None:
            return
        # What it left running would keep its port, its shard's session or its lease from the next one.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)
        lived = present - child.started
        child.process = None
        if child.once:
            return
        self._put_off(child, lived)
        log_file = self.folder / f"{child.name}.log"
        self.say(
            in_terminal()(
                f"{child.name} ended with code {code} after {lived:.0f} s; again in {child.pause_s:g} s (see {log_file})",
                f"{child.name} 运行 {lived:.0f} 秒后退出（代码 {code}），{child.pause_s:g} 秒后重启（见 {log_file}）",
            )
        )

    def stop(self) -> None:
        """End every child with SIGTERM, the broker last, and with SIGKILL what is left after 12 s."""
        brokers = [child for child in self.children if child.name == "broker"]
        for group in ([child for child in self.children if child not in brokers], brokers):
            running = [child.process for child in group if child.process is not None and child.process.poll() is None]
            for process in running:
                process.terminate()
            deadline = time.monotonic() + _GRACE_S
            for process in running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.1, deadline - time.monotonic()))
                # The group, because a web server killed alone would leave its workers behind.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def metrics_folder(var_dir: Path, memory: Path = _MEMORY) -> Path:
    """Make an empty folder, for this user only, in which the processes of the deployment at ``var_dir`` add up their counters.

    In memory where that can be had: the files are memory-mapped, and on a full disk the kernel ends (SIGBUS) whoever
    writes to a page there is no room for. In ``var_dir`` else.
    """
    beside = var_dir / "metrics"
    shutil.rmtree(beside, ignore_errors=True)
    folder = memory / f"fieldloop-{os.getuid()}-{hashlib.sha256(bytes(var_dir)).hexdigest()[:16]}"
    with contextlib.suppress(OSError):
        if shutil.disk_usage(memory).free >= _MEMORY_NEEDED:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)  # fails, too, when somebody else has put something there
            return folder
    beside.mkdir(mode=0o700, parents=True)
    return beside


def prepare_environ(settings: Settings) -> dict[str, str]:
    """Return the environment of the children: the ports that were chosen, and where metrics are added up."""
    return os.environ | {
        "FIELDLOOP_HTTP_PORT": str(settings.http_port),
        "FIELDLOOP_MQTT_PORT": str(settings.mqtt_port),
        "FIELDLOOP_VAR_DIR": str(settings.var_dir),
        "FIELDLOOP_PUBLIC_URL": settings.public_url,
        "PROMETHEUS_MULTIPROC_DIR": str(metrics_folder(settings.var_dir)),
        "PYTHONUNBUFFERED": "1",
    }


def wait_ready(settings: Settings, database: Database, supervisor: Supervisor) -> bool:
    """Look after the processes until web, broker session and worker answer; return False when told to stop before.

    However long it takes: every 10 s it says what is still missing.
    """
    say_at = time.monotonic() + _SAY_EVERY_S
    while not supervisor.stopping.wait(_LOOK_EVERY_S):
        supervisor.look_after()
        missing = readiness(database, settings, processes=True)
        if not _listens(settings.http_host, settings.http_port):
            missing.append("web does not listen yet")
        if not missing:
            return True
        if time.monotonic() >= say_at:
            say_at = time.monotonic() + _SAY_EVERY_S
            told = "; ".join(missing)
            supervisor.say(
                in_terminal()(
                    f"  not ready yet: {told} (logs: {supervisor.folder}; checks: python -m app doctor)",
                    f"  尚未就绪：{told}（日志：{supervisor.folder}；检查：python -m app doctor）",
                )
            )
    return False


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


def end_on_signals(supervisor: Supervisor) -> None:
    """Stop on SIGTERM and Ctrl-C."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: supervisor.stopping.set())
