"""One vehicle with the device of another maker: its profile, its account, and messages as that maker's device sends them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from app.core.clock import to_ms
from evaluation.sparkplug import metric, payload
from tests.iot.broker.brokers import Client, becomes, wait_until
from tests.iot.broker.plants import Plant
from tests.iot.vehicles import DAY, Vehicle, make_vehicle

_DOUBLE = 10


class Spoken(NamedTuple):
    """One publication: topic, payload, quality of service, and whether the broker shall keep it."""

    topic: str
    payload: str | bytes
    qos: int
    retain: bool


class Maker:
    """A vehicle whose state of health another maker's device tells. ``account`` signs in; ``device`` is spoken for."""

    timed = False  # whether its messages carry a time of their own

    def __init__(self, plant: Plant, vehicle: Vehicle) -> None:
        self.plant, self.vehicle = plant, vehicle
        self.account, self.device = self.register(plant, vehicle.asset)
        self.client: Client | None = None

    def register(self, plant: Plant, asset: str) -> tuple[str, str]:
        """Return the ids of who signs in and of who is spoken for."""
        raise NotImplementedError

    def births(self) -> list[Spoken]:
        """Return what comes before the first value of a connection."""
        return []

    def value(self, soh: float, at_ms: int) -> list[Spoken]:
        """Return what tells one state of health, measured then."""
        raise NotImplementedError

    def sign_in(self) -> None:
        self.client = self.plant.client(self.account)

    def say(self, *spoken: Spoken) -> None:
        assert self.client is not None
        for one in spoken:
            self.client.publish(one.topic, one.payload, qos=one.qos, retain=one.retain)

    def now_ms(self, days_ago: int = 0) -> int:
        return to_ms(self.plant.db.clock.now() - DAY * days_ago)


class Ovms(Maker):
    def register(self, plant: Plant, asset: str) -> tuple[str, str]:
        profile = plant.add_profile(code="ovms", adapter="ovms", metrics={"soh_pct": {"source": "v/b/soh"}})
        made = plant.add_device(profile, asset, id="ovms-car-1", address="ovms-car-1/CAR1")
        return made, made

    def value(self, soh: float, at_ms: int) -> list[Spoken]:
        below = "ovms/ovms-car-1/CAR1/metric"
        return [Spoken(f"{below}/v/b/health", "worn", 0, True), Spoken(f"{below}/v/b/soh", str(soh), 0, True)]


class TeslaMate(Maker):
    """No state of health among the fields: it is the rated range at full charge, of 400 km when new."""

    def register(self, plant: Plant, asset: str) -> tuple[str, str]:
        metrics = {"soh_pct": {"source": "rated_battery_range_km", "scale": 0.25}}
        profile = plant.add_profile(code="tesla", adapter="teslamate", metrics=metrics)
        made = plant.add_device(profile, asset, address="1")
        return made, made

    def value(self, soh: float, at_ms: int) -> list[Spoken]:
        fields = {"display_name": "Blue Thunder", "charging_state": "Complete", "rated_battery_range_km": str(soh * 4)}
        return [Spoken(f"teslamate/cars/1/{field}", value, 1, True) for field, value in fields.items()]


class ThingsBoard(Maker):
    timed = True

    def register(self, plant: Plant, asset: str) -> tuple[str, str]:
        profile = plant.add_profile(code="boards", adapter="thingsboard", metrics={"soh_pct": {"source": "soh"}})
        gateway = plant.add_device(profile, asset, address="Gateway", gateway=True)
        return gateway, plant.add_device(profile, asset, address="Van 仓库/7")

    def births(self) -> list[Spoken]:
        return [Spoken("v1/gateway/connect", json.dumps({"device": "Van 仓库/7"}), 1, False)]

    def value(self, soh: float, at_ms: int) -> list[Spoken]:
        told = {"Van 仓库/7": [{"ts": at_ms, "values": {"soh": soh, "state": "driving"}}]}
        return [Spoken("v1/gateway/telemetry", json.dumps(told), 1, False)]


