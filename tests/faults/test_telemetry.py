"""Telemetry that no device should send: doubled, poisonous, from nobody, about nothing, around a threshold."""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

import psutil
import pytest
import structlog
from sqlalchemy import event, func, select

from app.assets.models import Device
from app.core.db import Database
from app.core.settings import Settings
from app.rules.documents import read_document
from iot.__main__ import IngestLoop
from iot.ingest import Message
from iot.models import Alarm, Telemetry
from iot.subscriber import Delivery
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.faults.plant import SOAK
from tests.iot.test_ingest import UNCHANGED_BUT
from tests.iot.test_poison import POISON, received
from tests.iot.vehicles import (
    DAY,
    HOUR,
    Value,
    counted,
    dead_letters,
    expected_alarms,
    make_vehicle,
    message,
    offers,
    row_counts,
    shown_alarms,
    stock_up,
    values,
)
from tests.people import Http

pytestmark = pytest.mark.timeout(3600 if SOAK else 300)


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("SEED", "0")) or random.randrange(10**6)
    print(f"seed {seed}")  # with SEED=<it> the run is the same
    return random.Random(seed)


def in_batches(world: World, found: Iterable[Message], size: int = 50) -> Counter[str]:
    counts: Counter[str] = Counter()
    coming = iter(found)
    while batch := list(islice(coming, size)):
        counts += Counter(world.send(*batch))
    return counts


@pytest.mark.parametrize("share", [0.02, 0.2])
def test_messages_that_come_twice_leave_one_row_and_one_offer(world: World, dice: random.Random, share: float) -> None:
    """Doubled by the broker (the same bytes again at once) and by the device (again later, in between others)."""
    stock_up(world)
    vehicles = [make_vehicle(world, f"v{i}") for i in range(20)]
    length = 500 if SOAK else 12
    start = MONDAY_MORNING - 10 * DAY
    told = {v.device: values(start, 10 * DAY / length, *[74.0 + dice.random() / 2 for _ in range(length)]) for v in vehicles}
    sent = [message(world, v.device, told[v.device][n]) for n in range(length) for v in vehicles]
    doubled = 0
    for one in list(sent):
        if dice.random() < share:
            at = sent.index(one)
            sent.insert(at + 1 if dice.random() < 0.5 else dice.randrange(at + 1, len(sent) + 1), one)
            doubled += 1

    counts = in_batches(world, sent)

    assert (counts["duplicate"], counts["reading"]) == (doubled, length * len(vehicles))
    for vehicle in vehicles:
        assert shown_alarms(world.db, vehicle.pack) == expected_alarms(told[vehicle.device])
        assert len(offers(world.db, vehicle.pack)) == 1


