"""What a device gave stands only as long as the device is there: taken out of the asset, its values hold there no longer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot.ingest import Message, follow_due
from iot.retention import retire_telemetry
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.iot.test_placements import place
from tests.iot.vehicles import DAY, HOUR, Vehicle, alarms, make_vehicle
from tests.people import Http

SPAN_H, CLEAR_H = 10, 4
NAMES: dict[str, Any] = {"name": {"zh-CN": "过热", "en": "Hot"}, "severity": "minor", "lateness_h": 9600}
LASTING = NAMES | {
    "detector": "duration",
    "metric": "t_c",
    "raise_if": {"above": 60, "for_min": SPAN_H * 60},
    "clear_if": {"at_most": 50, "for_min": CLEAR_H * 60},
}
BOTH = NAMES | {
    "detector": "condition",
    "metrics": ["t_c", "p_kpa"],
    "raise_when": "t_c > 60.0 && p_kpa > 5.0",
    "for_min": SPAN_H * 60,
}
START = MONDAY_MORNING - 100 * HOUR


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


class Heat(NamedTuple):
    """What one of two devices said, so many hours after the start."""

    hour: int
    t_c: float
    device: int = 0


def at(hour: float) -> datetime:
    return START + hour * HOUR


def say(world: World, device: str, hour: float, **metrics: float) -> None:
    body = {"ts": to_ms(at(hour)), "boot": "b", "seq": round(hour * 10), "m": metrics}
    topic, received = f"devices/0/{device}/telemetry", to_ms(world.db.clock.now())
    world.send(Message(topic, msgspec.json.encode(body), False, received))


def follow(world: World) -> None:
    while follow_due(world.db, world.settings):
        pass


def shown(world: World, vehicle: Vehicle) -> list[tuple[float, float | None]]:
    """Return when the alarms of an asset rose and ended, in hours after the start."""
    found = [alarm for alarm in alarms(world.db, vehicle.asset) if alarm.state != "withdrawn"]
    return [((a.raised_at - START) / HOUR, (a.cleared_at - START) / HOUR if a.cleared_at else None) for a in found]


def expected(heats: Iterable[Heat], leaves: Sequence[tuple[float, int]], until: float) -> list[tuple[float, float | None]]:
    """Say it in words of time: for how long without a break was it hot, and cold, as far as anybody knew?

    Args:
        leaves: at which hour which of the devices left the asset.
    """
    found: list[tuple[float, float | None]] = []
    since: float | None = None
    events: list[tuple[float, int, Heat | None]] = [(heat.hour, heat.device, heat) for heat in heats]
    events += [(hour, device, None) for hour, device in leaves]
    holder = -1
    for hour, device, heat in [*sorted(events, key=lambda one: (one[0], one[2] is not None)), (until, -1, None)]:
        is_open = bool(found) and found[-1][1] is None
        if since is not None and since + (CLEAR_H if is_open else SPAN_H) <= hour:
            if is_open:
                found[-1] = (found[-1][0], since + CLEAR_H)
            else:
                found.append((since + SPAN_H, None))
            since, is_open = None, not is_open
        if heat is None:
            since = None if device == holder else since
            continue
        holder = device
        if not (heat.t_c <= 50 if is_open else heat.t_c > 60):
            since = None
        elif since is None:
            since = hour
    return found


@pytest.mark.parametrize("left", [3, 10, 30])
@pytest.mark.parametrize("when_recorded", ["at once", "before it had stood long enough", "after that"])
def test_a_value_stands_until_its_device_left_whenever_that_is_recorded(
    world: World, office: Http, clock: SetClock, left: int, when_recorded: str
) -> None:
    office.post("/rules", {"code": "lasting", "document": LASTING}, expect=201)
    old, new = make_vehicle(world, "old1"), make_vehicle(world, "new1")
    clock.set(at(0))
    say(world, old.device, 0, t_c=70)
    clock.set(at(max(left, {"at once": 0, "before it had stood long enough": 9, "after that": 40}[when_recorded])))
    follow(world)
    place(office, old.device, new.asset, at(left))
    follow(world)
    clock.set(at(90))
    follow(world)

    assert shown(world, old) == ([(10, None)] if left >= SPAN_H else [])
    assert shown(world, new) == []


def test_a_device_that_leaves_ends_nothing_that_another_one_gave(world: World, office: Http, clock: SetClock) -> None:
    office.post("/rules", {"code": "lasting", "document": LASTING}, expect=201)
    here, away = make_vehicle(world, "here"), make_vehicle(world, "away")
    other = office.post(f"/assets/{here.asset}/devices", {"profile_id": world.profile, "id": "device-second"}, expect=201)["id"]
    clock.set(at(90))
    say(world, here.device, 0, t_c=70)
    say(world, other, 2, t_c=71)
    place(office, here.device, away.asset, at(5))
    follow(world)

    assert shown(world, here) == [(10, None)]


def test_a_condition_over_two_devices_holds_only_while_both_are_there(world: World, office: Http, clock: SetClock) -> None:
    office.post("/rules", {"code": "both", "document": BOTH}, expect=201)
    here, away = make_vehicle(world, "here"), make_vehicle(world, "away")
    other = office.post(f"/assets/{here.asset}/devices", {"profile_id": world.profile, "id": "device-second"}, expect=201)["id"]
    clock.set(at(90))
    say(world, other, 0, p_kpa=9)
    say(world, here.device, 1, t_c=70)
    follow(world)
    assert shown(world, here) == [(11, None)]

    place(office, other, away.asset, at(5))
    follow(world)
    assert shown(world, here) == []
    say(world, here.device, 20, t_c=71)
    follow(world)
    assert shown(world, here) == [], "what the other device gave is not known any more"
    say(world, here.device, 30, t_c=71, p_kpa=9)
    follow(world)
    assert shown(world, here) == [(40, None)]


Story = tuple[list[Heat], list[tuple[int, int]], list[int], list[bool]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """What two devices of an asset said, when they left it, in which order all that is heard of, and when the job runs."""
    hours = sorted(draw(st.lists(st.integers(0, 80), min_size=3, max_size=10, unique=True)))
    heats = [Heat(hour, draw(st.sampled_from([40.0, 55.0, 70.0, 70.0])), draw(st.integers(0, 1))) for hour in hours]
    leaves = [(draw(st.integers(1, 85)), device) for device in range(2) if draw(st.booleans()) or not device]
    order = draw(st.permutations(range(-len(leaves), len(heats))))
    return heats, leaves, order, draw(st.lists(st.booleans(), min_size=len(order), max_size=len(order)))


def test_in_whatever_order_readings_and_moves_become_known_values_held_as_long_as_their_devices_were_there(
    world: World, office: Http, clock: SetClock
) -> None:
    office.post("/rules", {"code": "lasting", "document": LASTING}, expect=201)
    numbers = itertools.count()

    @examples(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(stories())
    def holds(story: Story) -> None:
        heats, leaves, order, runs = story
        n = next(numbers)
        clock.set(at(90))
        old, new = make_vehicle(world, f"a{n:05d}", START - DAY), make_vehicle(world, f"b{n:05d}", START - DAY)
        given = {"profile_id": world.profile, "id": f"second-{n:05d}", "installed_at": (START - DAY).isoformat()}
        devices = [old.device, office.post(f"/assets/{old.asset}/devices", given, expect=201)["id"]]
        for i, run in zip(order, runs, strict=True):
            if i >= 0:
                say(world, devices[heats[i].device], heats[i].hour, t_c=heats[i].t_c)
            else:
                hour, device = leaves[i]
                place(office, devices[device], new.asset, at(hour))
            if run:
                follow(world)
        follow(world)

        left = {device: hour for hour, device in leaves}
        here = [heat for heat in heats if heat.hour < left.get(heat.device, 99)]
        assert shown(world, old) == expected(here, leaves, 90)
        assert shown(world, new) == expected([heat for heat in heats if heat not in here], [], 90)
        clock.advance(minutes=2)  # these moves are followed for good: the next example need not look at them
        follow(world)

    holds()


def test_a_departure_recorded_after_its_time_was_settled_ends_what_stood_at_the_horizon(
    world: World, office: Http, clock: SetClock
) -> None:
    office.post("/rules", {"code": "lasting", "document": LASTING | {"raise_if": {"above": 60, "for_min": 40 * 60}}}, expect=201)
    old, new = make_vehicle(world, "old1"), make_vehicle(world, "new1")
    clock.set(at(0))
    say(world, old.device, 0, t_c=70)
    clock.set(at(30) + 5 * DAY)
    # The horizon lies 30 h after the reading: what stood there was known to stand.
    retire_telemetry(world.db, replace(world.settings, telemetry_days=5))
    place(office, old.device, new.asset, at(20))
    clock.advance(days=5)
    follow(world)

    assert shown(world, old) == []


@pytest.mark.parametrize(("late", "rose"), [(False, 68), (True, 61)])
def test_a_device_that_came_back_before_the_horizon_goes_on_holding_its_values(
    world: World, office: Http, clock: SetClock, late: bool, rose: int
) -> None:
    """Where both moves are recorded after that time was settled, what stood at the horizon is all that is known of it."""
    office.post("/rules", {"code": "lasting", "document": LASTING | {"raise_if": {"above": 60, "for_min": 60 * 60}}}, expect=201)
    home, away = make_vehicle(world, "home"), make_vehicle(world, "away")

    def move() -> None:
        place(office, home.device, away.asset, at(2))
        place(office, home.device, home.asset, at(6))

    clock.set(at(30))
    say(world, home.device, 1, t_c=70)
    say(world, home.device, 8, t_c=70)
    if not late:
        move()
    follow(world)
    clock.set(at(30) + DAY + timedelta(minutes=1))
    retire_telemetry(world.db, replace(world.settings, telemetry_days=1))
    if late:
        move()
    clock.set(at(95))
    say(world, home.device, 94, t_c=70)
    follow(world)

    assert shown(world, home) == [(rose, None)]
