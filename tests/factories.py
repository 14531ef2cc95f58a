"""A small organisation to test in: make_* with sensible defaults, through the product's own verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from app.assets import operations as assets
from app.assets.models import Asset, Component, Device, DeviceProfile
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.core.tracked import add
from app.customers import operations as customers
from app.customers.models import Customer, Site
from app.rules.operations import install_default_rules
from app.stations import operations as stations
from app.stations.models import Station
from app.territories import operations as territories
from app.territories.models import Territory
from app.users import auth, secrets
from app.users.models import User, UserTerritory
from app.users.rights import Actor
from iot.ingest import Message, ingest_batch
from tests import worlds

PASSWORD = "correct horse battery"
PART = "PACK-60"


@dataclass
class World:
    """Ids of what ``make_world`` made."""

    db: Database
    settings: Settings
    admin: str
    manager: str
    rep: str
    owner: str
    staff: list[str]
    stations: list[str]
    territory: str
    customer: str
    site: str
    asset: str
    pack: str
    device: str
    profile: str

    def actor(self, user_id: str) -> Actor:
        with self.db.reading() as session:
            return auth.actor_of(session, session.get_one(User, user_id))

    def send(self, *messages: Message) -> dict[str, int]:
        """Hand messages to the ingest, as the subscriber would, in one batch."""
        return dict(ingest_batch(self.db, self.settings, messages))

    def telemetry(
        self,
        *values: float,
        start: datetime | None = None,
        every: timedelta = timedelta(days=1),
        boot: str = "b1",
        device: str | None = None,
    ) -> list[Message]:
        """Return one message per state of health, a day apart, the last one now unless ``start`` says otherwise."""
        start = start or self.db.clock.now() - every * (len(values) - 1)
        return [
            soh(device or self.device, start + every * i, value, boot, i, self.db.clock.now()) for i, value in enumerate(values)
        ]

    def report(self, *values: float, **how: Any) -> dict[str, int]:
        """Report states of health, a day apart, the last one now."""
        return self.send(*self.telemetry(*values, **how))


def soh(device: str, at: datetime, value: float, boot: str, seq: int, received: datetime) -> Message:
    """Return one telemetry message as the broker delivers it."""
    payload = msgspec.json.encode({"ts": to_ms(at), "boot": boot, "seq": seq, "m": {"soh_pct": value}})
    return Message(f"devices/0/{device}/telemetry", payload, False, to_ms(received))


def make_user(session: Any, settings: Settings, role: str, name: str, *, territory_ids: Sequence[str] = (), **links: Any) -> User:
    """Make an active person with the password of the tests."""
    user = User(
        login=f"{name}@example.test",
        name=name,
        role=role,
        state="active",
        locale=links.pop("locale", "en"),
        email=links.pop("email", None),
        password_hash=secrets.hash_password(PASSWORD, settings.argon2_profile),
        valid_from=datetime(2020, 1, 1).astimezone(),
        **links,
    )
    add(session, user)
    for territory_id in territory_ids:
        session.add(UserTerritory(user_id=user.id, territory_id=territory_id))
    session.flush()
    return user


def make_station(
    session: Any, actor: Actor, territory: Territory, name: str, lat: float, units: int = 1, **values: Any
) -> Station:
    """Make an able station, open day and night, with some packs in stock."""
    given: dict[str, Any] = {
        "code": name,
        "name": f"Station {name}",
        "lat": lat,
        "lon": 114.05,
        "opening_hours": "24/7",
        "time_zone": "Asia/Shanghai",
        "bays": 2,
        "certificates": ["high_voltage"],
        "territory_ids": [territory.id],
        "active": True,
    } | values
    station = stations.create_station(session, actor, given)
    if units:
        stations.set_stock(session, actor, station, PART, units)
    return station


def make_asset(
    session: Any, actor: Actor, customer: Customer, site: Site, profile: DeviceProfile, name: str, since: datetime, **values: Any
) -> tuple[Asset, Component, Device]:
    """Make a vehicle with a battery pack fitted and a device in it."""
    asset = assets.create_asset(
        session, actor, {"serial": f"VIN-{name}", "model": "Model 60", "customer_id": customer.id, "site_id": site.id} | values
    )
    pack = assets.create_component(session, actor, {"serial": f"PACK-{name}", "kind": "battery_pack", "part_no": PART})
    assets.fit_component(session, actor, asset, pack, since)
    device, _ = assets.create_device(
        session, actor, asset, {"profile_id": profile.id, "id": f"device-{name}", "installed_at": since}
    )
    return asset, pack, device


def make_world(db: Database, settings: Settings, station_count: int = 2, units: int = 1) -> World:
    """Make an organisation with one customer, one vehicle, some stations and the default rules."""
    key = worlds.key_of(db, settings, station_count, units)
    ids = worlds.write(key, db) if key else None
    if ids is None:
        ids = _make_world(db, settings, station_count, units)
        if key:
            worlds.keep(key, db, ids)
    return World(db, settings, **ids)


def _make_world(db: Database, settings: Settings, station_count: int, units: int) -> dict[str, Any]:
    with db.transaction() as session:
        boss = Actor("system-user", "admin", "system", "en")
        territory = territories.create_territory(session, boss, "SZ", "Shenzhen")
        admin = make_user(session, settings, "admin", "admin")
        manager = make_user(session, settings, "manager", "manager", territory_ids=[territory.id])
        rep = make_user(session, settings, "rep", "rep", territory_ids=[territory.id], locale="zh-CN")
        customer = customers.create_customer(
            session, boss, {"code": "C-1", "name": "Lin Logistics", "territory_id": territory.id, "owner_id": rep.id}
        )
        site = customers.create_site(session, boss, customer, {"name": "Depot", "lat": 22.54, "lon": 114.05, "address": ""})
        owner = make_user(session, settings, "customer", "owner", customer_id=customer.id)
        made = [make_station(session, boss, territory, f"S{i}", 22.55 + i / 100, units) for i in range(station_count)]
        staff = [
            make_user(session, settings, "station_staff", f"staff{i}", station_id=station.id) for i, station in enumerate(made)
        ]
        profile = assets.create_profile(
            session,
            boss,
            {
                "code": "native",
                "name": "Native",
                "adapter": "native",
                "metrics": {"soh_pct": {"unit": "%", "component": "battery_pack"}},
            },
        )
        asset, pack, device = make_asset(session, boss, customer, site, profile, "0001", db.clock.now() - timedelta(days=400))
        install_default_rules(session)
        return {
            "admin": admin.id,
            "manager": manager.id,
            "rep": rep.id,
            "owner": owner.id,
            "staff": [user.id for user in staff],
            "stations": [station.id for station in made],
            "territory": territory.id,
            "customer": customer.id,
            "site": site.id,
            "asset": asset.id,
            "pack": pack.id,
            "device": device.id,
            "profile": profile.id,
        }
