"""A day is asked for, worked out by the worker, read with its reasons, and taken over while nothing has changed."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core.clock import from_ms
from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.customers.models import Customer
from app.day_plans import operations
from app.day_plans.planning import plan
from app.jobs import plan_days
from app.visits.models import Visit
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.people import Http

# 10:00 on the Monday of the tests, in Shanghai.
TEN = "2026-03-02T02:00:00Z"
DAY = {"starts_at": TEN, "ends_at": "2026-03-02T10:00:00Z", "start_lat": 22.54, "start_lon": 114.05, "datum": "wgs84"}
ALL_DAY = {"planned_from": "2026-03-02T01:00:00Z", "planned_until": "2026-03-02T09:30:00Z"}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def site(world: World, name: str, lat: float, lon: float = 114.05, **more: Any) -> str:
    with world.db.transaction() as session:
        customer = session.get_one(Customer, world.customer)
        return customers.create_site(
            session, world.actor(world.manager), customer, {"name": name, "lat": lat, "lon": lon} | more
        ).id


def visit(rep: Http, site_id: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = rep.post("/visits", {"site_id": site_id, **ALL_DAY, **more}, expect=201)
    return made


def planned(rep: Http, world: World, **more: Any) -> dict[str, Any]:
    """Ask for the day and let the worker work it out."""
    asked = rep.post("/visits/plan-day", DAY | more, expect=202)
    assert asked["state"] == "queued"
    assert plan_days(world.db, world.settings) == 1
    found: dict[str, Any] = rep.get(f"/day-plans/{asked['id']}")
    assert found["state"] == "ready", found
    return found


def along_a_road(rep: Http, world: World) -> list[dict[str, Any]]:
    """Plan visits at 1, 3, 2 and 4 steps of 5.5 km to the north, in this order."""
    return [visit(rep, site(world, f"km {step}", 22.54 + step * 0.05)) for step in (1, 3, 2, 4)]


def test_a_day_is_asked_for_worked_out_and_taken_over(rep: Http, world: World) -> None:
    first, third, second, fourth = along_a_road(rep, world)
    answer = rep.call("POST", "/visits/plan-day", DAY)
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/api/v1/day-plans/{answer.get_json()['id']}"
    assert plan_days(world.db, world.settings) == 1
    plan = rep.get(answer.headers["Location"].removeprefix("/api/v1"))

    stops = plan["answer"]["stops"]
    assert [stop["visit_id"] for stop in stops] == [one["id"] for one in (first, second, third, fourth)]
    assert plan["answer"]["left_out"] == []
    assert plan["answer"]["cost"]["seconds"] < plan["answer"]["given_cost"]["seconds"]
    # 0.05 degrees of latitude are 5.537 km, on the road 7.198: 864 s at 30 km/h.
    assert [stop["travel_m"] for stop in stops] == pytest.approx([7198] * 4, abs=10)
    assert [stop["travel_s"] for stop in stops] == pytest.approx([864] * 4, abs=2)
    assert from_ms(stops[1]["begins_ms"]) == from_ms(stops[0]["leaves_ms"]) + timedelta(seconds=stops[1]["travel_s"])
    assert stops[0]["leaves_ms"] - stops[0]["begins_ms"] == 30 * 60_000

    taken = rep.post(f"/day-plans/{plan['id']}/apply")

    assert taken["state"] == "applied"
    moved = rep.get(f"/visits/{second['id']}")
    assert moved["planned_from"] == from_ms(stops[1]["begins_ms"]).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    [asked, ready, applied] = rep.get(f"/history/day_plan/{plan['id']}")["about"]
    assert [one["kind"] for one in (asked, ready, applied)] == ["day_plan.asked", "day_plan.ready", "day_plan.applied"]
    last = rep.get(f"/history/visit/{second['id']}")["about"][-1]
    assert (last["kind"], last["because_of"]) == ("visit.rescheduled", [applied["id"]])
    rep.refused("POST", f"/day-plans/{plan['id']}/apply", 409, "state_conflict")


def test_what_changed_meanwhile_is_told_and_nothing_is_moved(rep: Http, boss: Http, world: World) -> None:
    first, third, second, fourth = along_a_road(rep, world)
    plan = planned(rep, world)
    rep.edit(f"/visits/{third['id']}", {"purpose": "another one"}, third["version"])
    boss.edit(f"/sites/{fourth['site_id']}", {"opening_hours": "Mo-Fr 09:00-12:00"}, 1)
    late = visit(rep, first["site_id"])

    refused = rep.refused("POST", f"/day-plans/{plan['id']}/apply", 409, "day_changed")

    assert f"（共 3 项）：{third['number']}, {fourth['number']}, {late['number']}。" in refused["detail"]
    assert rep.get(f"/visits/{second['id']}")["planned_from"] == "2026-03-02T01:00:00.000Z"
    assert rep.get(f"/day-plans/{plan['id']}")["state"] == "ready"


def test_each_visit_that_does_not_fit_says_why(rep: Http, boss: Http, world: World) -> None:
    here = site(world, "always", 22.55)
    wanted = {
        "closed_all_day": {"site_id": site(world, "shut on Mondays", 22.56, opening_hours="Tu-Fr 09:00-18:00")},
        "closed_then": {
            "site_id": site(world, "mornings", 22.56, opening_hours="Mo-Fr 08:00-12:00"),
            "planned_from": "2026-03-02T06:00:00Z",
        },
        "open_too_short": {"site_id": site(world, "one hour", 22.56, opening_hours="Mo 14:00-15:00"), "length_minutes": 90},
        "window_over": {"planned_from": "2026-03-02T00:00:00Z", "planned_until": "2026-03-02T01:00:00Z"},
        "window_after": {"planned_from": "2026-03-02T10:30:00Z", "planned_until": "2026-03-02T11:00:00Z"},
        "no_position": {"site_id": site(world, "nowhere yet", 0, 0)},
        "too_far": {"site_id": site(world, "Beijing", 39.9, 116.4)},
        "site_gone": {"site_id": site(world, "torn down", 22.56)},
    }
    numbers = {visit(rep, **{"site_id": here} | more)["number"]: code for code, more in wanted.items()}
    gone = wanted["site_gone"]["site_id"]
    boss.call("DELETE", f"/sites/{gone}", If_Match="*")

    left = planned(rep, world)["answer"]["left_out"]

    assert {one["number"]: one["code"] for one in left} == numbers
    words = {one["code"]: one["text"] for one in left}
    assert words["closed_all_day"] == "该站点全天不营业。"
    assert words["open_too_short"] == "除去休息时间，该站点没有连续 90 分钟的营业时段。"


def test_a_visit_that_is_squeezed_out_says_between_which_two(rep: Http, boss: Http, world: World) -> None:
    here = site(world, "here", 22.54)
    early = visit(rep, here, planned_until="2026-03-02T02:00:00Z", length_minutes=60)
    late = visit(rep, here, planned_from="2026-03-02T03:30:00Z", planned_until="2026-03-02T03:30:00Z", length_minutes=390)
    away = visit(rep, site(world, "away", 22.60), length_minutes=45)  # 1,037 s there, 1,037 s back

    [left] = planned(rep, world, grace_minutes=0, end_lat=22.54, end_lon=114.05)["answer"]["left_out"]

    facts = {"after": early["number"], "before": late["number"], "needed_min": 80, "free_min": 30}
    assert (left["number"], left["code"], left["facts"]) == (away["number"], "no_time_left", facts)
    told = boss.get("/day-plans")["items"][0]["answer"]["left_out"][0]["text"]
    assert told == (f"No time is left: between {early['number']} and {late['number']} it needs 80 minutes, and 30 are free.")


def test_breaks_and_opening_hours_hold(rep: Http, world: World) -> None:
    noon = [{"since": "2026-03-02T04:00:00Z", "until": "2026-03-02T05:00:00Z"}]
    afternoon = site(world, "afternoons", 22.54, opening_hours="Mo-Fr 14:00-18:00")
    for _ in range(3):
        visit(rep, site(world, "here", 22.54), length_minutes=50)
    last = visit(rep, afternoon, length_minutes=30)

    stops = planned(rep, world, breaks=noon)["answer"]["stops"]

    assert len(stops) == 4
    assert stops[-1]["visit_id"] == last["id"]
    assert from_ms(stops[-1]["begins_ms"]).isoformat() == "2026-03-02T06:00:00+00:00"
    for stop in stops:
        begins, leaves = from_ms(stop["begins_ms"]), from_ms(stop["leaves_ms"])
        assert leaves.hour < 4 or leaves.isoformat() == "2026-03-02T04:00:00+00:00" or begins.hour >= 5


def test_windows_that_need_not_hold_are_given_up_but_for_the_locked_ones(rep: Http, world: World) -> None:
    narrow = {"planned_from": "2026-03-02T08:00:00Z", "planned_until": "2026-03-02T08:00:00Z"}
    near, far = site(world, "near", 22.55), site(world, "far", 22.60)
    locked, free = visit(rep, near, **narrow), visit(rep, far, **narrow)

    plan = planned(rep, world, keep_windows=False, locked_ids=[locked["id"]])
    rep.post(f"/day-plans/{plan['id']}/apply")

    at = {stop["visit_id"]: from_ms(stop["begins_ms"]).isoformat() for stop in plan["answer"]["stops"]}
    assert at[locked["id"]] == "2026-03-02T08:00:00+00:00"
    assert at[free["id"]] < at[locked["id"]]
    assert rep.get(f"/visits/{locked['id']}")["version"] == 1
    assert rep.get(f"/visits/{free['id']}")["version"] == 2


def test_visits_can_be_named_and_one_under_way_is_left_alone(rep: Http, world: World, clock: SetClock) -> None:
    under_way, other, not_named = (visit(rep, world.site) for _ in range(3))
    fix = {"lat": 22.54, "lon": 114.05, "at_ms": 0}
    rep.post(f"/visits/{under_way['id']}/check-in", fix)

    plan = planned(rep, world, visit_ids=[under_way["id"], other["id"]])

    assert [stop["visit_id"] for stop in plan["answer"]["stops"]] == [other["id"]]
    assert [(one["visit_id"], one["code"]) for one in plan["answer"]["left_out"]] == [(under_way["id"], "in_progress")]
    assert rep.post(f"/day-plans/{plan['id']}/apply")["state"] == "applied"
    assert rep.get(f"/visits/{not_named['id']}")["version"] == 1


@pytest.mark.parametrize(
    ("more", "field", "code"),
    [
        ({"starts_at": "2026-05-02T02:00:00Z", "ends_at": "2026-05-02T03:00:00Z"}, "starts_at", "out_of_range"),
        ({"starts_at": "2026-02-28T02:00:00Z", "ends_at": "2026-02-28T03:00:00Z"}, "starts_at", "out_of_range"),
        ({"ends_at": TEN}, "ends_at", "out_of_range"),
        ({"ends_at": "2026-03-03T02:00:01Z"}, "ends_at", "out_of_range"),
        ({"breaks": [{"since": "2026-03-02T05:00:00Z", "until": "2026-03-02T04:00:00Z"}]}, "breaks", "out_of_range"),
        ({"breaks": [{"since": TEN, "until": "2026-03-02T03:00:00Z"}] * 2}, "breaks", "out_of_range"),
        ({"breaks": [{"since": TEN, "until": "2026-03-02T03:00:00Z"}] * 6}, "breaks", "too_many"),
        ({"end_lat": 22.5}, "end_lon", "required"),
        ({"visit_ids": ["no-such-visit"]}, "visit_ids", "unknown_reference"),
        ({"visit_ids": ["the-same-1", "the-same-1"]}, "visit_ids", "duplicate"),
        ({"visit_ids": [f"visit-{n:06}" for n in range(61)]}, "visit_ids", "too_many"),
        ({"locked_ids": ["no-such-visit"]}, "locked_ids", "unknown_reference"),
        ({"user_id": "somebody-else"}, "user_id", "unknown_reference"),
        ({"grace_minutes": 121}, "grace_minutes", "out_of_range"),
        ({"start_lat": 91}, "start_lat", "out_of_range"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_cannot_be_planned_is_refused_by_field(rep: Http, world: World, more: Any, field: str, code: str) -> None:
    visit(rep, world.site)
    refused = rep.refused("POST", "/visits/plan-day", 422, "validation_failed", DAY | more)

    assert [(one["field"].split(".")[0], one["code"]) for one in refused["errors"]] == [(field, code)]


def test_a_day_is_bounded(rep: Http, world: World, db: Database) -> None:
    rep.refused("POST", "/visits/plan-day", 409, "day_empty", DAY)
    made = visit(rep, world.site)
    for _ in range(5):
        rep.post("/visits/plan-day", DAY, expect=202)
    rep.refused("POST", "/visits/plan-day", 409, "day_plans_waiting", DAY)
    assert plan_days(db, world.settings) == 5
    with db.transaction() as session:
        row = session.get_one(Visit, made["id"])
        names = {column.key for column in row.__mapper__.columns} - {"id", "number", "change_no"}
        for n in range(60):
            copy = Visit(id=f"copy-{n:08}", number=f"copy-{n:08}", **{name: getattr(row, name) for name in names})
            session.add(copy)
    rep.refused("POST", "/visits/plan-day", 409, "day_too_full", DAY)


def test_of_a_worker_that_died_another_one_takes_the_plan_and_the_first_answer_counts(
    rep: Http, world: World, db: Database, clock: SetClock
) -> None:
    visit(rep, world.site)
    asked = rep.post("/visits/plan-day", DAY, expect=202)["id"]
    with db.transaction() as session:
        taken = operations.take_next(session)
    assert taken is not None
    assert plan_days(db, world.settings) == 0

    clock.advance(seconds=61)
    with db.transaction() as session:
        again = operations.take_next(session)
    assert again is not None
    for attempt, counts in ((taken[1], False), (again[1], True), (again[1], False)):  # the first was not dead, only slow
        with db.transaction() as session:
            assert operations.answer(session, asked, attempt, plan(again[2])) is counts

    assert len(rep.get(f"/day-plans/{asked}")["answer"]["stops"]) == 1


def test_a_plan_that_is_never_answered_is_given_up(rep: Http, world: World, db: Database, clock: SetClock) -> None:
    visit(rep, world.site)
    asked = rep.post("/visits/plan-day", DAY, expect=202)["id"]
    for _ in range(3):
        with db.transaction() as session:
            assert operations.take_next(session) is not None
        clock.advance(seconds=61)
    assert plan_days(db, world.settings) == 0

    assert rep.get(f"/day-plans/{asked}")["state"] == "failed"
    last = rep.get(f"/history/day_plan/{asked}")["about"][-1]
    assert last["reason"] == "尝试 3 次后仍未完成规划。"


def test_of_two_workers_each_takes_another_plan(rep: Http, world: World, db: Database) -> None:
    visit(rep, world.site)
    asked = {rep.post("/visits/plan-day", DAY, expect=202)["id"] for _ in range(4)}
    taken: list[str] = []

    def take() -> None:
        for _ in range(2):
            with db.transaction() as session:
                found = operations.take_next(session)
            assert found is not None
            taken.append(found[0])

    threads = [threading.Thread(target=take) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken) == sorted(asked)


def test_of_two_who_take_a_plan_over_at_once_one_does(rep: Http, boss: Http, world: World) -> None:
    made = visit(rep, world.site)
    plan = planned(rep, world)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda door=door: answers.append(door.call("POST", f"/day-plans/{plan['id']}/apply").status_code))
        for door in (rep, boss)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200, 409]
    assert rep.get(f"/visits/{made['id']}")["version"] == 2


def test_the_office_plans_for_a_rep_and_a_colleague_sees_nothing(
    rep: Http, boss: Http, http: Http, world: World, db: Database
) -> None:
    with db.transaction() as session:
        colleague_id = make_user(session, world.settings, "rep", "colleague", territory_ids=[world.territory]).id
    colleague = http.as_(colleague_id)
    visit(rep, world.site)
    boss.refused("POST", "/visits/plan-day", 422, "validation_failed", DAY)

    plan = planned(boss, world, user_id=world.rep)

    assert [one["id"] for one in rep.get("/day-plans?state=ready&day=2026-03-02")["items"]] == [plan["id"]]
    assert colleague.get("/day-plans")["items"] == []
    colleague.refused("GET", f"/day-plans/{plan['id']}", 404, "not_found")
    colleague.refused("POST", f"/day-plans/{plan['id']}/apply", 404, "not_found")
    boss.post(f"/day-plans/{plan['id']}/apply")
    [told] = rep.get("/notifications")["items"]
    assert (told["kind"], told["subject_id"]) == ("route_set", plan["id"])
    assert told["body"] == "办公室已安排您2026年3月2日的拜访顺序，1 次拜访的时间已更新。"


def test_old_plans_leave_the_phones(rep: Http, world: World, db: Database, clock: SetClock) -> None:
    visit(rep, world.site)
    plan = planned(rep, world)
    clock.advance(days=31)
    with db.transaction() as session:
        assert operations.forget_old(session) == 1

    rep.refused("GET", f"/day-plans/{plan['id']}", 404, "not_found")


def test_hours_of_a_site_are_checked_at_the_door(boss: Http, world: World, db: Database) -> None:
    refused = boss.refused("PATCH", f"/sites/{world.site}", 422, "validation_failed", {"opening_hours": "whenever"}, If_Match="*")
    assert [(one["field"], one["code"]) for one in refused["errors"]] == [("opening_hours", "hours_invalid")]

    kept = boss.edit(f"/sites/{world.site}", {"opening_hours": "Mo-Fr 09:00-12:00,14:00-18:00; PH off"}, 1)

    assert kept["opening_hours"] == "Mo-Fr 09:00-12:00,14:00-18:00; PH off"
    assert boss.edit(f"/sites/{world.site}", {"opening_hours": None}, 2)["opening_hours"] is None
    with db.reading() as session:
        assert session.scalars(select(Visit)).all() == []
