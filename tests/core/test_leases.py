"""The lead and the claimed runs: of racing schedulers one leads, and no tick is done twice, whoever thinks that it leads."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

import app.jobs
from app.assets.models import Component
from app.core.db import Database, database_now
from app.core.leases import LEASE_S, JobRun, LeaderLease, claim_run, give_up_lead, lead
from app.core.settings import Settings
from app.jobs import Job, Scheduler
from tests.conftest import SetClock
from tests.races.together import together

TICK_S = 5.0


def leading(db: Database, holder: str) -> int | None:
    with db.transaction() as session:
        return lead(session, holder)


def lease_of(db: Database) -> LeaderLease:
    with db.reading() as session:
        return session.scalars(select(LeaderLease)).one()


def test_the_first_leads_the_second_waits_and_renewing_keeps_the_fence(db: Database, clock: SetClock) -> None:
    assert leading(db, "a") == 1
    clock.advance(seconds=LEASE_S - 1)
    assert leading(db, "b") is None
    assert leading(db, "a") == 1
    clock.advance(seconds=LEASE_S - 1)
    assert leading(db, "b") is None, "renewing moved the end of the lease"


def test_a_leader_stopped_longer_than_its_lease_loses_it_and_the_fence_grows(db: Database, clock: SetClock) -> None:
    fences = [leading(db, "a")]
    clock.advance(seconds=LEASE_S + 1)
    fences.append(leading(db, "b"))
    assert leading(db, "a") is None, "the one that was stopped must see that it leads no more"
    clock.advance(seconds=LEASE_S + 1)
    fences.append(leading(db, "a"))

    assert fences == [1, 2, 3]


def test_a_lease_that_ends_this_instant_is_over(db: Database, clock: SetClock) -> None:
    leading(db, "a")
    clock.set(lease_of(db).until)

    assert leading(db, "b") == 2


def test_giving_up_lets_the_next_in_at_once_and_only_the_holder_can(db: Database) -> None:
    leading(db, "a")
    with db.transaction() as session:
        give_up_lead(session, "b")
    assert leading(db, "b") is None

    with db.transaction() as session:
        give_up_lead(session, "a")
    assert leading(db, "b") == 2


def test_a_run_is_claimed_once_whatever_the_fence(db: Database, clock: SetClock) -> None:
    def claims(fence: int, job: str = "job", after_s: float = 0) -> bool:
        with db.transaction() as session:
            return claim_run(session, job, clock.now() + timedelta(seconds=after_s), fence)

    assert [claims(1), claims(1), claims(2)] == [True, False, False]
    assert [claims(1, job="other"), claims(1, after_s=5)] == [True, True]


@contextmanager
def processes(url: str, clock: SetClock, n: int) -> Iterator[list[Database]]:
    """Several databases over one URL, as several processes have them."""
    with ExitStack() as stack:
        databases = [Database(url, clock, pool_size=2) for _ in range(n)]
        for db in databases:
            stack.callback(db.close)
        yield databases


@pytest.mark.parametrize("racers", [2, 4])
def test_of_racing_processes_exactly_one_leads(database_url: str, clock: SetClock, racers: int) -> None:
    with processes(database_url, clock, racers) as databases:
        for round_ in range(1, 6):
            fences = together(*[lambda db=db, i=i: leading(db, f"p{i}") for i, db in enumerate(databases)])

            assert [type(fence) for fence in fences if fence is not None] == [int], fences
            assert 1 <= lease_of(databases[0]).fence <= round_
            clock.advance(seconds=LEASE_S + 1)


# --- schedulers ---


class Ticks:
    """What the schedulers did: how often each (job, scheduled time), and each due item."""

    def __init__(self) -> None:
        self.ran: Counter[datetime] = Counter()
        self.lock = threading.Lock()

    def work(self, db: Database, _settings: Settings) -> int:
        """A job as ours are: what is due is found in the tables by state and time."""
        with db.transaction() as session:
            present = database_now(session)
            with self.lock:
                self.ran[present] += 1
            done = session.execute(
                update(Component)
                .where(Component.kind == "due", Component.created_at <= present)
                .values(kind="done", version=Component.version + 1)
            )
            return int(done.rowcount)


def put_due(session: Session, at: datetime) -> None:
    session.add(Component(serial=at.isoformat(), kind="due", part_no="", created_at=at, updated_at=at))


def schedulers(databases: list[Database], settings: Settings, ticks: Ticks) -> list[tuple[Scheduler, Job]]:
    job = Job("a job", TICK_S, ticks.work)
    found = []
    for i, db in enumerate(databases):
        scheduler = Scheduler(db, settings, (job,))
        scheduler.holder = f"process {i}"  # all of these live in one process of the operating system
        found.append((scheduler, job))
    return found


@pytest.mark.parametrize(("racers", "count"), [(2, 30), (4, 120)])
def test_racing_schedulers_do_each_tick_once_and_none_not_at_all(
    database_url: str, clock: SetClock, settings: Settings, racers: int, count: int
) -> None:
    ticks, seen = Ticks(), []
    with processes(database_url, clock, racers) as databases:
        racing = schedulers(databases, settings, ticks)
        for _ in range(count):
            outcomes = together(*[lambda s=s, job=job: s.run(job) for s, job in racing])
            assert sorted(outcomes) == [False] * (racers - 1) + [True], outcomes
            seen.append(clock.now())
            clock.advance(seconds=TICK_S)
        with databases[0].reading() as session:
            runs = session.scalars(select(JobRun).order_by(JobRun.scheduled_for)).all()

    assert ticks.ran == dict.fromkeys(seen, 1)
    assert [run.scheduled_for for run in runs] == seen
    assert all(run.outcome == "done: 0" and run.finished_at for run in runs)


def test_ticks_of_the_same_interval_are_one_scheduled_time(db: Database, settings: Settings, clock: SetClock) -> None:
    ticks = Ticks()
    [(scheduler, job)] = schedulers([db], settings, ticks)

    outcomes = []
    for _ in range(10):
        outcomes.append(scheduler.run(job))
        clock.advance(seconds=1)

    assert outcomes == [True, False, False, False, False] * 2


@pytest.mark.parametrize("seed", [1, 2])
def test_leaders_that_stop_for_longer_than_their_lease_lose_no_work_and_double_none(
    database_url: str, clock: SetClock, settings: Settings, seed: int
) -> None:
    rng, ticks = random.Random(seed), Ticks()
    fences: list[int] = []
    with processes(database_url, clock, 3) as databases:
        racing = schedulers(databases, settings, ticks)
        stopped_until = [clock.now()] * 3
        with databases[0].transaction() as session:
            for n in range(60):
                put_due(session, clock.now() + timedelta(seconds=n * TICK_S))
        for _ in range(60):
            for i, until in enumerate(stopped_until):
                if until <= clock.now() and rng.random() < 0.08:
                    stopped_until[i] = clock.now() + timedelta(seconds=LEASE_S * rng.uniform(1.1, 3))
            awake = [racing[i] for i, until in enumerate(stopped_until) if until <= clock.now()]
            together(*[lambda s=s, job=job: s.run(job) for s, job in awake]) if awake else None
            fences.append(lease_of(databases[0]).fence)
            clock.advance(seconds=TICK_S)
        clock.advance(seconds=2 * LEASE_S)
        together(*[lambda s=s, job=job: s.run(job) for s, job in racing])
        with databases[0].reading() as session:
            items = session.execute(select(Component.kind, Component.version)).all()

    assert fences == sorted(fences)
    assert fences[-1] > 1, "nobody ever took over, so nothing was tried"
    assert set(ticks.ran.values()) == {1}
    assert [tuple(item) for item in items] == [("done", 2)] * 60, "each was done, and once"


def test_a_leader_stopped_between_claim_and_work_does_not_stop_the_next(
    database_url: str, clock: SetClock, settings: Settings
) -> None:
    """It wakes up when another leads, and does the tick that it had claimed: the tables decide what that changes."""
    ticks, woken, stopped = Ticks(), threading.Event(), threading.Event()

    def stops_first(db: Database, given: Settings) -> int:
        stopped.set()
        assert woken.wait(60)
        return ticks.work(db, given)

    with processes(database_url, clock, 2) as databases:
        [(slow, job), (quick, _)] = schedulers(databases, settings, ticks)
        with databases[0].transaction() as session:
            put_due(session, clock.now())
        sleeper = threading.Thread(target=slow.run, args=(Job(job.id, job.every_s, stops_first),))
        sleeper.start()
        assert stopped.wait(60)
        assert not quick.run(job), "the lease holds while it stands still"
        clock.advance(seconds=LEASE_S + 1)
        assert quick.run(job)
        woken.set()
        sleeper.join(60)
        with databases[0].reading() as session:
            [item] = session.scalars(select(Component)).all()
            runs = session.scalars(select(JobRun).order_by(JobRun.scheduled_for)).all()

    assert (item.kind, [run.fence for run in runs]) == ("done", [1, 2])
    assert sorted(run.outcome for run in runs) == ["done: 0", "done: 1"]


def test_a_job_that_fails_stops_neither_the_next_tick_nor_the_other_jobs(
    db: Database, settings: Settings, clock: SetClock
) -> None:
    ticks = Ticks()

    def fails(_db: Database, _settings: Settings) -> int:
        raise RuntimeError("planted")

    [(scheduler, job)] = schedulers([db], settings, ticks)

    assert [scheduler.run(Job("bad", TICK_S, fails)), scheduler.run(job)] == [False, True]
    clock.advance(seconds=TICK_S)
    assert [scheduler.run(Job("bad", TICK_S, ticks.work)), scheduler.run(job)] == [True, True]


def test_a_started_scheduler_ticks_every_job_at_once_and_gives_up_the_lead_when_it_stops(
    database_url: str, settings: Settings
) -> None:
    """The only test with the ticker itself; it waits for events, not for time."""
    ran = {name: threading.Event() for name in ("one", "two")}
    db = Database(database_url)
    scheduler = Scheduler(
        db, settings, tuple(Job(name, 3600, lambda *_, event=event: int(event.set() or 0)) for name, event in ran.items())
    )
    scheduler.start()
    assert all(event.wait(60) for event in ran.values())
    scheduler.stop()

    with db.reading() as session:
        assert session.scalars(select(LeaderLease)).one().until < db.clock.now()
        assert set(session.scalars(select(JobRun.outcome))) == {"done: 0"}
    db.close()


def test_the_table_of_jobs_is_what_the_product_promises_to_look_at(clock: SetClock) -> None:
    by_id = {job.id: job.every_s for job in app.jobs.JOBS}

    assert len(by_id) == len(app.jobs.JOBS)
    assert {"lapse_station_tasks", "follow_due_alarms", "expire_offers", "notice_silence", "time_out_commands"} <= set(by_id)
    assert max(by_id[name] for name in ("lapse_station_tasks", "follow_due_alarms")) <= 5
