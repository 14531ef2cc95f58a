"""A worker that was down: its first tick finds in the tables what became due meanwhile, through the very JOBS it runs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.assets.models import DeviceProfile
from app.core.db import Database
from app.core.leases import JobRun
from app.core.settings import Settings
from app.core.tracked import touch
from app.jobs import JOBS, Scheduler
from app.service_offers.models import Coupon, ServiceOffer
from app.stations.models import PartStock
from app.users.models import FailedTry
from app.work_orders.models import StationTask, WorkOrder
from iot.models import Alarm, DeviceCommand
from push.models import Notification
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def scheduler(db: Database, settings: Settings) -> Scheduler:
    return Scheduler(db, settings)


def tick(scheduler: Scheduler, *ids: str) -> list[str | None]:
    """Run the named jobs, all of them by default, as the ticker would; return what they left in their rows."""
    jobs = [job for job in JOBS if not ids or job.id in ids]
    assert all(scheduler.run(job) for job in jobs)
    with scheduler.database.reading() as session:
        newest = select(JobRun.outcome).order_by(JobRun.scheduled_for.desc()).limit(1)
        return [session.scalar(newest.where(JobRun.job == job.id)) for job in jobs]


def kinds(db: Database, user_id: str) -> list[str]:
    with db.reading() as session:
        return list(session.scalars(select(Notification.kind).where(Notification.user_id == user_id).order_by(Notification.id)))


def test_a_job_never_fails_on_an_empty_organisation_and_none_claims_to_have_done_anything(scheduler: Scheduler) -> None:
    assert tick(scheduler) == ["done: 0"] * len(JOBS)


def test_offers_that_ended_while_nobody_looked_expire_with_everything_they_held(
    world: World, scheduler: Scheduler, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    clock.advance(days=20)

    assert tick(scheduler, "expire_offers") == ["done: 1"]

    with world.db.reading() as session:
        assert session.scalars(select(ServiceOffer.state)).all() == ["expired"]
        assert session.scalars(select(Coupon.state)).all() == ["void"]
        assert session.scalars(select(WorkOrder.state)).all() == ["cancelled"]
        assert session.scalars(select(StationTask.state)).all() == ["withdrawn"]
        assert set(session.scalars(select(PartStock.reserved))) == {0}
    assert kinds(world.db, world.owner) == ["offer_made", "offer_expired"]


def test_an_offer_in_its_last_second_is_left_alone(
    world: World, scheduler: Scheduler, settings: Settings, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    clock.advance(days=settings.offer_validity_days, seconds=-1)
    assert tick(scheduler, "expire_offers") == ["done: 0"]

    clock.advance(seconds=30)
    assert tick(scheduler, "expire_offers") == ["done: 1"]


def test_a_lease_that_lapsed_while_nobody_looked_goes_to_the_next_station_then_to_nobody(
    world: World, scheduler: Scheduler, clock: SetClock
) -> None:
    world.report(74.9, 74.5, 74.1)
    clock.advance(days=2)
    assert tick(scheduler, "lapse_station_tasks") == ["done: 1"]
    with world.db.reading() as session:
        tasks = session.execute(select(StationTask.station_id, StationTask.state).order_by(StationTask.id)).all()
    assert tasks == [(world.stations[0], "lapsed"), (world.stations[1], "offered")]

    clock.advance(days=2)
    assert tick(scheduler, "lapse_station_tasks") == ["done: 1"]
    with world.db.reading() as session:
        assert session.scalars(select(WorkOrder.state)).all() == ["unassigned"]
        assert set(session.scalars(select(PartStock.reserved))) == {0}
    assert "order_unassigned" in kinds(world.db, world.manager)


def test_a_device_that_fell_silent_and_spoke_again_while_the_process_was_down_is_not_reported(
    world: World, scheduler: Scheduler, clock: SetClock
) -> None:
    world.report(80.0)
    clock.advance(hours=30)
    world.report(80.0, boot="b2")

    assert tick(scheduler, "notice_silence") == ["done: 0"]


def test_silence_that_began_while_the_process_was_down_is_noticed_once_and_dated_when_it_began(
    world: World, scheduler: Scheduler, clock: SetClock
) -> None:
    world.report(80.0)
    heard_at = clock.now()
    clock.advance(days=9)

    assert tick(scheduler, "notice_silence") == ["done: 1"]
    clock.advance(seconds=15)
    assert tick(scheduler, "notice_silence") == ["done: 0"]

    with world.db.reading() as session:
        [alarm] = session.scalars(select(Alarm)).all()
    assert (alarm.state, alarm.subject_id) == ("raised", world.device)
    assert (alarm.raised_at, alarm.last_at) == (heard_at + timedelta(hours=24), heard_at)
    assert kinds(world.db, world.rep) == ["device_silent"]


def test_late_data_closes_silence_by_arrival_and_the_next_silence_is_a_new_alarm(
    world: World, scheduler: Scheduler, clock: SetClock
) -> None:
    world.report(80.0)
    clock.advance(hours=25)
    tick(scheduler, "notice_silence")

    world.report(80.0, start=clock.now() - timedelta(hours=20), boot="kept in the device")
    with world.db.reading() as session:
        [alarm] = session.scalars(select(Alarm)).all()
    assert (alarm.state, alarm.end_reason, alarm.cleared_at) == ("cleared", "heard_again", clock.now())

    clock.advance(hours=25)
    assert tick(scheduler, "notice_silence") == ["done: 1"]
    with world.db.reading() as session:
        assert session.scalars(select(Alarm.episode).order_by(Alarm.episode)).all() == [1, 2]


def test_a_value_that_matured_while_the_process_was_down_raises_when_it_matured(
    world: World, scheduler: Scheduler, clock: SetClock
) -> None:
    with world.db.transaction() as session:
        profile = session.get_one(DeviceProfile, world.profile)
        profile.sends_only_changes = True
        touch(session, profile)
    world.report(74.0)
    since = clock.now()
    clock.advance(days=5)

    assert tick(scheduler, "follow_due_alarms") == ["done: 1"]

    with world.db.reading() as session:
        [alarm] = session.scalars(select(Alarm)).all()
        assert (alarm.state, alarm.raised_at) == ("raised", since + timedelta(hours=24))
        assert session.scalars(select(ServiceOffer.state)).all() == ["issued"]


def test_a_command_nobody_answered_is_closed_late_but_closed(world: World, scheduler: Scheduler, clock: SetClock) -> None:
    from app.assets.models import Device
    from iot.commands import ask_device

    with world.db.transaction() as session:
        ask_device(session, world.actor(world.admin), session.get_one(Device, world.device), {"ask": "soh"}, 60)
    clock.advance(days=1)

    assert tick(scheduler, "time_out_commands") == ["done: 1"]
    with world.db.reading() as session:
        assert session.scalars(select(DeviceCommand.state)).all() == ["timed_out"]


def test_rows_that_served_their_time_go_and_others_stay(
    world: World, scheduler: Scheduler, settings: Settings, clock: SetClock, http: Http, app: Flask
) -> None:
    admin = http.as_(world.admin)
    key = {"Idempotency_Key": "territory-0001"}
    admin.post("/territories", {"code": "BJ", "name": "Beijing"}, 201, **key)
    http.refused("POST", "/auth/sign-in", 401, "bad_credentials", {"login": "manager@example.test", "password": "wrong"})
    tick(scheduler)
    clock.advance(days=settings.idempotency_days - 1)
    tick(scheduler, "forget_old_rows")
    admin.post("/territories", {"code": "BJ", "name": "Beijing"}, 201, **key)  # answered from what was stored

    clock.advance(days=2)
    tick(scheduler, "forget_old_rows")

    http.as_(world.admin).refused("POST", "/territories", 422, "validation_failed", {"code": "BJ", "name": "Beijing"}, **key)
    with world.db.reading() as session:
        assert session.scalar(select(func.count()).select_from(FailedTry)) == 0
        assert session.scalar(select(func.count()).select_from(JobRun)) == 2, "older runs than a week are forgotten"
