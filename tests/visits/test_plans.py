"""The office plans by frequency and segment; a job makes the visits, once for each site and period, and follows what changes."""

from __future__ import annotations

import threading
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.calendar.days import Calendar
from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.jobs import make_visits
from app.visit_plans.periods import day_in, periods, spread_of
from app.visits.models import Visit
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.visits.ask import begin, end, told
from tests.visits.test_check_ins import faulty, plan

# The clock stands at Monday, 2 March 2026, 10:00 in Shanghai.
HORIZON = ("2026-03-02", "2026-03-15")


def make_plan(boss: Http, world: World, **more: Any) -> dict[str, Any]:
    body = {"name": "Weekly", "conditions": [{"field": "territory_id", "any_of": [world.territory]}], "every_days": 7}
    made: dict[str, Any] = boss.post("/visit-plans", body | more, expect=201)
    return made


def run(world: World) -> int:
    return make_visits(world.db, world.settings)


def visits_of(person: Http) -> list[dict[str, Any]]:
    return sorted(person.get("/visits?limit=200")["items"], key=lambda row: (row["planned_from"], row["id"]))


def preview(boss: Http, made: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(one["outcome"], one["first"], one["day"]) for one in boss.get(f"/visit-plans/{made['id']}/preview")["items"]]


def add_customer(world: World, code: str, **more: Any) -> tuple[str, str]:
    with world.db.transaction() as session:
        values = {"code": code, "name": code, "territory_id": world.territory, "owner_id": world.rep} | more
        customer = customers.create_customer(session, world.actor(world.admin), values)
        site = customers.create_site(
            session, world.actor(world.admin), customer, {"name": code, "lat": 22.5, "lon": 114.1, "address": ""}
        )
        return customer.id, site.id


