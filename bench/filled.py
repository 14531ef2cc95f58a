"""The databases that sync is measured in: many rows in bulk, with the scope entries the product would have made for them.

Rows go past the product's verbs, because a million of them would take hours; a test compares the entries with those the
product computes (``fill_scopes``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.assets.models import Asset, Component
from app.attachments.models import Attachment
from app.core.db import ChangeCounter, Database, last_change, now
from app.core.scopes import ScopeEntry
from app.core.tracked import Tracked
from app.customers.models import Customer, Site
from app.rules.models import Rule
from app.rules.operations import install_default_rules
from app.service_offers.models import ServiceOffer
from app.stations.models import Station
from app.territories import operations as territories
from app.users.models import UserTerritory
from app.work_orders.models import StationTask, WorkOrder
from bench.fleet import BOSS, person
from bench.rows import GROUP, Rows
from iot.models import Alarm
from offline_sync.models import Intent, SyncProblem
from push.models import Notification

# Rows whose number is the same, as if one transaction had written them.
_TOGETHER = 100
_BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
_STOCK = 8
_COLUMNS = {
    "customers": ("id", "code", "name", "phone", "email", "territory_id", "owner_id"),
    "sites": ("id", "customer_id", "name", "address", "lat", "lon"),
}
_STAMPS = ("version", "change_no", "created_at", "updated_at")
_FILLED = ("customers", "sites", "scope_entries")
_WAYS = ("'territory:' || c.territory_id", "'owner:' || c.owner_id", "'customer:' || c.id")


@dataclass
class Filled:
    """What is in one database.

    Attributes:
        admin, reps, territories: ids; each rep works in the territory at the same place.
        rows: customers and sites in all.
        mine: customers and sites of the first rep.
        entries: scope entries in all.
        delta: a hundred rows of the first rep, over all twelve collections.
    """

    admin: str
    reps: list[str] = field(default_factory=list)
    territories: list[str] = field(default_factory=list)
    rows: int = 0
    mine: int = 0
    entries: int = 0
    delta: dict[type[Tracked], list[str]] = field(default_factory=dict)


def fill(database: Database, *, rows: int, areas: int, idle_areas: int = 0, entries: int = 0) -> Filled:
    """Fill a migrated database.

    Args:
        database: empty.
        rows: customers and sites, three entries each; a multiple of ten.
        areas: territories with a rep each, among whom they are dealt evenly.
        idle_areas: further territories with a rep each, without a row.
        entries: so many at least: what is missing are entries of rows that left a territory, which are kept for 90 days.
    """
    with database.transaction() as session:
        install_default_rules(session)
        filled = Filled(person(session, "admin", "admin").id)
        for number in range(areas + idle_areas):
            territory = territories.create_territory(session, BOSS, f"T{number}", f"Territory {number}")
            rep = person(session, f"rep{number}", "rep")
            session.add(UserTerritory(user_id=rep.id, territory_id=territory.id))
            filled.reps.append(rep.id)
            filled.territories.append(territory.id)
    with database.reading() as session:
        number = last_change(session)
    dealt = list(zip(filled.territories, filled.reps, strict=True))[:areas]
    removals = max(0, entries - 3 * rows)
    (_into_sqlite if database.dialect == "sqlite" else _into_postgres)(database, Rows(dealt), rows, number, removals)
    filled.rows, filled.mine = rows, rows // areas
    with database.transaction() as session:
        session.execute(update(ChangeCounter).values(n=number + rows // _TOGETHER + 1))
    with database.transaction() as session:
        filled.delta = _stock(session, filled)
    with database.reading() as session:
        filled.entries = session.scalar(select(func.count()).select_from(ScopeEntry)) or 0
    return filled


def change(database: Database, rows: dict[type[Tracked], list[str]]) -> None:
    """Let rows have changed, in one transaction: phones get them anew."""
    with database.transaction() as session:
        for model, ids in rows.items():
            renumbered = update(model).where(model.id.in_(ids)).values(change_no=None)
            session.execute(renumbered.execution_options(synchronize_session=False))


def _batches(rows: Rows, count: int, number: int) -> Iterator[tuple[str, list[tuple[Any, ...]]]]:
    """Return batches of rows of one table, with version, change number and stamps."""
    for start in range(0, count, 50 * _TOGETHER):
        made: dict[str, list[tuple[Any, ...]]] = {"customers": [], "sites": []}
        for place, group in enumerate(rows.groups(min(50 * _TOGETHER, count - start) // GROUP)):
            at = start + place * GROUP
            stamps = (1, number + 1 + at // _TOGETHER, *[_BEGAN + timedelta(milliseconds=137 * at)] * 2)
            made["customers"].append((*(group.customer[name] for name in _COLUMNS["customers"]), *stamps))
            made["sites"] += [(*(site[name] for name in _COLUMNS["sites"]), *stamps) for site in group.sites]
        yield from made.items()


def _entries_of(no: str) -> str:
    """Return the insert of the entries of all rows, in the order of the primary key, so that it is written from left to right."""
    ways = [
        f"SELECT {scope} AS scope, '{table}' AS collection, r.id, r.change_no, {no} FROM {table} r"
        f" JOIN customers c ON c.id = {key}"
        for scope in _WAYS
        for table, key in (("customers", "r.id"), ("sites", "r.customer_id"))
    ]
    return f"INSERT INTO scope_entries (scope, collection, row_id, change_no, gone) {' UNION ALL '.join(ways)} ORDER BY 1, 2, 3"


def _removals(yes: str, count: int) -> str:
    """Return the insert of the entries of rows that left: each lay in the territories after its own before."""
    return (
        "WITH places AS (SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS total FROM territories),"
        " times AS (SELECT 1 AS time UNION ALL SELECT 2 UNION ALL SELECT 3)"
        " INSERT INTO scope_entries (scope, collection, row_id, change_no, gone)"
        f" SELECT 'territory:' || w.id, 'sites', s.id, s.change_no, {yes} FROM sites s"
        " JOIN customers c ON c.id = s.customer_id JOIN places p ON p.id = c.territory_id CROSS JOIN times"
        f" JOIN places w ON w.place = (p.place + times.time) % p.total AND w.id <> p.id ORDER BY times.time LIMIT {count}"
        " ON CONFLICT DO NOTHING"
    )


def _insert(table: str) -> tuple[str, tuple[str, ...]]:
    names = (*_COLUMNS[table], *_STAMPS)
    return f"{table} ({', '.join(names)})", names


def _into_sqlite(database: Database, rows: Rows, count: int, number: int, removals: int) -> None:
    path = database.engine.url.database
    link = sqlite3.connect(str(path), isolation_level=None)
    for pragma in ("synchronous=OFF", "foreign_keys=OFF", "cache_size=-600000", "temp_store=MEMORY"):
        link.execute(f"PRAGMA {pragma}")
    marks = ", ".join("?" * len(_FILLED))
    known = link.execute(
        f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({marks})", _FILLED
    ).fetchall()
    link.execute("BEGIN IMMEDIATE")
    for name, _ in known:
        link.execute(f"DROP INDEX {name}")
    for table, batch in _batches(rows, count, number):
        target, names = _insert(table)
        # As SQLAlchemy keeps an instant there.
        told = [tuple(f"{v:%Y-%m-%d %H:%M:%S.%f}" if isinstance(v, datetime) else v for v in row) for row in batch]
        link.executemany(f"INSERT INTO {target} VALUES ({', '.join('?' * len(names))})", told)
    link.execute(_entries_of("0"))
    if removals:
        link.execute(_removals("1", removals))
    for _, statement in known:
        link.execute(statement)
    link.execute("COMMIT")
    link.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    link.close()


def _into_postgres(database: Database, rows: Rows, count: int, number: int, removals: int) -> None:
    url = database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url) as link:
        link.execute("SET session_replication_role = replica")  # no foreign keys to look up
        link.execute("SET maintenance_work_mem = '512MB'")
        link.execute("SET work_mem = '256MB'")
        known = link.execute(
            "SELECT indexname, indexdef FROM pg_indexes"
            " WHERE tablename = ANY(%s) AND indexname NOT IN (SELECT conname FROM pg_constraint)",
            (list(_FILLED),),
        ).fetchall()
        for name, _ in known:
            link.execute(f"DROP INDEX {name}")
        for table, batch in _batches(rows, count, number):
            with link.cursor().copy(f"COPY {_insert(table)[0]} FROM STDIN") as copy:
                for row in batch:
                    copy.write_row(row)
        link.execute("ANALYZE customers, sites")
        link.execute(_entries_of("false"))
        if removals:
            link.execute(_removals("true", removals))
        for _, statement in known:
            link.execute(statement)


def _stock(session: Session, filled: Filled) -> dict[type[Tracked], list[str]]:
    """Make rows of the first rep in the ten other collections; return a hundred ids over all twelve."""
    rep, territory = filled.reps[0], filled.territories[0]
    customers = list(session.scalars(select(Customer).where(Customer.territory_id == territory).limit(10)))
    sites = [session.scalars(select(Site).where(Site.customer_id == customer.id)).first() for customer in customers]
    rule = session.scalars(select(Rule)).first()
    present = now(session)
    made: dict[type[Tracked], list[str]] = {Customer: [c.id for c in customers], Site: [s.id for s in sites if s is not None]}

    def put(row: Tracked) -> None:
        row.created_at = row.updated_at = present
        session.add(row)
        session.flush()
        if not isinstance(row, Component):
            made.setdefault(type(row), []).append(row.id)

    makers: Iterable[Callable[[int, Customer, Site], Tracked]] = _makers(rep, territory, str(rule.id if rule else ""), present)
    for number in range(_STOCK):
        site = sites[number]
        assert site is not None
        for make in makers:
            put(make(number, customers[number], site))
    return made


def _makers(rep: str, territory: str, rule: str, at: datetime) -> list[Callable[[int, Customer, Site], Tracked]]:
    """Return how one row of each further collection is made, parents first."""
    until = at + timedelta(days=30)
    money = Decimal("4300.00")
    return [
        lambda n, _c, _s: Station(
            id=f"bench-station-{n}", code=f"ST{n}", name=f"南山服务站 {n}", address="科技路1号", lat=22.54, lon=114.05,
            opening_hours="24/7", time_zone="Asia/Shanghai", bays=2, active=True, certificates=["high_voltage"],
        ),
        lambda n, _c, _s: Component(id=f"bench-pack-{n}", serial=f"PACK-S-{n}", kind="battery_pack", part_no="PACK-60"),
        lambda n, c, s: Asset(id=f"bench-asset-{n}", serial=f"VIN-S-{n}", model="EV-200", customer_id=c.id, site_id=s.id),
        lambda n, _c, _s: Alarm(
            id=f"bench-alarm-{n}", rule_id=rule, rule_number=1, subject_kind="component", subject_id=f"bench-pack-{n}",
            asset_id=f"bench-asset-{n}", episode=1, state="raised", severity="warning", reached="warning",
            metric="soh_pct", raised_at=at,
            first_value=74.0, last_at=at, last_value=73.5, readings=3,
        ),
        lambda n, c, s: WorkOrder(
            id=f"bench-order-{n}", number=f"W{n:06d}", job="battery_replacement", asset_id=f"bench-asset-{n}",
            component_id=f"bench-pack-{n}", customer_id=c.id, site_id=s.id, territory_id=territory, part_no="PACK-60",
            certificates=["high_voltage"], state="proposed",
        ),
        lambda n, _c, _s: StationTask(
            id=f"bench-task-{n}", work_order_id=f"bench-order-{n}", station_id=f"bench-station-{n}", state="offered",
            part_no="PACK-60", answer_by=until,
        ),
        lambda n, c, _s: ServiceOffer(
            id=f"bench-offer-{n}", kind="battery_replacement", state="issued", alarm_id=f"bench-alarm-{n}",
            component_id=f"bench-pack-{n}", asset_id=f"bench-asset-{n}", customer_id=c.id, work_order_id=f"bench-order-{n}",
            price=money, discount=Decimal("500.00"), amount_due=money, currency="CNY", under_warranty=False, valid_until=until,
        ),
        lambda n, _c, _s: Notification(
            id=f"bench-notice-{n}", user_id=rep, kind="offer_slots_ready",
            data={"station_name": "North", "asset_model": "EV-200"}, subject_kind="service_offer",
            subject_id=f"bench-offer-{n}", dedupe_key=f"bench-{n}",
        ),
        lambda n, _c, _s: Intent(
            id=f"bench-intent-{n}", user_id=rep, installation_id="bench-other-phone", kind="alarm.acknowledge",
            body=f'{{"alarm_id": "bench-alarm-{n}"}}', made_ms=1_772_416_800_000, verdict="accepted", decided_at=at,
        ),
        lambda n, c, _s: Attachment(
            id=f"bench-photo-{n}", subject_kind="customer", subject_id=c.id, user_id=rep, installation_id="bench-other-phone",
            name=f"照片 {n}.jpg", mime="image/jpeg", size=345_678, sha256=f"{n:064x}", state="waiting", made_ms=1_772_416_800_000,
        ),
        lambda n, _c, _s: SyncProblem(
            id=f"bench-problem-{n}", user_id=rep, installation_id="bench-other-phone", collection="customers",
            row_id=f"bench-wrong-{n}", reasons={"phone": ["phone_invalid"]}, content='{"phone": "nonsense"}',
            content_hash=f"{n:064x}", state="open",
        ),
    ]  # fmt: skip
