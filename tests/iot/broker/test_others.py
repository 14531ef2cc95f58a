"""Devices of other makers on a real Mosquitto: what a profile says over HTTP is listened to, and nothing is lost meanwhile."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from iot.models import Telemetry
from tests.iot.broker.brokers import wait_until
from tests.iot.broker.plants import Plant
from tests.iot.vehicles import dead_letters

PROFILE: dict[str, Any] = {
    "code": "plant",
    "name": "Plant",
    "adapter": "mapped",
    "mapping": {"topic": "plant/{address}/status", "payload": "json", "time": "$.t", "key": "$.no"},
    "metrics": {"soh_pct": {"source": "$.soh"}},
}


def test_a_profile_made_over_http_is_listened_to_follows_its_changes_and_loses_nothing_while_the_ingest_is_away(
    plant: Plant,
) -> None:
    with plant.running() as broker:
        with plant.ingesting():
            profile = plant.office.post("/device-profiles", PROFILE, expect=201)
            made = plant.add_device(profile["id"], plant.world.asset, address="7")
            plant.tell(broker, lambda: plant.client(made).connected, "the device to be let in")
            sender = plant.client(made)

            def stored() -> bool:
                sender.publish("plant/7/status", plant.body(0, 80.0))
                return plant.soh(made) == 80.0

            wait_until(stored, "the first reading, which the subscription must precede")
            # The broker drops these in silence: another device's topic, and one that the profile does not name.
            sender.publish("plant/8/status", plant.body(1, 50.0)).publish("plant/7/other", b"x")

        for no in (1, 2, 3):
            sender.publish("plant/7/status", plant.body(no, 80.0 - no))
        with plant.ingesting():
            wait_until(lambda: plant.soh(made) == 77.0, "what was sent while the ingest was away")
        with plant.db.reading() as session:
            assert session.scalar(select(func.count()).select_from(Telemetry)) == 4
        assert dead_letters(plant.db) == []

        # The topic changes while nobody listens: the old subscription is left in the broker's session, and must go.
        moved = PROFILE["mapping"] | {"topic": "hall/+/{address}"}
        plant.office.edit(f"/device-profiles/{profile['id']}", {"mapping": moved}, profile["version"])
        plant.tell(broker, lambda: plant.filters() == {"plant/+/status"}, "the broker to read the new rights")
        with plant.ingesting():
            wait_until(lambda: plant.filters() == {"hall/+/+"}, "the broker's word that the old subscription is gone")

            def moved_stored() -> bool:
                sender.publish("hall/north/7", plant.body(4, 70.0))
                return plant.soh(made) == 70.0

            wait_until(moved_stored, "a reading on the new topic")
        assert dead_letters(plant.db) == []
