"""What phones tell that cannot be, or comes to a world that moved on: each has a stated outcome, and nothing is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.clock import to_ms
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.ask import begin
from tests.visits.test_check_ins import fix, plan
from tests.visits.test_plans import add_customer

YEAR_10000_MS = 253_402_300_800_000


@pytest.fixture
def device(http: Http, world: World) -> Phone:
    phone = Phone(http.as_(world.rep))
    phone.pull()
    return phone


def tell(device: Phone, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """Tell something from offline; return the intent as the phone then holds it."""
    name = f"intent-{len(device.rows.get('intents', {})):05}"
    device.intend(name, kind, json.dumps(body))
    device.sync()
    device.sync()
    return device.rows["intents"][name]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"lat": 90.01}, "lat"),
        ({"lat": "north"}, "lat"),
        ({"lon": 180.01}, "lon"),
        ({"lon": None}, "lon"),
        ({"at_ms": -1}, "at_ms"),
    ],
)
def test_impossible_coordinates_are_refused_and_what_was_told_is_kept(
    rep: Http, device: Phone, world: World, more: dict[str, Any], field: str
) -> None:
    visit = plan(rep, world)
    body = {"visit_id": visit} | fix(world) | more
    tell(device, "visit.check_in", body)

    [problem] = device.rows["sync_problems"].values()
    assert (problem["table_name"], problem["state"]) == ("intents", "open")
    assert json.loads(json.loads(problem["content"])["body"]) == body
    assert [name for name in json.loads(problem["reasons"]) if name.endswith(field)] == [f"body.{field}"]
    assert any("\u4e00" <= letter <= "\u9fff" for letter in problem["text"])
    assert rep.get(f"/visits/{visit}")["state"] == "planned"
    refusal = rep.refused("POST", f"/visits/{visit}/check-in", 422, "validation_failed", fix(world) | more)
    assert [one["field"] for one in refusal["errors"]] == [field]


@pytest.mark.parametrize(
    ("more", "nearness", "reasons"),
    [
        ({"lat": 0, "lon": 0}, "outside", {"photo_missing", "note_missing"}),
        ({"accuracy_m": 1_000.0}, "unsure", {"accuracy_too_coarse"}),
        ({"at_ms": YEAR_10000_MS, "sent_ms": ...}, "inside", {"time_ahead"}),
        ({"at_ms": 2**53, "sent_ms": 0}, "inside", {"time_ahead"}),
        ({"at_ms": 0, "sent_ms": ...}, "inside", {"time_old"}),
        ({"at_ms": 0, "sent_ms": 2**53}, "inside", {"time_old"}),
    ],
    ids=["null island", "one kilometre", "the year 10000", "the end of all clocks", "1970", "long before"],
)
def test_what_is_odd_is_recorded_and_looked_at(
    rep: Http, world: World, more: dict[str, Any], nearness: str, reasons: set[str]
) -> None:
    told = {name: value for name, value in (fix(world) | more).items() if value is not ...}
    row = rep.post(f"/visits/{plan(rep, world)}/check-in", told)

    assert (row["nearness"], row["state"], row["told_ms"]) == (nearness, "needs_review", told["at_ms"])
    assert reasons <= set(row["reasons"])
    assert "1970-01-01T00:00:00.000Z" <= row["at"] <= "2026-03-02T02:00:00.000Z"


def test_a_check_out_that_by_the_phones_clock_was_before_the_check_in_is_looked_at(
    rep: Http, world: World, clock: SetClock
) -> None:
    visit = begin(rep, world)
    clock.advance(minutes=30)
    early = to_ms(clock.now()) - 3_600_000
    row = rep.post(f"/visits/{visit}/check-out", fix(world, at_ms=early))

    assert (row["state"], "before_check_in" in row["reasons"]) == ("needs_review", True)
    seen = rep.get(f"/visits/{visit}")
    assert (seen["state"], seen["began_at"], seen["ended_at"]) == (
        "finished", "2026-03-02T02:00:00.000Z", "2026-03-02T02:00:00.000Z",
    )  # fmt: skip


def test_an_old_phone_checks_in_at_a_customer_that_was_merged_meanwhile(
    rep: Http, boss: Http, device: Phone, world: World
) -> None:
    other, site = add_customer(world, "C-2")
    with_site = rep.post("/visits", {"site_id": site, "planned_from": "2026-03-02T01:00:00Z",
                                     "planned_until": "2026-03-02T04:00:00Z"}, expect=201)["id"]  # fmt: skip
    device.pull()
    boss.post(f"/customers/{world.customer}/merge", {"other_id": other})
    there = fix(world, lat=22.50002, lon=114.10003)
    planned = tell(device, "visit.plan", {"id": "visit-00000001", "site_id": site, "planned_from": "2026-03-02T06:00:00Z",
                                          "planned_until": "2026-03-02T07:00:00Z"})  # fmt: skip
    begun = tell(device, "visit.check_in", {"visit_id": with_site} | there)

    assert (planned["verdict"], begun["verdict"]) == ("accepted", "accepted")
    assert {rep.get(f"/visits/{one}")["customer_id"] for one in (with_site, "visit-00000001")} == {world.customer}
    assert rep.get("/check-ins")["items"][0]["nearness"] == "inside"


def test_a_result_of_an_unknown_step_from_an_old_phone_is_refused_with_its_reason_and_kept(
    rep: Http, device: Phone, world: World
) -> None:
    visit = begin(rep, world)
    body = {"visit_id": visit, "id": "result-0001", "made_ms": 1, "step": "gone", "stock": [{"product": "P", "count": 1}]}
    seen = tell(device, "visit.record_step", body)

    assert (seen["verdict"], seen["code"], json.loads(seen["body"])) == ("rejected", "validation_failed", body)
