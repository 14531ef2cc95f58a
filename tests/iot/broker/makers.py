"""A vehicle with the device of another maker on a real Mosquitto, whose account publishes that maker's messages."""

from __future__ import annotations

from typing import Any

from app.core.clock import to_ms
from evaluation.makers import CONVENTIONS, Convention, Spoken
from tests.iot.broker.brokers import Client, becomes, wait_until
from tests.iot.broker.plants import Plant
from tests.iot.vehicles import DAY, Vehicle, make_vehicle


class Maker:
    """``account`` signs in and publishes; ``device`` is spoken for."""

    def __init__(self, plant: Plant, vehicle: Vehicle, convention: type[Convention]) -> None:
        self.plant, self.vehicle, self.told = plant, vehicle, convention()
        self.profile = plant.add_profile(**self.told.profile)
        self.device = self.account = plant.add_device(self.profile, vehicle.asset, address=self.told.address)
        if self.told.speaker:
            asked = {"address": self.told.speaker, "gateway": self.told.gateway}
            self.account = plant.add_device(self.profile, vehicle.asset, **asked)
        self.client: Client | None = None

    def sign_in(self) -> Client:
        self.client = self.plant.client(self.account, will=self.told.will(self.now_ms()))
        return self.client

    def say(self, *spoken: Spoken) -> None:
        assert self.client is not None
        for one in spoken:
            self.client.publish(one.topic, one.payload, qos=one.qos, retain=one.retain)

    def be_born(self, **how: Any) -> None:
        self.say(*self.told.births(self.now_ms(), **how))

    def tell(self, soh: float, *, days_ago: int = 0, later_ms: int = 0, **how: Any) -> None:
        self.say(*self.told.value(soh, self.now_ms(days_ago) + later_ms, **how))

    def now_ms(self, days_ago: int = 0) -> int:
        return to_ms(self.plant.db.clock.now() - DAY * days_ago)

    @property
    def soh(self) -> float | None:
        return self.plant.soh(self.device)

    def be_listened_to(self) -> None:
        """Say a healthy value until it is stored: the ingest follows a profile within a second or two. Nothing is left behind."""

        def stored() -> bool:
            self.be_born()
            self.tell(80.0, days_ago=3)
            return becomes(lambda: self.soh == 80.0, 0.5)

        wait_until(stored, f"the first value of {self}")

    def __str__(self) -> str:
        return type(self.told).__name__


def make_all(plant: Plant) -> list[Maker]:
    """Register a vehicle of each maker."""
    return [Maker(plant, make_vehicle(plant.world, f"{i:04}-of-others"), one) for i, one in enumerate(CONVENTIONS)]
