"""What the tests of the ingest share: vehicles in a world, their readings, and what the database then says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import func, select

from app.assets import operations as assets
from app.assets.models import Asset, Component, Device, DeviceProfile
from app.core.clock import from_ms, to_ms
from app.core.db import Base, Database
from app.core.history import HistoryCause, HistoryEntry
from app.customers.models import Customer, Site
from app.rules.defaults import DEFAULT_RULES
from app.rules.detectors import DETECTORS, Reading, Removal, State
from app.rules.documents import read_document
from app.rules.parts import Context
from app.service_offers.models import ServiceOffer
from app.stations import operations as stations
from app.stations.models import PartStock, Station
from app.users.rights import Actor
from app.work_orders.models import StationTask
from iot.ingest import Message
from iot.models import Alarm, DeadLetter, DeviceLatest, DevicePresence, IngestCounter
from push.models import Notification
from tests.factories import PART, World, make_asset

BOSS = Actor("system-user", "admin", "system", "en")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@dataclass(frozen=True)
class Vehicle:
    """Ids of a vehicle, its pack and its device."""

    asset: str
    pack: str
    device: str


def make_vehicle(world: World, name: str, since: datetime | None = None) -> Vehicle:
    """Add a vehicle with a pack and a device to the world's customer."""
    since = since or world.db.clock.now() - timedelta(days=400)
    with world.db.transaction() as session:
        customer, site = session.get_one(Customer, world.customer), session.get_one(Site, world.site)
        profile = session.get_one(DeviceProfile, world.profile)
        asset, pack, device = make_asset(session, BOSS, customer, site, profile, name, since)
        return Vehicle(asset.id, pack.id, device.id)


def first_vehicle(world: World) -> Vehicle:
    return Vehicle(world.asset, world.pack, world.device)


def stock_up(world: World, units: int = 1000) -> None:
    """Put so many packs into every station that none runs out."""
    with world.db.transaction() as session:
        for station_id in world.stations:
            stations.set_stock(session, BOSS, session.get_one(Station, station_id), PART, units)


def replace_pack(world: World, vehicle: Vehicle, at: datetime, serial: str) -> str:
    """Record that the vehicle's pack was replaced at an instant; return the new one's id."""
    with world.db.transaction() as session:
        fresh = assets.create_component(session, BOSS, {"serial": serial, "kind": "battery_pack", "part_no": PART})
        assets.fit_component(session, BOSS, session.get_one(Asset, vehicle.asset), fresh, at)
        return fresh.id


class Value(NamedTuple):
    """One reading of a state of health: when, how much, and what makes its message the same message."""

    at: datetime
    soh_pct: float
    key: str

    @property
    def reading(self) -> Reading:
        return Reading(to_ms(self.at), self.key, self.soh_pct)


def values(start: datetime, every: timedelta, *found: float, boot: str = "b") -> list[Value]:
    return [Value(start + every * i, value, f"{boot}:{i}") for i, value in enumerate(found)]


def message(world: World, device: str, value: Value) -> Message:
    boot, _, seq = value.key.partition(":")
    body = {"ts": to_ms(value.at), "boot": boot, "seq": int(seq), "m": {"soh_pct": value.soh_pct}}
    return Message(f"devices/0/{device}/telemetry", msgspec.json.encode(body), False, to_ms(world.db.clock.now()))


def deliver(world: World, *messages: Message) -> Counter[str]:
    """Hand messages to the ingest in one batch; return how many met which fate."""
    return Counter(world.send(*messages))


def send(world: World, device: str, *found: Value) -> Counter[str]:
    return deliver(world, *[message(world, device, value) for value in found])


class Shown(NamedTuple):
    """An alarm as people see it."""

    raised_at: datetime
    cleared_at: datetime | None
    count: int
    first_value: float
    last_value: float


