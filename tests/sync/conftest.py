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
def server(world: World, database_url: str, settings: Settings, tmp_path: Path) -> Iterator[str]:
    """The web process as a deployment runs it, with two workers, on this test's database."""
    port = free_port()
    variables = os.environ | {
        "FIELDLOOP_DATABASE_URL": database_url,
        "FIELDLOOP_VAR_DIR": str(tmp_path),
        "FIELDLOOP_SECRET_KEY": settings.secret_key,
        "FIELDLOOP_ARGON2_PROFILE": "test",
        "FIELDLOOP_SYNC_RETRY_MS": "200",
    }
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "2", "--workers-kill-timeout", "6", "--no-ws", "--log-level", "warning", "wsgi:served"]
    with (tmp_path / "web.log").open("wb") as log:
        process = subprocess.Popen(command, env=variables, cwd=ROOT, stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{base}/health/live", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, "the web process to answer", 30)
        yield f"{base}/api/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()  # its workers end with it
            process.wait(10)


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
