"""Devices of other makers on a real Mosquitto: what a profile says over HTTP is listened to, and nothing is lost meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import func, select

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot.__main__ import IngestLoop
from iot.models import BrokerFilter, Telemetry
from iot.mosquitto import reload, write_config
from tests.factories import World, make_world
from tests.iot.broker.brokers import Client, RunningBroker, free_port, running_mosquitto, wait_until
from tests.iot.vehicles import dead_letters, latest
from tests.people import Http

PROFILE: dict[str, Any] = {
    "code": "plant",
    "name": "Plant",
    "adapter": "mapped",
    "mapping": {"topic": "plant/{address}/status", "payload": "json", "time": "$.t", "key": "$.no"},
    "metrics": {"soh_pct": {"source": "$.soh"}},
}


@contextmanager
def ingesting(db: Database, settings: Settings) -> Iterator[None]:
    loop = IngestLoop(db, settings, 0)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until(lambda: loop.subscriber.is_connected, "the ingest to be connected")
        yield
    finally:
        loop.stop()
        thread.join(20)
    assert not thread.is_alive()


class Plant:
    """A maker's device on a broker whose files are kept equal to the database by hand."""

    def __init__(self, db: Database, settings: Settings, office: Http, world: World, folder: Path) -> None:
        self.db, self.settings, self.office, self.world, self.folder = db, settings, office, world, folder

    def write(self) -> None:
        with self.db.reading() as session:
            write_config(self.settings, session, self.folder)

    def tell(self, broker: RunningBroker, true: Callable[[], object], what: str) -> None:
        """Write the files and ask the broker to read them until it has."""
        self.write()

        def told() -> bool:
            reload(broker.pid)
            return bool(true())

        wait_until(told, what)

    def body(self, no: int, soh: float) -> bytes:
        return msgspec.json.encode({"t": to_ms(self.db.clock.now()) - 1000 + no, "no": no, "soh": soh})

    def soh(self, device_id: str) -> float | None:
        found = latest(self.db, device_id)
        return found[1] if found else None

    def filters(self) -> set[str]:
        with self.db.reading() as session:
            return set(session.scalars(select(BrokerFilter.topic)))


@pytest.fixture
def plant(db: Database, settings: Settings, http: Http, broker_folder: Path) -> Plant:
    world = make_world(db, settings)
    settings = replace(
        settings, mqtt_port=free_port(), mqtt_broker="external", mqtt_password="the-password-of-the-ingest", ingest_linger_ms=5
    )
    made = Plant(db, settings, http.as_(world.manager), world, broker_folder)
    made.write()
    return made


def test_a_profile_made_over_http_is_listened_to_follows_its_changes_and_loses_nothing_while_the_ingest_is_away(
    plant: Plant, connect: Callable[..., Client]
) -> None:
    with running_mosquitto(plant.folder, plant.settings.mqtt_port) as broker:
        with ingesting(plant.db, plant.settings):
            profile = plant.office.post("/device-profiles", PROFILE, expect=201)
            made = plant.office.post(
                f"/assets/{plant.world.asset}/devices", {"profile_id": profile["id"], "address": "7"}, expect=201
            )

            def device() -> Client:
                return connect(plant.settings.mqtt_port, made["id"], user=made["id"], password=made["secret"])

            plant.tell(broker, lambda: device().connected, "the device to be let in")
            sender = device()

            def stored() -> bool:
                sender.publish("plant/7/status", plant.body(0, 80.0))
                return plant.soh(made["id"]) == 80.0

            wait_until(stored, "the first reading, which the subscription must precede")
            # The broker drops these in silence: another device's topic, and one that the profile does not name.
            sender.publish("plant/8/status", plant.body(1, 50.0)).publish("plant/7/other", b"x")

        for no in (1, 2, 3):
            sender.publish("plant/7/status", plant.body(no, 80.0 - no))
        with ingesting(plant.db, plant.settings):
            wait_until(lambda: plant.soh(made["id"]) == 77.0, "what was sent while the ingest was away")
        with plant.db.reading() as session:
            assert session.scalar(select(func.count()).select_from(Telemetry)) == 4
        assert dead_letters(plant.db) == []

        # The topic changes while nobody listens: the old subscription is left in the broker's session, and must go.
        moved = PROFILE["mapping"] | {"topic": "hall/+/{address}"}
        plant.office.edit(f"/device-profiles/{profile['id']}", {"mapping": moved}, profile["version"])
        plant.tell(broker, lambda: plant.filters() == {"plant/+/status"}, "the broker to read the new rights")
        with ingesting(plant.db, plant.settings):
            wait_until(lambda: plant.filters() == {"hall/+/+"}, "the broker's word that the old subscription is gone")

            def moved_stored() -> bool:
                sender.publish("hall/north/7", plant.body(4, 70.0))
                return plant.soh(made["id"]) == 70.0

            wait_until(moved_stored, "a reading on the new topic")
        assert dead_letters(plant.db) == []
