"""Contacts of customers: kept by reps, proposed from visits, the same person once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from app.contacts import operations
from app.contacts.models import Contact
from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.settings import Settings
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.people import Http
from tests.visits.test_check_ins import plan


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def boss(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def contact(door: Http, world: World, name: str, **more: Any) -> str:
    return str(door.post(f"/customers/{world.customer}/contacts", {"name": name, **more}, expect=201)["id"])


def met(door: Http, visit: str, *people: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = door.post(f"/visits/{visit}/participants", {"participants": list(people)})["items"]
    return items


def test_a_contact_is_added_changed_deleted_and_told_in_the_causal_log(rep: Http, world: World) -> None:
    wang = contact(rep, world, "王芳", phone="138 0000 1111", role="buyer", job_title="采购经理", locale="zh-CN")
    seen = rep.get(f"/contacts/{wang}")
    assert (seen["phone"], seen["state"], seen["do_not_call"]) == ("+8613800001111", "confirmed", False)

    rep.edit(f"/contacts/{wang}", {"do_not_call": True, "left_at": "2026-03-01T00:00:00Z"}, seen["version"])
    told = [entry["kind"] for entry in rep.get(f"/history/contact/{wang}")["about"]]
    assert told == ["contact.created", "contact.edited", "contact.left"]
    rep.edit(f"/contacts/{wang}", None, rep.get(f"/contacts/{wang}")["version"], method="DELETE")
    assert rep.get("/contacts")["items"] == []


@pytest.mark.parametrize(
    ("values", "field", "code"),
    [
        ({"name": "x", "role": "emperor"}, "role", "not_one_of"),
        ({"name": "x", "phone": "12"}, "phone", "phone_invalid"),
        ({"name": ""}, "name", "too_short"),
        ({"name": "x" * 101}, "name", "too_long"),
        ({"name": "x", "locale": "fr"}, "locale", "not_one_of"),
        ({"name": "x", "state": "proposed"}, "state", "unknown"),
    ],
)
def test_what_is_no_contact_is_refused(rep: Http, world: World, values: dict[str, Any], field: str, code: str) -> None:
    answer = rep.refused("POST", f"/customers/{world.customer}/contacts", 422, "validation_failed", values)
    assert [(one["field"], one["code"]) for one in answer["errors"]] == [(field, code)]


def test_a_customer_has_a_bounded_number_of_contacts(rep: Http, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MOST_CONTACTS", 2)
    contact(rep, world, "one")
    contact(rep, world, "two")
    rep.refused("POST", f"/customers/{world.customer}/contacts", 409, "too_many_contacts", {"name": "three"})


def test_people_met_who_are_in_no_record_are_proposed_and_nobody_twice(rep: Http, world: World) -> None:
    known = contact(rep, world, "Li Wei", phone="13800001111")
    first, second = plan(rep, world), plan(rep, world)
    one = met(rep, first, {"name": "李经理", "phone": "13800001111"}, {"name": "Zhang San", "phone": "13800002222"})
    assert [(row["contact_id"] == known, row["state"]) for row in one] == [(True, "confirmed"), (False, "proposed")]

    again = met(rep, second, {"name": "zhang  san", "job_title": "buyer"}, {"name": "Zhang Er", "phone": "13800002222"})
    assert [row["contact_id"] for row in again] == [one[1]["contact_id"]], "by name, then by phone: the same person once"
    assert met(rep, first, {"name": "Zhang San"}) == one, "telling it again changes nothing"
    learnt = rep.get(f"/contacts/{one[1]['contact_id']}")
    assert (learnt["name"], learnt["phone"], learnt["job_title"]) == ("Zhang San", "+8613800002222", "buyer")
    assert [row["id"] for row in rep.get("/contacts?state=proposed")["items"]] == [one[1]["contact_id"]]


def test_a_proposed_person_is_confirmed_once_and_a_rejected_one_is_not_proposed_again(rep: Http, world: World) -> None:
    people = met(rep, plan(rep, world), {"name": "Chen"}, {"name": "Driver"})
    chen, driver = (row["contact_id"] for row in people)
    assert rep.post(f"/contacts/{chen}/confirm")["state"] == "confirmed"
    rep.refused("POST", f"/contacts/{chen}/confirm", 409, "state_conflict")
    assert rep.post(f"/contacts/{driver}/reject")["state"] == "rejected"

    [again] = met(rep, plan(rep, world), {"name": "Driver"})
    assert (again["contact_id"], again["state"]) == (driver, "rejected")
    causes = [entry["kind"] for entry in rep.get(f"/history/contact/{chen}")["causes"]]
    assert "visit.planned" in causes


def test_a_contact_named_by_id_must_be_the_customers(rep: Http, world: World) -> None:
    body = {"participants": [{"name": "x", "contact_id": "no-such-contact"}]}
    answer = rep.refused("POST", f"/visits/{plan(rep, world)}/participants", 422, "validation_failed", body)
    assert answer["errors"][0]["field"] == "participants.0.contact_id"


def test_two_visits_that_name_the_same_person_at_once_propose_them_once(http: Http, world: World, db: Database) -> None:
    with db.transaction() as session:
        other = make_user(session, world.settings, "rep", "rep2", territory_ids=[world.territory])
    doors = [http.as_(world.rep), http.as_(other.id)]
    visits = [plan(door, world) for door in doors]
    gate, answers = threading.Barrier(2), []

    def tell(door: Http, visit: str) -> None:
        gate.wait()
        answers.append(met(door, visit, {"name": "Zhao", "phone": "13800003333"})[0]["contact_id"])

    threads = [threading.Thread(target=tell, args=pair) for pair in zip(doors, visits, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert len(set(answers)) == 1
    with db.reading() as session:
        assert session.scalar(select(func.count()).select_from(Contact)) == 1


def test_the_same_person_twice_is_found_and_merged(rep: Http, world: World) -> None:
    wang = contact(rep, world, "王芳", phone="13800001111", role="buyer")
    twin = contact(rep, world, "王方", email="wang@example.test", role="user")
    contact(rep, world, "Somebody Else")
    visit = plan(rep, world)
    met(rep, visit, {"name": "王方"})
    found = rep.get(f"/customers/{world.customer}/contact-twins")["items"]
    assert [({pair["first"]["id"], pair["second"]["id"]}, pair["signs"]) for pair in found] == [({wang, twin}, ["same_sound"])]

    kept = rep.post(f"/contacts/{wang}/merge", {"other_id": twin})
    assert (kept["email"], kept["role"], kept["name"]) == ("wang@example.test", "buyer", "王芳")
    rep.refused("POST", f"/contacts/{wang}/merge", 422, "validation_failed", {"other_id": twin})
    assert [row["contact_id"] for row in rep.get(f"/visits/{visit}/participants")["items"]] == [wang]
    assert rep.get(f"/customers/{world.customer}/contact-twins")["items"] == []


def test_what_was_said_of_a_person_in_either_record_outlives_their_merge(rep: Http, world: World) -> None:
    path = f"/customers/{world.customer}/contacts"
    one = rep.post(path, {"name": "孙丽", "phone": "13577770001", "note": "likes tea"}, expect=201)["id"]
    said = {"do_not_call": True, "note": "asked in writing not to be called", "left_at": "2026-03-01T00:00:00Z"}
    other = rep.post(path, {"name": "孙丽", "phone": "13577770001", **said}, expect=201)["id"]

    kept = rep.post(f"/contacts/{one}/merge", {"other_id": other})

    assert kept["do_not_call"]
    assert kept["note"] == "likes tea\nasked in writing not to be called"
    assert kept["left_at"].startswith("2026-03-01")


def test_a_contact_of_another_customer_is_not_merged(rep: Http, world: World) -> None:
    mine = contact(rep, world, "one")
    new = rep.post("/customers", {"name": "Other", "territory_id": world.territory}, expect=201)["id"]
    other = rep.post(f"/customers/{new}/contacts", {"name": "one"}, expect=201)["id"]
    rep.refused("POST", f"/contacts/{mine}/merge", 422, "validation_failed", {"other_id": other})


def test_contacts_go_with_their_customer_and_come_back_when_a_merge_is_undone(rep: Http, world: World) -> None:
    new = rep.post("/customers", {"name": "Other", "territory_id": world.territory}, expect=201)["id"]
    moved = rep.post(f"/customers/{new}/contacts", {"name": "one"}, expect=201)["id"]
    rep.post(f"/customers/{world.customer}/merge", {"other_id": new})
    assert rep.get(f"/contacts/{moved}")["customer_id"] == world.customer
    late = rep.post(f"/customers/{new}/contacts", {"name": "late"}, expect=201)
    assert late["customer_id"] == world.customer
    rep.post(f"/customers/{world.customer}/unmerge", {"other_id": new})
    assert {rep.get(f"/contacts/{row}")["customer_id"] for row in (moved, late["id"])} == {new}


def test_owners_and_stations_learn_nothing_of_contacts(http: Http, rep: Http, world: World) -> None:
    wang = contact(rep, world, "王芳")
    for user in (world.owner, world.staff[0]):
        http.as_(user).refused("GET", "/contacts", 403, "forbidden")
        http.as_(user).refused("GET", f"/history/contact/{wang}", 404, "not_found")


def test_what_happens_is_told_in_the_customers_story(rep: Http, world: World, db: Database, clock: SetClock) -> None:
    contact(rep, world, "王芳")
    met(rep, plan(rep, world), {"name": "Zhang"})
    world.report(74.9, 74.5, 74.1)
    with db.reading() as session:
        told = session.execute(select(HistoryEntry.kind, HistoryEntry.customer_id)).all()
    story = {kind for kind, customer in told if customer == world.customer}
    assert {
        "customer.created", "site.created", "asset.created", "component.fitted", "contact.created", "contact.proposed",
        "visit.planned", "visit.met", "alarm.raised", "work_order.opened", "station_task.offered", "service_offer.issued",
        "coupon.issued",
    } <= story  # fmt: skip
    assert {kind for kind, customer in told if customer is None} >= {"reading.observed", "territory.created", "rule.created"}
