"""The same messages in two ingest processes at once, and many writers on the same components: one alarm, one offer, no loss."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import msgspec
import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

import iot.__main__
from app.assets import operations as assets
from app.assets.models import Asset, DeviceProfile, FaultCode
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot.__main__ import IngestLoop
from iot.ingest import Message, ingest_batch
from iot.models import Telemetry
from iot.subscriber import Delivery
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World
from tests.iot.vehicles import (
    BOSS,
    DAY,
    HOUR,
    Value,
    Vehicle,
    alarms,
    counted,
    dead_letters,
    expected_alarms,
    latest,
    make_vehicle,
    message,
    newest,
    offers,
    shown_alarms,
    stock_up,
    values,
)
from tests.races.conftest import parts_agree
from tests.races.together import together

ROUNDS = 30 if os.environ.get("SOAK") else 3
LENGTH = 60 if os.environ.get("SOAK") else 12


class Process:
    """One ingest process: its own connections, and the product's own loop that tries again while the database refuses."""

    def __init__(self, url: str, clock: SetClock, settings: Settings) -> None:
        self.db = Database(url, clock, pool_size=2)
        self.loop = IngestLoop(self.db, settings, 0)
        self.loop.subscriber.acknowledge = self.acknowledged.extend  # type: ignore[method-assign]

    @property
    def acknowledged(self) -> list[Delivery]:
        return self.__dict__.setdefault("_acknowledged", [])

    def store(self, batches: Sequence[Sequence[Message]]) -> int:
        """Store batch after batch as the loop does; return how many messages were acknowledged."""
        for batch in batches:
            self.loop._store([Delivery(one, i, 1, 0) for i, one in enumerate(batch)])
        return len(self.acknowledged)