def test_poison_among_good_messages_costs_nothing_but_itself(world: World, dice: random.Random) -> None:
    """Each kind of poison, again and again with other bytes: counted, bounded in memory, and the good ones all stored."""

    def bad(payload: bytes, more: int) -> Message:
        return received(world, payload + b" " * more)

    good = [message(world, world.device, value) for value in values(MONDAY_MORNING - DAY, DAY / 5000, *[80.0] * 5000)]
    kinds = [payload for name, payload in sorted(POISON.items()) if len(payload) < 10_000 or SOAK or "300 kB" in name]
    n = 10_000 if SOAK else 200
    # Below 1,000 different ones; made as they are sent: all of them together are 3 GB.
    poison = [partial(bad, kinds[i % len(kinds)], i // len(kinds) % 20) for i in range(n)]
    mixed = [lambda one=one: one for one in good[:1000]] + poison
    dice.shuffle(mixed)
    in_batches(world, good[1000:1500])  # what is loaded once is loaded now
    before_bytes = psutil.Process().memory_info().rss

    counts = in_batches(world, (make() for make in mixed))

    assert (counts["reading"], counts["poison"]) == (1000, n)
    assert sum(letter.times for letter in dead_letters(world.db)) == n
    assert all(len(letter.payload) <= world.settings.payload_limit_bytes for letter in dead_letters(world.db))
    grown = psutil.Process().memory_info().rss - before_bytes
    assert grown <= 50_000_000
    print(f"{world.db.dialect}: {n} poison, memory {grown / 1e6:+.0f} MB")


@pytest.mark.skipif(not SOAK, reason="a ratio of speeds needs a longer run: SOAK=1")
def test_one_message_of_poison_in_a_hundred_leaves_four_fifths_of_the_speed(world: World, dice: random.Random) -> None:
    def seconds(found: list[Message]) -> float:
        began = time.monotonic()
        in_batches(world, found)
        return time.monotonic() - began

    def good(days: int) -> list[Message]:
        # In time, each run after the one before: what comes late is folded anew, with poison or without.
        found = values(MONDAY_MORNING - days * DAY, DAY / 9000, *[80.0] * 5000, boot=f"b{days}")
        return [message(world, world.device, value) for value in found]

    kinds = [payload for payload in POISON.values() if len(payload) < 400_000]
    mixed = good(1)
    for i in range(50):
        mixed.insert(dice.randrange(len(mixed)), received(world, kinds[i % len(kinds)]))
    seconds(good(3))
    plain_s, mixed_s = seconds(good(2)), seconds(mixed)
    print(f"{world.db.dialect}: 5,000 messages in {plain_s:.2f} s, with 1 % poison in {mixed_s:.2f} s")
    assert plain_s / mixed_s >= 0.8


def test_each_letter_that_a_fix_makes_readable_is_stored_once(world: World, http: Http) -> None:
    """Poison because of where it was sent, not of what it is: replayed twice after the device was put right."""
    found = values(MONDAY_MORNING - 3 * DAY, HOUR, *[80.0 + i for i in range(26)])
    for value in found:
        world.send(message(world, world.device, value)._replace(topic=f"devices/7/{world.device}/telemetry"))
    assert len(dead_letters(world.db)) == 26
    with world.db.transaction() as session:
        session.get_one(Device, world.device).shard = 7
    admin = http.as_(world.admin)
    for _ in range(2):
        for letter in admin.get("/dead-letters", limit="200")["items"]:
            assert admin.post(f"/dead-letters/{letter['id']}/replay")["state"] == "replayed"

    with world.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Telemetry)) == 26


def test_devices_nobody_knows_grow_no_row_and_no_memory_and_hold_up_no_known_one(world: World) -> None:
    n = 100_000 if SOAK else 3000
    before = row_counts(world.db, without=UNCHANGED_BUT)
    in_batches(world, [message(world, f"stranger-w{i:05d}", Value(MONDAY_MORNING, 70.0, "b:0")) for i in range(500)])
    tracemalloc.start()
    held = tracemalloc.get_traced_memory()[0]
    for begin in range(0, n, 500):
        some = [message(world, f"stranger-{i:06d}", Value(MONDAY_MORNING, 70.0, "b:0")) for i in range(begin, begin + 500)]
        assert in_batches(world, some)["unknown_device"] == 500
    grown = tracemalloc.get_traced_memory()[0] - held
    tracemalloc.stop()

    assert row_counts(world.db, without=UNCHANGED_BUT) == before
    assert counted(world.db)["unknown_device"] == n + 500
    assert grown < (50_000_000 if SOAK else 5_000_000)
    assert world.send(message(world, world.device, Value(MONDAY_MORNING, 80.0, "b:0")))["reading"] == 1


class NoBroker:
    """The subscriber's side that the loop needs."""

    is_connected, broker_dropped, connection = False, None, 0

    def __init__(self) -> None:
        self.acknowledged = 0

    def left(self) -> set[str]:
        return set()

    def follow(self, *_topics: Any) -> None:
        pass

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        self.acknowledged += len(deliveries)


