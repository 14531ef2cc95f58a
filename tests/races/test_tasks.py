"""Parts and station tasks under contention: stock is never oversold, and of two answers one counts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db import Database
from app.stations import operations as stations
from app.stations.models import PartStock, Station
from app.work_orders.models import LIVE_TASK_STATES, Booking, StationTask, WorkOrder
from app.work_orders.operations import lapse_tasks
from tests.conftest import SetClock
from tests.factories import PART, World
from tests.iot.vehicles import BOSS, DAY, happened, kinds, make_vehicle, message, values
from tests.people import Http
from tests.races.conftest import Round, parts_agree, staff_of_task, states
from tests.races.test_offers import accepted, outcome
from tests.races.together import together

Rounds = Callable[[int], list[Round]]
ROUNDS = 100 if os.environ.get("SOAK") else 6


def set_stock(world: World, *units: int) -> None:
    with world.db.transaction() as session:
        for station_id, n in zip(world.stations, units, strict=True):
            stations.set_stock(session, BOSS, session.get_one(Station, station_id), PART, n)


def alarm_at_once(world: World, n: int) -> None:
    """Let n vehicles' alarms rise at the same time, each in a batch and a thread of its own."""
    made = [make_vehicle(world, f"v{i}") for i in range(n)]
    start = world.db.clock.now() - 2 * DAY
    low = values(start, DAY, 74.9, 74.5, 74.1)
    found = together(*[partial(world.send, *[message(world, v.device, value) for value in low]) for v in made])
    assert [counts["reading"] for counts in found] == [3] * n, found


def tasks_by_station(world: World) -> dict[str, int]:
    with world.db.reading() as session:
        query = select(StationTask.station_id, func.count()).where(StationTask.state.in_(LIVE_TASK_STATES))
        return dict(session.execute(query.group_by(StationTask.station_id)).all())


def order_states(world: World) -> Counter[str]:
    with world.db.reading() as session:
        return Counter(session.scalars(select(WorkOrder.state)))


@pytest.mark.parametrize(("first", "second", "unassigned"), [(2, 0, 1), (2, 1, 0), (1, 1, 1), (0, 0, 3)])
def test_three_alarms_at_once_take_no_more_parts_than_there_are(
    world: World, first: int, second: int, unassigned: int
) -> None:
    set_stock(world, first, second)

    alarm_at_once(world, 3)

    assert order_states(world) == Counter({"proposed": 3 - unassigned, "unassigned": unassigned})
    assert sum(tasks_by_station(world).values()) == 3 - unassigned
    assert kinds(world.db, world.manager) == ["order_unassigned"] * unassigned
    parts_agree(world.db)
    with world.db.reading() as session:
        numbers = session.scalars(select(WorkOrder.number).order_by(WorkOrder.number)).all()
    assert numbers == [f"WO-2026-00000{n}" for n in (1, 2, 3)], "without gaps or doubles"


def test_a_manager_and_the_stations_count_cannot_promise_the_same_part_twice(world: World, http: Http) -> None:
    """Counting the stock down to nothing while an alarm reserves: one of them is refused, or the order is unassigned."""
    set_stock(world, 1, 0)
    vehicle = make_vehicle(world, "v")
    low = [message(world, vehicle.device, value) for value in values(world.db.clock.now() - 2 * DAY, DAY, 74.9, 74.5, 74.1)]
    staff = http.as_(world.staff[0])

    counts, counted = together(
        partial(world.send, *low),
        partial(staff.call, "PUT", f"/stations/{world.stations[0]}/stock/{PART}", {"on_hand": 0}, If_Match="*"),
    )

    assert counts["reading"] == 3
    assert outcome(counted) in {(200, ""), (409, "part_unavailable")}
    assert order_states(world) == Counter({"unassigned" if counted.status_code == 200 else "proposed": 1})
    parts_agree(world.db)


# --- one task, several answers ---


@pytest.fixture
def lapse(database_url: str, world: World) -> Iterator[Callable[[], int]]:
    """The job, run by a process for which the station's time to answer has just passed."""
    clock = SetClock(world.db.clock.now())
    clock.advance(seconds=world.settings.station_lease_s + 1)
    late = Database(database_url, clock, pool_size=2)

    def run() -> int:
        with late.transaction() as session:
            return lapse_tasks(session, world.settings)

    yield run
    late.close()


def ends_of(world: World, task_id: str) -> list[str]:
    return [entry.kind.partition(".")[2] for entry in happened(world.db, task_id) if entry.kind.startswith("station_task.")]


def test_two_people_accepting_rejecting_and_a_lease_lapsing_at_once_have_one_outcome(
    world: World, http: Http, rounds: Rounds, lapse: Callable[[], int]
) -> None:
    seen: Counter[str] = Counter()
    for n in range(ROUNDS):
        [one] = rounds(1) if n == 0 else [one]
        break
    for one in rounds_of(rounds, ROUNDS):
        staff = staff_of_task(world, http, one.task)
        answers = together(
            partial(staff.call, "POST", f"/station-tasks/{one.task}/accept"),
            partial(staff.call, "POST", f"/station-tasks/{one.task}/reject", {"reason": "race"}),
            lapse,
        )
        seen["x"] += len(answers)
