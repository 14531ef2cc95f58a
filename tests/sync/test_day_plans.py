"""A route that is asked for offline, and comes as a row; opening hours and lengths that phones hold."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import plan_days
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.test_check_ins import WINDOW

Phones = Callable[..., Phone]
DAY = {"starts_at": "2026-03-02T02:00:00Z", "ends_at": "2026-03-02T10:00:00Z", "start_lat": 22.5, "start_lon": 114.0}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def ask(device: Phone, number: int, kind: str, body: dict[str, object], at_ms: int) -> None:
    device.create("intents", {"id": f"intent-{number:08}", "kind": kind, "body": json.dumps(body), "made_at": at_ms})


def test_visits_and_their_route_are_asked_for_offline_in_one_go_and_taken_over(
    world: World, phone: Phones, http: Http, clock: SetClock, db: Database
) -> None:
    device = phone(world.rep)
    device.pull()
    present = to_ms(clock.now())
    ask(device, 1, "day.plan", DAY | {"id": "route-00000001"}, present + 1)
    ask(device, 2, "visit.plan", {"id": "visit-00000001", "site_id": world.site, "length_minutes": 45, **WINDOW}, present)
    device.sync()
    device.sync()
    assert device.rows["visits"]["visit-00000001"]["length_minutes"] == 45
    assert device.rows["day_plans"]["route-00000001"]["state"] == "queued"

    plan_days(db, world.settings)
    device.pull()
    route = device.rows["day_plans"]["route-00000001"]
    [stop] = json.loads(route["answer"])["stops"]
    ask(device, 3, "day_plan.apply", {"day_plan_id": "route-00000001"}, present + 2)
    device.sync()
    device.sync()

    assert route["state"] == "ready"
    assert stop["leaves_ms"] - stop["begins_ms"] == 45 * 60_000
    assert [device.rows["intents"][f"intent-{n:08}"]["verdict"] for n in (1, 2, 3)] == ["accepted"] * 3
    assert device.rows["visits"]["visit-00000001"]["planned_from"] == stop["begins_ms"]
    assert device.rows["day_plans"]["route-00000001"]["state"] == "applied"


def test_a_route_that_is_not_of_today_any_more_is_refused_with_the_reason(world: World, phone: Phones, http: Http) -> None:
    device, rep = phone(world.rep), http.as_(world.rep)
    device.pull()
    visit = rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)
    route = rep.post("/visits/plan-day", DAY, expect=202)["id"]
    plan_days(world.db, world.settings)
    rep.edit(f"/visits/{visit['id']}", {"purpose": "another"}, visit["version"])
    ask(device, 1, "day_plan.apply", {"day_plan_id": route}, 1)
    device.sync()
    device.sync()

    answered = device.rows["intents"]["intent-00000001"]
    assert (answered["verdict"], answered["code"]) == ("rejected", "day_changed")
    assert visit["number"] in answered["text"]


def test_colleagues_hold_no_routes_of_others(world: World, phone: Phones, http: Http) -> None:
    rep = http.as_(world.rep)
    rep.post("/visits", {"site_id": world.site, **WINDOW}, expect=201)
    rep.post("/visits/plan-day", DAY, expect=202)
    office, owner = phone(world.manager), phone(world.owner)
    office.pull()
    owner.pull()

    assert not office.rows.get("day_plans")
    assert not owner.rows.get("day_plans")


def test_opening_hours_are_written_on_the_phone_and_checked(world: World, phone: Phones, http: Http) -> None:
    device, rep = phone(world.rep), http.as_(world.rep)
    device.pull()
    assert device.rows["sites"][world.site]["opening_hours"] is None
    site = {"customer_id": world.customer, "name": "n", "address": "", "lat": 22.5, "lon": 114.0}
    device.create("sites", site | {"id": "site-00000001", "opening_hours": "Mo-Fr 09:00-18:00"})
    device.create("sites", site | {"id": "site-00000002", "opening_hours": "whenever"})
    device.update("sites", world.site, opening_hours="Mo-Sa 08:00-20:00")
    device.sync()
    device.sync()

    hours = {one["id"]: one["opening_hours"] for one in rep.get("/sites")["items"]}
    assert hours == {world.site: "Mo-Sa 08:00-20:00", "site-00000001": "Mo-Fr 09:00-18:00"}
    [problem] = device.rows["sync_problems"].values()
    assert "OpenStreetMap" in problem["text"]
