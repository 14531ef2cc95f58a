"""Parts and station tasks under contention: stock is never oversold, and of two answers one counts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import func, select

from app.assets.models import Component
from app.stations import operations as stations
from app.stations.models import PartStock, Station
from app.work_orders.models import LIVE_TASK_STATES, Booking, StationTask, WorkOrder
from app.work_orders.operations import lapse_tasks
from tests.factories import PART, World, make_user
from tests.iot.vehicles import BOSS, DAY, happened, kinds, make_vehicle, message, values
from tests.people import Http
from tests.races.conftest import People, Round, code_of, get_ready, in_a_later_process, parts_agree, states
from tests.races.test_offers import outcome
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
    assert not [one for one in found if isinstance(one, Exception)], found
    assert [counts["reading"] for counts in found] == [3] * n


def tasks_by_station(world: World) -> dict[str, int]:
    with world.db.reading() as session:
        query = select(StationTask.station_id, func.count()).where(StationTask.state.in_(LIVE_TASK_STATES))
        return dict(session.execute(query.group_by(StationTask.station_id)).all())


def order_states(world: World) -> Counter[str]:
    with world.db.reading() as session:
        return Counter(session.scalars(select(WorkOrder.state)))


@pytest.mark.parametrize(("first", "second", "unassigned"), [(2, 0, 1), (2, 1, 0), (1, 1, 1), (0, 0, 3)])
def test_three_alarms_at_once_take_no_more_parts_than_there_are(world: World, first: int, second: int, unassigned: int) -> None:
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
        partial(staff.call, "POST", f"/stations/{world.stations[0]}/stock", {"part_no": PART, "on_hand": 0}),
    )

    assert counts["reading"] == 3
    assert outcome(counted) in {(200, ""), (409, "part_unavailable")}
    assert order_states(world) == Counter({"unassigned" if counted.status_code == 200 else "proposed": 1})
    parts_agree(world.db)


# --- one task, several answers ---


@pytest.fixture
def lapse(database_url: str, world: World) -> Iterator[Callable[[], int]]:
    """The job, a moment after the station's time to answer has passed."""
    later_s = world.settings.station_lease_s + 1
    with in_a_later_process(database_url, world, later_s, lambda session: lapse_tasks(session, world.settings)) as run:
        yield run


def steps(world: World, subject_id: str) -> list[str]:
    """Return what happened to a task or an order, without its room's name."""
    return [entry.kind.partition(".")[2] for entry in happened(world.db, subject_id)]


@pytest.fixture
def others(world: World, http: Http, people: People) -> People:
    """A second person at each station, signed in."""
    with world.db.transaction() as session:
        made = [
            make_user(session, world.settings, "station_staff", f"other{i}", station_id=station)
            for i, station in enumerate(world.stations)
        ]
    second = People(world, http)
    second.staff = [http.as_(user.id) for user in made]
    return second


def let_only_this_lapse(world: World, round_: Round) -> None:
    present = world.db.clock.now()
    with world.db.transaction() as session:
        for task in session.scalars(select(StationTask).where(StationTask.state == "offered")):
            mine = task.id == round_.task
            task.answer_by = present + timedelta(seconds=world.settings.station_lease_s if mine else 10**7)


def test_two_people_accepting_and_rejecting_while_the_lease_lapses_have_one_outcome(
    world: World, people: People, others: People, rounds: Rounds, lapse: Callable[[], int]
) -> None:
    legal = {
        ("offered", "accepted"): "accepted",
        ("offered", "accepted", "rejected"): "rejected",
        ("offered", "rejected"): "rejected",
        ("offered", "lapsed"): "lapsed",
    }
    seen: Counter[tuple[str, ...]] = Counter()
    for one in rounds(ROUNDS):
        let_only_this_lapse(world, one)

        *answers, lapsed = together(
            partial(people.asked(one).call, "POST", f"/station-tasks/{one.task}/accept"),
            partial(others.asked(one).call, "POST", f"/station-tasks/{one.task}/reject", {"reason": "race"}),
            lapse,
        )

        taken, given_back = map(outcome, answers)
        way = tuple(step for step in steps(world, one.task) if step != "released")
        assert way in legal
        assert taken == ((200, "") if "accepted" in way else (409, "state_conflict"))
        assert given_back == ((200, "") if "rejected" in way else (409, "state_conflict"))
        with world.db.reading() as session:
            tasks = session.scalars(select(StationTask).where(StationTask.work_order_id == one.order).order_by(StationTask.id))
            mine, *next_ones = tasks.all()
        assert (mine.id, mine.state) == (one.task, legal[way])
        # What was given back went to the next station at once, and may have lapsed there by the later clock of the job.
        assert [task.state for task in next_ones] in ([[]] if way[-1] == "accepted" else [["offered"], ["lapsed"]])
        assert lapsed == [mine.state, *[task.state for task in next_ones]].count("lapsed")
        seen[way] += 1

    parts_agree(world.db)
    assert max(tasks_of_orders(world)) == 1
    print(f"accept x reject x lapse, {world.db.dialect}: { {' '.join(way): n for way, n in seen.items()} }")


