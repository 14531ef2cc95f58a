"""The web process as granian runs it: bodies that never end, masters that are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app import serve
from app.core.settings import read_settings
from app.supervise import children_of
from tests.databases import copy_sqlite
from tests.iot.broker.brokers import HOST, ROOT, accepts, free_port, wait_until

SIGN_IN = "/api/v1/auth/sign-in"


class Web:
    """The web process of ``app up``, alone."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.port = free_port()
        self.base = f"http://{HOST}:{self.port}"
        settings = read_settings(var_dir=folder, http_port=self.port)
        environ = os.environ | {"FIELDLOOP_VAR_DIR": str(folder), "FIELDLOOP_DATABASE_URL": database_url}
        command = next(child.command for child in children_of(settings) if child.name == "web")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log)
        wait_until(lambda: accepts(self.port), "the web process to listen", 60)
        wait_until(lambda: len(psutil.Process(self.process.pid).children()) > 1, "its workers", 60)
        assert httpx.get(f"{self.base}/health/live", timeout=60).status_code == 200

    def send(self, head: str, body: bytes = b"") -> socket.socket:
        link = socket.create_connection((HOST, self.port))
        link.settimeout(30)
        link.sendall(f"{head} HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: application/json\r\n".encode() + body)
        return link

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory, sqlite_file: Path) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("web")
    running = Web(folder, copy_sqlite(sqlite_file, folder / "test.db"))
    yield running
    running.end()


def everything(link: socket.socket) -> bytes:
    """Read until the server closes the connection, and close it."""
    found = b""
    with link:
        while part := link.recv(65536):
            found += part
    return found


def test_bodies_that_never_end_hold_nobody_up_and_are_refused_in_time(web: Web) -> None:
    announced, chunked = b"Content-Length: 100\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
    links = [web.send(f"POST {SIGN_IN}", announced if i % 2 else chunked) for i in range(40)]
    began = time.monotonic()

    for _ in range(20):
        assert httpx.get(f"{web.base}/health/live", timeout=3).status_code == 200
        assert httpx.post(f"{web.base}{SIGN_IN}", json={}, timeout=3).status_code == 422
    assert time.monotonic() - began < 9, "the machine is too slow for this test to prove anything"

    for link in links:
        answer = everything(link)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"body_late"' in answer
    assert time.monotonic() - began < 20


class Trickle:
    """A body as granian gives it: pieces that are there at once, then nothing any more."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def __aiter__(self) -> Trickle:
        return self

    def __anext__(self) -> asyncio.Future[bytes]:
        coming: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        if self.pieces:
            coming.set_result(self.pieces.pop(0))
        return coming


def test_what_came_of_a_body_quickly_is_no_credit_to_hold_it_without_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_PATIENCE_S", 0.1)
    monkeypatch.setattr(serve, "_LONGEST_PAUSE_S", 0.3)
    environ = {"REQUEST_METHOD": "POST", "CONTENT_LENGTH": "1000001"}

    async def ask() -> None:
        await asyncio.wait_for(serve.Served(lambda *_: [], 16_000_000)._body(environ, Trickle(b" " * 1_000_000)), 5)

    with pytest.raises(serve._Refused, match="body_late"):
        asyncio.run(ask())


def test_a_body_that_comes_slowly_but_comes_is_taken(web: Web) -> None:
    link = web.send(f"POST {SIGN_IN}", b"Content-Length: 2\r\nConnection: close\r\n\r\n{")
    time.sleep(2)
    link.sendall(b"}")

    assert everything(link).startswith(b"HTTP/1.1 422 ")


def test_a_body_longer_than_allowed_is_refused_even_when_it_does_not_say_its_length(web: Web) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (b" " * 100_000 for _ in range(60))

    for body in (b" " * 6_000_000, pieces()):
        try:
            answer = httpx.post(f"{web.base}{SIGN_IN}", content=body, headers={"Content-Type": "application/json"})  # type: ignore[arg-type]
        except (httpx.WriteError, httpx.ReadError):  # it was refused and the connection closed while we still sent
            continue
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_readers_who_do_not_read_hold_nobody_up(web: Web) -> None:
    links = [web.send("GET /docs/swagger-ui-bundle.js", b"\r\n") for _ in range(20)]

    assert httpx.get(f"{web.base}/health/live", timeout=3).status_code == 200
    for link in links:
        link.close()


def test_of_a_request_everything_the_application_asks_for_arrives(web: Web) -> None:
    with httpx.Client(base_url=web.base) as client:
        answer = client.get("/api/v1/nothing%2F%E4%B8%AD?q=%E4", headers={"X-Request-Id": "a" * 36, "Accept-Language": "en"})
        assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
        head = client.head("/docs/swagger-ui-bundle.js")
        assert int(head.headers["Content-Length"]) == len(client.get("/docs/swagger-ui-bundle.js").content)
        assert head.content == b""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel is asked to do it, in Linux' way")
def test_workers_of_a_master_that_was_killed_end_and_leave_the_port(tmp_path: Path, sqlite_file: Path) -> None:
    web = Web(tmp_path, copy_sqlite(sqlite_file, tmp_path / "test.db"))
    workers = psutil.Process(web.process.pid).children()

    web.process.kill()
    web.process.wait()

    assert not psutil.wait_procs(workers, timeout=10)[1]
    assert not accepts(web.port)
