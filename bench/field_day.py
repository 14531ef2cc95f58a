"""What a rep's phone waits for: checking in, searching among many customers, and the home page; over HTTP."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from app.core.clock import to_ms
from app.core.db import Database, now
from app.customers import operations as customers
from app.follow_ups.operations import log_follow_up
from app.search.operations import keep_stale
from app.search.spelling import syllables_of
from app.territories import operations as territories
from app.users.auth import actor_of
from app.users.models import User, UserTerritory
from app.visits.operations import plan_visit
from bench.figures import Aim, Table, percentile, short
from bench.fleet import BOSS, person
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.rows import SEED, Rows
from bench.served import Served, serve
from bench.web import Client

CUSTOMERS, FEW = 100_000, 2_000
_AREAS = 20
_AT_A_TIME = 1000
_VISITS, _STEPS = 8, 20
_WARMING = 5
_HOME_BYTES = 20_000


@dataclass
class Filled:
    """What is in one database: the office, the first rep, their sites, and some customers to look for."""

    office: str
    rep: str
    sites: list[dict[str, Any]] = field(default_factory=list)
    sought: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class _Times:
    """Milliseconds of whole requests, by what was asked."""

    took: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    most_bytes: int = 0

    def note(self, what: str, ask: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        answer = ask()
        self.took.setdefault(what, []).append((time.perf_counter() - began) * 1000)
        return answer


AIMS = {"home": Aim(most=50), "check in": Aim(), "search, office": Aim(), "search, rep": Aim()}


def measure(lab: Lab, _fleets: object, quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every answer was right."""
    count, rounds = (FEW, 20) if quick else (CUSTOMERS, 200)
    columns = ("what", *(f"{DATABASE_NAMES[kind]}{what}" for kind in KINDS for what in (" p50 ms", " p95 ms")))
    table = Table(f"12. A rep's phone, among {count:,} customers", (*columns, "p95 aimed at", "met"))
    found: dict[str, _Times] = {}
    for kind in KINDS:
        filled = lab.template(kind, lambda database: fill(database, count), f"field-{count}")
        with serve(lab, lab.original(kind, f"field-{count}")) as served:
            found[kind] = _ask(served, filled, rounds)
    for what, aim in AIMS.items():
        cells = [percentile(found[kind].took[what], percent) for kind in KINDS for percent in (50, 95)]
        slowest = max(cells[1::2])
        table.rows.append((what, *(short(ms) for ms in cells), aim.text(), aim.verdict(slowest)))
    largest = max(times.most_bytes for times in found.values())
    faults = [f"{DATABASE_NAMES[kind]}: {fault}" for kind in KINDS for fault in found[kind].faults]
    faults += [f"a home page of {largest:,} bytes"] if largest > _HOME_BYTES else []
    table.notes = [f"FAILED: {fault}" for fault in faults] + [
        f"Whole requests to granian by a signed-in rep (search by the office, too) over one keep-alive connection, {rounds} of "
        f"each, after {_WARMING} that do not count. Seed {SEED}.",
        f"Home: {_VISITS} visits of the day, {_STEPS} next steps, {count // _AREAS:,} customers in charge of; at most "
        f"{largest:,} bytes (bound: {_HOME_BYTES:,}).",
        "Search: in turn an inner part of a name, its pinyin initials or first word, the end of a telephone number, a code; "
        "each answer must hold the customer looked for, or the most a page holds.",
        "Check in: the verdict of one visit after another, each planned before; the check-out is not in the figure.",
    ]
    return table, not faults


