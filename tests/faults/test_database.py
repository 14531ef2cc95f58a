"""A database that is locked, crowded, stopped or full: writes wait or are refused and may be repeated, reading goes on."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select, text

from app.core import db as core_db
from app.core.clock import Clock
from app.core.db import Database
from app.core.settings import Settings, read_settings
from app.factory import create_app
from app.jobs import JOBS, Scheduler
from app.migrate import migrate
from app.territories.models import Territory
from iot.models import Telemetry
from tests.conftest import MONDAY_MORNING, SetClock
from tests.databases import copy_sqlite, empty
from tests.factories import World, make_world
from tests.faults.plant import LATITUDE, SECRET, SOAK, OwnPostgres, wait_until
from tests.faults.told import count
from tests.iot.vehicles import DAY, message, values
from tests.people import Http

pytestmark = pytest.mark.timeout(1800 if SOAK else 300)
REFUSED = {503, 507}


class Writer:
    """One person who enters territories and remembers what was acknowledged."""

    def __init__(self, http: Http, world: World, name: str) -> None:
        self.http, self.name, self.n = http.as_(world.admin), name, 0
        self.found: Counter[int] = Counter()
        self.acked: set[str] = set()
        self.longest_s = 0.0

    def write(self, pad: str = "") -> int:
        self.n += 1
        code = f"{self.name}-{self.n}"
        began = time.monotonic()
        answer = self.http.call("POST", "/territories", {"code": code, "name": f"Territory {code}{pad}"})
        self.found[answer.status_code] += 1
        if answer.status_code == 201:
            self.acked.add(code)
        else:
            self.longest_s = max(self.longest_s, time.monotonic() - began)  # to be refused
            assert answer.status_code in REFUSED, answer.get_data(as_text=True)
            assert int(answer.headers["Retry-After"]) > 0
        return int(answer.status_code)


def codes(database: Database) -> set[str]:
    with database.reading() as session:
        return set(session.scalars(select(Territory.code)))


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


# --- somebody else holds SQLite's only write lock ---


@contextmanager
def locked(url: str) -> Iterator[None]:
    """Hold the write lock, as another process does."""
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@on_sqlite
def test_while_another_process_holds_the_lock_writers_wait_readers_do_not_and_nobody_is_refused(
    world: World, http: Http, database_url: str
) -> None:
    held_s = 8.0 if SOAK else 1.0
    writers = [Writer(http, world, f"w{i}") for i in range(6)]
    reader = http.as_(world.admin)
    found = message(world, world.device, values(MONDAY_MORNING, DAY, 80.0)[0])
    with ThreadPoolExecutor(8) as pool:
        with locked(database_url):
            began = time.monotonic()
            waiting = [pool.submit(writer.write) for writer in writers] + [pool.submit(world.send, found)]
            reads = 0
            while time.monotonic() - began < held_s:
                reader.get("/territories")
                reads += 1
            assert not any(one.done() for one in waiting)
        outcomes = [one.result(30) for one in waiting]

    assert outcomes[:-1] == [201] * 6
    assert outcomes[-1]["reading"] == 1
    assert reads > 3
    assert {code for writer in writers for code in writer.acked} < codes(world.db)


@on_sqlite
def test_a_lock_held_for_longer_than_we_wait_is_503_and_the_same_request_works_afterwards(
    world: World, http: Http, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core_db, "_SQLITE_WAIT_S", 0.2)
    writer = Writer(http, world, "w")
    found = message(world, world.device, values(MONDAY_MORNING, DAY, 80.0)[0])

    with locked(database_url):
        assert writer.write() == 503
        with pytest.raises(core_db.OperationalError):  # the ingest does not acknowledge, and tries again
            world.send(found)

    assert writer.write() == 201
    assert world.send(found)["reading"] == 1


@on_sqlite
def test_web_ingest_and_scheduler_writing_at_once_never_meet_a_locked_database(
    world: World, settings: Settings, database_url: str
) -> None:
    """Four web workers, an ingest and a scheduler, each with an engine of its own, at 50 requests a second."""
    length_s = 60.0 if SOAK else 4.0
    databases = [Database(database_url, world.db.clock, pool_size=2) for _ in range(6)]
    until = time.monotonic() + length_s
    pace = threading.Event()

    def web(n: int) -> Counter[int]:
        writer = Writer(Http(create_app(settings, databases[n]), databases[n], settings), world, f"web{n}")
        while time.monotonic() < until:
            writer.write()
            pace.wait(4 / 50)
        return writer.found

    def ingest() -> Counter[int]:
        mine, seq = World(**{**vars(world), "db": databases[4]}), 0
        while time.monotonic() < until:
            mine.report(80.0, boot=f"b{seq}")
            seq += 1
        return Counter({201: seq})

    def scheduler() -> Counter[int]:
        ticking, ran = Scheduler(databases[5], settings), 0
        while time.monotonic() < until:
            for job in JOBS[:6]:
                ran += ticking.run(job)
            pace.wait(0.1)
        return Counter({201: max(ran, 1)})

    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(partial(web, n)) for n in range(4)] + [pool.submit(ingest), pool.submit(scheduler)]
        found = [one.result(length_s + 60) for one in running]
    for database in databases:
        database.close()

    assert all(set(one) == {201} for one in found), found
    print(f"written together for {length_s:.0f} s: {[one[201] for one in found]}, refused: 0")


# --- more requests than connections ---


def hold_counter(database: Database, until: threading.Event, held: threading.Event) -> None:
    """Hold what every write of a tracked row needs, as a slow transaction does."""
    with database.transaction() as session:
        session.execute(text("UPDATE change_counter SET n = n WHERE id = 1"))
        held.set()
        assert until.wait(120)


def test_a_hundred_slow_requests_are_answered_or_refused_in_bounded_time_and_leak_no_connection(
    world: World, settings: Settings, database_url: str
) -> None:
    small, other = Database(database_url, world.db.clock, pool_size=3), Database(database_url, world.db.clock)
    http = Http(create_app(settings, small), small, settings)
    writers = [Writer(http, world, f"w{i:03d}") for i in range(100)]
    release, held = threading.Event(), threading.Event()
    health: list[float] = []
    with ThreadPoolExecutor(101) as pool:
        holding = pool.submit(hold_counter, other, release, held)
        assert held.wait(30)
        running = [pool.submit(writer.write) for writer in writers]
        refused = 0
        while refused < 60:  # those that got no connection; the others wait for the lock with one in hand
            began = time.monotonic()
            assert http.app.test_client().get("/health/live").status_code == 200
            health.append(time.monotonic() - began)
            refused = sum(one.done() for one in running)
        release.set()
        holding.result(60)
        wait(running, 60)
        found = Counter(one.result(0) for one in running)
    pool_now: Any = small.engine.pool
    try:
        assert set(found) <= {201, 503}
        assert found[503] >= 60
        assert max(health) < 1.0 * LATITUDE
        assert pool_now.checkedout() == 0
        assert writers[0].write() == 201, "the same request works again at once"
        assert {code for writer in writers for code in writer.acked} <= codes(world.db)
    finally:
        small.close()
        other.close()
    print(f"{world.db.dialect}: {dict(found)}, slowest health {max(health):.3f} s")


# --- the server stops ---


def test_while_the_server_is_gone_requests_are_503_and_it_is_used_again_as_soon_as_it_is_back(
    own_postgres: OwnPostgres, tmp_path: Path
) -> None:
    settings = read_settings(database_url=own_postgres.url, var_dir=tmp_path, secret_key=SECRET, argon2_profile="test")
    database = Database(own_postgres.url, Clock(), pool_size=8)
    migrate(database)
    empty(database)
    world = make_world(database, settings)
    http = Http(create_app(settings, database), database, settings)
    writers = [Writer(http, world, f"w{i}") for i in range(4)]
    stopping = threading.Event()
    back_s: list[float] = []

    def work(writer: Writer) -> None:
        while not stopping.is_set():
            writer.write()

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, writer) for writer in writers]
        try:
            for _ in range(20 if SOAK else 2):
                seen = sum(writer.found[503] for writer in writers)
                acked = sum(writer.found[201] for writer in writers)
                wait_until(lambda acked=acked: sum(w.found[201] for w in writers) > acked + 20, 60, "writes before the stop")
                own_postgres.stop_at_once()
                wait_until(lambda seen=seen: sum(w.found[503] for w in writers) > seen + 8, 30, "refusals")
                ready = http.app.test_client().get("/health/ready")
                assert (ready.status_code, ready.json["problems"][0][:9]) == (503, "database:")
                assert http.app.test_client().get("/health/live").status_code == 200
                acked = sum(writer.found[201] for writer in writers)
                own_postgres.start_again()
                began = time.monotonic()
                wait_until(lambda acked=acked: sum(w.found[201] for w in writers) > acked, 5 * LATITUDE, "writes after the start")
                back_s.append(time.monotonic() - began)
        finally:
            stopping.set()
        for one in running:
            one.result(30)
    pool_now: Any = database.engine.pool
    try:
        assert pool_now.checkedout() == 0
        assert {code for writer in writers for code in writer.acked} <= codes(database)
        slowest_s = max(writer.longest_s for writer in writers)
        assert slowest_s < 2.0 * LATITUDE
    finally:
        database.close()
    total = sum((writer.found for writer in writers), Counter[int]())
    print(f"stopped {len(back_s)} times: {dict(total)}, slowest refusal {slowest_s:.2f} s, back within {max(back_s):.2f} s")


# --- the disk is full ---


def fill_and_free(world: World, http: Http, database: Database, free: Callable[[], None], bulk: int) -> Counter[int]:
    """Write until nothing goes any more, look, make room, and write again."""
    writer, reader = Writer(http, world, "w"), http.as_(world.admin)
    found = [message(world, world.device, value) for value in values(MONDAY_MORNING, DAY / 1000, *[80.0] * 500)]
    requests = 1000 if SOAK else 200
    for _ in range(requests):
        writer.write("x" * 60)
        if writer.found[507] + writer.found[503] > requests // 4:
            break
    assert writer.found[507] + writer.found[503] > 0, "the disk never was full"
    assert writer.found[201] >= bulk
    for _ in range(20):
        assert reader.call("GET", "/territories").status_code == 200
    with pytest.raises(core_db.OperationalError):  # not stored, so not acknowledged
        world.send(*found)

    free()
    assert writer.write() == 201, "without a restart"
    assert world.send(*found)["reading"] == 500
    assert writer.acked <= codes(database)
    assert count(world, Telemetry) == 500
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
    return writer.found


@on_sqlite
def test_a_full_sqlite_file_refuses_writes_and_goes_on_when_there_is_room(
    sqlite_file: Path, tmp_path: Path, clock: SetClock, settings: Settings
) -> None:
    url = copy_sqlite(sqlite_file, tmp_path / "small.db")
    database = Database(url, clock)
    most_pages = [0]

    def bound(driver: Any, *_: Any) -> None:
        if most_pages[0]:
            driver.execute(f"PRAGMA max_page_count={most_pages[0]}")

    event.listen(database.engine, "checkout", bound)
    world = make_world(database, settings)
    http = Http(create_app(settings, database), database, settings)
    with database.engine.connect() as connection:
        most_pages[0] = int(connection.execute(text("PRAGMA page_count")).scalar_one()) + 4

    found = fill_and_free(world, http, database, lambda: most_pages.__setitem__(0, 1_000_000), bulk=1)
    assert set(found) == {201, 507}
    database.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no small file system can be mounted here (mount -t tmpfs): the promise is unproven")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


@on_sqlite
def test_a_full_disk_refuses_writes_and_goes_on_when_there_is_room(
    small_disk: Path, sqlite_file: Path, clock: SetClock, settings: Settings
) -> None:
    database = Database(copy_sqlite(sqlite_file, small_disk / "small.db"), clock)
    world = make_world(database, settings)
    http = Http(create_app(settings, database), database, settings)
    Writer(http, world, "before").write()
    filling = small_disk / "filling"
    free_bytes = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    filling.write_bytes(b"x" * (free_bytes - 200_000))

    fill_and_free(world, http, database, filling.unlink, bulk=1)
    database.close()
