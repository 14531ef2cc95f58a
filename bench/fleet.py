"""The organisation that is measured in: offices and stations by the product's verbs, equipment in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.models import Asset, Component, Device, Fitting
from app.assets.operations import create_profile
from app.core.clock import to_ms
from app.core.db import Database, now
from app.core.settings import Settings
from app.core.tracked import Tracked, add
from app.customers import operations as customers
from app.rules.operations import install_default_rules
from app.stations import operations as stations
from app.territories import operations as territories
from app.users.models import User, UserTerritory
from app.users.rights import Actor
from bench.load import METRICS, RULE_METRIC, message
from iot.ingest import Message, ingest_batch

AREAS = 8
ROAD, ILL = 500, 300
PART = "PACK-60"
BOSS = Actor("bench-seed", "admin", "bench", "en")


@dataclass
class Area:
    """One territory with one rep, one station with one member of staff, and one customer."""

    rep: str
    staff: str
    station: str
    customer: str
    site: str


@dataclass
class Fleet:
    """Ids of what ``fill`` made in one database. ``packs``: the component a device reads."""

    areas: list[Area] = field(default_factory=list)
    road: list[str] = field(default_factory=list)
    ill: list[str] = field(default_factory=list)
    packs: dict[str, str] = field(default_factory=dict)


def fill(database: Database, settings: Settings) -> Fleet:
    """Make the organisation: 500 healthy devices, and 300 of which one more low reading raises an alarm."""
    fleet = Fleet()
    with database.transaction() as session:
        install_default_rules(session)
        metrics = {name: {"unit": ""} for name in METRICS} | {RULE_METRIC: {"unit": "%", "component": "battery_pack"}}
        profile = create_profile(session, BOSS, {"code": "bench", "name": "Bench", "adapter": "native", "metrics": metrics})
        person(session, "manager", "manager")
        fleet.areas = [_area(session, number) for number in range(AREAS)]
        fleet.road = [f"bench-road-{number:04d}" for number in range(ROAD)]
        fleet.ill = [f"bench-ill-{number:04d}" for number in range(ILL)]
        for number, device_id in enumerate([*fleet.road, *fleet.ill]):
            area = fleet.areas[number % AREAS]
            fleet.packs[device_id] = add_asset(session, area, device_id)[1]
            _add(
                session,
                Device(
                    id=device_id,
                    adapter="native",
                    address=device_id,
                    profile_id=profile.id,
                    asset_id=f"asset-{device_id}",
                    installed_at=now(session) - timedelta(days=400),
                ),
            )
    _sicken(database, settings, fleet.ill)
    return fleet


def person(session: Session, login: str, role: str, **links: str) -> User:
    """Add a person who is active."""
    values = {"login": login, "name": login, "role": role, "state": "active", "locale": "en"}
    return add(session, User(**values, valid_from=now(session) - timedelta(days=1), **links))


def manager_of(session: Session) -> str:
    """Return the id of the manager, who may edit rules."""
    return session.scalars(select(User.id).where(User.login == "manager")).one()


def _area(session: Session, number: int) -> Area:
    territory = territories.create_territory(session, BOSS, f"T{number}", f"Territory {number}")
    rep = person(session, f"rep{number}", "rep")
    session.add(UserTerritory(user_id=rep.id, territory_id=territory.id))
    session.flush()
    place = {"lat": 22.5 + number / 100, "lon": 114.05}
    station = stations.create_station(
        session,
        BOSS,
        {
            "code": f"S{number}",
            "name": f"Station {number}",
            **place,
            "opening_hours": "24/7",
            "time_zone": "Asia/Shanghai",
            "bays": 4,
            "certificates": ["high_voltage"],
            "territory_ids": [territory.id],
            "active": True,
        },
    )
    stations.set_stock(session, BOSS, station, PART, 100_000)
    staff = person(session, f"staff{number}", "station_staff", station_id=station.id)
    customer = customers.create_customer(
        session, BOSS, {"code": f"C{number}", "name": f"Customer {number}", "territory_id": territory.id, "owner_id": rep.id}
    )
    site = customers.create_site(session, BOSS, customer, {"name": "Depot", "address": "", **place})
    person(session, f"owner{number}", "customer", customer_id=customer.id)
    return Area(rep.id, staff.id, station.id, customer.id, site.id)


def _add(session: Session, row: Tracked) -> None:
    """Add a row to what is flushed in bulk."""
    row.created_at = row.updated_at = now(session)
    session.add(row)


def add_asset(session: Session, area: Area, name: str) -> tuple[str, str]:
    """Add a vehicle with its battery pack; return both ids."""
    asset_id, pack_id = f"asset-{name}", f"pack-{name}"
    _add(
        session,
        Asset(id=asset_id, serial=f"VIN-{name}", model="Model 60", customer_id=area.customer, site_id=area.site),
    )
    _add(session, Component(id=pack_id, serial=f"PACK-{name}", kind="battery_pack", part_no=PART))
    _add(
        session,
        Fitting(component_id=pack_id, asset_id=asset_id, fitted_at=now(session) - timedelta(days=400), removed_at=None),
    )
    return asset_id, pack_id


def _sicken(database: Database, settings: Settings, device_ids: Sequence[str]) -> None:
    """Send two low readings of each device, 30 and 2 hours old: the third one raises."""
    present_ms = to_ms(database.clock.now())
    for seq, hours in enumerate((30, 2)):
        made = [message(device_id, seq, present_ms - hours * 3_600_000, {RULE_METRIC: 74.0}) for device_id in device_ids]
        counts = ingest_batch(database, settings, [Message(one.topic, one.payload, False, present_ms) for one in made])
        if counts["reading"] != len(device_ids):
            raise RuntimeError(f"seeding went wrong: {dict(counts)}")
