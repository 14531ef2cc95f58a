"""Rows that a push settles together end as they would row by row: the quick way and the careful way are one rule."""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.settings import Settings
from app.customers import operations as customers
from app.customers.models import Customer, Site
from app.territories import operations as territories
from offline_sync import arrivals, settling, watermelon
from offline_sync.changes import head_of
from offline_sync.models import DeletedId, Receipt, SyncConflict, SyncProblem
from offline_sync.sent import Sender
from tests.factories import World
from tests.sync.phones import Row

ALWAYS, NEVER = 1, 10**9
_PASSING = {"id", "change_no", "created_at", "updated_at", "at", "occurred_at", "recorded_at", "deleted_at"}


def state(session: Session) -> dict[str, list[Any]]:
    """Return all that a push may write, without ids the server makes; and which rows the next pull will bring."""
    session.flush()
    found: dict[str, list[Any]] = {}
    for model in (Customer, Site, Receipt, SyncProblem, SyncConflict, DeletedId, HistoryEntry):
        table = model.__table__
        rows = []
        for row in session.execute(select(table)).mappings():
            kept = {name: value for name, value in row.items() if name not in _PASSING}
            if model in {Customer, Site}:
                kept |= {"id": row["id"], "news": row["change_no"] is None, "deleted": row["deleted_at"] is not None}
            if str(kept.get("code")).startswith("C-2026-"):
                kept["code"] = "drawn"  # which number is whose depends on the order
            rows.append(repr(sorted(kept.items())))
        found[table.name] = sorted(rows)
    return found


def random_push(rng: random.Random, world: World, known: list[str], foreign: str) -> dict[str, dict[str, list[Row]]]:
    """Make a push of new rows, repeats, edits, and whatever may be wrong with a row."""
    made: list[Row] = []
    for _ in range(rng.randint(1, 30)):
        row: Row = {"id": f"customer-{rng.randrange(40):04}", "_status": "created", "_changed": ""}
        row |= {"code": rng.choice(["", f"P-{rng.randrange(10**6)}", "C-1"]), "name": f"Name {rng.randrange(3)}"}
        row |= {"phone": rng.choice([None, "+8613800138000"]), "email": None, "territory_id": world.territory, "owner_id": None}
        if rng.random() < 0.2:
            row |= rng.choice(
                [{"name": 5}, {"name": ""}, {"territory_id": "no-such-place"}, {"phone": "12"}, {"id": "x"}, {"id": foreign},
                 {"name": "a\x00b"}, {"more": 1}, {"id": rng.choice(known)}, {"owner_id": "somebody-else"}]
            )  # fmt: skip
        made.append(row)
    sites: list[Row] = []
    for _ in range(rng.randint(0, 20)):
        parent = rng.choice([*(row["id"] for row in made), *known, foreign, "nobody-000"])
        place = {"name": f"Site {rng.randrange(3)}", "address": "", "lat": rng.choice([1.5, 91, "1"]), "lon": 2.0}
        sites.append({"id": f"site-{rng.randrange(25):05}", "customer_id": parent, "_status": "created", "_changed": ""} | place)
    changed = rng.sample(made, len(made) // 3)
    for row in changed:
        row["_changed"] = rng.choice(["name", "phone,name", ""])
    return {
        "customers": {"created": [row for row in made if row not in changed], "updated": changed, "deleted": []},
        "sites": {"created": sites, "updated": [], "deleted": [f"site-{rng.randrange(25):05}" for _ in range(6)]},
    }


def test_what_is_settled_together_ends_as_it_would_row_by_row(
    db: Database, world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    rng = random.Random(seed)
    with db.transaction() as session:
        boss = world.actor(world.manager)
        known = [
            customers.create_customer(session, boss, {"name": "Known", "territory_id": world.territory}).id for _ in range(3)
        ]
        place = session.get_one(Customer, world.customer).territory_id
        theirs = customers.create_customer(session, boss, {"name": "Theirs", "territory_id": place})
        theirs.territory_id = _other_territory(session, boss)
        foreign = theirs.id
        session.execute(delete(DeletedId))

    settled = 0
    for _ in range(5):
        push = list(watermelon.arrivals(random_push(rng, world, known, foreign)))
        since = rng.choice([0, 10**6])
        found = []
        for many in (NEVER, ALWAYS):
            monkeypatch.setattr(settling, "_MANY", many)
            with db.reading() as session:
                n = head_of(session).n
            sender = Sender(world.actor(world.rep), settings, "phone-00001", min(since, n), min(since, n))
            with Session(db.engine, info={"clock": db.clock}) as session:
                outcomes = arrivals.apply(session, sender, push)
                refused = sorted(repr(outcome.arrival.row_id) for outcome in outcomes if outcome.refused)
                found.append((refused, state(session)))
                settled += sum(not outcome.refused for outcome in outcomes)
                session.rollback()
        by_row, together = found
        assert by_row[0] == together[0]
        for name, rows in by_row[1].items():
            assert (Counter(rows) - Counter(together[1][name]), Counter(together[1][name]) - Counter(rows)) == ({}, {}), name
        with db.transaction() as session:  # now for good, so that the next push meets what this one left
            arrivals.apply(session, sender, push)
    assert settled > 10


def _other_territory(session: Session, boss: Any) -> str:
    return territories.create_territory(session, boss, "T-FAR", "Far").id
