"""Figures of field work, and suggestions while typing, among many visits; over HTTP."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.core.db import Database, insert_many, now
from app.core.ids import new_id
from app.customers.models import Customer, Site
from app.teams import operations as teams
from app.territories import operations as territories
from app.users.models import UserTerritory
from app.visits.models import CheckIn, Visit
from bench.figures import Table, percentile, short
from bench.fleet import BOSS, person
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.rows import SEED
from bench.served import Served, serve
from bench.web import Client

VISITS, FEW = 100_000, 2_000
_DAYS = 365
_AREAS, _TEAMS, _SITES_EACH = 20, 5, 100
_AT_A_TIME = 5_000
_LAST = date(2026, 6, 30)
_WARMING = 2
_PURPOSES = ("冷库改造", "季度盘点", "新品介绍", "设备巡检", "合同续签", "quarterly count", "new products", "contract")
_NEAR = ("inside", "inside", "inside", "near", "outside", "unsure")


@dataclass
class _Filled:
    """Who asks: the office, and one of the reps; ``reps``: with the sites they go to."""

    office: str = ""
    rep: str = ""
    reps: list[tuple[str, list[tuple[str, str]]]] = field(default_factory=list)


def measure(lab: Lab, _fleets: object, quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every total was right."""
    count, rounds = (FEW, 5) if quick else (VISITS, 20)
    columns = ("what", *(f"{DATABASE_NAMES[kind]}{what}" for kind in KINDS for what in (" p50 ms", " p95 ms")))
    table = Table(f"14. Figures of field work, of {count:,} visits in a year", columns)
    took: dict[str, dict[str, list[float]]] = {}
    good = True
    for kind in KINDS:
        filled = lab.template(kind, lambda database: _fill(database, count), f"figures-{count}")
        with serve(lab, lab.original(kind, f"figures-{count}")) as served:
            took[kind], right = _ask(served, filled, rounds, count)
            good &= right
    for what in took[KINDS[0]]:
        cells = [percentile(took[kind][what], percent) for kind in KINDS for percent in (50, 95)]
        table.rows.append((what, *map(short, cells)))
    table.notes = [] if good else ["FAILED: a total is not the number of visits"]
    table.notes.append(
        f"Whole requests to granian over one keep-alive connection, {rounds} of each after {_WARMING} that do not count. "
        f"{_AREAS} reps in {_AREAS} territories and {_TEAMS} teams, {_AREAS * _SITES_EACH:,} customers, four of five visits held "
        f"with check-ins. Seed {SEED}."
    )
    return table, good


def _fill(database: Database, count: int) -> _Filled:
    """Write visits of a year, with their check-ins, past the verbs and through the transaction that numbers them."""
    filled, dice = _Filled(), random.Random(SEED)
    with database.transaction() as session:
        filled.office = person(session, "office", "manager").id
        made = [teams.create_team(session, BOSS, {"code": f"T{n}", "name": f"Team {n}"}).id for n in range(_TEAMS)]
        for number in range(_AREAS):
            area = territories.create_territory(session, BOSS, f"F{number}", f"Area {number}").id
            rep = person(session, f"field{number}", "rep")
            rep.team_id = made[number % _TEAMS]
            session.add(UserTerritory(user_id=rep.id, territory_id=area))
            present = {"version": 1, "created_at": now(session), "updated_at": now(session)}
            pairs = [(new_id(), new_id()) for _ in range(_SITES_EACH)]
            customers = [
                {"id": one, "code": one[-12:], "name": one, "territory_id": area, "owner_id": rep.id} for one, _ in pairs
            ]
            insert_many(session, Customer, [row | present | {"custom": {}} for row in customers])
            insert_many(
                session, Site, [{"id": site, "customer_id": one, "name": "x", "address": ""} | present for one, site in pairs]
            )
            filled.reps.append((rep.id, pairs))
    filled.rep = filled.reps[0][0]
    rows = list(_visits(filled, dice, count))
    for start in range(0, count, _AT_A_TIME):
        batch = rows[start : start + _AT_A_TIME]
        with database.transaction() as session:
            insert_many(session, Visit, [visit for visit, _ in batch])
            insert_many(session, CheckIn, [check_in for _, check_in in batch if check_in is not None])
    return filled


def _visits(filled: _Filled, dice: random.Random, count: int) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    began = datetime.combine(_LAST, datetime.min.time(), UTC) - timedelta(days=_DAYS - 1)
    for number in range(count):
        rep, pairs = filled.reps[number % _AREAS]
        customer, site = pairs[dice.randrange(_SITES_EACH)]
        at = began + timedelta(days=number * _DAYS // count, minutes=dice.randrange(0, 540))
        held = dice.random() < 0.8
        stamps = {"version": 1, "created_at": at, "updated_at": at}
        visit = {"id": new_id(), "number": f"B-{number}", "customer_id": customer, "site_id": site, "user_id": rep}
        visit |= {"purpose": dice.choice(_PURPOSES), "planned_from": at, "planned_until": at + timedelta(hours=1), **stamps}
        visit |= {
            "state": "finished" if held else "missed",
            "source": "plan",
            "incomplete": False,
            "lacking": [],
            "moved_count": 0,
        }
        visit |= {"began_at": at if held else None, "ended_at": at + timedelta(minutes=dice.randrange(5, 90)) if held else None}
        told = {"told_lat": 22.5, "told_lon": 114.0, "lat": 22.5, "lon": 114.0, "datum": "wgs84", "told_ms": 0, "reasons": []}
        told |= {
            "id": new_id(),
            "visit_id": visit["id"],
            "user_id": rep,
            "leaving": False,
            "at": at,
            "score": 100,
            "findings": [],
        }
        told |= {"nearness": dice.choice(_NEAR), "grade": "clear", "state": "accepted", **stamps}
        yield visit, told if held else None


def _ask(served: Served, filled: _Filled, rounds: int, count: int) -> tuple[dict[str, list[float]], bool]:
    office, rep = (Client(served.settings.http_port, served.token(user)) for user in (filled.office, filled.rep))
    month, year = (f"from={_LAST - timedelta(days=days - 1)}&until={_LAST + timedelta(days=1)}" for days in (30, _DAYS))
    asked = {
        "a month by team, office": (office, f"/field-figures?by=team&{month}"),
        "a month by day, office": (office, f"/field-figures?by=day&{month}"),
        "a year by person, office": (office, f"/field-figures?by=user&{year}"),
        "a year by day, one's own": (rep, f"/field-figures?by=day&{year}"),
        "a suggestion, office": (office, "/suggestions?field=visits.purpose&prefix=lk"),
        "a suggestion, rep": (rep, "/suggestions?field=visits.purpose&prefix=lk"),
    }
    took: dict[str, list[float]] = {}
    right = True
    for what, (client, path) in asked.items():
        for number in range(rounds + _WARMING):
            began = time.perf_counter()
            answer = client.call("GET", path)
            if number >= _WARMING:
                took.setdefault(what, []).append((time.perf_counter() - began) * 1000)
        right &= "a year by person" not in what or answer["total"]["figures"]["visits"] == count
        right &= "suggestion" not in what or [one["value"] for one in answer["items"]] == ["冷库改造"]
    office.close()
    rep.close()
    return took, right