@given(
    every=st.integers(1, 60),
    starts=st.dates(date(2026, 1, 1), date(2026, 12, 31)),
    since=st.dates(date(2025, 6, 1), date(2027, 6, 1)),
    times=st.none() | st.integers(1, 10),
)
def test_periods_follow_each_other_without_gap_and_are_the_same_whoever_asks(
    every: int, starts: date, since: date, times: int | None
) -> None:
    until = date.fromordinal(since.toordinal() + 40)
    found = periods(None if times else every, times, starts, since, until)

    assert all(a.last.toordinal() + 1 == b.first.toordinal() for a, b in pairwise(found))
    assert len({period.key for period in found}) == len(found)
    if found:
        assert found[0].first <= max(since, starts)
        assert found[-1].last >= until
        middle = found[len(found) // 2]
        assert periods(None if times else every, times, starts, middle.first, middle.last) == [middle]
    else:
        assert starts > until


def test_a_day_of_a_period_is_one_that_is_worked_and_of_many_sites_all_days_are_used() -> None:
    golden_week = Calendar(((date(2026, 10, 1), "holiday"), (date(2026, 10, 2), "holiday"), (date(2026, 10, 10), "workday")))
    [week] = periods(7, None, date(2026, 9, 28), date(2026, 9, 28), date(2026, 10, 1))
    [after] = periods(7, None, date(2026, 10, 5), date(2026, 10, 5), date(2026, 10, 8))

    def days(period: Any, today: date) -> set[Any]:
        return {day_in(period, golden_week.is_worked, spread_of("plan-0001", f"site-{n:04}"), today) for n in range(100)}

    assert days(week, week.first) == {date(2026, 9, 28), date(2026, 9, 29), date(2026, 9, 30)}
    assert days(after, after.first) == {date(2026, 10, day) for day in (5, 6, 7, 8, 9, 10)}  # the tenth is a Saturday
    assert days(week, date(2026, 9, 30)) == {date(2026, 9, 30)}
    assert days(week, date(2026, 10, 1)) == {None}


def test_what_is_due_within_14_days_is_planned_once_for_the_rep_in_charge(boss: Http, rep: Http, world: World) -> None:
    made = make_plan(boss, world, purpose="stock", from_time="08:30", until_time="11:00")
    before = preview(boss, made)
    assert [outcome for outcome, _, _ in before] == ["due", "due"]
    assert (run(world), run(world)) == (2, 0)

    rows = visits_of(rep)
    assert [(row["user_id"], row["site_id"], row["purpose"], row["plan_id"]) for row in rows] == [
        (world.rep, world.site, "stock", made["id"])
    ] * 2
    days = [row["planned_from"][:10] for row in rows]
    assert days == [day for _, _, day in before]
    assert [row["period"] for row in rows] == ["2026-03-02", "2026-03-09"]
    assert all(HORIZON[0] <= day <= HORIZON[1] and date.fromisoformat(day).weekday() < 5 for day in days)
    assert [(row["planned_from"][11:16], row["planned_until"][11:16]) for row in rows] == [("00:30", "03:00")] * 2
    assert {outcome for outcome, _, _ in preview(boss, made)} == {"planned_by_this_plan"}
    entry = rep.get(f"/history/visit/{rows[0]['id']}")["about"][0]
    assert entry["reason"] == f"拜访计划“Weekly”已安排拜访 {rows[0]['number']}：2026-03-02 至 2026-03-08 期间应拜访一次。"
    assert [cause["kind"] for cause in boss.get(f"/history/visit/{rows[0]['id']}")["causes"]] == ["visit_plan.created"]


def test_as_days_go_by_the_next_periods_are_planned(boss: Http, rep: Http, world: World, clock: SetClock) -> None:
    make_plan(boss, world, every_days=None, times_per_month=2)
    run(world)
    for _ in range(32):
        clock.advance(days=1)
        run(world)

    # The next one may be planned already: which day of its period a site has is its own.
    periods_planned = [row["period"] for row in visits_of(rep)]
    assert periods_planned[:3] == ["2026-03-1of2", "2026-03-2of2", "2026-04-1of2"]
    assert periods_planned[3:] in ([], ["2026-04-2of2"])


def test_two_that_plan_at_once_make_each_visit_once(boss: Http, rep: Http, world: World) -> None:
    for n in range(5):
        add_customer(world, f"C-1{n}")
    make_plan(boss, world)
    gate, made = threading.Barrier(3), []

    def plan_all() -> None:
        gate.wait()
        made.append(run(world))

    threads = [threading.Thread(target=plan_all) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(made) == 12
    keys = [(row["site_id"], row["period"]) for row in visits_of(rep)]
    assert len(keys) == len(set(keys)) == 12


def test_a_visit_made_or_planned_otherwise_counts_and_there_is_no_second_one(
    boss: Http, rep: Http, world: World, clock: SetClock
) -> None:
    visit = begin(rep, world)
    end(rep, world, visit)
    by_hand = plan(rep, world, planned_from="2026-03-10T01:00:00Z", planned_until="2026-03-10T02:00:00Z")
    made = make_plan(boss, world)

    assert [outcome for outcome, _, _ in preview(boss, made)] == ["visited_meanwhile", "planned_otherwise"]
    assert run(world) == 0
    rep.post(f"/visits/{by_hand}/cancel", {"reason": "x"})
    assert run(world) == 1
    texts = [one["text"] for one in boss.get(f"/visit-plans/{made['id']}/preview")["items"]]
    assert texts == ["It was visited in this period already.", "This plan has planned it already."]


def test_what_was_planned_is_called_off_when_the_customer_was_visited_meanwhile(boss: Http, rep: Http, world: World) -> None:
    make_plan(boss, world)
    run(world)
    first, second = visits_of(rep)
    visit = begin(rep, world)
    end(rep, world, visit)
    assert (run(world), run(world)) == (1, 0)

    seen = rep.get(f"/visits/{first['id']}")
    assert (seen["state"], seen["cancel_reason"]) == ("cancelled", "该客户近期已拜访。")
    assert rep.get(f"/visits/{second['id']}")["state"] == "planned"
    chain = boss.get(f"/history/visit/{first['id']}")
    assert chain["about"][-1]["reason"] == "The visit was cancelled: the customer was visited meanwhile."
    assert "visit.ended" in {cause["kind"] for cause in chain["causes"]}


def test_planned_visits_follow_who_is_in_charge(boss: Http, rep: Http, http: Http, world: World) -> None:
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other-rep", territory_ids=[world.territory]).id
    make_plan(boss, world)
    run(world)
    version = boss.get(f"/customers/{world.customer}")["version"]
    boss.edit(f"/customers/{world.customer}", {"owner_id": other}, version)
    assert (run(world), run(world)) == (2, 0)

    rows = visits_of(http.as_(other))
    assert [row["user_id"] for row in rows] == [other, other]
    assert told(boss, "visit", rows[0]["id"]) == ["visit.planned_by_plan", "visit.handed_over"]


def test_a_customer_without_a_rep_is_not_planned_and_the_preview_says_so(boss: Http, world: World) -> None:
    customer, _ = add_customer(world, "C-2", owner_id=None)
    made = make_plan(boss, world, conditions=[{"field": "customer_id", "any_of": [customer]}])

    assert [outcome for outcome, _, _ in preview(boss, made)] == ["no_rep", "no_rep"]
    assert run(world) == 0


def test_holidays_leave_no_day(boss: Http, world: World) -> None:
    days = [{"day": f"2026-03-{n:02}", "kind": "holiday", "name_zh": "假", "name_en": "off"} for n in range(2, 9)]
    boss.post("/calendar-days", {"days": days})
    made = make_plan(boss, world)

    assert [outcome for outcome, _, _ in preview(boss, made)] == ["no_working_day", "due"]


@pytest.mark.parametrize(
    ("condition", "sites"),
    [("asset_model", 1), ("owner_id", 2), ("customer_id", 1), ("territory_id", 2)],
)
def test_a_segment_is_what_all_conditions_hold_for(boss: Http, world: World, condition: str, sites: int) -> None:
    add_customer(world, "C-2")
    values = {"asset_model": "Model 60", "owner_id": world.rep, "customer_id": world.customer, "territory_id": world.territory}
    one = {"field": condition, "any_of": [values[condition], "no-such-thing"]}
    made = make_plan(boss, world, conditions=[one])
    none = make_plan(boss, world, conditions=[one, {"field": "asset_model", "any_of": ["Model 61"]}])

    assert boss.get(f"/visit-plans/{made['id']}/preview")["sites"] == sites
    assert boss.get(f"/visit-plans/{none['id']}/preview")["sites"] == 0


@pytest.mark.parametrize(
    ("kind", "kept", "other", "asked"),
    [
        ("text", "retail", "fleet", "retail"),
        ("choice", "a", "b", "a"),
        ("number", 12, 2.5, "12"),
        ("number", 2.5, 12, "2.50"),
        ("flag", True, False, "true"),
        ("flag", False, True, "否"),
        ("day", "2026-03-02", "2026-03-03", "2026-03-02"),
    ],
)
def test_a_segment_knows_the_companys_own_fields(boss: Http, world: World, kind: str, kept: Any, other: Any, asked: str) -> None:
    choices = [{"code": code, "label_zh": code, "label_en": code} for code in ("a", "b")] if kind == "choice" else []
    label = {"label_zh": "等级", "label_en": "Grade"}
    boss.post("/custom-fields", {"key": "grade", "kind": kind, "choices": choices, **label}, expect=201)
    second, site = add_customer(world, "C-2")
    boss.edit(f"/customers/{second}", {"custom": {"grade": kept}}, 1)
    boss.edit(f"/customers/{world.customer}", {"custom": {"grade": other}}, 1)
    made = make_plan(boss, world, conditions=[{"field": "custom.grade", "any_of": [asked]}])

    shown = boss.get(f"/visit-plans/{made['id']}/preview")
    assert (shown["sites"], {one["site_id"] for one in shown["items"]}) == (1, {site})
    boss.edit(f"/visit-plans/{made['id']}", {"name": "Same"}, 1)
    run(world)
    boss.edit(f"/customers/{second}", {"custom": {"grade": other}}, boss.get(f"/customers/{second}")["version"])
    assert boss.get(f"/visit-plans/{made['id']}/preview")["sites"] == 0
    assert run(world) > 0, "what was planned is called off"


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ("custom.nothing", "x", ("conditions.0.field", "unknown_reference")),
        ("custom.Size!", "x", ("conditions.0.field", "not_one_of")),
        ("custom.size", "many", ("conditions.0.any_of", "not_number")),
        ("custom.size", "0.00000001", ("conditions.0.any_of", "out_of_range")),
    ],
)
def test_a_condition_on_a_field_or_a_value_there_is_not_is_refused(
    boss: Http, world: World, field: str, value: str, fault: tuple[str, str]
) -> None:
    boss.post("/custom-fields", {"key": "size", "kind": "number", "label_zh": "大小", "label_en": "Size"}, expect=201)
    body = {"name": "Weekly", "conditions": [{"field": field, "any_of": [value]}], "every_days": 7}
    refused = boss.refused("POST", "/visit-plans", 422, "validation_failed", body)

    assert [(one["field"], one["code"]) for one in refused["errors"]] == [fault]


