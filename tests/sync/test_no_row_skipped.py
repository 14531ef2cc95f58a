"""No skipped row: many writers, delays before and inside the commit, customers moved between areas, and one puller.

SOAK=1 runs 100,000 rows on PostgreSQL, as `make soak` does.
"""

from __future__ import annotations

import os
import random
import threading
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from app.core import db as core_db
from app.core.db import Database
from app.core.settings import Settings
from app.customers.models import Customer
from app.territories import operations as territories
from app.users.auth import actor_of
from app.users.models import User
from app.users.rights import Actor
from offline_sync.changes import changes_since, head_of
from tests.factories import make_user
from tests.races.together import PATIENCE_S

WRITERS, ROWS = 16, 50
COMMITS = 125 if os.environ.get("SOAK") else 4


@pytest.fixture
def db(database_url: str) -> Any:
    database = Database(database_url, pool_size=30)
    yield database
    database.close()


def test_a_puller_misses_no_row_of_many_writers_whatever_the_delays(
    db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    never = threading.Event()
    chance = random.Random(seed)
    monkeypatch.setattr(core_db, "AFTER_STAMP", [*core_db.AFTER_STAMP, lambda *_: never.wait(chance.uniform(0, 0.005))])
    boss = Actor("system-user", "admin", "system", "en")
    with db.transaction() as session:
        areas = [territories.create_territory(session, boss, f"A{i}", "area").id for i in range(2)]
        rep = make_user(session, settings, "rep", "rep", territory_ids=areas[:1]).id
    faults: list[BaseException] = []

    def write(number: int) -> None:
        rng = random.Random(seed + number)
        mine: list[str] = []
        try:
            for n in range(COMMITS):
                never.wait(rng.uniform(0, 0.005))
                with db.transaction() as session:
                    fresh = [f"w{number:02}-{n:04}-{i:03}-row" for i in range(ROWS)]
                    present = db.clock.now()
                    stamps = {"version": 1, "created_at": present, "updated_at": present}
                    session.execute(
                        insert(Customer),
                        [{"id": row, "code": row, "name": "x", "territory_id": rng.choice(areas)} | stamps for row in fresh],
                    )
                    moved = rng.sample(mine, min(len(mine), 10))
                    session.execute(update(Customer).where(Customer.id.in_(moved)).values(territory_id=rng.choice(areas)))
                    mine += fresh
        except BaseException as fault:  # noqa: BLE001 - told by the test
            faults.append(fault)

    held: set[str] = set()
    cursor = 0

    def pull() -> None:
        nonlocal cursor
        with db.reading() as session:
            head = head_of(session)
            for change in changes_since(session, actor_of(session, session.get_one(User, rep)), cursor, ["customers"]):
                (held.discard if change.gone else held.add)(change.row_id)
        cursor = head.n

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        pull()
        never.wait(0.003)
    for writer in writers:
        writer.join(PATIENCE_S)
    pull()

    assert faults == []
    with db.reading() as session:
        should = set(session.scalars(select(Customer.id).where(Customer.territory_id == areas[0])))
        everything = len(session.scalars(select(Customer.id)).all())
    assert everything == WRITERS * COMMITS * ROWS
    assert held == should
    print(f"{everything} rows, {len(should)} seen by the rep, 0 missed")
