"""What the tests of sync share: a small organisation, and phones of its people."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from flask import Flask
from werkzeug.serving import make_server

from app.core.db import Database
from app.core.settings import Settings
from tests.databases import copy_sqlite, empty_sqlite
from tests.factories import World, make_world
from tests.iot.broker.brokers import ROOT, free_port, wait_until
from tests.people import Http
from tests.sync.phones import Phone


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def phone(http: Http) -> Callable[..., Phone]:
    """Make a phone of a person: ``phone(world.rep)``."""

    def make(user_id: str, **more: object) -> Phone:
        return Phone(http.as_(user_id), **more)  # type: ignore[arg-type]

    return make


@pytest.fixture
def database_url(database_url: str, request: pytest.FixtureRequest, sqlite_file: Path, webs: Webs) -> str:
    """The URL of an empty database; for SQLite, where a test wants a web process, of the file that one has open."""
    if "server" not in request.fixturenames or not database_url.startswith("sqlite"):
        return database_url
    kept = webs.folder / "served.db"
    url = f"sqlite:///{kept}"
    if kept.exists():
        empty_sqlite(url)
    else:
        copy_sqlite(sqlite_file, kept)
    return url


class Webs:
    """The web process as a deployment runs it, with two workers: one for each kind of database, for all tests of this process.

    It knows nobody of the tests before: their rows are gone, and every id is new.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[str, tuple[str, subprocess.Popen[bytes]]] = {}

    def at(self, database_url: str, settings: Settings) -> str:
        """Return the address of the one on this database, and start it where none runs."""
        base, process = self._running.get(database_url, ("", None))
        if process is None or process.poll() is not None:
            base, process = self._running[database_url] = self._start(database_url, settings)
        return base

    def _start(self, database_url: str, settings: Settings) -> tuple[str, subprocess.Popen[bytes]]:
        port = free_port()
        variables = os.environ | {
            "FIELDLOOP_DATABASE_URL": database_url,
            "FIELDLOOP_VAR_DIR": str(self.folder),
            "FIELDLOOP_SECRET_KEY": settings.secret_key,
            "FIELDLOOP_ARGON2_PROFILE": "test",
            "FIELDLOOP_SYNC_RETRY_MS": "200",
        }
        command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--host", "127.0.0.1", "--port", str(port)]
        command += ["--workers", "2", "--workers-kill-timeout", "6", "--no-ws", "--log-level", "warning", "wsgi:served"]
        with (self.folder / "web.log").open("ab") as log:
            process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=log, stderr=log)
        base = f"http://127.0.0.1:{port}"

        def answers() -> bool:
            try:
                return httpx.get(f"{base}/health/live", timeout=1).status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_until(answers, "the web process to answer", 60)
        except BaseException:
            _end(process)
            raise
        return base, process

    def stop(self) -> None:
        """End them all."""
        for _, process in self._running.values():
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()  # its workers end with it
        process.wait(10)


@pytest.fixture(scope="session")
def webs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webs]:
    made = Webs(tmp_path_factory.mktemp("webs"))
    yield made
    made.stop()


@pytest.fixture
def server(world: World, database_url: str, settings: Settings, webs: Webs) -> str:
    """Where the API is, at a web process on this test's database."""
    return f"{webs.at(database_url, settings)}/api/v1"


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """Where uploads begin, at a server on a port of this machine."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api/v1/uploads"
    server.shutdown()
    thread.join()
    server.server_close()
