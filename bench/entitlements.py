"""Telling what was used of an entitlement, beside how much was used of it before; over HTTP."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.core.db import Database, now
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import add_many
from app.customers import operations as customers
from app.entitlements import operations as entitlements
from app.entitlements.kinds import create_kind
from app.entitlements.models import EntitlementSpend
from app.territories import operations as territories
from app.users.models import UserTerritory
from bench.figures import Table, percentile, short
from bench.fleet import BOSS, person
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.served import Served, serve
from bench.web import Client

BEFORE, BEFORE_QUICK = (10, 1_000, 10_000), (10, 1_000)
_WARMING = 3


@dataclass
class Filled:
    """A rep, the kind, and the customers by how many spends they have of it."""

    rep: str
    kind: str
    customers: dict[int, str] = field(default_factory=dict)


def measure(lab: Lab, _fleets: object, quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every balance was right in the end."""
    sizes, rounds = (BEFORE_QUICK, 5) if quick else (BEFORE, 30)
    columns = (f"{DATABASE_NAMES[kind]} {what}" for kind in KINDS for what in ("p50 ms", "p95 ms"))
    table = Table("15. Telling what was used of an entitlement", ("spends of it before", *columns))
    took: dict[str, dict[int, list[float]]] = {}
    faults: list[str] = []
    for kind in KINDS:
        name = f"entitlements-{max(sizes)}"
        filled = lab.template(kind, lambda database: fill(database, lab.settings(""), sizes), name)
        with serve(lab, lab.database(kind, name)) as served:
            took[kind] = _tell(served, filled, rounds, faults)
    for size in sizes:
        cells = (short(percentile(took[kind][size], of)) for kind in KINDS for of in (50, 95))
        table.rows.append((f"{size:,}", *cells))
    table.notes = [f"FAILED: {fault}" for fault in faults] + [
        f"`POST /entitlement-spends`, whole requests to granian by the signed-in rep, {rounds} of each after {_WARMING} that do "
        "not count: every other one happened before all others, and everything after it is counted behind it. All spends of the "
        "customer and kind are read and folded each time.",
    ]
    return table, not faults


def fill(database: Database, settings: Settings, sizes: tuple[int, ...]) -> Filled:
    """Make a rep in charge of customers with one grant each, and what was used of it."""
    with database.transaction() as session:
        territory = territories.create_territory(session, BOSS, "T", "Area")
        rep = person(session, "entitlements", "rep").id
        session.add(UserTerritory(user_id=rep, territory_id=territory.id))
        names = {"code": "hours", "name_zh": "课时", "name_en": "Class hours", "unit": "hour", "active": True, "step_minutes": 15}
        filled = Filled(rep, create_kind(session, BOSS, names).id)
        for size in sizes:
            given = {"code": f"C{size}", "name": f"Customer of {size}", "territory_id": territory.id, "owner_id": rep}
            filled.customers[size] = customers.create_customer(session, BOSS, given).id
    for size, customer in filled.customers.items():
        _use(database, settings, filled, customer, size)
    return filled


def _use(database: Database, settings: Settings, filled: Filled, customer: str, count: int) -> None:
    """Put spends of a customer into the table as the fold has them, and let one grant cover them."""
    with database.transaction() as session:
        present = now(session)
        begins = (present - timedelta(days=360)).date()
        of_it = {"customer_id": customer, "kind_id": filled.kind}
        grant = entitlements.grant(session, settings, BOSS, of_it | {"amount": Decimal(count + 1000), "valid_from": begins})
        one = Decimal("1.00")
        add_many(
            session,
            EntitlementSpend,
            [
                of_it
                | {
                    "id": new_id(),
                    "amount": one,
                    "happened_at": (at := present - timedelta(hours=1, minutes=minute)),
                    "day": at.astimezone(settings.time_zone).date(),
                    "user_id": filled.rep,
                    "source": "rep",
                    "state": "covered",
                    "covered": one,
                    "cover": [{"grant_id": grant.id, "amount": "1.00"}],
                    "recent": True,
                }
                for minute in range(count)
            ],
        )


def _tell(served: Served, filled: Filled, rounds: int, faults: list[str]) -> dict[int, list[float]]:
    client = Client(served.settings.http_port, served.token(filled.rep))
    took: dict[int, list[float]] = {}
    for number in range(rounds + _WARMING):
        late = timedelta(days=20, minutes=number) if number % 2 else timedelta()
        for size, customer in filled.customers.items():
            body = {"id": new_id(), "customer_id": customer, "kind_id": filled.kind, "amount": "1.00"}
            body["happened_at"] = (datetime.now(UTC) - late).isoformat()
            began = time.perf_counter()
            told = client.call("POST", "/entitlement-spends", body)
            if number >= _WARMING:
                took.setdefault(size, []).append((time.perf_counter() - began) * 1000)
            if told["state"] != "covered":
                faults.append(f"{size:,} before: {told['state']}")
    for size, customer in filled.customers.items():
        [shown] = client.call("GET", f"/entitlements?customer_id={customer}")["items"]
        if Decimal(shown["spent"]) != size + rounds + _WARMING:
            faults.append(f"{size:,} before: {shown['spent']} spent")
    client.close()
    return took
