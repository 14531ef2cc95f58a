"""Convergence: whatever phones, network and office do, nothing acknowledged is lost, and all end with the same rows.

SOAK=1 lets 50 phones work for 30 days against web processes, as `make soak` does (DAYS=<n>: for fewer of them).
SEED=<n> repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.factory import create_app
from tests.factories import make_world
from tests.people import Http
from tests.sync.simulation import Company, Plan, SpreadHttp, Ticking
from tests.sync.web_on_set_time import SharedClock, WebHttp, web_processes

SMALL = Plan(
    reps=3, managers=1, staff=2, areas=3, days=2, turns_a_day=4, operations_a_day=20, jobs=3, threads=4, rows=40, keep_days=1
)
LARGE = Plan(
    reps=17, managers=2, staff=6, areas=8, days=int(os.environ.get("DAYS", "30")), turns_a_day=6, operations_a_day=200,
    jobs=18, threads=10, rows=600, keep_days=5,
)  # fmt: skip
SOAK = bool(os.environ.get("SOAK"))


@pytest.fixture
def clock(tmp_path: Path) -> SharedClock | Ticking:
    return SharedClock(tmp_path / "clock") if SOAK else Ticking()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    # Work waits for days on a phone here: no task lapses, and nobody is locked out for asking too often.
    return replace(settings, station_lease_s=2_000_000, redeem_tries_per_minute=10_000)


@contextmanager
def servers(db: Database, url: str, settings: Settings, folder: Path) -> Iterator[Http]:
    """Several servers on one database: web processes for the soak, else instances of the application with own connections."""
    if SOAK:
        with web_processes(url, settings, folder) as port:
            web = WebHttp(None, db, settings)  # type: ignore[arg-type]
            web.port = port
            yield web
    else:
        with ExitStack() as stack:
            others = [Database(url, db.clock, pool_size=8) for _ in range(2)]
            for other in others:
                stack.callback(other.close)
            spread = SpreadHttp(create_app(settings, db), db, settings)
            spread.apps = [create_app(settings, found) for found in (db, *others)]
            yield spread


@pytest.mark.timeout(3600 if SOAK else 300)
def test_phones_of_both_protocols_end_with_the_same_rows_and_nothing_acknowledged_is_lost(
    db: Database, database_url: str, settings: Settings, clock: SharedClock | Ticking, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    began = time.monotonic()
    world = make_world(db, settings)
    with servers(db, database_url, settings, tmp_path) as http:
        company = Company(
            world, http, LARGE if SOAK else SMALL, seed,
            now_ms=lambda: to_ms(clock.now()), advance=lambda span: clock.advance(seconds=span.total_seconds()),
        )  # fmt: skip
        company.run()
        company.come_to_rest()
        company.check()
    print(f"{db.dialect}: {company.result()}; {time.monotonic() - began:.0f} s; SEED={seed}")
