"""kill -9, broker restart, database restart: nothing acknowledged is lost, nothing fires twice."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

from app.core.clock import Clock, to_ms
from app.core.db import Database
from app.core.settings import Settings, read_settings
from app.migrate import migrate
from app.service_offers.models import ServiceOffer
from app.stations import operations as stations
from app.stations.models import Station
from app.users.rights import Actor
from app.work_orders.models import StationTask
from iot.models import Alarm, Telemetry
from push.models import Notification
from tests.databases import copy_sqlite
from tests.factories import PART, World, make_asset, make_world
from tests.faults.plant import Broker, OwnPostgres, Publisher, ingest_process, wait_until

SOAK = bool(os.environ.get("SOAK"))
DEVICES = 30
MESSAGES = 20_000 if SOAK else 900
KILLS = 60 if SOAK else 4

# Processes that start, die and drain take their time on a busy machine; every wait inside is bounded by itself.
pytestmark = pytest.mark.timeout(3600 if SOAK else 600)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    running = Broker(tmp_path / "broker")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[OwnPostgres]:
    server = OwnPostgres()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, sqlite_file: Path, tmp_path: Path) -> Iterator[World]:
    """The test's organisation, by the real clock, with many vehicles and parts for all of them."""
    if request.param == "sqlite":
        url = copy_sqlite(sqlite_file, tmp_path / "test.db")
    else:
        server: OwnPostgres = request.getfixturevalue("own_postgres")
        url = server.url
        clean = Database(url)
        migrate(clean)
        from tests.databases import empty

        empty(clean)
        clean.close()
    database = Database(url, Clock())
    settings: Settings = read_settings(database_url=url, var_dir=tmp_path, argon2_profile="test")
    made = make_world(database, settings)
    with database.transaction() as session:
        boss = Actor("system-user", "admin", "system", "en")
        stations.set_stock(session, boss, session.get_one(Station, made.stations[0]), PART, 200)
        from app.assets.models import DeviceProfile
        from app.customers.models import Customer, Site

        customer, site = session.get_one(Customer, made.customer), session.get_one(Site, made.site)
        profile = session.get_one(DeviceProfile, made.profile)
        for i in range(DEVICES):
            make_asset(session, boss, customer, site, profile, f"f{i:04}", database.clock.now() - timedelta(days=400))
    yield made
    database.close()


def reading(world: World, number: int, value: float) -> tuple[str, bytes, str]:
    """Return topic, payload and name of message ``number``: its device, an hour after the device's last one."""
    device, seq = f"device-f{number % DEVICES:04}", number // DEVICES
    at = world.db.clock.now() - timedelta(days=29) + timedelta(hours=12 * seq % 600)
    payload = {"ts": to_ms(at), "boot": "b", "seq": seq, "m": {"soh_pct": value}}
    return f"devices/0/{device}/telemetry", msgspec.json.encode(payload), f"{device}/b:{seq}"


def wait_subscribed(folder: Path) -> None:
    """A broker keeps messages for a session from its first subscription on."""
    wait_until(lambda: b"subscribed" in (folder / "ingest.log").read_bytes(), 60, "the ingest has subscribed")


def stored(world: World) -> set[str]:
    with world.db.reading() as session:
        return {f"{device}/{key}" for device, key in session.execute(select(Telemetry.device_id, Telemetry.message_key))}


def count(world: World, model: type, *conditions: object) -> int:
    with world.db.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]


def check_each_alarm_acted_once(world: World, alarms: int) -> None:
    assert count(world, Alarm) == alarms
    assert count(world, ServiceOffer) == alarms
    assert count(world, StationTask) == alarms
    assert count(world, Notification, Notification.kind == "battery_alarm") == alarms


def test_random_kills_and_restarts_lose_nothing_and_fire_nothing_twice(
    world: World, broker: Broker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.randrange(10**6)
    print(f"seed {seed}")  # with SEED=<it> the run is the same
    dice = random.Random(seed)
    ingest = ingest_process(str(world.settings.database_url), broker.port, tmp_path)
    ingest.start()
    wait_subscribed(tmp_path)
    devices = Publisher(broker.port)
    faults = sorted(dice.sample(range(1, MESSAGES), KILLS))
    broker_restart, database_restart = MESSAGES // 3, 2 * MESSAGES // 3
    try:
        for number in range(MESSAGES):
            devices.publish(*reading(world, number, 74.0))
            if number in faults:
                known = len(stored(world))
                wait_until(
                    lambda known=known, sent=number + 1: known < len(stored(world)) or len(stored(world)) >= sent,
                    60,
                    "the ingest stores something between two kills",
                )
                ingest.kill()
                ingest.start()
            if number == broker_restart:
                broker.restart()
            if number == database_restart and world.db.dialect == "postgresql":
                request.getfixturevalue("own_postgres").restart_at_once()
        acked = devices.wait_acked(60)
        assert len(acked) == MESSAGES
        wait_until(lambda: len(stored(world)) >= MESSAGES, 120, "everything acknowledged by the broker is stored")
    finally:
        devices.stop()
        ingest.terminate()

    assert stored(world) == acked
    check_each_alarm_acted_once(world, DEVICES)


@pytest.mark.parametrize("point", ["before_alarms", "between_offer_and_commit", "before_commit", "after_commit_before_ack"])
def test_death_at_a_point_repeats_the_batch_and_its_effects_once(
    world: World, broker: Broker, tmp_path: Path, point: str
) -> None:
    marker = tmp_path / "died"
    script = str(Path(__file__).with_name("ingest_that_dies.py"))
    ingest = ingest_process(str(world.settings.database_url), broker.port, tmp_path, module=[script, point, str(marker)])
    ingest.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    ingest.start()
    wait_subscribed(tmp_path)
    devices = Publisher(broker.port)
    try:
        for seq in range(3):
            devices.publish(*reading(world, seq * DEVICES, 74.0))
        devices.wait_acked(20)
        wait_until(marker.exists, 90, f"the ingest died {point}")
        assert ingest.process is not None
        ingest.process.wait(10)
        ingest.start()
        wait_until(lambda: len(stored(world)) == 3, 90, "the batch came again")
        wait_until(lambda: count(world, Alarm) == 1, 90, "the alarm is there")
    finally:
        devices.stop()
        ingest.terminate()

    check_each_alarm_acted_once(world, 1)
