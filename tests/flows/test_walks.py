"""docs/walks.md lists the modules a message walks through and the ways back; here the walk is traced and compared."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlalchemy import select

import iot.ingest
import push.outbox
from app.core.db import Database
from app.core.settings import Settings
from app.users.models import User
from app.work_orders.models import StationTask
from iot import actions
from iot.__main__ import IngestLoop
from iot.frames import FrameSocket
from push.channels import Accepted, Address
from push.delivery import drain
from push.messages import Message
from tests.factories import World, make_world
from tests.iot.vehicles import kinds
from tests.people import Http
from tests.sync.phones import Phone

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "walks.md").read_text()
Calls = set[tuple[str, str]]


def section(begins: str, ends: str, page: str = PAGE) -> str:
    return page[page.index(begins) : page.index(ends)]


def listed(text: str) -> list[str]:
    """Return the modules of a numbered list, in order."""
    return re.findall(r"^\d+\. `([\w.]+)`", text, re.MULTILINE)


def ways_back(text: str) -> Calls:
    return set(re.findall(r"^- `([\w.]+)` -> `([\w.]+)`", text, re.MULTILINE))


WALK_A = section("## A.", "### Later")
LATER = section("### Later", "## B.")
WALK_B = section("## B.", "### And down")


@dataclass
class Trace:
    """The modules in the order of first entry, and who called whom; ``app.core`` is looked through."""

    order: list[str] = field(default_factory=list)
    calls: Calls = field(default_factory=set)

    @staticmethod
    def of(call: Callable[[], Any]) -> Trace:
        found = Trace()
        sys.setprofile(found._watch)
        try:
            call()
        finally:
            sys.setprofile(None)
        return found

    def _watch(self, frame: FrameType, event: str, _arg: object) -> None:
        if event != "call" or frame.f_code.co_name == "<module>" or (name := room_of(frame)) is None:
            return
        if name not in self.order:
            self.order.append(name)
        before = frame.f_back
        while before is not None and room_of(before) is None:
            before = before.f_back
        caller = room_of(before) if before is not None else None
        if caller is not None and caller != name:
            self.calls.add((caller, name))

    @property
    def back(self) -> Calls:
        """The calls from a module that was entered later into one that was entered before it."""
        place = {name: i for i, name in enumerate(self.order)}
        return {(caller, called) for caller, called in self.calls if place[called] < place[caller]}


def room_of(frame: FrameType) -> str | None:
    """Return the module of a frame when it is one of ours, ``app.core`` apart."""
    name = str(frame.f_globals.get("__name__", ""))
    ours = name.partition(".")[0] in {"app", "iot", "push", "offline_sync"}
    return name if ours and not name.startswith("app.core") else None


class Arriving:
    """A socket on which something has arrived."""

    def __init__(self, stream: bytes) -> None:
        self._stream = stream

    def recv(self, most: int) -> bytes:
        taken, self._stream = self._stream[:most], self._stream[most:]
        return taken


def _frame(topic: bytes, payload: bytes, packet_id: int) -> bytes:
    """Return a PUBLISH of QoS 1, of at least 128 bytes and less than 16,384."""
    body = len(topic).to_bytes(2, "big") + topic + packet_id.to_bytes(2, "big") + payload
    return bytes([0x32, len(body) % 128 | 128, len(body) // 128]) + body


def walk_a(world: World) -> Callable[[], None]:
    """Return the walk: from the frames on the connection to the acknowledgement."""
    loop = IngestLoop(world.db, world.settings, 0)
    arriving = [_frame(one.topic.encode(), one.payload, i) for i, one in enumerate(world.telemetry(74.9, 74.5, 74.1), 1)]
    link = FrameSocket(Arriving(b"".join(arriving)), loop.subscriber._on_published)

    def walk() -> None:
        with pytest.raises(BlockingIOError):
            link.recv(1)
        loop._store(loop.subscriber.take(10, 0, 0))

    return walk


def test_a_telemetry_message_walks_as_documented(db: Database, settings: Settings) -> None:
    world = make_world(db, settings)

    trace = Trace.of(walk_a(world))

    assert kinds(db, world.owner) == ["offer_made"], "it must have come to the end of the walk"
    assert trace.order == listed(WALK_A)


def test_no_room_calls_back_into_an_earlier_one_but_as_documented(db: Database, settings: Settings) -> None:
    trace = Trace.of(walk_a(make_world(db, settings)))

    assert trace.back == ways_back(WALK_A)
    assert not [caller for caller, called in trace.calls if called == "iot.ingest" and caller != "iot.__main__"]


def test_a_call_back_would_be_seen(db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: what the actions call asks the conductor for something."""
    world = make_world(db, settings)

    def enqueue(*args: Any, **kwargs: Any) -> Any:
        iot.ingest._decode([])
        return push.outbox.enqueue(*args, **kwargs)

    monkeypatch.setattr(actions, "enqueue", enqueue)

    trace = Trace.of(walk_a(world))

    assert ("iot.actions", "iot.ingest") in trace.back - ways_back(WALK_A)


def test_another_order_in_the_page_would_be_seen() -> None:
    lines = WALK_A.splitlines()
    first, second = (next(i for i, line in enumerate(lines) if line.startswith(f"{n}. ")) for n in (15, 17))
    lines[first], lines[second] = lines[second], lines[first]

    assert listed("\n".join(lines)) != listed(WALK_A)
    assert len(listed(WALK_A)) == 50


def test_a_queued_message_leaves_as_documented(db: Database, settings: Settings) -> None:
    sent: list[Message] = []

    class Mail:
        def send(self, to: Address, message: Message, dedupe_id: str) -> Accepted:
            sent.append(message)
            return Accepted()

    world = make_world(db, settings)
    with db.transaction() as session:
        session.get_one(User, world.rep).email = "rep@example.test"
    walk_a(world)()

    trace = Trace.of(lambda: drain(db, settings, {"email": Mail()}))

    assert len(sent) == 1
    assert [name for name in trace.order if name.startswith("push.")] == listed(LATER)
    assert trace.back == set()


def test_what_was_done_offline_walks_as_documented(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    walk_a(world)()
    with db.reading() as session:
        task = session.scalars(select(StationTask)).one()
    phone = Phone(http.as_(world.staff[world.stations.index(task.station_id)]))
    phone.pull()
    phone.intend("intent-staff-01", "station_task.accept", json.dumps({"task_id": task.id}))

    trace = Trace.of(phone.push)

    phone.pull()
    assert phone.rows["intents"]["intent-staff-01"]["verdict"] == "accepted", "it must have come to the end of the walk"
    asked_before = trace.order.index("offline_sync.schemas")
    assert trace.order[asked_before:] == listed(WALK_B)
    assert trace.back - {("app.users.auth", "app.users.secrets")} == ways_back(WALK_B)
