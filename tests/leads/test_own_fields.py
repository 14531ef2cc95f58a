"""Fields that a company adds to its leads: who writes which values, on phones too, and what a score makes of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.db import Database
from app.leads.models import Lead
from app.leads.operations import create_lead
from tests.iot.vehicles import BOSS
from tests.leads.conftest import Desk
from tests.people import Http
from tests.sync.phones import Phone

CHOICES = [{"code": code, "label_zh": f"{code} 级", "label_en": f"Grade {code}"} for code in ("A", "B")]


def add_field(desk: Desk, key: str, kind: str = "flag", **more: Any) -> dict[str, Any]:
    """Add a field to leads, by default whether they have a cold store."""
    values = {"subject_kind": "lead", "key": key, "kind": kind, "label_zh": "冷库", "label_en": "Cold store"} | more
    made: dict[str, Any] = desk.boss.post("/custom-fields", values, expect=201)
    return made


def edit(who: Http, lead: dict[str, Any], expect: int = 200, **custom: Any) -> dict[str, Any]:
    answer = who.call("PATCH", f"/leads/{lead['id']}", {"custom": custom}, If_Match="*")
    assert answer.status_code == expect, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.json
    return found


def faults(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["field"], one["code"]) for one in answer["errors"]]


@pytest.fixture
def north(desk: Desk) -> str:
    return desk.elsewhere()


def test_a_lead_takes_values_of_the_fields_of_leads_and_no_others(desk: Desk) -> None:
    for key, kind in (("cold_store", "flag"), ("trucks", "number"), ("note", "text"), ("since", "day"), ("hotline", "phone")):
        add_field(desk, key, kind)
    add_field(desk, "grade", "choice", choices=CHOICES)
    desk.boss.post("/custom-fields", {"key": "theirs", "kind": "text", "label_zh": "字段", "label_en": "Field"}, expect=201)

    lead = desk.lead(desk.rep, custom={"cold_store": True, "trucks": 12.0, "note": None})

    assert lead["custom"] == {"cold_store": True, "trucks": 12}
    good = {"note": " cold ", "since": "1999-12-31", "hotline": "13800000001", "grade": "A", "trucks": None}
    kept = {"cold_store": True, "note": "cold", "since": "1999-12-31", "hotline": "+8613800000001", "grade": "A"}
    assert edit(desk.rep, lead, **good)["custom"] == kept
    wrong = {"cold_store": 1, "trucks": "12", "since": "1999-02-30", "hotline": "12", "grade": "D", "nobodys": 1, "theirs": "x"}
    codes = ["not_flag", "not_number", "date_invalid", "phone_invalid", "not_one_of", "unknown", "unknown"]
    wanted = sorted((f"custom.{key}", code) for key, code in zip(wrong, codes, strict=True))
    assert sorted(faults(edit(desk.rep, lead, 422, **wrong))) == wanted
    refused = desk.rep.refused("POST", "/leads", 422, "validation_failed", {
        "name": "Li Na", "phone": "13900139000", "interest": "x", "custom": wrong,
    })  # fmt: skip
    assert sorted(faults(refused)) == wanted
    assert desk.read(lead)["custom"] == kept
    told = next(one for one in desk.boss.get(f"/history/lead/{lead['id']}")["about"] if one["kind"] == "lead.edited")
    assert "custom.since" in told["reason"]


def test_a_retired_field_of_leads_keeps_its_values_and_takes_no_new_ones(desk: Desk) -> None:
    field = add_field(desk, "cold_store")
    lead = desk.lead(desk.rep, custom={"cold_store": True})

    desk.boss.edit(f"/custom-fields/{field['id']}", {"retired": True}, 1)

    assert desk.read(lead)["custom"] == {"cold_store": True}
    assert edit(desk.rep, lead, cold_store=True)["custom"] == {"cold_store": True}
    assert faults(edit(desk.rep, lead, 422, cold_store=False)) == [("custom.cold_store", "unknown")]
    assert edit(desk.rep, lead, cold_store=None)["custom"] == {}


def test_a_field_of_one_territory_is_of_its_leads_alone(desk: Desk, north: str) -> None:
    add_field(desk, "snow", territory_id=north)

    inside = desk.lead(territory_id=north, custom={"snow": True})
    assert inside["custom"] == {"snow": True}
    for area in (desk.world.territory, ...):
        outside = desk.lead(territory_id=area)
        assert faults(edit(desk.boss, outside, 422, snow=True)) == [("custom.snow", "unknown")]
    moved = {"territory_id": north, "custom": {"snow": False}}
    answer = desk.boss.call("PATCH", f"/leads/{outside['id']}", moved, If_Match="*")
    assert answer.json["custom"] == {"snow": False}


def test_customers_and_leads_may_have_fields_of_one_key_and_a_hundred_each(desk: Desk) -> None:
    customers = {"kind": "text", "label_zh": "字段", "label_en": "Field"}
    desk.boss.post("/custom-fields", customers | {"key": "note"}, expect=201)
    add_field(desk, "note", "number")
    for n in range(99):
        add_field(desk, f"field_{n}")

    desk.boss.refused("POST", "/custom-fields", 409, "fields_full", customers | {"key": "more", "subject_kind": "lead"})
    desk.boss.post("/custom-fields", customers | {"key": "more"}, expect=201)
    listed = desk.boss.get("/custom-fields?subject_kind=customer")["items"]
    assert {field["key"] for field in listed} == {"note", "more"}


def test_what_makes_leads_in_the_product_hands_over_values_as_they_are(desk: Desk, db: Database) -> None:
    add_field(desk, "cold_store")
    values = {"name": "Chen", "phone": "+8613800138000", "interest": "x", "custom": {"cold_store": True}}

    with db.transaction() as session:
        made = create_lead(session, desk.world.settings, BOSS, values).id

    with db.reading() as session:
        assert session.get_one(Lead, made).custom == {"cold_store": True}


def test_leads_are_found_by_their_own_values_by_whoever_sees_them(desk: Desk) -> None:
    add_field(desk, "fridge", "text")
    lead = desk.lead(desk.rep, custom={"fridge": "Zanotti"})
    pooled = desk.pool()
    edit(desk.boss, pooled, fridge="Zanotti")

    assert [one["id"] for one in desk.rep.get("/search?q=zanotti")["items"]] == [lead["id"]]
    assert {one["id"] for one in desk.boss.get("/search?q=zanotti")["items"]} == {lead["id"], pooled["id"]}
    assert desk.other.get("/search?q=zanotti")["items"] == []
    edit(desk.rep, lead, fridge="Carrier")
    assert desk.rep.get("/search?q=zanotti")["items"] == []


# On phones


def custom(device: Phone, lead: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(device.rows["leads"][lead["id"]]["custom"])
    return found


@pytest.mark.parametrize("says_which", [True, False])
def test_two_phones_that_edit_two_keys_of_a_lead_both_keep_theirs(desk: Desk, http: Http, says_which: bool) -> None:
    for key in ("one", "two"):
        add_field(desk, key, "text")
    lead = desk.lead(desk.rep)
    first, second = Phone(http.as_(desk.rep_id)), Phone(http.as_(desk.world.manager))
    for device in (first, second):
        device.pull()
    marks = ({"_changed": ["one"]}, {"_changed": ["two"]}) if says_which else ({}, {})

    first.update("leads", lead["id"], custom=json.dumps({"one": "1"} | marks[0]))
    second.update("leads", lead["id"], custom=json.dumps({"two": "2"} | marks[1]))
    for device in (first, second, first):
        device.sync()

    assert custom(first, lead) == custom(second, lead) == desk.read(lead)["custom"] == {"one": "1", "two": "2"}
    assert desk.boss.get("/sync/conflicts")["items"] == []


def test_an_old_value_that_a_phone_still_shows_undoes_no_edit_of_another(desk: Desk, http: Http) -> None:
    for key in ("one", "two"):
        add_field(desk, key, "text")
    lead = desk.lead(desk.rep, custom={"one": "old", "two": "old"})
    first, second = Phone(http.as_(desk.rep_id)), Phone(http.as_(desk.world.manager))
    for device in (first, second):
        device.pull()

    first.update("leads", lead["id"], custom=json.dumps({"one": "new", "two": "old"}))
    second.update("leads", lead["id"], custom=json.dumps({"one": "old", "two": "new"}))
    for device in (first, second, first):
        device.sync()

    assert custom(first, lead) == custom(second, lead) == {"one": "new", "two": "new"}
    [doubt] = desk.boss.get("/sync/conflicts")["items"]
    assert (doubt["field"], doubt["kept"], doubt["lost"]) == ("custom.one", "new", "old")


def test_of_two_who_edit_one_field_of_a_lead_the_last_is_kept_and_the_other_value_can_be_restored(desk: Desk, http: Http) -> None:
    add_field(desk, "one", "text")
    lead = desk.lead(desk.rep, company="Old")
    device = Phone(http.as_(desk.rep_id))
    device.pull()
    device.update("leads", lead["id"], company="Phone", custom='{"one": "phone", "_changed": ["one"]}')
    desk.boss.edit(f"/leads/{lead['id']}", {"company": "Office", "custom": {"one": "office"}}, desk.read(lead)["version"])

    device.sync()

    conflicts = {one["field"]: one for one in desk.boss.get("/sync/conflicts")["items"]}
    assert {name: (one["kept"], one["lost"]) for name, one in conflicts.items()} == {
        "company": ("Phone", "Office"), "custom.one": ("phone", "office"),
    }  # fmt: skip
    for one in conflicts.values():
        desk.boss.post(f"/sync/conflicts/{one['id']}/restore")
    found = desk.read(lead)
    assert (found["company"], found["custom"]) == ("Office", {"one": "office"})


def test_a_lead_made_offline_brings_values_and_wrong_ones_are_a_problem_of_the_row(desk: Desk, http: Http) -> None:
    add_field(desk, "cold_store")
    device = Phone(http.as_(desk.rep_id))
    device.pull()
    values = {"name": "Li Na", "phone": "139 0013 9000", "interest": "a crane"}

    device.create("leads", {"id": "lead-00000001", **values, "custom": '{"cold_store": true, "_changed": ["cold_store"]}'})
    device.sync()
    device.update("leads", "lead-00000001", custom='{"cold_store": "cold"}')
    device.push()

    assert desk.boss.get("/leads/lead-00000001")["custom"] == {"cold_store": True}
    [problem] = desk.boss.get("/sync/problems?state=open")["items"]
    assert [error["field"] for error in problem["errors"]] == ["custom.cold_store"]


def test_the_fields_of_leads_come_to_the_phones_of_who_works_there(desk: Desk, http: Http, north: str) -> None:
    near, office = Phone(http.as_(desk.rep_id)), Phone(http.as_(desk.world.manager))
    for device in (near, office):
        device.pull()

    store, snow = add_field(desk, "cold_store", "choice", choices=CHOICES), add_field(desk, "snow", territory_id=north)
    for device in (near, office):
        device.pull()

    assert set(near.rows["custom_fields"]) == {store["id"]}
    assert set(office.rows["custom_fields"]) == {store["id"], snow["id"]}
    row = near.rows["custom_fields"][store["id"]]
    assert (row["subject_kind"], row["key"], json.loads(row["choices"])) == ("lead", "cold_store", CHOICES)


# What a score makes of them

STORE = {"field": "custom.cold_store", "comparison": "is", "value": True, "points": 40}


def score(*conditions: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"base": 10, "conditions": list(conditions)} | more


def test_a_region_adds_a_field_and_weighs_its_leads_by_it_at_once(desk: Desk, north: str) -> None:
    area = desk.world.territory
    warm, cold, far = desk.lead(), desk.lead(), desk.lead(territory_id=north)
    for place in (area, north):
        desk.boss.post("/lead-scores", {"territory_id": place, "document": score()}, expect=201)
    desk.rescore()
    add_field(desk, "cold_store", territory_id=area)
    edit(desk.boss, cold, cold_store=True)
    edit(desk.boss, warm, cold_store=False)

    trial = desk.boss.post("/lead-score-trials", {"territory_id": area, "document": score(STORE)})
    assert (trial["leads"], trial["changed"]) == (2, 1)
    assert [(row["lead_id"], row["before"], row["after"]) for row in trial["risers"]] == [(cold["id"], 10, 50)]
    assert desk.read(cold)["score"] == 10
    desk.boss.post("/lead-scores", {"territory_id": area, "document": score(STORE)}, expect=201)
    desk.rescore()

    assert [desk.read(lead)["score"] for lead in (warm, cold, far)] == [10, 50, 10]
    assert edit(desk.boss, warm, cold_store=True)["score"] == 50
    new = desk.lead(custom={"cold_store": True}, owner_id=desk.rep_id)
    assert new["score_reasons"][0]["text"] == "Cold store is yes: +40"
    assert desk.rep.get(f"/leads/{new['id']}")["score_reasons"][0]["text"] == "冷库为是：+40"


def test_a_condition_names_a_field_that_leads_there_have_and_what_it_may_hold(desk: Desk, north: str) -> None:
    add_field(desk, "cold_store")
    add_field(desk, "trucks", "number")
    add_field(desk, "grade", "choice", choices=CHOICES)
    add_field(desk, "snow", territory_id=north)
    old = add_field(desk, "old")
    desk.boss.edit(f"/custom-fields/{old['id']}", {"retired": True}, 1)
    customers = {"key": "theirs", "kind": "text", "label_zh": "字段", "label_en": "Field"}
    desk.boss.post("/custom-fields", customers, expect=201)
    wrong = [
        {"field": "custom.colour", "comparison": "filled"},
        {"field": "custom.theirs", "comparison": "filled"},
        {"field": "custom.old", "comparison": "filled"},
        {"field": "custom.cold_store", "comparison": "is", "value": "yes"},
        {"field": "custom.cold_store", "comparison": "at_least", "value": 1},
        {"field": "custom.trucks", "comparison": "is_not", "value": "many"},
        {"field": "custom.grade", "comparison": "one_of", "value": ["A", "Z"]},
    ]
    for condition in wrong:
        rule = {"code": "own", "pool": True, "conditions": [condition]}
        for path, document in (
            ("/lead-scores", score(condition | {"points": 5})),
            ("/lead-score-trials", score(condition | {"points": 5})),
            ("/lead-routings", {"rules": [rule]}),
        ):
            refusal = desk.boss.refused("POST", path, 422, "document_invalid", {"document": document})
            assert condition["field"] in refusal["detail"], (path, condition)
    assert desk.boss.get("/lead-scores")["items"] == desk.boss.get("/lead-routings")["items"] == []

    snow = score({"field": "custom.snow", "comparison": "filled", "points": 5})
    body = {"territory_id": desk.world.territory, "document": snow}
    desk.boss.refused("POST", "/lead-scores", 422, "document_invalid", body)
    for area in (None, north):
        desk.boss.post("/lead-scores", {"territory_id": area, "document": snow}, expect=201)


def test_a_routing_follows_a_field_of_the_companys_own(desk: Desk) -> None:
    add_field(desk, "trucks", "number")
    condition = {"field": "custom.trucks", "comparison": "at_least", "value": 10}
    rules = [{"code": "big", "conditions": [condition], "rep": desk.other_id}, {"code": "rest", "pool": True}]
    desk.boss.post("/lead-routings", {"document": {"rules": rules}}, expect=201)

    owners = [desk.lead(custom=custom)["owner_id"] for custom in ({"trucks": 10}, {"trucks": 9}, {})]

    assert owners == [desk.other_id, None, None]


def test_completeness_counts_own_fields_where_the_score_says_so(desk: Desk, north: str) -> None:
    add_field(desk, "cold_store")
    add_field(desk, "snow", territory_id=north)
    lead = desk.lead(desk.rep)
    assert (lead["completeness"], lead["missing"][0]) == (60, "company")

    counted = [{"field": "custom.cold_store", "weight": 25}]
    complete = {"field": "completeness", "comparison": "at_least", "value": 68, "points": 30}
    document = score(complete, completeness=counted)
    trial = desk.boss.post("/lead-score-trials", {"document": score(complete | {"value": 48}, completeness=counted)})
    assert trial["risers"][0]["after"] - 10 == 30
    desk.boss.post("/lead-scores", {"document": document}, expect=201)
    desk.rescore()

    found = desk.read(lead)
    assert (found["completeness"], found["missing"][0], found["score"]) == (48, "custom.cold_store", 10)
    found = edit(desk.rep, lead, cold_store=False)
    assert (found["completeness"], found["missing"][0], found["score"]) == (68, "company", 40)
    for wrong in (
        [{"field": "custom.colour", "weight": 1}], [{"field": "custom.snow", "weight": 1}], [{"field": "budget", "weight": 1}],
        [{"field": "custom.cold_store", "weight": 0}], counted * 2,
    ):  # fmt: skip
        desk.boss.refused("POST", "/lead-scores", 422, "document_invalid", {"document": score(completeness=wrong)})


def test_the_pool_follows_a_completeness_that_changed_while_the_score_stayed(desk: Desk) -> None:
    add_field(desk, "cold_store")
    desk.boss.post("/lead-scores", {"document": score()}, expect=201)
    lead = desk.pool()
    assert (lead["completeness"], lead["score"]) == (60, 10)

    desk.boss.post("/lead-scores", {"document": score(completeness=[{"field": "custom.cold_store", "weight": 25}])}, expect=201)
    desk.rescore()

    [shown] = desk.rep.get("/pool-leads")["items"]
    assert (shown["completeness"], shown["score"]) == (desk.read(lead)["completeness"], 10) == (48, 10)
    assert "lead.rescored" not in desk.story(lead)


def test_a_phone_tells_own_fields_and_territories_by_their_names(desk: Desk, http: Http) -> None:
    add_field(desk, "grade", "choice", choices=CHOICES)
    area = desk.world.territory
    near = {"field": "territory_id", "comparison": "one_of", "value": [area], "points": 7}
    good = {"field": "custom.grade", "comparison": "is", "value": "A", "points": 5}
    desk.boss.post("/lead-scores", {"document": score(near, good)}, expect=201)
    lead, second = (desk.lead(desk.rep, custom={"grade": "A"}) for _ in range(2))
    device = Phone(http.as_(desk.rep_id))
    device.pull()

    name = next(one["name"] for one in desk.boss.get("/territories")["items"] if one["id"] == area)
    for row in (lead, second):
        assert device.rows["leads"][row["id"]]["score_text"] == f"区域属于{name}：+7；冷库为A 级：+5"
    assert [one["text"] for one in desk.read(lead)["score_reasons"]] == [
        f"territory is one of {name}: +7", "Cold store is Grade A: +5",
    ]  # fmt: skip


# Becoming a customer


def theirs(desk: Desk, key: str, kind: str = "flag", **more: Any) -> None:
    values = {"key": key, "kind": kind, "label_zh": "字段", "label_en": "Field"} | more
    desk.boss.post("/custom-fields", values, expect=201)


def qualified(desk: Desk, **custom: Any) -> str:
    lead = desk.lead(desk.rep, custom=custom)
    desk.log(desk.rep, lead_id=lead["id"])
    desk.rep.post(f"/leads/{lead['id']}/qualify")
    return f"/leads/{lead['id']}/convert"


def test_a_new_customer_takes_the_values_it_has_a_field_for_and_the_others_are_named(desk: Desk, north: str) -> None:
    for key in ("cold_store", "alone", "snow"):
        add_field(desk, key)
    add_field(desk, "since", "day")
    add_field(desk, "grade", "choice", choices=CHOICES)
    add_field(desk, "size", "choice", choices=CHOICES)
    theirs(desk, "cold_store")
    theirs(desk, "since", "text")
    theirs(desk, "snow", territory_id=north)
    theirs(desk, "grade", "choice", choices=CHOICES[:1])
    theirs(desk, "size", "choice", choices=CHOICES[:1])
    path = qualified(desk, cold_store=True, alone=True, snow=True, since="2020-01-31", grade="A", size="B")

    made = desk.rep.post(path, {})

    assert made["left_behind"] == ["custom.alone", "custom.since", "custom.size", "custom.snow"]
    assert desk.rep.get(f"/customers/{made['customer_id']}")["custom"] == {"cold_store": True, "grade": "A"}
    assert desk.rep.post(path, {})["left_behind"] == made["left_behind"]
    assert made["custom"]["alone"] is True


def test_a_customer_that_is_there_takes_only_what_it_did_not_know(desk: Desk) -> None:
    for key in ("one", "two", "three"):
        add_field(desk, key, "text")
        theirs(desk, key, "text")
    custom = {"custom": {"two": "known", "three": "same"}}
    desk.boss.call("PATCH", f"/customers/{desk.world.customer}", custom, If_Match="*")

    made = desk.rep.post(qualified(desk, one="new", two="new", three="same"), {"customer_id": desk.world.customer})

    assert made["left_behind"] == ["custom.two"]
    assert desk.rep.get(f"/customers/{made['customer_id']}")["custom"] == {"one": "new", "two": "known", "three": "same"}
    found = desk.boss.get(f"/customers/{desk.world.customer}/facts")["items"]
    assert next(one["survivor"]["source_kind"] for one in found if one["field"] == "custom.one") == "rep"
