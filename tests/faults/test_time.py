"""Clocks that jump, and days that are 23 or 25 hours long."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.leases import JobRun
from app.core.settings import Settings
from app.factory import create_app
from app.jobs import JOBS, Job, Scheduler
from app.service_offers.models import ServiceOffer
from app.work_orders.models import StationTask
from iot.models import Alarm
from iot.retention import HOUR_MS, beginning
from push.models import Notification
from tests.conftest import SetClock
from tests.factories import PASSWORD, World, make_world
from tests.faults.told import count
from tests.iot.vehicles import first_vehicle, shown_alarms
from tests.people import Http

JUMPS = {
    "an hour back": timedelta(hours=-1),
    "an hour ahead": timedelta(hours=1),
    "a day ahead": timedelta(days=1),
    "a month back": timedelta(days=-30),
}
jumping = pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS.keys())


class HostClock(SetClock):
    """A host's clock that may be wrong by ``jump``; the database's and the monotonic one go on as before."""

    jump = timedelta(0)

    def now(self) -> datetime:
        return self.at + self.jump

    def database_now(self, session: Session) -> datetime:
        return self.at


@pytest.fixture
def clock() -> HostClock:
    return HostClock()


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def tick_all(world: World, settings: Settings) -> None:
    """Let every job look, as a scheduler does after its interval."""
    scheduler = Scheduler(world.db, settings)
    world.db.clock.advance(hours=1)  # type: ignore[attr-defined]
    assert all(scheduler.run(job) for job in JOBS)


def effects(world: World) -> Counter[str]:
    """Count everything that may happen once only."""
    found = Counter({"alarm": count(world, Alarm, Alarm.metric == "soh_pct"), "offer": count(world, ServiceOffer)})
    found["told"] = count(world, Notification, Notification.kind == "battery_alarm")
    return found


@jumping
def test_a_clock_that_jumps_and_comes_back_repeats_no_effect_and_revives_nothing(
    world: World, settings: Settings, clock: HostClock, jump: timedelta
) -> None:
    """The same readings come again at each step: they are known, and what followed from them is not done again."""
    low = world.telemetry(74.9, 74.5, 74.1)
    world.send(*low)
    once = Counter({"alarm": 1, "offer": 1, "told": 1})
    assert effects(world) == once
    clock.jump = jump
    for back in (timedelta(0), jump, timedelta(0)):
        tick_all(world, settings)
        world.send(*low)
        clock.jump = back
    tick_all(world, settings)

    assert effects(world) == once
    assert len(shown_alarms(world.db, first_vehicle(world).pack)) == 1
    with world.db.reading() as session:
        tried = session.execute(select(StationTask.station_id, func.count()).group_by(StationTask.station_id)).all()
    assert {n for _, n in tried} == {1}, "no station was asked twice for the same work"


@jumping
def test_what_falls_due_around_a_jump_fires_once(world: World, settings: Settings, clock: HostClock, jump: timedelta) -> None:
    """An offer whose end lies behind the jump and the way back: it expires when the clock is right again, or has by then."""
    world.report(74.9, 74.5, 74.1)
    end = clock.at + timedelta(days=settings.offer_validity_days)
    clock.at = end - timedelta(minutes=30)
    clock.jump = jump
    tick_all(world, settings)
    clock.jump = timedelta(0)
    clock.at = end + timedelta(minutes=1)
    tick_all(world, settings)
    tick_all(world, settings)

    with world.db.reading() as session:
        assert session.scalars(select(ServiceOffer.state)).all() == ["expired"]
        assert session.scalar(select(func.count()).where(Notification.kind == "offer_expired")) == 1


@jumping
def test_ticks_go_on_by_the_databases_clock_each_once(
    world: World, settings: Settings, clock: HostClock, jump: timedelta
) -> None:
    done: list[datetime] = []
    job = Job("counts", 5, lambda *_: done.append(clock.at) or 0)
    host, other = Scheduler(world.db, settings, (job,)), Scheduler(world.db, settings, (job,))
    host.holder, other.holder = "jumps", "stands by"
    for n in range(60):
        clock.jump = jump if n % 20 >= 10 else timedelta(0)
        host.run(job)
        assert not other.run(job), "a lease is judged by the database's clock, whatever the host's says"
        clock.advance(seconds=2.5)

    assert len(done) == len(set(done)) == 30
    with world.db.reading() as session:
        planned = session.scalars(select(JobRun.scheduled_for).order_by(JobRun.scheduled_for)).all()
    assert {(b - a).total_seconds() for a, b in itertools.pairwise(planned)} == {5}


@jumping
def test_a_session_that_ended_stays_ended_and_a_token_from_the_future_is_refused(
    world: World, settings: Settings, clock: HostClock, jump: timedelta
) -> None:
    http = Http(create_app(settings, world.db), world.db, settings)
    login = {"login": "rep@example.test", "password": PASSWORD}

    def me(token: str) -> int:
        return http.call("GET", "/me", Authorization=f"Bearer {token}").status_code

    ended, kept = (http.post("/auth/sign-in", login) for _ in range(2))
    assert http.call("POST", "/auth/sign-out", Authorization=f"Bearer {ended['access_token']}").status_code == 204
    for clock.jump in (jump, timedelta(0)):
        assert me(ended["access_token"]) == 401
        assert http.call("POST", "/auth/refresh", {"refresh_token": ended["refresh_token"]}).status_code == 401
        expected = 200 if clock.jump == timedelta(0) else 401
        assert me(kept["access_token"]) == expected, "not yet issued, or over, by this clock"
    assert http.post("/auth/refresh", {"refresh_token": kept["refresh_token"]})["access_token"]


# --- days of 23 and 25 hours ---


@pytest.mark.parametrize(
    "name", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "Asia/Kathmandu"]
)
def test_each_local_day_of_ten_years_has_one_row_in_the_report_and_each_instant_one_day(name: str) -> None:
    """Lord Howe moves by half an hour; in Cairo some days begin at one o'clock; in Havana midnight comes twice."""
    zone = ZoneInfo(name)
    first, last = to_ms(datetime(2020, 1, 1, tzinfo=zone)), to_ms(datetime(2030, 1, 1, tzinfo=zone))
    days: dict[int, date] = {}
    before = 0
    for at_ms in range(first, last, HOUR_MS // 2):
        from_ = beginning("day", at_ms, zone)
        assert before <= from_ <= at_ms
        before = from_
        day = from_ms(at_ms).astimezone(zone).date()
        assert days.setdefault(from_, day) == day, "one row, two days"
    assert len(set(days.values())) == len(days), "one day, two rows"
    assert len(days) == (date(2030, 1, 1) - date(2020, 1, 1)).days
    lengths = Counter(b - a for a, b in zip(sorted(days), sorted(days)[1:], strict=False))
    changes = {hours * HOUR_MS for hours in (23, 23.5, 24.5, 25)} & set(lengths)
    assert bool(changes) == (name not in {"Asia/Shanghai", "Asia/Kathmandu"})
