"""Readings from ahead of our clock, a device's fault or our own, are judged when it has come to their time, as any others."""

from __future__ import annotations

import itertools
from datetime import timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select, text

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import JOBS
from iot import ahead
from iot.ahead import take_in_due
from iot.ingest import Message
from iot.models import Telemetry
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.iot.test_placements import place
from tests.iot.vehicles import (
    DAY,
    Value,
    alarms,
    deliver,
    expected_alarms,
    first_vehicle,
    kinds,
    latest,
    make_vehicle,
    offers,
    send,
    shown_alarms,
    stock_up,
    values,
)  # fmt: skip
from tests.people import Http
from tests.races.together import together


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def take_in(world: World) -> int:
    return take_in_due(world.db, world.settings)


def marked(world: World) -> int:
    with world.db.reading() as session:
        return sum(session.scalars(select(Telemetry.ahead)))


def test_what_came_while_our_clock_was_behind_is_judged_when_it_is_right_again(world: World, clock: SetClock) -> None:
    clock.set(MONDAY_MORNING - 30 * DAY)
    found = values(MONDAY_MORNING - 2 * DAY, DAY, 74.9, 74.5, 74.1)
    send(world, world.device, *found)
    assert (take_in(world), marked(world)) == (0, 3)
    assert shown_alarms(world.db, world.pack) == []

    clock.set(MONDAY_MORNING)
    assert take_in(world) == 3

    assert shown_alarms(world.db, world.pack) == expected_alarms(found) != []
    assert (take_in(world), marked(world)) == (0, 0)
    assert latest(world.db, world.device) == (MONDAY_MORNING, 74.1)
    assert len(offers(world.db, world.pack)) == 1
    assert kinds(world.db, world.rep) == ["battery_alarm"]


def test_each_is_judged_as_our_clock_comes_to_its_time_and_no_sooner(world: World, clock: SetClock) -> None:
    found = values(MONDAY_MORNING + DAY, DAY, 74.9, 74.5, 74.1)
    send(world, world.device, *found)

    for n in range(3):
        clock.set(found[n].at - timedelta(milliseconds=1))
        assert take_in(world) == 0
        clock.set(found[n].at)
        assert take_in(world) == 1
        assert shown_alarms(world.db, world.pack) == expected_alarms(found[: n + 1])
        assert latest(world.db, world.device) == (found[n].at, found[n].soh_pct)
    assert [alarm.state for alarm in alarms(world.db, world.pack)] == ["raised"]


def test_the_workers_table_of_jobs_does_it() -> None:
    assert [job.every_s for job in JOBS if job.work is take_in_due] == [30]


class Sent(NamedTuple):
    """A reading, and by how many days our clock was behind when it came."""

    value: Value
    behind: int


@st.composite
def stories(draw: st.DrawFn) -> tuple[list[Sent], list[int], list[bool]]:
    """Readings, the order in which they come, and after which of them the job runs."""
    hours = draw(st.lists(st.integers(0, 200), min_size=4, max_size=12, unique=True))
    level = st.sampled_from([74.0, 74.0, 61.0, 80.0, 76.0])
    found = [Value(MONDAY_MORNING - timedelta(hours=210 - hour), draw(level), f"b:{i}") for i, hour in enumerate(sorted(hours))]
    sent = [Sent(value, draw(st.sampled_from([0, 0, 1, 5, 30]))) for value in found]
    return sent, draw(st.permutations(range(len(sent)))), draw(st.lists(st.booleans(), min_size=len(sent), max_size=len(sent)))


def test_whatever_our_clock_said_when_they_came_the_alarms_are_those_of_the_readings(world: World, clock: SetClock) -> None:
    stock_up(world)
    numbers = itertools.count()

    @examples(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(stories())
    def holds(story: tuple[list[Sent], list[int], list[bool]]) -> None:
        sent, order, runs = story
        vehicle = make_vehicle(world, f"a{next(numbers):05d}", MONDAY_MORNING - 400 * DAY)
        for i in order:
            clock.set(MONDAY_MORNING - sent[i].behind * DAY)
            send(world, vehicle.device, sent[i].value)
            if runs[i]:
                take_in(world)
        clock.set(MONDAY_MORNING)
        take_in(world)

        assert shown_alarms(world.db, vehicle.pack) == expected_alarms([one.value for one in sent])
        assert latest(world.db, vehicle.device) == (sent[-1].value.at, sent[-1].value.soh_pct)

    holds()
    clock.set(MONDAY_MORNING)


def test_two_workers_judge_each_reading_once(world: World, clock: SetClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "_SLICE", 4)
    stock_up(world)
    vehicles = [make_vehicle(world, f"race-{i}") for i in range(5)]
    clock.set(MONDAY_MORNING - 30 * DAY)
    found = values(MONDAY_MORNING - 4 * DAY, DAY, 74.9, 74.5, 74.1, 74.0, 73.9)
    for vehicle in vehicles:
        send(world, vehicle.device, *found)
    clock.set(MONDAY_MORNING)

    assert sum(together(*[partial(take_in, world)] * 2)) == 25
    for vehicle in vehicles:
        assert shown_alarms(world.db, vehicle.pack) == expected_alarms(found)
        assert len(offers(world.db, vehicle.pack)) == 1


def test_a_device_that_moved_meanwhile_leaves_each_reading_where_it_was_measured(
    world: World, http: Http, clock: SetClock
) -> None:
    stock_up(world)
    old, new = first_vehicle(world), make_vehicle(world, "0002")
    clock.set(MONDAY_MORNING - 30 * DAY)
    found = values(MONDAY_MORNING - 8 * DAY, DAY, *[74.0] * 8)
    send(world, old.device, *found)
    clock.set(MONDAY_MORNING)
    place(http.as_(world.manager), old.device, new.asset, MONDAY_MORNING - 4 * DAY)
    assert take_in(world) == 8

    assert shown_alarms(world.db, old.pack) == expected_alarms(found[:4]) != []
    assert shown_alarms(world.db, new.pack) == expected_alarms(found[4:]) != []


def test_a_message_of_a_device_far_ahead_waits_and_costs_those_of_today_nothing(world: World, clock: SetClock) -> None:
    body = {"ts": to_ms(MONDAY_MORNING + 3650 * DAY), "boot": "future", "seq": 1, "m": {"soh_pct": 12.0}}
    topic = f"devices/0/{world.device}/telemetry"
    deliver(world, Message(topic, msgspec.json.encode(body), False, to_ms(MONDAY_MORNING)))
    found = values(MONDAY_MORNING - 3 * DAY, DAY, 74.9, 74.5, 74.1)
    send(world, world.device, *found)
    assert take_in(world) == 0

    assert shown_alarms(world.db, world.pack) == expected_alarms(found)
    assert marked(world) == 1


def test_the_readings_that_wait_are_found_by_their_own_index(world: World) -> None:
    ask = f"SELECT at_ms FROM telemetry WHERE ahead IS {'1' if 'sqlite' in str(world.db.engine.url) else 'true'} AND at_ms <= 5"
    with world.db.reading() as session:
        if "sqlite" in str(world.db.engine.url):
            plan = " ".join(str(row) for row in session.execute(text("EXPLAIN QUERY PLAN " + ask)))
        else:
            session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = " ".join(str(row) for row in session.execute(text("EXPLAIN " + ask)))
    assert "ix_telemetry_ahead" in plan