def fill(database: Database, count: int) -> Filled:
    """Make an organisation with so many customers, one site each, by the product's own verbs."""
    chance = random.Random(SEED)
    with database.transaction() as session:
        filled = Filled(person(session, "office", "manager").id, "")
        dealt = []
        for number in range(_AREAS):
            territory = territories.create_territory(session, BOSS, f"F{number}", f"Area {number}")
            rep = person(session, f"field{number}", "rep")
            session.add(UserTerritory(user_id=rep.id, territory_id=territory.id))
            dealt.append((territory.id, rep.id))
    filled.rep = dealt[0][1]
    rows = Rows(dealt)
    for _ in range(count // _AT_A_TIME):
        groups = list(rows.groups(_AT_A_TIME))
        with database.transaction() as session:
            customers.create_customers(session, BOSS, [group.customer for group in groups])
            customers.create_sites(session, BOSS, [group.sites[0] for group in groups])
        mine = [group for group in groups if group.customer["owner_id"] == filled.rep]
        filled.sites += [group.sites[0] for group in mine]
        filled.sought += [group.customer for group in chance.sample(mine, min(len(mine), 5))]
    while _kept(database):
        pass
    _day(database, filled)
    return filled


def _kept(database: Database) -> int:
    with database.transaction() as session:
        return keep_stale(session)


def _day(database: Database, filled: Filled) -> None:
    with database.transaction() as session:
        rep, present = actor_of(session, session.get_one(User, filled.rep)), now(session)
        for number, site in enumerate(filled.sites[:_VISITS]):
            at = present + timedelta(minutes=number)
            plan_visit(
                session, rep, {"site_id": site["id"], "planned_from": at, "planned_until": at, "purpose": f"visit {number}"}
            )
        for number, customer in enumerate(filled.sought[:_STEPS]):
            said = {"kind": "call", "customer_id": customer["id"], "summary": "call", "next_step": f"step {number}"}
            log_follow_up(session, rep, said | {"next_due": present.date()})


def _ask(served: Served, filled: Filled, rounds: int) -> _Times:
    times, warm = _Times(), _Times()
    port = served.settings.http_port
    rep, office = (Client(port, served.token(user)) for user in (filled.rep, filled.office))
    texts = list(_texts(filled))
    for number in range(rounds + _WARMING):
        kept = times if number >= _WARMING else warm
        page = kept.note("home", lambda: rep.call("GET", "/mobile/home"))
        kept.most_bytes = max(kept.most_bytes, rep.last_bytes)
        if page["sections"][0]["total"] < 1:
            kept.faults.append("a home page without its visits")
        text, customer = texts[number % len(texts)]
        for who, client in (("rep", rep), ("office", office)):
            found = kept.note(f"search, {who}", lambda c=client, t=text: c.call("GET", f"/search?q={quote(t)}&kinds=customer"))
            ids = {item["id"] for item in found["items"]}
            if customer not in ids and len(ids) < 20:
                kept.faults.append(f"{who} did not find {text}")
        _check_in(served, filled, rep, kept, number)
    rep.close()
    office.close()
    return times


def _check_in(served: Served, filled: Filled, rep: Client, times: _Times, number: int) -> None:
    site = filled.sites[-1 - number % len(filled.sites)]
    at_ms = to_ms(served.database.clock.now())
    window = {name: served.database.clock.now().isoformat() for name in ("planned_from", "planned_until")}
    visit = rep.call("POST", "/visits", {"site_id": site["id"], **window})["id"]
    fix = {"lat": site["lat"], "lon": site["lon"], "datum": "wgs84", "accuracy_m": 8.0, "at_ms": at_ms, "sent_ms": at_ms}
    row = times.note("check in", lambda: rep.call("POST", f"/visits/{visit}/check-in", fix))
    if row["nearness"] != "inside":
        times.faults.append("a check-in at a site that is not inside")
    rep.call("POST", f"/visits/{visit}/check-out", fix)


def _texts(filled: Filled) -> Iterator[tuple[str, str]]:
    """Yield what is looked for, and the customer it should find."""
    for number, customer in enumerate(filled.sought):
        name, chinese = customer["name"], not customer["name"].isascii()
        initials = "".join(syllables_of(sign)[0][0] for sign in name[:4])
        ways = (name[1:5] if chinese else name.split()[1], initials if chinese else name.split()[0])
        yield (*ways, customer["phone"][-6:], customer["code"])[number % 4], customer["id"]