def expected_alarms(found: Iterable[Value], removed_at: datetime | None = None) -> list[Shown]:
    """Fold a set of readings as the pure detector does, in event-time order, up to the removal of the pack."""
    document = read_document(DEFAULT_RULES["battery-health"])
    items: list[Reading | Removal] = sorted({value.reading for value in found})
    if removed_at is not None:
        items = [item for item in items if item.at_ms < to_ms(removed_at)] + [Removal(to_ms(removed_at))]
    folded = DETECTORS["threshold"](State(), items, document.settings(Context()), 0)
    return [
        Shown(
            from_ms(e.raised_at_ms),
            from_ms(e.cleared_at_ms) if e.cleared_at_ms is not None else None,
            e.count,
            e.causes[0].value,
            e.last.value,
        )
        for e in folded.episodes
    ]


def alarms(db: Database, pack: str, *states: str) -> list[Alarm]:
    """Return a pack's alarms in event-time order, of some states if any are named."""
    with db.reading() as session:
        query = select(Alarm).where(Alarm.subject_id == pack).order_by(Alarm.raised_at, Alarm.id)
        return [alarm for alarm in session.scalars(query) if not states or alarm.state in states]


def shown_alarms(db: Database, pack: str) -> list[Shown]:
    """Return the alarms of a pack that were not withdrawn."""
    return [
        Shown(alarm.raised_at, alarm.cleared_at, alarm.readings, alarm.first_value, alarm.last_value)
        for alarm in alarms(db, pack, "raised", "acknowledged", "cleared")
    ]


def offers(db: Database, pack: str) -> list[ServiceOffer]:
    with db.reading() as session:
        return list(session.scalars(select(ServiceOffer).where(ServiceOffer.component_id == pack).order_by(ServiceOffer.id)))


def tasks(db: Database) -> list[StationTask]:
    with db.reading() as session:
        return list(session.scalars(select(StationTask).order_by(StationTask.id)))


def latest(db: Database, device: str, metric: str = "soh_pct") -> tuple[datetime, float] | None:
    with db.reading() as session:
        found = session.get(DeviceLatest, (device, metric))
        return (from_ms(found.at_ms), found.value) if found else None


def heard(db: Database, device: str) -> datetime | None:
    """Return when a device was heard last."""
    with db.reading() as session:
        found = session.get(DevicePresence, device)
        return from_ms(found.heard_ms) if found else None


def newest(found: Iterable[Value]) -> tuple[datetime, float]:
    value = max(found, key=lambda one: one.reading)
    return value.at, value.soh_pct


def reserved(db: Database) -> int:
    with db.reading() as session:
        return session.scalar(select(func.sum(PartStock.reserved))) or 0


def notes(db: Database, user_id: str) -> list[Notification]:
    with db.reading() as session:
        return list(session.scalars(select(Notification).where(Notification.user_id == user_id).order_by(Notification.id)))


def kinds(db: Database, user_id: str) -> list[str]:
    return [note.kind for note in notes(db, user_id)]


def happened(db: Database, subject_id: str) -> list[HistoryEntry]:
    """Return what the causal log says of a subject, in order."""
    with db.reading() as session:
        return list(session.scalars(select(HistoryEntry).where(HistoryEntry.subject_id == subject_id).order_by(HistoryEntry.id)))


def causes_of(db: Database, entry: HistoryEntry) -> list[HistoryEntry]:
    with db.reading() as session:
        query = select(HistoryEntry).join(HistoryCause, HistoryCause.cause_id == HistoryEntry.id)
        return list(session.scalars(query.where(HistoryCause.effect_id == entry.id).order_by(HistoryEntry.id)))


def dead_letters(db: Database) -> list[DeadLetter]:
    with db.reading() as session:
        return list(session.scalars(select(DeadLetter).order_by(DeadLetter.id)))


def counted(db: Database) -> dict[str, int]:
    with db.reading() as session:
        return dict(session.execute(select(IngestCounter.name, IngestCounter.n)).all())


def row_counts(db: Database, *, without: Sequence[str] = ()) -> dict[str, int]:
    """Count the rows of every table."""
    with db.reading() as session:
        found: dict[str, Any] = {
            name: session.scalar(select(func.count()).select_from(table)) for name, table in Base.metadata.tables.items()
        }
    return {name: n for name, n in found.items() if name not in without}


def components(db: Database) -> list[Component]:
    with db.reading() as session:
        return list(session.scalars(select(Component)))


def device(db: Database, device_id: str) -> Device:
    with db.reading() as session:
        return session.get_one(Device, device_id)
