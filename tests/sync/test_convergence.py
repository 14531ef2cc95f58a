"""Convergence: whatever phones, network and office do, nothing acknowledged is lost, and all end with the same rows.

SOAK=1 lets 50 phones work for 30 days, as `make soak` does; SEED=<n> repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import ExitStack
from dataclasses import replace

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.factory import create_app
from tests.factories import make_world
from tests.sync.simulation import Company, Plan, SpreadHttp, Ticking

SMALL = Plan(
    reps=3, managers=1, staff=2, areas=3, days=2, turns_a_day=4, operations_a_day=20, jobs=3, threads=4, rows=40, keep_days=1
)


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    # Work waits for days on a phone here: no task lapses, and nobody is locked out for asking too often.
    return replace(settings, station_lease_s=2_000_000, offer_validity_days=3650, redeem_tries_per_minute=10_000)


def test_phones_of_both_protocols_end_with_the_same_rows_and_nothing_acknowledged_is_lost(
    db: Database, database_url: str, settings: Settings, clock: Ticking
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    began = time.monotonic()
    with ExitStack() as stack:
        others = [Database(database_url, clock, pool_size=8) for _ in range(2)]
        for other in others:
            stack.callback(other.close)
        world = make_world(db, settings)
        http = SpreadHttp(create_app(settings, db), db, settings)
        http.apps = [create_app(settings, found) for found in (db, *others)]
        company = Company(
            world, http, SMALL, seed,
            now_ms=lambda: to_ms(clock.at), advance=lambda span: clock.advance(seconds=span.total_seconds()),
        )  # fmt: skip
        company.run()
        company.come_to_rest()
        company.check()
    print(f"{company.result()}; {time.monotonic() - began:.1f} s; SEED={seed}")