def test_a_plan_that_is_switched_off_or_wants_others_calls_off_what_it_had_planned(boss: Http, rep: Http, world: World) -> None:
    made = make_plan(boss, world)
    run(world)
    boss.edit(f"/visit-plans/{made['id']}", {"conditions": [{"field": "asset_model", "any_of": ["Model 61"]}]}, 1)
    assert run(world) == 2
    assert {row["cancel_reason"] for row in visits_of(rep)} == {"该站点已不在拜访计划范围内。"}
    other = make_plan(boss, world, name="Other")
    run(world)
    boss.edit(f"/visit-plans/{other['id']}", {"active": False}, 1)
    assert (run(world), run(world)) == (2, 0)


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ({"every_days": None}, ["every_days"]),
        ({"times_per_month": 2}, ["every_days"]),
        ({"every_days": 0}, ["every_days"]),
        ({"conditions": []}, ["conditions"]),
        ({"conditions": [{"field": "shoe_size", "any_of": ["42"]}]}, ["conditions.0.field"]),
        ({"conditions": [{"field": "owner_id", "any_of": []}]}, ["conditions.0.any_of"]),
        ({"conditions": [{"field": "owner_id", "any_of": ["x"] * 51}]}, ["conditions.0.any_of"]),
        ({"from_time": "17:01"}, ["until_time"]),
        ({"starts_on": "2030-01-01"}, ["starts_on"]),
        ({"type_id": "no-such-type"}, ["type_id"]),
    ],
)
def test_a_plan_that_says_nothing_or_contradicts_itself_is_refused(
    boss: Http, world: World, more: dict[str, Any], fields: list[str]
) -> None:
    body = {"name": "x", "conditions": [{"field": "territory_id", "any_of": [world.territory]}], "every_days": 7}

    assert faulty(boss.post("/visit-plans", body | more, expect=422)) == fields


def test_the_database_itself_holds_one_visit_for_a_plan_a_site_and_a_period(
    boss: Http, world: World, db: Database, settings: Settings
) -> None:
    from sqlalchemy.exc import IntegrityError

    from app.core.tracked import add

    make_plan(boss, world)
    run(world)
    with db.reading() as session:
        known = session.scalars(select(Visit).where(Visit.plan_id.is_not(None))).first()
    assert known is not None
    names = ("customer_id", "site_id", "user_id", "purpose", "planned_from", "planned_until", "state", "plan_id", "period")
    twin = Visit(number="V-2026-999999", **{name: getattr(known, name) for name in names})
    with pytest.raises(IntegrityError), db.transaction() as session:
        add(session, twin)