def tasks_of_orders(world: World) -> list[int]:
    """Count the live tasks of each order."""
    with world.db.reading() as session:
        live = select(func.count()).where(StationTask.state.in_(LIVE_TASK_STATES)).group_by(StationTask.work_order_id)
        return list(session.scalars(live))


def test_of_two_people_who_accept_at_once_one_is_told_that_it_is_taken(
    world: World, people: People, others: People, rounds: Rounds
) -> None:
    [one] = rounds(1)
    hands = (people.asked(one), others.asked(one))

    found = together(*[partial(hand.call, "POST", f"/station-tasks/{one.task}/accept") for hand in hands * 4])

    assert Counter(map(outcome, found)) == {(200, ""): 1, (409, "state_conflict"): 7}
    assert steps(world, one.task) == ["offered", "accepted"]
    assert kinds(world.db, world.owner).count("offer_slots_ready") == 1


def test_cancelling_an_order_while_its_station_begins_or_gives_it_back_has_one_outcome(
    world: World, people: People, rounds: Rounds
) -> None:
    seen: Counter[str] = Counter()
    made = rounds(ROUNDS)
    get_ready(world, made, accept=True)
    for n, one in enumerate(made):
        answer = ("reject", {"reason": "race"}) if n % 2 else ("begin", None)

        cancelled, answered = map(
            outcome,
            together(
                partial(people.manager.call, "POST", f"/work-orders/{one.order}/cancel", {"reason": "race"}),
                partial(people.asked(one).call, "POST", f"/station-tasks/{one.task}/{answer[0]}", answer[1]),
            ),
        )

        assert cancelled in {(200, ""), (409, "state_conflict")}
        assert answered in {(200, ""), (409, "state_conflict")}
        _, _, order, task = states(world.db, one)
        ways = {
            ("cancelled", "withdrawn"): (200, None),
            ("in_progress", "in_progress"): (409, 200),
            ("proposed", "offered"): (409, 200),
        }
        expected = ways[order, task]
        assert cancelled[0] == expected[0], (order, task, cancelled, answered)
        assert expected[1] in (None, answered[0])
        assert ("cancelled" in steps(world, one.order)) == (order == "cancelled")
        seen[f"{answer[0]}: {order}"] += 1

    parts_agree(world.db)
    with world.db.reading() as session:
        held = select(Booking.id).join(WorkOrder, WorkOrder.id == Booking.work_order_id)
        assert session.scalars(held.where(Booking.state == "held", WorkOrder.state == "cancelled")).all() == []
    print(f"cancel x begin/reject, {world.db.dialect}: {dict(seen)}")


def test_a_task_finished_twice_at_once_fits_one_pack_and_takes_one_part(world: World, people: People, rounds: Rounds) -> None:
    [one] = rounds(1)
    get_ready(world, [one], accept=True)
    staff = people.asked(one)
    staff.post("/coupons/redeem", {"code": code_of(world, one)})
    world.db.clock.advance(hours=1)  # type: ignore[attr-defined]

    found = together(
        *[partial(staff.call, "POST", f"/station-tasks/{one.task}/finish", {"serial": f"NEW-{n}"}) for n in range(4)]
    )

    assert Counter(answer.status_code for answer in found) == {200: 1, 409: 3}, [a.get_data(as_text=True) for a in found]
    assert states(world.db, one)[2:] == ("finished", "finished")
    with world.db.reading() as session:
        assert len(session.scalars(select(Component).where(Component.serial.like("NEW-%"))).all()) == 1
        assert session.scalar(select(func.sum(PartStock.on_hand))) == 1999
    parts_agree(world.db)


def test_two_stations_that_give_tasks_back_to_each_other_at_once_are_both_answered(
    world: World, people: People, rounds: Rounds
) -> None:
    """Each releases its own part and takes one of the other's: the two wait for each other, and one must try again."""
    by_station: dict[str, list[str]] = {station: [] for station in world.stations}
    made = rounds(6)
    with world.db.reading() as session:
        for one in made:
            by_station[session.get_one(StationTask, one.task).station_id].append(one.task)
    pairs = list(zip(*by_station.values(), strict=True))
    assert len(pairs) == 3, "dispatch by load gives each station half of them"
    for pair in pairs:
        found = together(
            *[
                partial(hand.call, "POST", f"/station-tasks/{task}/reject", {"reason": "race"})
                for hand, task in zip(people.staff, pair, strict=True)
            ]
        )
        assert list(map(outcome, found)) == [(200, "")] * 2

    parts_agree(world.db)
    assert sorted(tasks_by_station(world).values()) == [3, 3]
