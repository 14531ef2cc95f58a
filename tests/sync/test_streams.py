"""Streams of news: held by the web process without a thread, one look at the database for all of them."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from app import serve
from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.customers.models import Customer
from app.users import secrets
from app.users.auth import actor_of
from app.users.models import User
from offline_sync.changes import Point
from offline_sync.news import PhoneListener
from tests.factories import World, make_user
from tests.people import Http


class Listening:
    """One open stream, read in a thread."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.lines: queue.Queue[str] = queue.Queue()
        self._client = httpx.Client(timeout=httpx.Timeout(30, read=60))
        self._opened = self._client.stream("GET", url, headers=headers)
        self.answer = self._opened.__enter__()
        assert self.answer.status_code == 200, self.answer.read()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            for line in self.answer.iter_lines():
                self.lines.put(line)
        except httpx.TransportError:
            pass
        self.lines.put("the end")

    def next(self, field: str = "data") -> str:
        """Wait for the next line of a field and return its value."""
        while True:
            line = self.lines.get(timeout=30)
            assert line != "the end"
            if line.startswith(f"{field}:"):
                return line.partition(":")[2].strip()

    def close(self) -> None:
        self._opened.__exit__(None, None, None)
        self._client.close()


@pytest.fixture
def listen(server: str, http: Http, settings: Settings) -> Iterator[Callable[..., Listening]]:
    """Open a stream as a person: ``listen(world.rep, "/sync/stream")``."""
    with ExitStack() as stack:

        def start(user_id: str, path: str = "/sync/stream", **headers: str) -> Listening:
            bearer = http.as_(user_id).bearer
            assert bearer is not None
            token = secrets.make_access_token(settings, user_id=user_id, session_id=bearer[1], issued_s=time.time())
            sent = {"Authorization": f"Bearer {token}", "X-Installation": f"phone-{user_id[-8:]}"}
            one = Listening(server + path, sent | {name.replace("_", "-"): value for name, value in headers.items()})
            stack.callback(one.close)
            return one

        yield start


def rename(db: Database, world: World, name: str) -> None:
    with db.transaction() as session:
        boss = actor_of(session, session.get_one(User, world.manager))
        customers.edit_customer(session, boss, session.get_one(Customer, world.customer), {"name": name})


@pytest.fixture
def stranger(db: Database, world: World, settings: Settings) -> str:
    """A rep without a territory."""
    with db.transaction() as session:
        return make_user(session, settings, "rep", "stranger").id


def test_a_phone_hears_within_seconds_which_collections_changed_and_nobody_else_does(
    db: Database, world: World, stranger: str, listen: Callable[..., Listening]
) -> None:
    rep, other = listen(world.rep), listen(stranger)
    assert "customers" in json.loads(rep.next())
    other.next()

    rename(db, world, "Renamed")
    assert json.loads(rep.next()) == ["customers"]
    with db.transaction() as session:
        office = actor_of(session, session.get_one(User, world.manager))
        customers.create_site(
            session, office, session.get_one(Customer, world.customer), {"name": "Yard", "lat": 1.0, "lon": 2.0, "address": ""}
        )
    assert json.loads(rep.next()) == ["sites"]
    assert [line for line in other.lines.queue if line.startswith("data")] == []


def test_rxdbs_stream_of_one_collection_stays_open_and_says_resync(
    db: Database, world: World, listen: Callable[..., Listening]
) -> None:
    stream = listen(world.rep, "/sync/rxdb/customers/stream")
    assert stream.next() == "RESYNC"
    for n in range(2):
        rename(db, world, f"Renamed {n}")
        assert stream.next() == "RESYNC"


def test_who_comes_back_hears_only_of_what_changed_meanwhile(
    db: Database, world: World, listen: Callable[..., Listening]
) -> None:
    first = listen(world.rep)
    told = first.next("id")
    first.close()
    rename(db, world, "Renamed meanwhile")

    again = listen(world.rep, Last_Event_ID=told)
    assert json.loads(again.next()) == ["customers"]
    assert json.loads(listen(world.rep, f"/sync/stream?since={told}").next()) == ["customers"]


def test_a_territory_that_is_handed_over_is_news_of_everything_to_both(
    world: World, http: Http, stranger: str, listen: Callable[..., Listening]
) -> None:
    giver, taker = listen(world.rep), listen(stranger)
    everything = [json.loads(one.next()) for one in (giver, taker)]
    boss = http.as_(world.admin)
    for user, territories in ((world.rep, []), (stranger, [world.territory])):
        row = boss.get(f"/users/{user}")
        boss.edit(f"/users/{user}", {"territory_ids": territories}, row["version"])

    assert [json.loads(giver.next()), json.loads(taker.next())] == everything


def test_many_listeners_keep_nobody_from_being_answered(
    server: str, db: Database, world: World, listen: Callable[..., Listening]
) -> None:
    many = [listen(world.rep) for _ in range(60)]
    for one in many:
        one.next()
    began = time.monotonic()
    for _ in range(20):
        assert httpx.get(server.removesuffix("/api/v1") + "/health/live", timeout=5).status_code == 200
    assert time.monotonic() - began < 10

    rename(db, world, "Heard by all")
    assert {one.next() for one in many} == {'["customers"]'}


def test_one_person_does_not_take_the_place_of_all_others(db: Database) -> None:
    def listener(user_id: str) -> PhoneListener:
        return PhoneListener(db, user_id, frozenset(), Point(1, 0))

    streams = serve.Streams(ThreadPoolExecutor(1))
    streams._inboxes.update({listener("one"): asyncio.Queue() for _ in range(50)})
    assert not streams.has_room(listener("one"))
    assert streams.has_room(listener("another"))
    streams._inboxes.update({listener(f"user-{i}"): asyncio.Queue() for i in range(450)})
    assert not streams.has_room(listener("another"))


def test_a_server_that_cannot_hold_answers_ends_them_with_the_time_of_the_next_try(world: World, http: Http) -> None:
    rep = http.as_(world.rep)
    answer = rep.call("GET", "/sync/stream", X_Installation="phone-00001")
    assert answer.mimetype == "text/event-stream"
    text = answer.get_data(as_text=True)
    assert text.startswith("retry: 5000\nid: ")
    told = text.partition("id: ")[2].partition("\n")[0]
    assert "data:" not in rep.call("GET", f"/sync/stream?since={told}", X_Installation="phone-00001").get_data(as_text=True)


def test_what_is_no_place_in_a_history_is_refused(world: World, http: Http) -> None:
    rep = http.as_(world.rep)
    for wrong in ("-1", "x", str(2**60)):
        refused: Any = rep.call("GET", f"/sync/stream?since={wrong}", X_Installation="phone-00001")
        assert refused.status_code == 422
    assert rep.call("GET", "/sync/stream").json["code"] == "installation_needed"
