"""The application as a deployment serves it, at a time that a simulation sets: ``granian ... tests.sync.web_on_set_time:served``.

The simulation and all workers read one file that says how far simulated time is ahead of real time.
"""

from __future__ import annotations

import http.client
import json
import mmap
import os
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from app.core.clock import Clock
from app.core.http import LARGEST_BODY
from app.core.settings import Settings
from tests.iot.broker.brokers import ROOT, free_port, wait_until
from tests.people import Http

_FILE = "SIMULATED_TIME"
_SECRET = "a secret of the tests, long enough for anything"


class SharedClock(Clock):
    """Real time and so many seconds more; every process that opens the file has the same."""

    def __init__(self, file: Path) -> None:
        if not file.exists():
            file.write_bytes(struct.pack("d", 0.0))
        with file.open("r+b") as opened:
            self._kept = mmap.mmap(opened.fileno(), 8)

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=struct.unpack("d", self._kept[:8])[0])

    def database_now(self, session: Session) -> datetime:
        return self.now()

    def advance(self, **span: float) -> None:
        self._kept[:8] = struct.pack("d", struct.unpack("d", self._kept[:8])[0] + timedelta(**span).total_seconds())


class WebAnswer:
    """An answer as phones read it."""

    def __init__(self, status_code: int, body: bytes) -> None:
        self.status_code, self._body = status_code, body

    @property
    def json(self) -> Any:
        return json.loads(self._body)

    def get_json(self) -> Any:
        return self.json

    def get_data(self, *, as_text: bool) -> str:
        return self._body.decode()


class WebHttp(Http):
    """Requests go over the loopback interface to the web processes; each thread has a connection of its own."""

    port = 0
    _own = threading.local()
    links: list[http.client.HTTPConnection] = []

    def as_(self, user_id: str) -> WebHttp:
        signed = super().as_(user_id)
        mine = WebHttp(signed.app, signed.database, signed.settings, signed.bearer)
        mine.port = self.port
        return mine

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        raw = None if body is None else json.dumps(body).encode()
        for again in (True, False):
            link = self._link()
            try:
                link.request(method, f"/api/v1{path}", raw, sent)
                answer = link.getresponse()
                if answer.getheader("Content-Type", "").startswith("text/event-stream"):
                    try:
                        return WebAnswer(answer.status, answer.readline())  # it goes on for two minutes
                    finally:
                        link.close()
                return WebAnswer(answer.status, answer.read())
            except (http.client.RemoteDisconnected, ConnectionResetError):
                link.close()  # an idle connection that the server had ended
                if not again:
                    raise
        raise AssertionError("not reached")

    def _link(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._own, "link", None)
        if found is None or found.port != self.port:
            found = self._own.link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            self.links.append(found)
        return found


@contextmanager
def web_processes(database_url: str, settings: Settings, folder: Path) -> Iterator[int]:
    """Run granian with two workers on a database, at the time of ``folder/clock``; yield its port."""
    port = free_port()
    variables = os.environ | {
        "FIELDLOOP_DATABASE_URL": database_url,
        "FIELDLOOP_VAR_DIR": str(folder),
        "FIELDLOOP_SECRET_KEY": _SECRET,
        "FIELDLOOP_ARGON2_PROFILE": "test",
        "FIELDLOOP_STATION_LEASE_S": str(settings.station_lease_s),
        "FIELDLOOP_REDEEM_TRIES_PER_MINUTE": str(settings.redeem_tries_per_minute),
        "FIELDLOOP_LOG_LEVEL": "WARNING",
        _FILE: str(folder / "clock"),
    }
    command = [sys.executable, "-m", "granian", "--interface", "rsgi", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "2", "--workers-kill-timeout", "6", "--no-ws", "--log-level", "warning"]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "tests.sync.web_on_set_time:served"], env=variables, cwd=ROOT, stdout=log, stderr=log
        )

    def answers() -> bool:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            link.request("GET", "/health/live")
            return link.getresponse().status == 200
        except OSError:
            return False
        finally:
            link.close()

    try:
        wait_until(answers, "the web process to answer", 60)
        yield port
    except BaseException:
        print((folder / "web.log").read_text()[-8000:])
        raise
    finally:
        while WebHttp.links:
            WebHttp.links.pop().close()
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()  # its workers end with it
            process.wait(10)


if _FILE in os.environ:
    from app.core.db import Database
    from app.core.logs import set_up_logs
    from app.core.settings import settings_or_exit
    from app.factory import create_app
    from app.serve import Served

    found = settings_or_exit()
    set_up_logs(found, "web")
    served = Served(create_app(found, Database(found.database_url, SharedClock(Path(os.environ[_FILE])))).wsgi_app, LARGEST_BODY)
