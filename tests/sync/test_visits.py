"""Visits that were made offline, told as intents when there is network again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.clock import from_ms, to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import make_visits
from app.positions.datum import Datum
from app.tracks.following import follow_tracks
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.people import Http
from tests.sync.phones import Phone
from tests.sync.rxdb_phones import RxdbPhone
from tests.tracks.roads import Road, agree, begin, send
from tests.visits.test_check_ins import WINDOW, fix

Phones = Callable[..., Phone]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def test_a_day_without_network_is_done_again_when_it_comes(world: World, phone: Phones, http: Http, clock: SetClock) -> None:
    """A visit that was planned, begun and ended offline, told in the evening."""
    device = phone(world.rep)
    device.pull()
    begun = fix(world, datum=Datum.GCJ02)
    clock.advance(minutes=30)
    ended = fix(world, outcome="ok", next_step="")
    clock.advance(hours=8)
    sent_ms = to_ms(world.db.clock.now())
    rows = [
        ("visit.plan", {"id": "visit-00000001", "site_id": world.site, **WINDOW}),
        ("visit.check_in", {"visit_id": "visit-00000001"} | begun | {"sent_ms": sent_ms}),
        ("visit.check_out", {"visit_id": "visit-00000001"} | ended | {"sent_ms": sent_ms}),
    ]
    for n, (kind, body) in enumerate(rows):
        device.create("intents", {"id": f"intent-{n:08}", "kind": kind, "body": json.dumps(body), "made_at": sent_ms})
        device.sync()
    device.sync()

    assert [device.rows["intents"][f"intent-{n:08}"]["verdict"] for n in range(3)] == ["accepted"] * 3
    rep = http.as_(world.rep)
    seen = rep.get("/visits/visit-00000001")
    assert (seen["state"], seen["began_at"], seen["ended_at"]) == (
        "finished", "2026-03-02T02:00:00.000Z", "2026-03-02T02:30:00.000Z",
    )  # fmt: skip
    assert {row["nearness"] for row in rep.get("/check-ins")["items"]} == {"inside"}


def test_a_phone_tells_what_a_rep_planned_what_a_plan_made_and_what_a_track_showed(
    world: World, phone: Phones, http: Http, settings: Settings, clock: SetClock
) -> None:
    rep, boss = http.as_(world.rep), http.as_(world.manager)
    office = {"name": "Weekly", "conditions": [{"field": "territory_id", "any_of": [world.territory]}], "every_days": 14}
    plan_id = boss.post("/visit-plans", office, 201)["id"]
    make_visits(world.db, settings)
    own = rep.post("/visits", {"site_id": world.site, **WINDOW}, 201)["id"]
    agree(rep)
    begin(rep)
    road = Road(clock.now(), north_m=-2_000).drive(2_000).stay(40).drive(2_000)
    clock.set(from_ms(road.at_ms))
    send(rep, road.fixes)
    follow_tracks(world.db, settings)
    [shown] = rep.get("/visit-proposals?state=proposed")["items"]
    found = rep.post(f"/visit-proposals/{shown['id']}/confirm", {"outcome": "ok"})["visit_id"]
    device = phone(world.rep)
    device.pull()

    rows = device.rows["visits"]
    assert {row_id: (row["source"], row["plan_id"]) for row_id, row in rows.items() if row_id in {own, found}} == {
        own: ("plan", None),
        found: ("track", None),
    }
    assert {(row["source"], row["plan_id"]) for row_id, row in rows.items() if row_id not in {own, found}} == {("plan", plan_id)}


def test_what_a_visit_needs_is_on_the_phone_of_a_rep_from_elsewhere_until_it_is_over(
    world: World, phone: Phones, http: Http, settings: Settings
) -> None:
    """The office plans a visit for a colleague from another territory: the day plan brings the customer, and takes it away."""
    with world.db.transaction() as session:
        other = make_user(session, settings, "rep", "elsewhere").id
    device, rep, office = phone(other), http.as_(other), http.as_(world.manager)
    device.pull()
    assert not any(device.rows.get(name) for name in ("customers", "sites", "assets", "visits"))
    rep.refused("GET", f"/customers/{world.customer}", 404, "not_found")

    visit = office.post("/visits", {"site_id": world.site, "user_id": other, **WINDOW}, expect=201)["id"]
    device.pull()

    assert set(device.rows["customers"]) == {world.customer}
    assert set(device.rows["sites"]) == {world.site}
    assert set(device.rows["assets"]) == {world.asset}
    assert device.rows["visits"][visit]["state"] == "planned"
    assert rep.get(f"/customers/{world.customer}")["id"] == world.customer
    rep.post(f"/visits/{visit}/check-in", fix(world))
    device.pull()
    assert set(device.rows["customers"]) == {world.customer}
    rep.post(f"/visits/{visit}/check-out", fix(world))
    device.pull()

    assert not any(device.rows[name] for name in ("customers", "sites", "assets"))
    assert device.rows["visits"][visit]["state"] == "finished"
    rep.refused("GET", f"/customers/{world.customer}", 404, "not_found")


def offline_visit(world: World, phone: Any, site: str) -> None:
    """Ask for a visit from beginning to end in one moment, the last thing first."""
    at = to_ms(world.db.clock.now())
    told = fix(world) | {"visit_id": "visit-00000001", "sent_ms": at}
    for n, (kind, body) in enumerate(
        [
            ("visit.check_out", told | {"outcome": "ok", "next_step": ""}),
            ("visit.check_in", told),
            ("visit.plan", {"id": "visit-00000001", "site_id": site, **WINDOW}),
        ]
    ):
        phone.intend(f"intent-{n:08}", kind, json.dumps(body), at + (kind == "visit.check_out"))


def verdicts(rows: dict[str, dict[str, Any]]) -> list[str | None]:
    return [rows[f"intent-{n:08}"]["verdict"] for n in range(3)]


def test_what_is_asked_of_a_visit_finds_the_plan_of_the_same_push(world: World, phone: Phones, http: Http) -> None:
    device = phone(world.rep)
    device.pull()
    offline_visit(world, device, world.site)
    device.sync()
    device.sync()

    assert verdicts(device.rows["intents"]) == ["accepted"] * 3
    assert http.as_(world.rep).get("/visits/visit-00000001")["state"] == "finished"


def test_a_check_in_that_overtakes_its_plan_and_its_site_waits_for_them(world: World, http: Http) -> None:
    """RxDB pushes each collection apart, and in batches: what was made offline comes in any order."""
    rep = RxdbPhone(http.as_(world.rep), names=("customers", "sites", "intents", "visits", "sync_problems"))
    rep.sync()
    rep.create(
        "sites", {"id": "site-00000001", "customer_id": world.customer, "name": "n", "address": "", "lat": 22.5, "lon": 114}
    )
    offline_visit(world, rep, "site-00000001")
    rep.push("intents")
    rep.pull("intents")
    assert verdicts(rep.live("intents")) == [None] * 3
    http.as_(world.rep).refused("GET", "/visits/visit-00000001", 404, "not_found")
    rep.push("sites")
    rep.sync()
    rep.sync()

    assert verdicts(rep.live("intents")) == ["accepted"] * 3
    assert rep.live("visits")["visit-00000001"]["state"] == "finished"


def test_what_waited_for_a_plan_that_was_refused_is_refused_with_it(world: World, http: Http) -> None:
    rep = RxdbPhone(http.as_(world.rep), names=("customers", "sites", "intents", "visits", "sync_problems"))
    rep.sync()
    offline_visit(world, rep, world.site)
    plan_ = rep.live("intents")["intent-00000002"]
    rep.update(
        "intents", "intent-00000002", body=json.dumps(json.loads(plan_["body"]) | {"planned_until": "2026-03-01T00:00:00Z"})
    )
    rep.sync()
    rep.sync()

    assert verdicts(rep.live("intents")) == ["rejected"] * 3