class Sparkplug(Maker):
    """A node and a device below it; after its birth the device tells its value under an alias."""

    timed = True

    def register(self, plant: Plant, asset: str) -> tuple[str, str]:
        self.profile = plant.add_profile(code="plants", adapter="sparkplug", metrics={"soh_pct": {"source": "Battery/SoH"}})
        node = plant.add_device(self.profile, asset, address="org/702")
        return node, plant.add_device(self.profile, asset, address="org/702/pack")

    def sign_in(self) -> None:
        self.seq = 0  # of the last message
        death = payload(self.now_ms(), None, metric("bdSeq", long_value=3, kind=8))
        self.client = self.plant.client(self.account, will=("spBv1.0/org/NDEATH/702", death, 1, False))

    def next(self) -> int:
        self.seq = (self.seq + 1) % 256
        return self.seq

    def births(self, alias: int = 7) -> list[Spoken]:
        controls = [metric("bdSeq", long_value=3, kind=8), metric("Node Control/Rebirth", 1, kind=11, boolean=0)]
        self.seq, at = 0, self.now_ms()
        node = Spoken("spBv1.0/org/NBIRTH/702", payload(at, 0, *controls), 0, False)
        pack = payload(at, self.next(), metric("Battery/SoH", alias, 80.0, kind=_DOUBLE))
        return [node, Spoken("spBv1.0/org/DBIRTH/702/pack", pack, 0, False)]

    def value(self, soh: float, at_ms: int, alias: int = 7) -> list[Spoken]:
        told = payload(at_ms, self.next(), metric(alias=alias, value=soh))
        return [Spoken("spBv1.0/org/DDATA/702/pack", told, 0, False)]


class Mapped(Maker):
    """Any maker's: a profile says where the values stand. ``code`` is the profile's and the first level of its topics."""

    code, payload, reading = "", "", {}  # type: ignore[var-annotated]

    def register(self, plant: Plant, asset: str) -> tuple[str, str]:
        mapping = {"topic": f"{self.code}/{{address}}/status", "payload": self.payload, **self.reading["mapping"]}
        metrics = {"soh_pct": self.reading["soh_pct"]}
        profile = plant.add_profile(code=self.code, adapter="mapped", mapping=mapping, metrics=metrics)
        made = plant.add_device(profile, asset, address="7")
        return made, made

    def told(self, soh: float, at_ms: int) -> str:
        raise NotImplementedError

    def value(self, soh: float, at_ms: int) -> list[Spoken]:
        return [Spoken(f"{self.code}/7/status", self.told(soh, at_ms), 1, False)]


class MappedJson(Mapped):
    timed, code, payload = True, "hall", "json"
    reading: dict[str, Any] = {
        "mapping": {"each": "$.log", "time": "$.t"},
        "soh_pct": {"source": "$.battery['soh share']", "scale": 100},
    }

    def told(self, soh: float, at_ms: int) -> str:
        return json.dumps({"log": [{"t": at_ms, "battery": {"soh share": soh / 100, "maker": "x"}}]})


class MappedCsv(Mapped):
    timed, code, payload = True, "yard", "csv"
    reading: dict[str, Any] = {
        "mapping": {"separator": ";", "time": "1", "time_form": "ms", "key": "2"},
        "soh_pct": {"source": "3"},
    }

    def told(self, soh: float, at_ms: int) -> str:
        return f'{at_ms};{at_ms % 1000};"{soh}";worn\r\n'


class MappedText(Mapped):
    code, payload = "shed", "text"
    reading: dict[str, Any] = {"mapping": {}, "soh_pct": {}}

    def told(self, soh: float, at_ms: int) -> str:
        return f" {soh}\n"


def listened_to(maker: Maker) -> None:
    """Say a healthy value until it is stored: the ingest follows a profile within a second or two. Nothing is left to come."""

    def stored() -> bool:
        maker.say(*maker.births(), *maker.value(80.0, maker.now_ms(days_ago=3)))
        return becomes(lambda: maker.plant.soh(maker.device) == 80.0, 0.5)

    wait_until(stored, f"the first value of {type(maker).__name__}")


MAKERS: list[Callable[[Plant, Vehicle], Maker]] = [
    Ovms, TeslaMate, ThingsBoard, Sparkplug, MappedJson, MappedCsv, MappedText
]  # fmt: skip


def make_all(plant: Plant) -> list[Maker]:
    """Register a vehicle of each maker."""
    return [make(plant, make_vehicle(plant.world, f"{i:04}-of-others")) for i, make in enumerate(MAKERS)]
