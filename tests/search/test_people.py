"""Finding leads, what the pool shows of them, and contacts: with every write, and only by what one may see."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.core.db import Database
from app.search import operations
from app.search.models import SearchRow, SearchTerm
from tests.factories import World, make_user
from tests.people import Http
from tests.races.together import together
from tests.search.test_search import found
from tests.sync.phones import Phone
from tests.visits.test_check_ins import plan

LEAD = {"name": "陈伟", "phone": "13800138000", "interest": "two forklifts, call 13800138000", "company": "鹏程物流有限公司"}


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


def kinds_of(door: Http, asked: str) -> list[tuple[str, str]]:
    return [(item["kind"], item["matched"]["field"]) for item in door.get(f"/search?q={asked}")["items"]]


def contact(door: Http, world: World, name: str, **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = door.post(f"/customers/{world.customer}/contacts", {"name": name, **more}, 201)
    return made


@pytest.mark.parametrize("asked", ["陈伟", "chenwei", "cw", "13800138000", "8000", "鹏程", "pcwl", "forklifts", "two forklifts"])
def test_a_lead_is_found_by_its_name_company_number_and_interest(rep: Http, asked: str) -> None:
    lead = rep.post("/leads", LEAD, 201)

    [hit] = rep.get(f"/search?q={asked}")["items"]
    assert (hit["kind"], hit["id"], hit["title"], hit["detail"]) == ("lead", lead["id"], "陈伟", lead["number"])
    assert found(rep, lead["number"]) == ["陈伟"]


def test_an_edit_of_a_lead_is_seen_at_once_and_nobody_finds_anothers(
    rep: Http, office: Http, http: Http, db: Database, world: World
) -> None:
    lead = rep.post("/leads", LEAD, 201)
    with db.transaction() as session:
        other = make_user(session, world.settings, "rep", "rep2", territory_ids=[world.territory])
    rep.edit(f"/leads/{lead['id']}", {"name": "王芳"}, lead["version"])

    assert (found(rep, "陈伟"), found(rep, "王芳"), found(office, "wangfang")) == ([], ["王芳"], ["王芳"])
    assert found(http.as_(other.id), "王芳") == []
    assert found(http.as_(world.owner), "王芳") == found(http.as_(world.staff[0]), "王芳") == []


def test_a_lead_in_the_pool_is_found_by_what_the_pool_shows_and_by_nothing_else(
    rep: Http, office: Http, http: Http, db: Database, world: World
) -> None:
    office.post("/lead-routings", {"document": {"rules": []}}, 201)
    north = http.as_(world.admin).post("/territories", {"code": "N", "name": "North"}, 201)
    with db.transaction() as session:
        stranger = make_user(session, world.settings, "rep", "stranger", territory_ids=[north["id"]])
    lead = office.post("/leads", LEAD | {"territory_id": world.territory}, 201)

    assert kinds_of(rep, "forklifts") == [("pool_lead", "interest")]
    assert kinds_of(rep, lead["number"]) == [("pool_lead", "number")]
    for asked in ("陈伟", "chenwei", "13800138000", "8000", "鹏程"):
        assert found(rep, asked) == [], asked
    text = str(rep.get("/search?q=forklifts"))
    assert [word for word in ("陈", "13800", "鹏程") if word in text] == []
    assert found(http.as_(stranger.id), "forklifts") == []
    assert kinds_of(office, "forklifts") == [("lead", "interest")], "the office sees it whole, and once"
    assert found(office, "陈伟") == ["陈伟"]

    rep.post(f"/leads/{lead['id']}/claim", {})
    assert kinds_of(rep, "forklifts") == [("lead", "interest")]
    assert found(rep, "8000") == ["陈伟"]
    assert rep.call("POST", f"/leads/{lead['id']}/give-back", {"reason": "too far"}).status_code == 204
    assert (kinds_of(rep, "forklifts"), found(rep, "8000")) == ([("pool_lead", "interest")], [])
    office.edit(f"/leads/{lead['id']}", {"interest": "a crane"}, office.get(f"/leads/{lead['id']}")["version"])
    assert (found(rep, "forklifts"), kinds_of(rep, "crane")) == ([], [("pool_lead", "interest")])


@pytest.mark.parametrize("asked", ["王芳", "wangfang", "13800001111", "1111", "02161234567", "wang.fang", "采购"])
def test_a_contact_is_found_by_name_numbers_address_and_title(rep: Http, world: World, asked: str) -> None:
    contact(
        rep, world, "王芳", phone="13800001111", office_phone="02161234567", email="wang.fang@example.test", job_title="采购经理"
    )

    [hit] = rep.get(f"/search?q={asked}")["items"]
    assert (hit["kind"], hit["title"], hit["detail"], hit["customer_id"]) == ("contact", "王芳", "采购经理", world.customer)


def test_what_is_said_of_people_stays_in_the_organisation(rep: Http, office: Http, http: Http, world: World) -> None:
    contact(rep, world, "王芳", phone="13800001111")

    assert found(office, "王芳") == ["王芳"]
    for stranger in (world.owner, world.staff[0]):
        assert found(http.as_(stranger), "王芳") == []
    http.as_(stranger).refused("GET", "/search?q=王芳&kinds=user", 422, "validation_failed")


def test_edits_deletions_rejections_and_merges_of_contacts_are_seen_at_once(rep: Http, world: World) -> None:
    one, other = contact(rep, world, "王芳"), contact(rep, world, "王方", phone="13800001111")
    rep.edit(f"/contacts/{one['id']}", {"job_title": "采购经理"}, one["version"])
    assert found(rep, "采购") == ["王芳"]

    rep.post(f"/contacts/{one['id']}/merge", {"other_id": other["id"]})
    assert (found(rep, "王方"), found(rep, "1111")) == ([], ["王芳"])

    rep.edit(f"/contacts/{one['id']}", None, rep.get(f"/contacts/{one['id']}")["version"], method="DELETE")
    assert found(rep, "王芳") == found(rep, "1111") == []


def test_who_was_met_is_found_until_they_are_rejected(rep: Http, world: World) -> None:
    visit = plan(rep, world)
    [met] = rep.post(f"/visits/{visit}/participants", {"participants": [{"name": "Zhang San"}]})["items"]
    assert found(rep, "zhang") == ["Zhang San"]
    rep.post(f"/visits/{plan(rep, world)}/participants", {"participants": [{"name": "Zhang San", "job_title": "Buyer"}]})
    assert found(rep, "buyer") == ["Zhang San"], "what a proposal learns, too"

    rep.post(f"/contacts/{met['contact_id']}/reject", {})
    assert found(rep, "zhang") == []
    rep.post(f"/contacts/{met['contact_id']}/confirm", {})
    assert found(rep, "zhang") == ["Zhang San"]


def test_contacts_go_with_their_customer_through_merges_and_back(rep: Http, office: Http, world: World) -> None:
    other = office.post("/customers", {"name": "Twin", "territory_id": world.territory, "owner_id": world.rep}, 201)
    rep.post(f"/customers/{other['id']}/contacts", {"name": "王芳"}, 201)

    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    [hit] = rep.get("/search?q=王芳")["items"]
    assert hit["customer_id"] == world.customer

    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})
    [hit] = rep.get("/search?q=王芳")["items"]
    assert hit["customer_id"] == other["id"]
    assert office.call("DELETE", f"/customers/{other['id']}", If_Match="*").status_code == 200
    assert found(rep, "王芳") == []


def test_what_a_phone_writes_is_found(rep: Http, world: World) -> None:
    phone = Phone(rep)
    phone.pull()
    phone.create("contacts", {"id": "contact-0001", "customer_id": world.customer, "name": "王芳", "phone": "13800001111"})
    phone.create("leads", {"id": "lead-00000001", "name": "陈伟", "phone": "13800138000", "interest": "two forklifts"})
    phone.sync()
    assert (found(rep, "1111"), found(rep, "forklifts")) == (["王芳"], ["陈伟"])

    phone.sync()
    phone.update("contacts", "contact-0001", name="李娜")
    phone.sync()
    assert (found(rep, "王芳"), found(rep, "lina")) == ([], ["李娜"])


def test_what_was_there_before_it_could_be_found_is_found_when_the_worker_has_seen_to_it(
    rep: Http, office: Http, db: Database, world: World
) -> None:
    office.post("/lead-routings", {"document": {"rules": []}}, 201)
    contact(rep, world, "王芳")
    rep.post("/leads", LEAD, 201)
    office.post("/leads", LEAD | {"interest": "a crane", "territory_id": world.territory}, 201)
    with db.transaction() as session:
        session.execute(delete(SearchTerm))
        session.execute(delete(SearchRow).where(SearchRow.kind.in_(["contact", "lead"])))
        session.execute(update(SearchRow).values(digest="", stale=True))
    assert found(rep, "王芳") == found(rep, "forklifts") == found(rep, "crane") == []

    with db.transaction() as session:
        operations.rebuild(session)
    with db.transaction() as session:
        while operations.keep_stale(session):
            pass
    assert (found(rep, "王芳"), kinds_of(rep, "forklifts")) == (["王芳"], [("lead", "interest")])
    assert kinds_of(rep, "crane") == [("pool_lead", "interest")]


def test_two_who_edit_one_contact_leave_the_terms_of_what_they_are_called_then(rep: Http, office: Http, world: World) -> None:
    made = contact(rep, world, "王芳")
    doors = [(rep, "李娜"), (office, "赵敏")]
    together(
        *[
            lambda door=door, name=name: door.call("PATCH", f"/contacts/{made['id']}", {"name": name}, If_Match="*")
            for door, name in doors
        ]
    )
    name = rep.get(f"/contacts/{made['id']}")["name"]
    assert {one: found(rep, one) for one in ("王芳", "李娜", "赵敏")} == {
        one: [one] if one == name else [] for one in ("王芳", "李娜", "赵敏")
    }


def test_values_of_the_companys_own_fields_are_found_however_they_came(rep: Http, office: Http, http: Http, world: World) -> None:
    field = {"key": "dock", "kind": "text", "label_zh": "月台", "label_en": "Dock"}
    http.as_(world.admin).post("/custom-fields", {"subject_kind": "customer", **field}, 201)
    path = f"/customers/{world.customer}"
    name = rep.get(path)["name"]

    rep.edit(path, {"custom": {"dock": "Alpha"}}, rep.get(path)["version"])
    assert found(rep, "alpha") == [name], "over REST"
    rep.post(f"{path}/facts", {"values": {"custom.dock": "Bravo"}})
    assert (found(rep, "alpha"), found(rep, "bravo")) == ([], [name]), "said as a fact"
    phone = Phone(rep)
    phone.pull()
    phone.update("customers", world.customer, custom=json.dumps({"dock": "Charlie"}))
    phone.sync()
    assert (found(rep, "bravo"), found(rep, "charlie")) == ([], [name]), "from a phone"
    made = office.post("/customers", {"name": "Other", "territory_id": world.territory}, 201)
    row = {"customer_id": made["id"], "field": "custom.dock", "value": "Delta"}
    office.post("/customer-facts", {"system": "SAP", "kind": "erp", "facts": [row]})
    assert found(office, "delta") == ["Other"], "from another system"
