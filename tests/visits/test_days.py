"""A rep's day: what is planned for it, put to another time, found closed, or missed, whenever it is told."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from app.core.clock import to_ms
from app.core.texts import field_text
from app.jobs import JOBS, miss_visits, plan_days
from app.visits import days
from app.visits.models import Visit
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.ask import told
from tests.visits.test_check_ins import faulty, fix, plan

ABSENT = "the shutters are down"
Phones = Callable[..., Phone]


@pytest.fixture
def phone(http: Http) -> Phones:
    return lambda user_id, **how: Phone(http.as_(user_id), **how)


def window(begins: str, ends: str) -> dict[str, str]:
    return {"planned_from": f"{begins}:00Z", "planned_until": f"{ends}:00Z"}


def test_todays_list_is_of_the_organisations_day_in_the_order_of_the_plan(rep: Http, world: World) -> None:
    late = plan(rep, world, **window("2026-03-02T15:30", "2026-03-02T15:59"))  # 23:30 in Shanghai
    early = plan(rep, world, **window("2026-03-01T16:00", "2026-03-02T01:00"))  # 0:00
    plan(rep, world, **window("2026-03-02T16:00", "2026-03-02T17:00"))
    plan(rep, world, **window("2026-03-01T15:59", "2026-03-02T01:00"))
    noon = plan(rep, world, **window("2026-03-02T04:00", "2026-03-02T05:00"))

    today = rep.get("/visits?day=2026-03-02")
    assert ([row["id"] for row in today["items"]], today["next"]) == ([early, noon, late], None)
    first = rep.get("/visits?day=2026-03-02&limit=2")
    rest = rep.get(f"/visits?day=2026-03-02&limit=2&cursor={first['next']}")
    assert [[row["id"] for row in page["items"]] for page in (first, rest)] == [[early, noon], [late]]
    assert faulty(rep.refused("GET", "/visits?day=2026-03-02&cursor=bm8", 422, "validation_failed")) == ["cursor"]


def test_what_was_begun_on_a_day_is_on_its_list_too(rep: Http, world: World, clock: SetClock) -> None:
    visit = plan(rep, world, **window("2026-03-03T01:00", "2026-03-03T02:00"))
    rep.post(f"/visits/{visit}/check-in", fix(world))

    assert [row["id"] for row in rep.get("/visits?day=2026-03-02")["items"]] == [visit]


def test_a_visit_is_put_to_another_time_with_a_reason_and_counts_how_often(rep: Http, boss: Http, world: World) -> None:
    visit = plan(rep, world)
    later = window("2026-03-04T01:00", "2026-03-04T02:00")
    rep.post(f"/visits/{visit}/move", {**later, "reason": "the owner is travelling"})
    moved = rep.post(f"/visits/{visit}/move", {**window("2026-03-05T01:00", "2026-03-05T02:00"), "reason": "again"})
    same = rep.edit(f"/visits/{visit}", {"purpose": "x", "planned_from": moved["planned_from"]}, moved["version"])

    assert (moved["moved_count"], moved["move_reason"], same["moved_count"]) == (2, "again", 2)
    assert faulty(rep.post(f"/visits/{visit}/move", later, expect=422)) == ["reason"]
    reasons = [entry["reason"] for entry in boss.get(f"/history/visit/{visit}")["about"]]
    assert reasons[1] == "The visit was put to 2026-03-04 09:00; its time changed for the 1. time: the owner is travelling."


@pytest.mark.parametrize(
    ("begins", "ends", "fault"),
    [
        ("2028-03-01T02:01", "2028-03-01T03:00", {"planned_from": "too_far_ahead"}),
        ("2026-03-03T01:00", "2026-04-03T01:01", {"planned_until": "window_too_long"}),
        ("2026-03-03T01:00", "2076-03-03T01:00", {"planned_until": "window_too_long"}),
        ("2076-03-03T01:00", "2076-03-03T02:00", {"planned_from": "too_far_ahead"}),
        ("2026-03-03T01:00", "2026-03-03T00:59", {"planned_until": "out_of_range"}),
    ],
)
def test_a_visit_is_planned_within_two_years_and_one_month(
    rep: Http, world: World, phone: Phones, begins: str, ends: str, fault: dict[str, str]
) -> None:
    far = window(begins, ends)
    visit = plan(rep, world)
    device = phone(world.rep)
    device.pull()
    device.intend("intent-00001", "visit.plan", json.dumps({"id": "visit-far-1", "site_id": world.site} | far))
    device.intend("intent-00002", "visit.move", json.dumps({"visit_id": visit, "reason": "later"} | far))
    answers = [
        rep.post("/visits", {"site_id": world.site} | far, expect=422),
        rep.post(f"/visits/{visit}/move", far | {"reason": "later"}, expect=422),
        rep.edit(f"/visits/{visit}", far, 1, expect=422),
    ]
    device.sync()
    device.sync()

    assert [{one["field"]: one["code"] for one in answer["errors"]} for answer in answers] == [fault] * 3
    [[name, code]] = fault.items()
    said = f"请检查输入：{name} {field_text(code, 'zh-CN')}"
    assert {(row["verdict"], row["text"]) for row in device.rows["intents"].values()} == {("rejected", said)}
    assert [row["id"] for row in rep.get("/visits")["items"]] == [visit]


def test_a_visit_is_planned_up_to_the_bounds(rep: Http, world: World) -> None:
    plan(rep, world, **window("2028-03-01T02:00", "2028-04-01T02:00"))


def test_what_was_planned_too_far_by_an_older_release_is_read_named_and_brought_back(rep: Http, world: World) -> None:
    visit = plan(rep, world)
    with world.db.transaction() as session:
        session.get_one(Visit, visit).planned_until = datetime.fromisoformat("2076-03-02T04:00:00+00:00")

    named = rep.edit(f"/visits/{visit}", {"purpose": "still wanted"}, rep.get(f"/visits/{visit}")["version"])
    assert (named["purpose"], named["planned_until"]) == ("still wanted", "2076-03-02T04:00:00.000Z")
    moved = rep.post(f"/visits/{visit}/move", window("2026-03-04T01:00", "2026-03-04T02:00") | {"reason": "nearer"})
    assert moved["planned_until"] == "2026-03-04T02:00:00.000Z"


def test_a_closed_door_is_shown_like_a_check_in(rep: Http, boss: Http, world: World) -> None:
    visit, far = plan(rep, world), plan(rep, world)
    shown = rep.post(f"/visits/{visit}/no-show", fix(world, reason=ABSENT))
    doubted = rep.post(f"/visits/{far}/no-show", fix(world, 900, reason=ABSENT))

    assert (shown["nearness"], shown["state"], shown["reasons"]) == ("inside", "accepted", [])
    assert (doubted["nearness"], doubted["state"]) == ("outside", "needs_review")
    seen = rep.get(f"/visits/{visit}")
    assert (seen["state"], seen["absence"], seen["began_at"]) == ("no_show", ABSENT, None)
    assert told(boss, "visit", visit) == ["visit.planned", "visit.no_show"]
    rep.refused("POST", f"/visits/{visit}/check-in", 409, "state_conflict", fix(world))
    assert faulty(rep.post(f"/visits/{far}/no-show", fix(world), expect=422)) == ["reason"]


def test_nobody_stands_before_two_doors(rep: Http, world: World) -> None:
    here, there = plan(rep, world), plan(rep, world)
    rep.post(f"/visits/{here}/check-in", fix(world))

    rep.refused("POST", f"/visits/{there}/no-show", 409, "visit_in_progress", fix(world, reason=ABSENT))
    assert rep.get(f"/visits/{there}")["state"] == "planned"


def test_a_planned_visit_is_missed_when_its_day_is_over_and_not_before(rep: Http, world: World, clock: SetClock) -> None:
    visit = plan(rep, world)
    begun = plan(rep, world)
    rep.post(f"/visits/{begun}/check-in", fix(world))
    clock.set(datetime.fromisoformat("2026-03-02T15:59:59+00:00"))
    assert miss_visits(world.db, world.settings) == 0
    clock.advance(seconds=1)  # midnight in Shanghai
    assert miss_visits(world.db, world.settings) == 1
    assert miss_visits(world.db, world.settings) == 0

    assert [rep.get(f"/visits/{one}")["state"] for one in (visit, begun)] == ["missed", "in_progress"]
    assert "miss_visits" in {job.id for job in JOBS}
    # It is planned again by giving it another time.
    again = rep.post(f"/visits/{visit}/move", {**window("2026-03-04T01:00", "2026-03-04T02:00"), "reason": "ill"})
    assert (again["state"], again["moved_count"]) == ("planned", 1)


def test_a_visit_that_is_moved_while_the_job_runs_is_not_marked(rep: Http, world: World, clock: SetClock) -> None:
    visit = plan(rep, world)
    clock.advance(days=1)
    with world.db.reading() as session:
        assert days.passed_by(session, world.settings) == [visit]
    rep.post(f"/visits/{visit}/move", {**window("2026-03-04T01:00", "2026-03-04T02:00"), "reason": "just in time"})
    with world.db.transaction() as session:
        assert days.miss(session, world.settings, visit) == 0

    assert rep.get(f"/visits/{visit}")["state"] == "planned"


def test_a_check_in_made_in_time_and_told_late_takes_the_mark_back(
    rep: Http, world: World, phone: Phones, clock: SetClock
) -> None:
    visit = plan(rep, world)
    device = phone(world.rep)
    device.pull()
    body = {"visit_id": visit} | fix(world)
    clock.advance(days=2)
    miss_visits(world.db, world.settings)
    assert rep.get(f"/visits/{visit}")["state"] == "missed"
    device.intend("intent-00001", "visit.check_in", json.dumps(body | {"sent_ms": to_ms(clock.now())}))
    device.sync()
    device.sync()

    assert device.rows["intents"]["intent-00001"]["verdict"] == "accepted"
    seen = rep.get(f"/visits/{visit}")
    assert (seen["state"], seen["began_at"]) == ("in_progress", "2026-03-02T02:00:00.000Z")
    assert told(rep, "visit", visit)[1:] == ["visit.missed", "visit.not_missed", "visit.began"]
    entries = rep.get(f"/history/visit/{visit}")["about"]
    assert entries[2]["reason"] == "该拜访并未错过：业务员当日已按时签到，信息迟到。"
    assert entries[1]["id"] in entries[2]["because_of"]
    assert rep.get("/check-ins")["items"][0]["reasons"] == []


@pytest.mark.parametrize("marked", [True, False], ids=["after the job", "before the job"])
def test_who_comes_on_a_later_day_is_looked_at_whether_or_not_the_job_was_first(
    rep: Http, world: World, clock: SetClock, marked: bool
) -> None:
    visit = plan(rep, world)
    clock.advance(days=1)
    if marked:
        miss_visits(world.db, world.settings)
    row = rep.post(f"/visits/{visit}/check-in", fix(world))

    assert (row["state"], row["reasons"]) == ("needs_review", ["day_passed"])
    assert rep.get(f"/visits/{visit}")["state"] == "in_progress"


def test_who_comes_a_day_ahead_may_and_a_manager_sees_it(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    visit = plan(rep, world, **window("2026-03-02T16:00", "2026-03-02T18:00"))  # 0:00 of the next day in Shanghai
    begun = rep.post(f"/visits/{visit}/check-in", fix(world))
    [waits] = boss.get("/check-ins?state=needs_review")["items"]

    assert (begun["state"], begun["reasons"], waits["id"]) == ("needs_review", ["day_ahead"], begun["id"])
    assert rep.get(f"/visits/{visit}")["state"] == "in_progress"
    said = [person.get(f"/history/check_in/{begun['id']}")["about"][0]["reason"] for person in (rep, boss)]
    assert "早于计划拜访日" in said[0]
    assert "it is before the day the visit was planned for" in said[1]


def test_what_was_held_a_day_ahead_is_not_missed_nor_planned_again(rep: Http, world: World, clock: SetClock) -> None:
    tomorrow = window("2026-03-03T01:00", "2026-03-03T02:00")
    visit, other = plan(rep, world, **tomorrow), plan(rep, world, **tomorrow)
    rep.post(f"/visits/{visit}/check-in", fix(world))
    assert visit in [row["id"] for row in rep.get("/mobile/home")["sections"][0]["rows"]]
    rep.post(f"/visits/{visit}/check-out", fix(world))
    clock.advance(days=1)
    day = {"starts_at": "2026-03-03T02:00:00Z", "ends_at": "2026-03-03T10:00:00Z", "start_lat": 22.5, "start_lon": 114.0}
    asked = rep.post("/visits/plan-day", day | {"datum": "wgs84"}, expect=202)
    plan_days(world.db, world.settings)
    answer = rep.get(f"/day-plans/{asked['id']}")["answer"]
    clock.advance(days=1)

    assert [one["visit_id"] for one in answer["stops"] + answer["left_out"]] == [other]
    assert miss_visits(world.db, world.settings) == 1
    assert [rep.get(f"/visits/{one}")["state"] for one in (visit, other)] == ["finished", "missed"]


def test_what_was_held_a_day_ahead_and_told_after_the_job_was_not_missed(
    rep: Http, boss: Http, world: World, phone: Phones, clock: SetClock
) -> None:
    visit = plan(rep, world, **window("2026-03-03T01:00", "2026-03-03T02:00"))
    device = phone(world.rep)
    device.pull()
    body = {"visit_id": visit} | fix(world)
    clock.advance(days=2)
    miss_visits(world.db, world.settings)
    device.intend("intent-00001", "visit.check_in", json.dumps(body | {"sent_ms": to_ms(clock.now())}))
    device.sync()
    device.sync()

    assert device.rows["intents"]["intent-00001"]["verdict"] == "accepted"
    [row] = rep.get("/check-ins")["items"]
    assert (row["state"], row["reasons"]) == ("needs_review", ["day_ahead"])
    entries = boss.get(f"/history/visit/{visit}")["about"]
    assert entries[2]["reason"] == "The visit was not missed after all: the rep had come before its day, and it was told late."


def test_moving_and_a_closed_door_may_be_told_from_offline(rep: Http, world: World, phone: Phones, clock: SetClock) -> None:
    moved, closed, ended = plan(rep, world), plan(rep, world), plan(rep, world)
    device = phone(world.rep)
    device.pull()
    assert device.rows["visits"][moved]["moved_count"] == 0
    later = window("2026-03-04T01:00", "2026-03-04T02:00") | {"visit_id": moved, "reason": "a strike"}
    device.intend("intent-00001", "visit.move", json.dumps(later))
    device.intend("intent-00002", "visit.no_show", json.dumps({"visit_id": closed, "reason": ABSENT} | fix(world)))
    rep.post(f"/visits/{ended}/cancel", {"reason": "the office called it off"})
    device.intend("intent-00003", "visit.no_show", json.dumps({"visit_id": ended, "reason": ABSENT} | fix(world)))
    device.sync()
    device.sync()

    verdicts = {row["id"]: row["verdict"] for row in device.rows["intents"].values()}
    # What happened at a visit that was called off meanwhile is not lost: a person looks at it.
    assert verdicts == {"intent-00001": "accepted", "intent-00002": "accepted", "intent-00003": "needs_review"}
    assert (device.rows["visits"][moved]["moved_count"], device.rows["visits"][closed]["state"]) == (1, "no_show")
    assert device.rows["visits"][moved]["planned_from"] == to_ms(clock.now() + timedelta(hours=47))


def test_of_a_check_in_and_the_job_at_midnight_the_check_in_holds(rep: Http, world: World, clock: SetClock) -> None:
    """The two meet at the visit's row, whoever is first."""
    visit = plan(rep, world)
    clock.advance(days=1)
    gate = threading.Barrier(2)

    def mark() -> None:
        gate.wait()
        miss_visits(world.db, world.settings)

    thread = threading.Thread(target=mark)
    thread.start()
    gate.wait()
    rep.post(f"/visits/{visit}/check-in", fix(world))
    thread.join()

    assert rep.get(f"/visits/{visit}")["state"] == "in_progress"
