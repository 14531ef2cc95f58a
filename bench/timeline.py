"""The story of a customer of whom very much was recorded, beside one of whom little was; over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from app.core.db import Database, insert_many, now
from app.core.history import HistoryEntry
from app.core.ids import new_id
from app.customers import operations as customers
from app.territories import operations as territories
from app.users.models import UserTerritory
from bench.figures import Aim, Table, percentile, short
from bench.fleet import BOSS, person
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.served import Served, serve
from bench.web import Client

MANY, MANY_QUICK, FEW = 100_000, 5_000, 2_000
_SEEN_ONE_IN = 10
_AT_A_TIME = 5_000
_PAGE = 50
_WARMING = 5
AIM = Aim(most=1.5)  # of the much to the little: the same page, however much lies behind it
PAGES = ("first page", "first page of one kind", "next page")


@dataclass
class Filled:
    """A rep, and the customers by how much was recorded of them."""

    rep: str
    customers: dict[str, str] = field(default_factory=dict)


def measure(lab: Lab, _fleets: object, quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every page held what it should."""
    many, rounds = (MANY_QUICK, 10) if quick else (MANY, 100)
    columns = (f"{DATABASE_NAMES[kind]}{what}" for kind in KINDS for what in (" much, p50 ms", " little, p50 ms", " ratio"))
    table = Table(f"13. The timeline of a customer with {many:,} entries", ("what", *columns, "ratio aimed at", "met"))
    took: dict[str, dict[str, list[float]]] = {}
    faults: list[str] = []
    for kind in KINDS:
        filled = lab.template(kind, lambda database: fill(database, many), f"timeline-{many}")
        with serve(lab, lab.original(kind, f"timeline-{many}")) as served:
            took[kind] = _ask(served, filled, rounds, faults)
    for page in PAGES:
        cells, ratios = [], []
        for kind in KINDS:
            much, little = (percentile(took[kind][f"{page}, {size}"], 50) for size in ("much", "little"))
            ratios.append(much / little)
            cells += [short(much), short(little), f"{much / little:.2f}"]
        table.rows.append((page, *cells, AIM.text(), AIM.verdict(max(ratios))))
    table.notes = [f"FAILED: {fault}" for fault in faults] + [
        f"`GET /customers/<id>/timeline` with {_PAGE} entries a page, whole requests to granian by the signed-in rep over one "
        f"keep-alive connection, {rounds} of each, the two customers in turn, after {_WARMING} that do not count.",
        f"Much: {many:,} entries put straight into the log, a minute apart, one in {_SEEN_ONE_IN} for the rep to see; "
        f"little: {FEW:,} of the same.",
    ]
    return table, not faults


def fill(database: Database, many: int) -> Filled:
    """Make a rep in charge of two customers, and what was recorded of them."""
    with database.transaction() as session:
        territory = territories.create_territory(session, BOSS, "T", "Area")
        filled = Filled(person(session, "timeline", "rep").id)
        session.add(UserTerritory(user_id=filled.rep, territory_id=territory.id))
        for size in ("much", "little"):
            given = {"code": size, "name": f"Customer with {size}", "territory_id": territory.id, "owner_id": filled.rep}
            filled.customers[size] = customers.create_customer(session, BOSS, given).id
    for size, count in (("much", many), ("little", FEW)):
        for begin in range(0, count, _AT_A_TIME):
            _record(database, filled.rep, filled.customers[size], range(begin, min(begin + _AT_A_TIME, count)))
    return filled


def _record(database: Database, rep: str, customer: str, minutes: range) -> None:
    with database.transaction() as session:
        present = now(session)
        seen = ("customer.changed", "customer", customer)
        unseen = ("alarm.raised", "alarm", "of-an-asset-of-others")
        insert_many(
            session,
            HistoryEntry,
            [
                {
                    "id": new_id(),
                    "kind": kind,
                    "subject_kind": noun,
                    "subject_id": subject,
                    "actor_id": rep,
                    "occurred_at": present - timedelta(minutes=minute + 1),
                    "recorded_at": present - timedelta(minutes=minute + 1),
                    "facts": {"fields": ["name"]},
                    "customer_id": customer,
                }
                for minute in minutes
                for kind, noun, subject in [unseen if minute % _SEEN_ONE_IN else seen]
            ],
        )


def _ask(served: Served, filled: Filled, rounds: int, faults: list[str]) -> dict[str, list[float]]:
    client = Client(served.settings.http_port, served.token(filled.rep))
    took: dict[str, list[float]] = {}

    def timed(name: str, kept: bool, ask: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = ask()
        if kept:
            took.setdefault(name, []).append((time.perf_counter() - began) * 1000)
        if len(answer["items"]) != _PAGE:
            faults.append(f"{name}: {len(answer['items'])} entries")
        return answer

    for number in range(rounds + _WARMING):
        for size, customer in filled.customers.items():
            path = f"/customers/{customer}/timeline?limit={_PAGE}"
            first = timed(f"first page, {size}", number >= _WARMING, lambda p=path: client.call("GET", p))
            of_one_kind = f"{path}&kind=customer"
            timed(f"first page of one kind, {size}", number >= _WARMING, lambda p=of_one_kind: client.call("GET", p))
            onward = f"{path}&cursor={first['next']}"
            timed(f"next page, {size}", number >= _WARMING, lambda p=onward: client.call("GET", p))
    client.close()
    return took
