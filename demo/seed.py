"""Seeds the demo organisation through the product's own verbs. Run twice it changes nothing."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets import operations as assets
from app.core.db import Database, now
from app.core.locales import in_terminal
from app.core.settings import Settings
from app.core.tracked import add
from app.customers import operations as customers
from app.customers.models import Customer
from app.entitlements import kinds as entitlement_kinds
from app.entitlements import operations as entitlements
from app.follow_ups import operations as follow_ups
from app.leads import operations as leads
from app.leads.scores import set_routing
from app.rules.operations import install_default_rules
from app.stations import operations as stations
from app.stations.models import Station
from app.territories import operations as territories
from app.users import secrets
from app.users.auth import actor_of
from app.users.models import User, UserTerritory
from app.users.rights import Actor
from demo.story import ENTITLEMENT, OWNERS, PART, PEOPLE, PROSPECTS, ROUTING, STATIONS, TERRITORIES, Prospect

_BOSS = Actor("demo-seed", "admin", "demo", "zh-CN")


def demo_password(settings: Settings) -> str:
    """Return the password of all demo accounts; another one in each deployment."""
    return secrets.derived_code(settings, "demo-password", "everybody").lower()


def devices_file(settings: Settings) -> Path:
    """Return where the demo devices' secrets are kept for the simulator."""
    return settings.var_dir / "demo-devices.json"


def seed(database: Database, settings: Settings) -> str:
    """Make the demo organisation unless it is there, and return what to print about it."""
    with database.transaction() as session:
        if session.scalar(select(User.id).where(User.login == "admin")) is None:
            _keep_devices(settings, _seed(session, settings))
    return _accounts(settings)


def _seed(session: Session, settings: Settings) -> list[dict[str, Any]]:
    install_default_rules(session)
    area = {code: territories.create_territory(session, _BOSS, code, name) for code, name in TERRITORIES}
    hashed = secrets.hash_password(demo_password(settings), settings.argon2_profile)

    def person(login: str, name: str, role: str, locale: str, territory: str | None, **links: str) -> User:
        made = add(
            session,
            User(
                login=login,
                name=name,
                role=role,
                state="active",
                locale=locale,
                password_hash=hashed,
                valid_from=now(session),
                **links,
            ),
        )
        if territory:
            session.add(UserTerritory(user_id=made.id, territory_id=area[territory].id))
            session.flush()
        return made

    reps: dict[str | None, User] = {}
    for login, name, role, locale, territory in PEOPLE:
        made = person(login, name, role, locale, territory)
        if role == "rep":
            reps[territory] = made
    for place in STATIONS:
        station = _station(session, settings, place, area[place.territory].id)
        person(f"station.{place.code.lower()}", f"{place.name}技师", "station_staff", "zh-CN", None, station_id=station.id)
    profile = assets.create_profile(
        session,
        _BOSS,
        {
            "code": "fieldloop-json",
            "name": "Fieldloop JSON",
            "adapter": "native",
            "soh_reference": "first_cycle",
            "metrics": {"soh_pct": {"unit": "%", "component": "battery_pack"}},
        },
    )
    devices = []
    for owner in OWNERS:
        customer = customers.create_customer(
            session,
            _BOSS,
            {
                "code": owner.code,
                "name": owner.name,
                "territory_id": area[owner.territory].id,
                "owner_id": reps[owner.territory].id,
            },
        )
        site = customers.create_site(
            session, _BOSS, customer, {"name": owner.site, "lat": owner.lat, "lon": owner.lon, "address": ""}
        )
        person(owner.login, owner.person, "customer", owner.locale, None, customer_id=customer.id)
        asset = assets.create_asset(
            session, _BOSS, {"serial": owner.vehicle, "model": owner.model, "customer_id": customer.id, "site_id": site.id}
        )
        pack = assets.create_component(session, _BOSS, {"serial": f"PACK-{owner.cell}", "kind": "battery_pack", "part_no": PART})
        since = now(session) - timedelta(days=400)
        assets.fit_component(session, _BOSS, asset, pack, since)
        device, secret = assets.create_device(
            session, _BOSS, asset, {"profile_id": profile.id, "id": f"demo-{owner.cell.lower()}"}
        )
        devices.append(
            {
                "id": device.id,
                "shard": device.shard,
                "secret": secret,
                "cell": owner.cell,
                "last_burst_cycle": owner.last_burst_cycle,
            }
        )
    office = session.scalars(select(User).where(User.login == "admin")).one()
    set_routing(session, actor_of(session, office), ROUTING)
    for prospect in PROSPECTS:
        maker = next((rep for rep in reps.values() if rep.login == prospect.rep), office)
        _lead(session, settings, actor_of(session, maker), prospect, area[prospect.territory].id)
    _owe(session, settings)
    return devices


def _owe(session: Session, settings: Settings) -> None:
    """Grant the first owner some hours of training until the end of the year."""
    customer = session.scalars(select(Customer).where(Customer.code == OWNERS[0].code)).one()
    kind = entitlement_kinds.create_kind(session, _BOSS, ENTITLEMENT)
    day = entitlements.today(session, settings)
    values = {"customer_id": customer.id, "kind_id": kind.id, "amount": Decimal("20.00"), "reference": "SO-2026-0117"}
    entitlements.grant(session, settings, _BOSS, values | {"valid_from": day, "valid_until": day.replace(month=12, day=31)})


def _lead(session: Session, settings: Settings, actor: Actor, prospect: Prospect, territory_id: str) -> None:
    """Make a lead, and log the call that was made."""
    values = {
        "name": prospect.name,
        "phone": f"+86{prospect.phone}",
        "interest": prospect.interest,
        "territory_id": territory_id,
        "company": prospect.company,
        "budget": Decimal(prospect.budget) if prospect.budget else None,
        "source": prospect.source,
    }
    made = leads.create_lead(session, settings, actor, values)
    if prospect.told:
        call = {"kind": "call", "lead_id": made.id, "summary": prospect.told, "duration_s": 180, "next_step": prospect.next_step}
        follow_ups.log_follow_up(session, actor, call)


def _station(session: Session, settings: Settings, place: Any, territory_id: str) -> Station:
    made = stations.create_station(
        session,
        _BOSS,
        {
            "code": place.code,
            "name": place.name,
            "lat": place.lat,
            "lon": place.lon,
            "opening_hours": place.opening_hours,
            "active": True,
            "time_zone": str(settings.time_zone),
            "bays": 2,
            "certificates": ["high_voltage"],
            "territory_ids": [territory_id],
            "address": "",
        },
    )
    if place.units:
        stations.set_stock(session, _BOSS, made, PART, place.units)
    return made


def _keep_devices(settings: Settings, devices: list[dict[str, Any]]) -> None:
    path = devices_file(settings)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(devices, file)


def _accounts(settings: Settings) -> str:
    password = demo_password(settings)
    staff = "  ".join(f"station.{place.code.lower()}" for place in STATIONS)
    owners = "  ".join(owner.login for owner in OWNERS)
    return in_terminal()(
        f"\nAccounts of the demo (password of all: {password})\n"
        f"  office    admin  manager      reps  rep.zh  rep.en\n"
        f"  owners    {owners}\n"
        f"  stations  {staff}\n",
        f"\n演示账号（统一密码：{password}）\n"
        f"  管理      admin  manager      业务员  rep.zh  rep.en\n"
        f"  车主      {owners}\n"
        f"  服务站    {staff}\n",
    )
