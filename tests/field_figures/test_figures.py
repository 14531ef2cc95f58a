"""What each figure counts, by what people do over HTTP; teams; bounds; the file for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.people import Http

DAY = "2026-03-02"
THERE = {"lat": 22.54, "lon": 114.05, "datum": "wgs84", "accuracy_m": 8.0}
FAR = THERE | {"lat": 22.60}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def admin(http: Http, world: World) -> Http:
    return http.as_(world.admin)


def figures(door: Http, by: str = "user", **only: str) -> dict[str, Any]:
    filters = "".join(f"&{name}={value}" for name, value in only.items())
    table: dict[str, Any] = door.get(f"/field-figures?by={by}&from={DAY}&until={DAY}{filters}")
    return table


def told(clock: SetClock, where: dict[str, Any]) -> dict[str, Any]:
    at_ms = int(clock.now().timestamp() * 1000)
    return where | {"at_ms": at_ms, "sent_ms": at_ms}


def plan(rep: Http, world: World, clock: SetClock) -> str:
    at = clock.now().isoformat()
    found: str = rep.post("/visits", {"site_id": world.site, "planned_from": at, "planned_until": at}, expect=201)["id"]
    return found


def hold(rep: Http, world: World, clock: SetClock, minutes: int, where: dict[str, Any] = THERE, **said: Any) -> str:
    visit = plan(rep, world, clock)
    rep.post(f"/visits/{visit}/check-in", told(clock, where))
    clock.advance(minutes=minutes)
    rep.post(f"/visits/{visit}/check-out", told(clock, where) | said)
    return visit


def some(row: dict[str, Any]) -> dict[str, Any]:
    """Return the figures that are not nothing."""
    return {name: value for name, value in row["figures"].items() if value}


def test_a_day_of_a_rep_is_counted_as_it_went(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    hold(rep, world, clock, 30)
    hold(rep, world, clock, 11, next_step="send papers")
    hold(rep, world, clock, 20, FAR)
    away, called_off = plan(rep, world, clock), plan(rep, world, clock)
    rep.post(f"/visits/{away}/no-show", told(clock, THERE) | {"reason": "closed"})
    rep.post(f"/visits/{called_off}/cancel", {"reason": "x"})
    plan(rep, world, clock)
    far = next(one for one in rep.get("/check-ins?state=needs_review")["items"] if one["nearness"] == "outside")
    rep.post(f"/check-ins/{far['id']}/appeal", {"text": "the gate is there"})
    boss.post(f"/check-ins/{far['id']}/decide", {"accepted": True, "reason": "so it is"})
    rep.post(
        "/follow-ups", {"kind": "call", "customer_id": world.customer, "next_step": "x", "next_due": "2026-03-01"}, expect=201
    )

    [row] = figures(boss)["rows"]

    assert (row["id"], row["name"]) == (world.rep, "rep")
    found = some(row)
    # What was agreed at a check-out is a follow-up: a meeting with the customer.
    assert (found.pop("follow_ups"), found.pop("meetings")) == (2, 1)
    found.pop("flagged", None)
    assert found == {
        "visits": 6,
        "planned": 6,
        "finished": 3,
        "held": 3,
        "no_show": 1,
        "cancelled": 1,
        "open": 1,
        "done_percent": 60.0,
        "check_in_inside": 3,
        "check_in_outside": 1,
        "appealed": 1,
        "appeal_accepted": 1,
        "minutes": 61,
        "minutes_median": 20.0,
        "customers_visited": 1,
        "calls": 1,
        "next_steps_open": 2,
        "next_steps_overdue": 1,
    }


def test_a_visit_whose_clock_was_years_off_adds_no_minutes(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    visit = plan(rep, world, clock)
    rep.post(f"/visits/{visit}/check-in", told(clock, THERE) | {"at_ms": 0})
    rep.post(f"/visits/{visit}/check-out", told(clock, THERE))
    hold(rep, world, clock, 30)

    [row] = figures(boss)["rows"]

    assert (row["figures"]["held"], row["figures"]["minutes"]) == (2, 30)


def test_leads_are_counted_by_what_became_of_them(rep: Http, boss: Http, world: World, clock: SetClock) -> None:
    boss.post("/lead-routings", {"document": {"rules": []}}, expect=201)
    body = {"name": "n", "phone": "13800138000", "interest": "x", "territory_id": world.territory}
    claimed, lost = (boss.post("/leads", body, expect=201)["id"] for _ in range(2))
    given = boss.post("/leads", body | {"owner_id": world.rep}, expect=201)["id"]
    for lead in (claimed, lost):
        rep.post(f"/leads/{lead}/claim")
    rep.post("/follow-ups", {"kind": "call", "lead_id": claimed, "duration_s": 60}, expect=201)
    rep.post(f"/leads/{claimed}/qualify")
    rep.post(f"/leads/{lost}/lose", {"reason": "x"})

    [row] = figures(rep)["rows"]

    expected = {"leads": 3, "leads_claimed": 2, "leads_touched_in_time": 1, "leads_qualified": 1, "leads_lost": 1}
    assert {name: value for name, value in some(row).items() if name.startswith("leads")} == expected
    shown = {item["id"] for item in rep.get(f"{row['opens']['leads']}&figure=leads_claimed")["items"]}
    assert shown == {claimed, lost}
    assert given in {item["id"] for item in rep.get(row["opens"]["leads"])["items"]}
    assert rep.call("POST", f"/leads/{given}/give-back", {"reason": "x"}).status_code == 204
    assert figures(rep)["total"]["figures"]["leads"] == 2
    rep.post(f"/leads/{given}/claim")
    assert rep.call("POST", f"/leads/{given}/give-back", {"reason": "x"}).status_code == 204
    clock.advance(minutes=1)
    boss.post(f"/leads/{given}/assign", {"user_id": world.rep})
    # It was claimed once, and is here by assignment.
    assert [figures(rep)["total"]["figures"][name] for name in ("leads", "leads_claimed")] == [3, 2]


def test_a_team_is_counted_by_who_is_in_it_today(rep: Http, boss: Http, admin: Http, world: World, clock: SetClock) -> None:
    north, south = (admin.post("/teams", {"code": code, "name": code}, expect=201) for code in ("north", "south"))
    hold(rep, world, clock, 10)
    assert [row["id"] for row in figures(boss, "team")["rows"]] == [None]

    for team in (north, south):
        person = admin.get(f"/users/{world.rep}")
        admin.edit(f"/users/{world.rep}", {"team_id": team["id"]}, person["version"])
        assert [(row["id"], row["name"]) for row in figures(boss, "team")["rows"]] == [(team["id"], team["name"])]

    assert figures(boss, "user", team_id=south["id"])["total"]["figures"]["visits"] == 1
    assert figures(boss, "user", team_id=north["id"])["rows"] == figures(boss, "user", team_id="none")["rows"] == []
    assert [team["id"] for team in rep.get("/teams")["items"]] == [south["id"]]
    assert len(boss.get("/teams")["items"]) == 2


def test_only_reps_of_the_organisation_are_in_teams_and_codes_are_taken_once(
    admin: Http, boss: Http, rep: Http, world: World
) -> None:
    team = admin.post("/teams", {"code": "north", "name": "North"}, expect=201)
    other = admin.post("/teams", {"code": "south", "name": "South"}, expect=201)
    for door in (boss, rep):
        door.refused("POST", "/teams", 403, "forbidden", {"code": "x", "name": "x"})
    for method, path, body in (
        ("POST", "/teams", {"code": "north", "name": "x"}),
        ("PATCH", f"/teams/{other['id']}", {"code": "north"}),
    ):
        refusal = admin.refused(method, path, 422, "validation_failed", body, If_Match="*")
        assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("code", "already_exists")]
    for user, named, code in (
        (world.manager, team["id"], "unknown"),
        (world.rep, "no-such-team-0001", "unknown_reference"),
    ):
        refusal = admin.refused("PATCH", f"/users/{user}", 422, "validation_failed", {"team_id": named}, If_Match="*")
        assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("team_id", code)]

    edited = admin.edit(f"/teams/{team['id']}", {"name": "Nord"}, team["version"])

    assert (edited["name"], edited["code"], edited["version"]) == ("Nord", "north", team["version"] + 1)
    kinds = [entry["kind"] for entry in boss.get(f"/history/team/{team['id']}")["about"]]
    assert kinds == ["team.created", "team.edited"]
    admin.edit(f"/users/{world.rep}", {"team_id": team["id"]}, admin.get(f"/users/{world.rep}")["version"])
    admin.edit(f"/users/{world.rep}", {"team_id": None}, admin.get(f"/users/{world.rep}")["version"])
    assert rep.get("/teams")["items"] == []


def test_who_may_not_ask_is_refused_and_so_is_too_much(http: Http, boss: Http, world: World) -> None:
    for person in (world.owner, world.staff[0]):
        http.as_(person).refused("GET", f"/field-figures?by=user&from={DAY}&until={DAY}", 403, "forbidden")
    for since, until in (("2026-03-02", "2026-03-01"), ("2025-01-01", "2026-01-02")):
        refusal = boss.refused("GET", f"/field-figures?by=user&from={since}&until={until}", 422, "validation_failed")
        assert [(one["field"], one["code"]) for one in refusal["errors"]] == [("until", "out_of_range")]
    assert boss.get("/field-figures?by=day&from=2025-01-01&until=2026-01-01")["rows"] == []
    for name in ("team_id", "territory_id", "user_id", "type_id"):
        boss.refused("GET", f"/field-figures?by=user&from={DAY}&until={DAY}&{name}=no-such-thing-1", 404, "not_found")
    for query in ("by=month", "by=user&user_id=none", "by=user&team_id=x"):
        boss.refused("GET", f"/field-figures?{query}&from={DAY}&until={DAY}", 422, "validation_failed")


def test_more_rows_than_an_answer_holds_are_refused_with_a_way_out(
    boss: Http,
    rep: Http,
    world: World,
    clock: SetClock,
    monkeypatch: pytest.MonkeyPatch,
    db: Database,
    settings: Settings,
    http: Http,
) -> None:
    with db.transaction() as session:
        other = make_user(session, settings, "rep", "other", territory_ids=[world.territory]).id
    for door in (rep, http.as_(other)):
        plan(door, world, clock)
    monkeypatch.setattr("app.field_figures.queries.MOST_ROWS", 1)

    refusal = boss.refused("GET", f"/field-figures?by=user&from={DAY}&until={DAY}", 422, "too_many_rows")

    assert "fewer days" in refusal["detail"]
    assert len(figures(boss, "territory")["rows"]) == 1


def test_a_partners_people_read_no_figures(http: Http, admin: Http, db: Database, settings: Settings) -> None:
    """Visits, follow-ups and leads are the organisation's: nobody else reads the lists that figures open into, either."""
    partner = admin.post("/partners", {"name": "P"}, expect=201)["id"]
    for role in ("admin", "manager", "rep"):
        with db.transaction() as session:
            theirs = make_user(session, settings, role, f"their-{role}", partner_id=partner).id
        door = http.as_(theirs)
        for path in (f"/field-figures?by=user&from={DAY}&until={DAY}", f"/field-figures/export?by=day&from={DAY}&until={DAY}"):
            door.refused("GET", path, 403, "forbidden")
        door.refused("GET", "/visits", 403, "forbidden")


def test_the_file_says_the_same_in_the_readers_language_and_holds_no_formula(
    boss: Http, rep: Http, world: World, clock: SetClock
) -> None:
    hold(rep, world, clock, 10)
    rep.edit("/me", {"name": "=1+1"}, rep.get("/me")["version"])
    path = f"/field-figures/export?by=user&from={DAY}&until={DAY}"

    read = {door: boss_or_rep.call("GET", path) for door, boss_or_rep in (("en", boss), ("zh", rep))}

    files = {
        door: list(csv.reader(io.StringIO(answer.get_data(as_text=True).removeprefix("\ufeff")))) for door, answer in read.items()
    }
    assert read["en"].mimetype == "text/csv"
    assert (files["en"][0][:2], files["zh"][0][:2]) == (["Person", "Visits"], ["人员", "拜访"])
    assert [line[0] for line in files["en"][1:]] == ["'=1+1", "Total"]
    table = figures(boss)
    row = table["rows"][0]["figures"]
    values = [row[column["name"]] for column in table["columns"]]
    assert files["en"][1][1:] == ["" if value is None else str(value) for value in values] == files["en"][2][1:]
    assert files["zh"][0][1:] == [column["label"] for column in figures(rep)["columns"]]