class Faults:
    """Counts how often the database refused a batch, by kind; each refusal is retried by the loop."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: Counter[str] = Counter()
        lock = threading.Lock()

        def watched(database: Database, settings: Settings, messages: Sequence[Message]) -> Counter[str]:
            try:
                return ingest_batch(database, settings, messages)
            except OperationalError as fault:
                with lock:
                    self.seen[type(fault.orig).__name__] += 1
                raise

        monkeypatch.setattr(iot.__main__, "ingest_batch", watched)


@contextmanager
def processes(n: int, url: str, clock: SetClock, settings: Settings) -> Iterator[list[Process]]:
    with ExitStack() as stack:
        made = [Process(url, clock, settings) for _ in range(n)]
        for process in made:
            stack.callback(process.db.close)
        yield made


def cut(messages: Sequence[Message], rng: random.Random) -> list[list[Message]]:
    """Return the messages in a random order, in batches of random sizes."""
    order = list(messages)
    rng.shuffle(order)
    batches: list[list[Message]] = [[]]
    for one in order:
        if batches[-1] and rng.random() < 0.4:
            batches.append([])
        batches[-1].append(one)
    return batches


@pytest.mark.parametrize("seed", [1, 2])
def test_messages_that_come_to_two_processes_at_once_make_one_alarm_and_one_offer(
    world: World,
    database_url: str,
    clock: SetClock,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    stock_up(world)
    rng, faults = random.Random(seed), Faults(monkeypatch)
    for n in range(ROUNDS):
        vehicle = make_vehicle(world, f"twice-{n}")
        found = values(MONDAY_MORNING - 9 * DAY, 20 * HOUR, 76, 74.9, 74.5, 74.1, 74.0, 80, 74.2, 74.3, 74.1, 73.9)
        messages = [message(world, vehicle.device, value) for value in found]
        with processes(2, database_url, clock, settings) as pair:
            stored = together(*[partial(process.store, cut(messages, rng)) for process in pair])

        assert stored == [len(messages)] * 2
        assert shown_alarms(world.db, vehicle.pack) == expected_alarms(found)
        assert latest(world.db, vehicle.device) == newest(found)
        by_alarm = Counter(offer.alarm_id for offer in offers(world.db, vehicle.pack))
        assert set(by_alarm.values()) <= {1}
        standing = [offer for offer in offers(world.db, vehicle.pack) if offer.state == "issued"]
        assert [offer.alarm_id for offer in standing] == [alarms(world.db, vehicle.pack, "raised")[0].id]

    assert dead_letters(world.db) == []
    assert counted(world.db)["reading"] == ROUNDS * 10
    assert counted(world.db)["duplicate"] == ROUNDS * 10
    parts_agree(world.db)
    print(f"two processes, the same messages, {world.db.dialect}: refused and tried again {dict(faults.seen)}")


def test_fault_codes_that_come_to_two_processes_at_once_are_kept_once_and_none_becomes_a_dead_letter(
    world: World, database_url: str, clock: SetClock, settings: Settings
) -> None:
    rng = random.Random(3)

    def report(n: int) -> Message:
        body = msgspec.json.encode({"ts": to_ms(MONDAY_MORNING), "boot": "b", "seq": n, "code": f"P{n:04d}"})
        return Message(f"devices/0/{world.device}/events", body, False, to_ms(MONDAY_MORNING))

    reports = [report(n) for n in range(LENGTH)]
    with processes(2, database_url, clock, settings) as pair:
        together(*[partial(process.store, cut(reports, rng)) for process in pair])

    with world.db.reading() as session:
        codes = session.scalars(select(FaultCode.code).order_by(FaultCode.code)).all()
    assert codes == [f"P{n:04d}" for n in range(LENGTH)]
    assert dead_letters(world.db) == []


def test_the_same_poison_in_two_processes_at_once_is_one_row_each(
    world: World, database_url: str, clock: SetClock, settings: Settings
) -> None:
    rng = random.Random(4)
    bad = [Message(f"devices/0/{world.device}/telemetry", b"bad %d" % n, False, to_ms(MONDAY_MORNING)) for n in range(LENGTH)]
    with processes(2, database_url, clock, settings) as pair:
        together(*[partial(process.store, cut(bad, rng)) for process in pair])

    assert sorted(letter.times for letter in dead_letters(world.db)) == [2] * LENGTH
    assert counted(world.db)["poison"] == 2 * LENGTH


def more_devices(world: World, vehicle: Vehicle, n: int) -> list[str]:
    """Put more devices into a vehicle; all of them speak of its one pack."""
    with world.db.transaction() as session:
        profile, asset = session.get_one(DeviceProfile, world.profile), session.get_one(Asset, vehicle.asset)
        since = world.db.clock.now() - 400 * DAY
        made = [
            assets.create_device(session, BOSS, asset, {"profile_id": profile.id, "installed_at": since})[0] for _ in range(n)
        ]
        return [vehicle.device, *[device.id for device in made]]


def test_four_writers_on_devices_of_the_same_assets_lose_nothing_and_deadlock_never(
    world: World, database_url: str, clock: SetClock, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four devices in each of several vehicles, one process for each device's number: all meet on the same packs."""
    stock_up(world)
    rng, faults = random.Random(7), Faults(monkeypatch)
    fleet = [make_vehicle(world, f"fleet-{n}") for n in range(4)]
    devices = [more_devices(world, vehicle, 3) for vehicle in fleet]
    by_process: list[list[Message]] = [[], [], [], []]
    found: dict[str, list[Value]] = {vehicle.pack: [] for vehicle in fleet}
    step = 10 * DAY / LENGTH  # however many: nothing is ahead of the clock, and told apart from the rest by that
    for vehicle, its in zip(fleet, devices, strict=True):
        for n in range(LENGTH):
            for i, device in enumerate(its):
                at = MONDAY_MORNING - 20 * DAY + n * step + i * step / 5
                value = Value(at, rng.choice([74.0, 73.0, 74.5, 80.0, 79.0, 76.0]), f"d{i}:{n}")
                found[vehicle.pack].append(value)
                by_process[i].append(message(world, device, value))

    with processes(4, database_url, clock, settings) as writers:
        stored = together(*[partial(w.store, cut(mine, rng)) for w, mine in zip(writers, by_process, strict=True)])

    assert stored == [4 * LENGTH] * 4
    with world.db.reading() as session:
        assert len(session.scalars(select(Telemetry.message_key)).all()) == 16 * LENGTH
    for pack, its_values in found.items():
        assert shown_alarms(world.db, pack) == expected_alarms(its_values)
        assert set(Counter(offer.alarm_id for offer in offers(world.db, pack)).values()) <= {1}
        assert sum(offer.state == "issued" for offer in offers(world.db, pack)) <= 1
    assert dead_letters(world.db) == []
    parts_agree(world.db)
    print(f"four writers on the same packs, {world.db.dialect}: refused and tried again {dict(faults.seen)}")
    assert faults.seen["DeadlockDetected"] == 0


def test_ticks_and_ingest_at_once_agree_on_a_replaced_pack(
    world: World, database_url: str, clock: SetClock, settings: Settings
) -> None:
    """``follow_due`` and a late reading look at the same component: one after the other, whichever is first."""
    from iot.ingest import follow_due
    from tests.iot.vehicles import replace_pack

    stock_up(world)
    for n in range(ROUNDS):
        vehicle = make_vehicle(world, f"tick-{n}")
        found = values(MONDAY_MORNING - 4 * DAY, DAY, 74.9, 74.5, 74.1)
        world.send(*[message(world, vehicle.device, value) for value in found])
        replaced_at = MONDAY_MORNING - HOUR
        fresh = replace_pack(world, vehicle, replaced_at, f"fresh-{n}")
        late = Value(MONDAY_MORNING - 1.5 * DAY, 74.3, "late:1")

        ticks: Callable[[], int] = partial(follow_due, world.db, settings)
        outcomes = together(ticks, partial(world.send, message(world, vehicle.device, late)), ticks)

        assert not [one for one in outcomes if isinstance(one, Exception)], outcomes
        assert shown_alarms(world.db, vehicle.pack) == expected_alarms([*found, late], replaced_at)
        assert shown_alarms(world.db, fresh) == []
        assert [offer.state for offer in offers(world.db, vehicle.pack)] == ["withdrawn"]
    parts_agree(world.db)