def test_strangers_fill_no_log(world: World, settings: Settings, clock: SetClock) -> None:
    """A line a second at most says how many messages were set aside since the last one; none is left out of the sum."""
    loop = IngestLoop(world.db, settings, 0)
    broker: Any = NoBroker()
    loop.subscriber = broker
    with structlog.testing.capture_logs() as told:
        for n in range(120):
            some = [message(world, f"stranger-{n}-{i}", Value(MONDAY_MORNING, 70.0, "b:0")) for i in range(5)]
            loop._store([Delivery(one, 1, 1, 1) for one in some])
            loop._chores()
            clock.advance(seconds=0.05)
        clock.advance(seconds=1)
        loop._chores()

    lines = [entry for entry in told if entry["event"] == "messages set aside"]
    assert 1 <= len(lines) <= 8, "six seconds and one"
    assert sum(entry["unknown_device"] for entry in lines) == 600
    assert broker.acknowledged == 600


HOT = {
    "name": {"zh-CN": "温度过高", "en": "Too hot"},
    "detector": "threshold",
    "severity": "minor",
    "metric": "soh_pct",
    "component": "battery_pack",
    "lateness_h": 1,
    "raise_if": {"below": 75, "readings": 1},
    "clear_if": {"at_least": 75.5, "readings": 1},
    "service": {"kind": "check", "price": "300.00", "discount": "0.00"},
}


def test_a_value_that_crosses_its_threshold_ten_thousand_times_in_an_hour_makes_one_offer(world: World, http: Http) -> None:
    assert read_document(HOT)
    http.as_(world.manager).post("/rules", {"code": "flaps", "document": HOT}, 201)
    crossings = 10_000 if SOAK else 200
    found = values(MONDAY_MORNING - HOUR, HOUR / crossings, *[74.9 if n % 2 == 0 else 76.0 for n in range(crossings)])

    in_batches(world, [message(world, world.device, value) for value in found], 1)

    assert len(offers(world.db, world.pack)) == 1
    with world.db.reading() as session:
        raised = session.scalar(select(func.count()).select_from(Alarm)) or 0
    assert raised > 1, "each crossing is on record"
    print(f"{world.db.dialect}: {crossings} crossings, {raised} alarms on record, 1 offer")


def test_a_value_that_trembles_between_the_two_levels_is_one_alarm(world: World, http: Http) -> None:
    http.as_(world.manager).post("/rules", {"code": "flaps", "document": HOT}, 201)
    found = values(MONDAY_MORNING - HOUR, timedelta(seconds=9), *[74.9 if n % 2 == 0 else 75.4 for n in range(100)])

    in_batches(world, [message(world, world.device, value) for value in found], 1)

    assert len(offers(world.db, world.pack)) == 1
    with world.db.reading() as session:
        [alarm] = session.scalars(select(Alarm))
    assert alarm.state == "raised"


def test_what_a_crossing_costs_does_not_grow_with_those_before_it(world: World, http: Http) -> None:
    """Of the alarms that ended, the next message of a value that flaps reads none."""
    http.as_(world.manager).post("/rules", {"code": "flaps", "document": HOT}, 201)
    found = values(MONDAY_MORNING - HOUR, timedelta(seconds=9), *[74.9 if n % 2 == 0 else 76.0 for n in range(42)])
    in_batches(world, [message(world, world.device, value) for value in found[:40]], 1)
    read: list[Alarm] = []

    def note(alarm: Alarm, _context: object) -> None:
        read.append(alarm)

    event.listen(Alarm, "load", note)
    try:
        in_batches(world, [message(world, world.device, value) for value in found[40:]], 1)
    finally:
        event.remove(Alarm, "load", note)

    with world.db.reading() as session:
        raised = session.scalar(select(func.count()).select_from(Alarm)) or 0
    assert raised == 21
    assert len(read) <= 2, "the one that is open"
