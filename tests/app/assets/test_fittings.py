"""Who fits components, when a fitting may be dated, and how a wrong one is taken back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core.db import Database
from iot.ingest import follow_due
from tests.conftest import SetClock
from tests.factories import PART, World
from tests.people import Http

SPARE = {"serial": "SPARE-1", "kind": "battery_pack", "part_no": PART}


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def fit(person: Http, world: World, component_id: str, at: str, expect: int = 201) -> Any:
    return person.post(f"/assets/{world.asset}/fittings", {"component_id": component_id, "fitted_at": at}, expect=expect)


def states(office: Http) -> dict[str, str]:
    return {alarm["subject_id"]: alarm["state"] for alarm in office.get("/alarms")["items"]}


def test_a_station_fits_by_finishing_its_task_and_not_otherwise(world: World, http: Http) -> None:
    """A fitting ends the alarm, and with it the offer and the order: a task that is merely offered gives no such power."""
    world.report(74.9, 74.5, 74.1)
    staff = http.as_(world.staff[0])
    [task] = staff.get("/station-tasks")["items"]
    spare = staff.post("/components", SPARE | {"kind": "filter"}, expect=201)["id"]
    body = {"component_id": spare, "fitted_at": "2026-03-01T00:00:00Z"}

    staff.refused("POST", f"/assets/{world.asset}/fittings", 403, "forbidden", body)

    assert task["state"] == "offered"
    assert len(http.as_(world.manager).get(f"/assets/{world.asset}/fittings")["items"]) == 1


@pytest.mark.parametrize(("ahead", "accepted"), [(timedelta(minutes=5), True), (timedelta(minutes=5, seconds=1), False)])
def test_a_fitting_is_of_the_past(office: Http, world: World, clock: SetClock, ahead: timedelta, accepted: bool) -> None:
    spare = office.post("/components", SPARE, expect=201)["id"]
    body = {"component_id": spare, "fitted_at": (clock.now() + ahead).isoformat()}
    path = f"/assets/{world.asset}/fittings"
    if accepted:
        office.post(path, body, expect=201)
    else:
        refusal = office.refused("POST", path, 422, "validation_failed", body)
        assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("fitted_at", "in_future")]


def test_a_wrong_fitting_is_taken_back_and_what_it_replaced_is_in_the_asset_again(office: Http, world: World, http: Http) -> None:
    spare = office.post("/components", SPARE, expect=201)["id"]
    wrong = fit(office, world, spare, "2026-03-01T00:00:00Z")

    undone = office.post(f"/fittings/{wrong['id']}/undo", {"reason": "other vehicle"})

    assert undone["version"] == wrong["version"] + 1
    [left] = office.get(f"/assets/{world.asset}/fittings")["items"]
    assert (left["component_id"], left["removed_at"]) == (world.pack, None)
    sentences = [entry["reason"] for entry in office.get(f"/history/component/{spare}")["about"]]
    assert sentences[-1] == ("The fitting of SPARE-1 at 2026-03-01 08:00 was recorded wrongly and taken back: other vehicle.")
    assert [entry["kind"] for entry in office.get(f"/history/component/{world.pack}")["about"]][-1] == "component.put_back"
    office.refused("POST", f"/fittings/{wrong['id']}/undo", 404, "not_found", {"reason": "again"})
    fit(office, world, spare, "2026-02-01T00:00:00Z")  # the spare is free, the asset too, before the wrong date as well


def test_only_the_fitting_a_component_is_in_now_is_taken_back(office: Http, world: World) -> None:
    [first] = office.get(f"/assets/{world.asset}/fittings")["items"]
    spare = office.post("/components", SPARE, expect=201)["id"]
    fit(office, world, spare, "2026-03-01T00:00:00Z")

    office.refused("POST", f"/fittings/{first['id']}/undo", 409, "fitting_ended", {"reason": "why not"})


def test_a_component_that_went_elsewhere_meanwhile_stays_there(office: Http, world: World, db: Database) -> None:
    asset = {"serial": "VIN-2", "model": "Model 60", "customer_id": world.customer, "site_id": world.site}
    other = office.post("/assets", asset, expect=201)["id"]
    spare = office.post("/components", SPARE, expect=201)["id"]
    wrong = fit(office, world, spare, "2026-03-01T00:00:00Z")
    moved = {"component_id": world.pack, "fitted_at": "2026-03-01T06:00:00Z"}
    office.post(f"/assets/{other}/fittings", moved, expect=201)

    office.post(f"/fittings/{wrong['id']}/undo", {"reason": "never happened"})

    assert [fitting["removed_at"] for fitting in office.get(f"/assets/{world.asset}/fittings")["items"]] == [
        "2026-03-01T00:00:00.000Z"
    ]
    assert [fitting["removed_at"] for fitting in office.get(f"/assets/{other}/fittings")["items"]] == [None]


def test_alarms_follow_what_was_taken_back(office: Http, world: World, db: Database, clock: SetClock) -> None:
    """The old pack's alarm comes back with its next reading; one that rose on the wrong pack was never one."""
    world.report(74.9, 74.5, 74.1)
    clock.advance(hours=1)
    spare = office.post("/components", SPARE, expect=201)["id"]
    wrong = fit(office, world, spare, clock.now().isoformat())
    follow_due(db, world.settings)
    assert states(office) == {world.pack: "cleared"}
    clock.advance(days=4)
    world.report(73.9, 73.5, 73.1, boot="b2")
    assert states(office) == {world.pack: "cleared", spare: "raised"}

    office.post(f"/fittings/{wrong['id']}/undo", {"reason": "other vehicle"})
    follow_due(db, world.settings)
    assert states(office)[spare] == "withdrawn"
    clock.advance(days=1)
    world.report(72.9, boot="b3")

    assert states(office)[world.pack] == "raised"


def test_the_refusal_of_an_overlap_says_what_is_in_the_way(office: Http, world: World, http: Http) -> None:
    spare = office.post("/components", SPARE, expect=201)["id"]
    body = {"component_id": spare, "fitted_at": "2020-03-01T00:00:00Z"}

    refusal = office.refused("POST", f"/assets/{world.asset}/fittings", 409, "overlap", body)

    assert "another of its kind in this asset" in refusal["detail"]
