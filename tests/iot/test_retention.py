"""Readings go after their time, alarms do not change by it: what was settled stays, what comes later ends in the same alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.findings import of_jobs
from app.jobs import JOBS, Scheduler
from iot import retention, store
from iot.models import Telemetry, TelemetryHorizon, TelemetryRollup
from iot.retention import retire_rollups, retire_telemetry
from iot.steps import HOUR_MS, Step
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.vehicles import (
    DAY,
    HOUR,
    Value,
    Vehicle,
    alarms,
    counted,
    expected_alarms,
    first_vehicle,
    happened,
    make_vehicle,
    replace_pack,
    send,
    shown_alarms,
    values,
)
from tests.people import Http

KEPT_DAYS = 30


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, replace(settings, telemetry_days=KEPT_DAYS))


def horizon_of(world: World) -> int:
    """Return where the horizon lies once the job has run, Unix ms."""
    return to_ms(world.db.clock.now() - timedelta(days=KEPT_DAYS)) // HOUR_MS * HOUR_MS


def stored(world: World, device: str) -> list[int]:
    with world.db.reading() as session:
        return sorted(session.scalars(select(Telemetry.at_ms).where(Telemetry.device_id == device)))


def rollups(world: World, span: str) -> list[TelemetryRollup]:
    with world.db.reading() as session:
        return list(
            session.scalars(select(TelemetryRollup).where(TelemetryRollup.span == span).order_by(TelemetryRollup.from_ms))
        )


measured = st.lists(
    st.tuples(st.integers(1, 60 * 24), st.sampled_from([70.0, 72.0, 74.9, 76.0, 79.0, 85.0, 90.0])),
    max_size=14,
    unique_by=lambda one: one[0],
)


@given(early=measured, late=measured)
@trying(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_later_deliveries_end_in_the_same_alarms_with_and_without_retention(
    world: World, early: list[tuple[int, float]], late: list[tuple[int, float]]
) -> None:
    """Hours ago and values; some from before the horizon, some since; the late ones fall between the early ones."""
    with world.db.transaction() as session:
        session.execute(delete(TelemetryHorizon))
    vehicle = make_vehicle(world, new_id()[-12:])
    present = world.db.clock.now()
    before = [Value(present - HOUR * hours, value, f"early:{i}") for i, (hours, value) in enumerate(early)]
    after = [Value(present - HOUR * hours, value, f"late:{i}") for i, (hours, value) in enumerate(late)]
    send(world, vehicle.device, *before)
    horizon = from_ms(horizon_of(world))

    retire_telemetry(world.db, world.settings)
    counts = send(world, vehicle.device, *after)

    assert counts["too_old"] == sum(value.at < horizon for value in after)
    assert all(at_ms >= to_ms(horizon) for at_ms in stored(world, vehicle.device))
    assert shown_alarms(world.db, vehicle.pack) == expected_alarms([*before, *[one for one in after if one.at >= horizon]])


def test_an_alarm_that_began_before_the_horizon_goes_on_and_is_cleared_by_late_readings(world: World) -> None:
    vehicle = first_vehicle(world)
    start = world.db.clock.now() - DAY * 40
    low = values(start, DAY, *[70.0] * 35)
    send(world, vehicle.device, *low)
    [alarm] = alarms(world.db, vehicle.pack)

    assert retire_telemetry(world.db, world.settings) == 10
    late = values(start + DAY * 20 + HOUR, HOUR * 12, *[90.0] * 3, boot="late")
    send(world, vehicle.device, *late)

    assert shown_alarms(world.db, vehicle.pack) == expected_alarms([*low, *late])
    assert alarms(world.db, vehicle.pack)[0].id == alarm.id
    assert alarms(world.db, vehicle.pack)[0].raised_at == alarm.raised_at < from_ms(horizon_of(world))


def test_a_horizon_that_moves_day_by_day_settles_what_it_passes(world: World) -> None:
    vehicle = first_vehicle(world)
    found: list[Value] = []
    for day in range(80):
        value = Value(world.db.clock.now(), 70.0 if day % 20 < 12 else 90.0, f"b:{day}")
        found.append(value)
        send(world, vehicle.device, value)
        retire_telemetry(world.db, world.settings)
        world.db.clock.advance(days=1)  # type: ignore[attr-defined]
    late = values(world.db.clock.now() - DAY * 5 + HOUR, HOUR * 25, 90.0, 90.0, 90.0, boot="late")
    send(world, vehicle.device, *late)

    assert len(stored(world, vehicle.device)) <= KEPT_DAYS + 4
    assert shown_alarms(world.db, vehicle.pack) == expected_alarms([*found, *late])


def test_a_removal_that_is_recorded_after_its_time_was_settled_still_ends_the_alarm(world: World) -> None:
    vehicle = first_vehicle(world)
    send(world, vehicle.device, *values(world.db.clock.now() - DAY * 40, DAY, *[70.0] * 5))
    assert [alarm.state for alarm in alarms(world.db, vehicle.pack)] == ["raised"]
    retire_telemetry(world.db, world.settings)

    replace_pack(world, vehicle, world.db.clock.now() - DAY * 35, "PACK-NEW")
    send(world, vehicle.device, *values(world.db.clock.now() - HOUR, HOUR, 99.0))

    [alarm] = alarms(world.db, vehicle.pack)
    assert (alarm.state, alarm.end_reason) == ("cleared", "component_replaced")
    assert alarm.cleared_at == from_ms(horizon_of(world))


def test_what_caused_an_alarm_stays_in_the_log_when_its_readings_are_gone(world: World) -> None:
    vehicle = first_vehicle(world)
    send(world, vehicle.device, *values(world.db.clock.now() - DAY * 40, DAY, 70.0, 71.0, 72.0))
    [alarm] = alarms(world.db, vehicle.pack)

    retire_telemetry(world.db, world.settings)

    assert stored(world, vehicle.device) == []
    raised = next(entry for entry in happened(world.db, alarm.id) if entry.kind == "alarm.raised")
    assert [reading["value"] for reading in raised.facts["readings"]] == [70.0, 71.0, 72.0]


def spread(world: World, vehicle: Vehicle) -> list[Value]:
    return values(from_ms(horizon_of(world)) - timedelta(hours=50), timedelta(minutes=7), *[80.0 + i % 13 for i in range(400)])


def totals(found: Sequence[TelemetryRollup]) -> tuple[int, float, float, float]:
    return (
        sum(one.n for one in found),
        round(sum(one.total for one in found), 6),
        min(one.least for one in found),
        max(one.most for one in found),
    )


def test_what_goes_is_added_up_by_hour_and_by_local_day(world: World) -> None:
    vehicle = first_vehicle(world)
    found = spread(world, vehicle)
    send(world, vehicle.device, *found)

    retire_telemetry(world.db, world.settings)

    hours, days = rollups(world, "hour"), rollups(world, "day")
    assert totals(hours) == totals(days) == (400, sum(v.soh_pct for v in found), 80.0, 92.0)
    for one in hours:
        inside = [v for v in found if one.from_ms <= to_ms(v.at) < one.from_ms + HOUR_MS]
        assert (one.n, one.first, one.last) == (len(inside), inside[0].soh_pct, inside[-1].soh_pct)
    zone = world.settings.time_zone
    assert [from_ms(one.from_ms).astimezone(zone).time().isoformat() for one in days] == ["00:00:00"] * len(days)
    assert {from_ms(one.from_ms).astimezone(zone).date() for one in days} == {v.at.astimezone(zone).date() for v in found}


def test_a_reading_is_added_up_once_however_often_the_job_is_cut_or_run_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    vehicle = first_vehicle(world)
    found = spread(world, vehicle)
    send(world, vehicle.device, *found)
    monkeypatch.setattr(retention, "_SLICE", 90)
    add, calls = store.add_rollups, iter(range(100))

    def dies(*arguments: object) -> None:
        add(*arguments)  # type: ignore[arg-type]
        if next(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "add_rollups", dies)
    with pytest.raises(KeyboardInterrupt):
        retire_telemetry(world.db, world.settings)
    assert sum(one.n for one in rollups(world, "hour")) == 400 - len(stored(world, vehicle.device)) > 0

    retire_telemetry(world.db, world.settings)
    send(world, vehicle.device, *found)
    assert retire_telemetry(world.db, world.settings) == 0

    assert totals(rollups(world, "hour")) == totals(rollups(world, "day")) == (400, sum(v.soh_pct for v in found), 80.0, 92.0)
    assert counted(world.db)["too_old"] == 400


def test_an_asset_with_which_it_fails_keeps_no_other_and_is_named_until_it_is_done(
    world: World, clock: SetClock, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    vehicles = [make_vehicle(world, f"van-{n}") for n in range(3)]
    old = clock.now() - timedelta(days=40)
    for vehicle in vehicles:
        send(world, vehicle.device, *values(old, DAY, 80.0, 81.0))
    with world.db.reading() as session:
        assets = {vehicle.device: session.get_one(Device, vehicle.device).asset_id for vehicle in vehicles}
    bad = min(vehicles, key=lambda vehicle: assets[vehicle.device])  # the first one it comes to
    real = retention._retire_of

    def fails(session: Session, asset_id: str, *rest: Any) -> tuple[int, bool]:
        if asset_id == assets[bad.device]:
            raise ValueError("a state that cannot be read")
        return real(session, asset_id, *rest)

    monkeypatch.setattr(retention, "_retire_of", fails)
    job = next(one for one in JOBS if one.id == "retire_telemetry")
    scheduler = Scheduler(world.db, world.settings)
    with structlog.testing.capture_logs() as told:
        assert scheduler.run(job)

    assert [stored(world, vehicle.device) == [] for vehicle in vehicles] == [vehicle is not bad for vehicle in vehicles]
    assert [entry["row"] for entry in told if entry["event"] == "left for the next run"] == [assets[bad.device]]
    with world.db.reading() as session:
        [finding] = of_jobs(session)
    assert all(assets[bad.device] in words and "retire_telemetry" in words for words in finding.what)

    monkeypatch.setattr(retention, "_retire_of", real)
    clock.advance(hours=1)
    assert scheduler.run(job)
    assert stored(world, bad.device) == []
    with world.db.reading() as session:
        assert list(of_jobs(session)) == []


def test_longer_keeping_does_not_let_settled_time_in_again(world: World) -> None:
    vehicle = first_vehicle(world)
    retire_telemetry(world.db, world.settings)
    longer = replace(world.settings, telemetry_days=400)
    retire_telemetry(world.db, longer)

    assert send(world, vehicle.device, *values(world.db.clock.now() - DAY * 40, DAY, 70.0))["too_old"] == 1


def test_without_a_number_of_days_readings_are_kept_for_ever(world: World) -> None:
    vehicle = first_vehicle(world)
    send(world, vehicle.device, *values(world.db.clock.now() - DAY * 300, DAY, 70.0))

    assert retire_telemetry(world.db, replace(world.settings, telemetry_days=0)) == 0
    assert len(stored(world, vehicle.device)) == 1


@pytest.mark.parametrize("resolution", ["hour", "day"])
def test_rollups_over_http_are_the_same_before_and_after_the_readings_went(world: World, http: Http, resolution: str) -> None:
    """Also of the hour and the day through which the horizon goes: half of it is deleted, half is stored."""
    vehicle = first_vehicle(world)
    horizon = from_ms(horizon_of(world))
    found = values(horizon - HOUR * 30, timedelta(minutes=25), *[80.0 + i % 13 for i in range(140)])
    send(world, vehicle.device, *found)
    manager = http.as_(world.manager)
    path = f"/devices/{vehicle.device}/telemetry?metric=soh_pct&limit=1000&resolution={resolution}"
    before = manager.get(path)

    retire_telemetry(world.db, world.settings)

    assert 0 < len(stored(world, vehicle.device)) < 140
    assert manager.get(path) == before
    assert before["items"] == []
    assert sum(one["n"] for one in before["rollups"]) == 140
    assert before["rollups"] == sorted(before["rollups"], key=lambda one: one["since"], reverse=True)
    assert manager.get(path.replace("limit=1000", "limit=2"))["rollups"] == before["rollups"][:2]
    manager.refused("GET", path.replace(resolution, "week"), 422, "validation_failed")


def by_step(http: Http, vehicle: Vehicle, since: datetime, step: int, limit: int = 1000) -> dict[str, Any]:
    at = since.isoformat().replace("+00:00", "Z")
    found: dict[str, Any] = http.get(f"/devices/{vehicle.device}/telemetry?metric=soh_pct&since={at}&step={step}&limit={limit}")
    return found


def told(found: dict[str, Any]) -> tuple[int, int, float, float, float]:
    """Return the step, and of all sums together number, sum, least and greatest."""
    sums = found["rollups"]
    total = round(sum(one["sum"] for one in sums), 6)
    return found["step"], sum(one["n"] for one in sums), total, min(s["least"] for s in sums), max(s["greatest"] for s in sums)


def test_a_step_is_as_fine_as_what_is_left_of_old_readings_allows(world: World, http: Http) -> None:
    """Readings, then roll-ups by hour, then by day; and nothing of the sums is lost on the way."""
    settings = replace(world.settings, hour_rollup_days=60)
    vehicle, manager = first_vehicle(world), http.as_(world.manager)
    horizon = from_ms(horizon_of(world))
    midnight = (horizon - DAY * 3).astimezone(world.settings.time_zone).replace(hour=0).astimezone(UTC)
    found = values(midnight, timedelta(minutes=25), *[80.0 + i % 13 for i in range(250)])
    send(world, vehicle.device, *found)
    whole = (250, sum(value.soh_pct for value in found), 80.0, 92.0)
    assert told(by_step(manager, vehicle, midnight, 7200)) == (7200, *whole)
    fine = by_step(manager, vehicle, horizon, 2700)
    assert (fine["step"], fine["items"]) == (2700, [])
    for one in fine["rollups"]:
        begun = datetime.fromisoformat(one["since"])
        inside = [value.soh_pct for value in found if begun <= value.at < begun + timedelta(seconds=2700)]
        assert (one["n"], one["sum"], one["first"], one["last"]) == (len(inside), sum(inside), inside[0], inside[-1])
    begins = from_ms(-(-to_ms(horizon) // 2_700_000) * 2_700_000)
    assert sum(one["n"] for one in fine["rollups"]) == sum(value.at >= begins for value in found)
    before = [by_step(manager, vehicle, midnight, step)["rollups"] for step in (3600, 3 * 3600, 86_400, 2 * 86_400)]

    retire_telemetry(world.db, settings)
    assert retire_rollups(world.db, settings) == 0
    assert 0 < len(stored(world, vehicle.device)) < 250
    assert [by_step(manager, vehicle, midnight, s)["rollups"] for s in (3600, 3 * 3600, 86_400, 2 * 86_400)] == before
    assert told(by_step(manager, vehicle, midnight, 600)) == (3600, *whole), "what is rolled up is not finer than an hour"
    assert by_step(manager, vehicle, horizon, 2700) == fine

    world.db.clock.advance(days=40)  # type: ignore[attr-defined]
    retire_telemetry(world.db, settings)
    hours = len(rollups(world, "hour"))
    assert retire_rollups(world.db, settings) == hours - len(rollups(world, "hour")) > 0
    assert told(by_step(manager, vehicle, midnight, 600)) == (86_400, *whole), "hours of then are gone"
    assert by_step(manager, vehicle, midnight, 600)["rollups"] == before[2]
    assert retire_rollups(world.db, settings) == 0
    longer = replace(settings, hour_rollup_days=4000)
    retire_rollups(world.db, longer)
    assert by_step(manager, vehicle, midnight, 600)["step"] == 86_400, "more days later bring no hour back"


def test_sums_are_bounded_by_their_number_and_kept_for_ever_where_the_operator_says_so(world: World, http: Http) -> None:
    vehicle, manager = first_vehicle(world), http.as_(world.manager)
    start = world.db.clock.now() - DAY * 100
    found = values(start, DAY, *[80.0 + i for i in range(100)])
    send(world, vehicle.device, *found)
    retire_telemetry(world.db, world.settings)

    assert retire_rollups(world.db, replace(world.settings, hour_rollup_days=0)) == 0
    few = by_step(manager, vehicle, start, 60, limit=10)
    assert few["step"] == 10 * 86_400 or few["step"] == 11 * 86_400
    assert len(few["rollups"]) <= 10
    many = by_step(manager, vehicle, start, 60)
    assert (many["step"], len(many["rollups"])) == (3 * 3600, 99), "the step of the first one began before"
    manager.refused("GET", f"/devices/{vehicle.device}/telemetry?metric=soh_pct&step=60", 422, "validation_failed")
    at = start.isoformat().replace("+00:00", "Z")
    for wrong in ("0", "1.5", "-60", "31536001"):
        path = f"/devices/{vehicle.device}/telemetry?metric=soh_pct&since={at}&step={wrong}"
        manager.refused("GET", path, 422, "validation_failed")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe"])
@given(at_h=st.integers(0, 24 * 365 * 3), n=st.integers(1, 40))
@trying(max_examples=200)
def test_steps_of_days_begin_at_midnight_and_follow_each_other_without_a_gap(zone: str, at_h: int, n: int) -> None:
    step, local = Step("day", n), ZoneInfo(zone)
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=at_h)
    begun = from_ms(step.beginning(to_ms(at), local)).astimezone(local)
    next_one = from_ms(step.beginning(to_ms(begun + timedelta(days=n, hours=1)), local)).astimezone(local)

    assert begun <= at < next_one
    assert (begun.hour, begun.minute, next_one.hour, next_one.minute) == (0, 0, 0, 0)
    assert (next_one.date() - begun.date()).days == n
