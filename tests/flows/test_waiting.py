"""Devices that wait for a command at the web process as a deployment runs it: answered when it comes, without a thread each."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from app.assets import operations as assets
from app.assets.models import Asset, Device
from app.core.db import Database
from app.core.settings import Settings
from app.users.rights import Actor
from iot.commands import ask_device
from iot.models import DeviceCommand
from tests.factories import make_world
from tests.faults.plant import Web
from tests.iot.broker.brokers import becomes, wait_until

BOSS = Actor("system-user", "admin", "system", "en")


@dataclass
class Waiting:
    """A web process, and a device that fetches its commands from it."""

    db: Database
    web: Web
    device: str
    secret: str

    def fetch(self, timeout_ms: int) -> httpx.Response:
        return httpx.get(f"{self.web.base}/api/v1/{self.secret}/rpc?timeout={timeout_ms}", timeout=60)

    def ask(self, method: str) -> str:
        with self.db.transaction() as session:
            return ask_device(session, BOSS, session.get_one(Device, self.device), {"method": method}, 60).id

    def state(self, command: str) -> str:
        with self.db.reading() as session:
            return session.get_one(DeviceCommand, command).state


@pytest.fixture
def waiting(database_url: str, settings: Settings, tmp_path: Path) -> Iterator[Waiting]:
    db = Database(database_url)
    world = make_world(db, settings)
    with db.transaction() as session:
        body = {"code": "board", "name": "Board", "adapter": "thingsboard", "metrics": {}}
        profile = assets.create_profile(session, BOSS, body)
        asset = session.get_one(Asset, world.asset)
        device, secret = assets.create_device(session, BOSS, asset, {"profile_id": profile.id, "address": "Van 1"})
    web = Web(database_url, tmp_path)
    web.start()
    yield Waiting(db, web, device.id, secret)
    web.terminate()
    db.close()


def test_a_device_waits_without_a_thread_until_it_is_asked(waiting: Waiting) -> None:
    """More devices wait than there are threads, and people are served meanwhile."""
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(waiting.fetch, 30_000) for _ in range(10)]
        for _ in range(5):
            assert httpx.get(f"{waiting.web.base}/api/v1/me", timeout=10).status_code == 401
        assert not any(call.done() for call in calls)
        asked = [waiting.ask(method) for method in ("one", "two")]
        wait_until(lambda: sum(call.done() for call in calls) >= 2, "two answers")
        assert [waiting.state(one) for one in asked] == ["sent", "sent"]
        assert sum(call.done() for call in calls) == 2, "the others wait on"
        names = ["one", "two", *(f"later {n}" for n in range(8))]
        for name in names[2:]:
            waiting.ask(name)
        wait_until(lambda: all(call.done() for call in calls), "every call to end", 60)
        assert Counter(call.result().json()["method"] for call in calls) == Counter(names), "each command went to one call"


def test_a_wait_ends_empty_after_its_time(waiting: Waiting) -> None:
    began = time.monotonic()
    answer = waiting.fetch(1500)
    assert (answer.status_code, answer.content) == (408, b"")
    assert 1.4 < time.monotonic() - began < 20


def test_a_device_that_went_away_while_it_waited_takes_no_command_with_it(waiting: Waiting) -> None:
    link = socket.create_connection(("127.0.0.1", waiting.web.port))
    link.sendall(f"GET /api/v1/{waiting.secret}/rpc?timeout=60000 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert waiting.fetch(1000).status_code == 408  # by now the first one waits, too
    link.close()
    asked = waiting.ask("later")
    assert not becomes(lambda: waiting.state(asked) != "queued", 4), "it looks about once a second"
    found = waiting.fetch(20_000)
    assert (found.status_code, found.json()["method"], waiting.state(asked)) == (200, "later", "sent")
