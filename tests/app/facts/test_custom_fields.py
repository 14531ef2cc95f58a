"""Fields of the company's own: who adds them, what they hold, whose phones get them, and two phones that edit two of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.custom_fields import operations
from app.custom_fields.models import MOST_FIELDS
from app.territories import operations as territories
from tests.app.facts.conftest import CHOICES, add_field, edit
from tests.factories import World, make_user
from tests.iot.vehicles import BOSS
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import Phone

Phones = Callable[..., Phone]


@pytest.fixture
def phone(http: Http) -> Phones:
    return lambda user_id, **more: Phone(http.as_(user_id), **more)


def test_a_field_takes_values_of_its_kind_and_no_others(world: World, office: Http, rep: Http, grade: dict[str, Any]) -> None:
    kinds = {"note": "text", "employees": "number", "chain": "flag", "founded": "day", "hotline": "phone"}
    for key, kind in kinds.items():
        add_field(office, key, kind)
    good = {"note": " cold ", "employees": 12.0, "chain": True, "founded": "1999-12-31", "hotline": "13800000001"}

    made = edit(rep, world.customer, custom=good | {"customer_grade": "A"})

    kept = {"note": "cold", "employees": 12, "chain": True, "founded": "1999-12-31", "hotline": "+8613800000001"}
    assert made["custom"] == kept | {"customer_grade": "A"}
    assert type(made["custom"]["employees"]) is int
    for key, wrong, code in (
        ("note", 5, "not_text"), ("employees", "12", "not_number"), ("employees", True, "not_number"), ("chain", 1, "not_flag"),
        ("founded", "1999-02-30", "date_invalid"), ("hotline", "12", "phone_invalid"), ("customer_grade", "D", "not_one_of"),
        ("nobodys", "x", "unknown"),
    ):  # fmt: skip
        refused = rep.refused(
            "PATCH", f"/customers/{world.customer}", 422, "validation_failed", {"custom": {key: wrong}}, If_Match="*"
        )
        assert [(one["field"], one["code"]) for one in refused["errors"]] == [(f"custom.{key}", code)], key
    assert rep.get(f"/customers/{world.customer}")["custom"] == made["custom"]


def test_values_are_written_key_by_key_and_null_takes_one_away(world: World, office: Http, rep: Http) -> None:
    for key in ("one", "two"):
        add_field(office, key)

    edit(rep, world.customer, custom={"one": "1", "two": "2"})

    assert edit(rep, world.customer, custom={"one": None})["custom"] == {"two": "2"}
    assert edit(rep, world.customer, custom={"one": "3"})["custom"] == {"one": "3", "two": "2"}


def test_a_new_customer_brings_values_too(world: World, office: Http, rep: Http, grade: dict[str, Any]) -> None:
    values = {"name": "New", "territory_id": world.territory, "custom": {"customer_grade": "B"}}

    made = rep.post("/customers", values, expect=201)

    assert made["custom"] == {"customer_grade": "B"}
    refused = rep.refused("POST", "/customers", 422, "validation_failed", values | {"custom": {"customer_grade": "Z"}})
    assert [(one["field"], one["code"]) for one in refused["errors"]] == [("custom.customer_grade", "not_one_of")]


def test_what_the_company_notes_of_a_customer_is_not_for_its_owner_nor_for_a_station(
    world: World, office: Http, rep: Http, http: Http, phone: Phones, grade: dict[str, Any]
) -> None:
    edit(rep, world.customer, custom={"customer_grade": "C"})
    owner = http.as_(world.owner)

    assert office.get(f"/customers/{world.customer}")["custom"] == {"customer_grade": "C"}
    assert owner.get(f"/customers/{world.customer}")["custom"] == {}
    assert [row["custom"] for row in owner.get("/customers")["items"]] == [{}]
    of_owner, of_rep = phone(world.owner), phone(world.rep)
    of_owner.pull()
    of_rep.pull()
    assert json.loads(of_owner.rows["customers"][world.customer]["custom"]) == {}
    assert json.loads(of_rep.rows["customers"][world.customer]["custom"]) == {"customer_grade": "C"}


def test_a_retired_field_keeps_its_values_and_takes_no_new_ones(world: World, office: Http, rep: Http) -> None:
    field = add_field(office, "old")
    edit(rep, world.customer, custom={"old": "kept"})

    office.edit(f"/custom-fields/{field['id']}", {"retired": True}, 1)

    assert rep.get(f"/customers/{world.customer}")["custom"] == {"old": "kept"}
    rep.refused("PATCH", f"/customers/{world.customer}", 422, "validation_failed", {"custom": {"old": "x"}}, If_Match="*")
    assert edit(rep, world.customer, custom={"old": None})["custom"] == {}


def test_a_field_of_one_territory_is_none_elsewhere(db: Database, world: World, office: Http) -> None:
    with db.transaction() as session:
        north = territories.create_territory(session, BOSS, "N", "North").id
    add_field(office, "snow", "flag", territory_id=north)
    values = {"name": "New", "custom": {"snow": True}}

    assert office.post("/customers", values | {"territory_id": north}, expect=201)["custom"] == {"snow": True}
    office.refused("POST", "/customers", 422, "validation_failed", values | {"territory_id": world.territory})
    office.refused("PATCH", f"/customers/{world.customer}", 422, "validation_failed", {"custom": {"snow": True}}, If_Match="*")


def test_keys_and_choices_are_checked(office: Http) -> None:
    add_field(office, "one")
    for wrong, field, code in (
        ({"key": "One"}, "key", "field_key"), ({"key": "1st"}, "key", "field_key"), ({"key": "one"}, "key", "already_exists"),
        ({"kind": "choice"}, "choices", "required"), ({"choices": CHOICES}, "choices", "unknown"),
        ({"kind": "choice", "choices": [*CHOICES, CHOICES[0]]}, "choices", "duplicate"),
        ({"territory_id": "no-such-territory"}, "territory_id", "unknown_reference"), ({"key": "x" * 31}, "key", "too_long"),
    ):  # fmt: skip
        body = {"key": "other", "kind": "text", "label_zh": "字段", "label_en": "Field"} | wrong
        refused = office.refused("POST", "/custom-fields", 422, "validation_failed", body)
        assert (field, code) in [(one["field"], one["code"]) for one in refused["errors"]], wrong


def test_there_are_at_most_a_hundred_live_fields(db: Database, world: World, office: Http) -> None:
    with db.transaction() as session:
        for n in range(MOST_FIELDS - 1):
            values = {"subject_kind": "customer", "key": f"field_{n}", "kind": "text", "label_zh": "字段", "label_en": "Field"}
            operations.add_field(session, BOSS, values)
    last = add_field(office, "the_last")
    body = {"key": "too_many", "kind": "text", "label_zh": "字段", "label_en": "Field"}

    assert office.refused("POST", "/custom-fields", 409, "fields_full", body)["detail"].startswith("There are 100")

    office.edit(f"/custom-fields/{last['id']}", {"retired": True}, 1)
    add_field(office, "too_many")
    office.refused("PATCH", f"/custom-fields/{last['id']}", 409, "fields_full", {"retired": False}, If_Match="*")


def test_of_two_who_add_one_key_at_once_one_is_refused(world: World, office: Http) -> None:
    body = {"key": "same", "kind": "text", "label_zh": "字段", "label_en": "Field"}

    answers = together(*[lambda: office.call("POST", "/custom-fields", body).status_code for _ in range(2)])

    assert sorted(answers) == [201, 422]


def test_a_field_that_a_region_adds_reaches_its_reps_and_no_others(
    db: Database, settings: Settings, world: World, office: Http, phone: Phones
) -> None:
    with db.transaction() as session:
        north = territories.create_territory(session, BOSS, "N", "North")
        other = make_user(session, settings, "rep", "north", territory_ids=[north.id]).id
    near, far = phone(world.rep), phone(other)
    near.pull()
    far.pull()

    snow = add_field(office, "snow", "flag", territory_id=north.id)
    grade = add_field(office, "customer_grade", "choice", choices=CHOICES)
    near.pull()
    far.pull()

    assert set(near.rows["custom_fields"]) == {grade["id"]}
    assert set(far.rows["custom_fields"]) == {grade["id"], snow["id"]}
    assert json.loads(far.rows["custom_fields"][grade["id"]]["choices"]) == CHOICES
    office.edit(f"/custom-fields/{snow['id']}", {"territory_id": world.territory}, 1)
    near.pull()
    far.pull()
    assert set(near.rows["custom_fields"]) == {grade["id"], snow["id"]}
    assert set(far.rows["custom_fields"]) == {grade["id"]}


def custom(device: Phone, world: World) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(device.rows["customers"][world.customer]["custom"])
    return found


@pytest.mark.parametrize("says_which", [True, False])
def test_two_phones_that_edit_two_keys_both_keep_theirs(world: World, office: Http, phone: Phones, says_which: bool) -> None:
    for key in ("one", "two"):
        add_field(office, key)
    first, second = phone(world.rep), phone(world.manager)
    for device in (first, second):
        device.pull()
    marks = ({"_changed": ["one"]}, {"_changed": ["two"]}) if says_which else ({}, {})

    first.update("customers", world.customer, custom=json.dumps({"one": "1"} | marks[0]))
    second.update("customers", world.customer, custom=json.dumps({"two": "2"} | marks[1]))
    first.sync()
    second.sync()
    first.sync()

    assert custom(first, world) == custom(second, world) == {"one": "1", "two": "2"}
    assert office.get("/sync/conflicts")["items"] == []


def test_an_old_value_that_a_phone_still_shows_undoes_no_edit_of_another(world: World, office: Http, phone: Phones) -> None:
    for key in ("one", "two"):
        add_field(office, key)
    edit(office, world.customer, custom={"one": "old", "two": "old"})
    first, second = phone(world.rep), phone(world.manager)
    for device in (first, second):
        device.pull()

    first.update("customers", world.customer, custom=json.dumps({"one": "new", "two": "old", "_changed": ["one"]}))
    second.update("customers", world.customer, custom=json.dumps({"one": "old", "two": "new", "_changed": ["two"]}))
    first.sync()
    second.sync()
    first.sync()

    assert custom(first, world) == custom(second, world) == {"one": "new", "two": "new"}
    assert office.get("/sync/conflicts")["items"] == []


def test_where_a_phone_does_not_say_which_keys_it_edited_what_another_wrote_meanwhile_stays(
    world: World, office: Http, phone: Phones
) -> None:
    for key in ("one", "two"):
        add_field(office, key)
    edit(office, world.customer, custom={"one": "old", "two": "old"})
    first, second = phone(world.rep), phone(world.manager)
    for device in (first, second):
        device.pull()

    first.update("customers", world.customer, custom=json.dumps({"one": "new", "two": "old"}))
    second.update("customers", world.customer, custom=json.dumps({"one": "old", "two": "new"}))
    first.sync()
    second.sync()
    first.sync()

    assert custom(first, world) == custom(second, world) == {"one": "new", "two": "new"}
    [doubt] = office.get("/sync/conflicts")["items"]
    assert (doubt["field"], doubt["kept"], doubt["lost"]) == ("custom.one", "new", "old")


def test_of_two_phones_that_edit_one_key_the_last_is_kept_and_the_other_value_can_be_restored(
    world: World, office: Http, phone: Phones
) -> None:
    add_field(office, "one")
    first, second = phone(world.rep), phone(world.manager)
    for device in (first, second):
        device.pull()
        device.update("customers", world.customer, custom=json.dumps({"one": device.name, "_changed": ["one"]}))

    first.sync()
    second.sync()
    first.sync()

    assert custom(first, world) == {"one": second.name}
    [conflict] = office.get("/sync/conflicts")["items"]
    assert (conflict["field"], conflict["kept"], conflict["lost"]) == ("custom.one", second.name, first.name)
    office.post(f"/sync/conflicts/{conflict['id']}/restore")
    assert office.get(f"/customers/{world.customer}")["custom"] == {"one": first.name}


def test_a_value_that_is_none_of_the_field_is_a_problem_of_the_row(world: World, office: Http, phone: Phones) -> None:
    add_field(office, "employees", "number")
    device = phone(world.rep)
    device.pull()

    for text, field in (
        ('{"employees": "many"}', "custom.employees"),
        ("[1]", "custom"),
        ("{", "custom"),
        ('{"A": 1}', "custom"),
    ):
        device.update("customers", world.customer, custom=text)
        device.push()
        [problem] = [
            one for one in office.get("/sync/problems?state=open")["items"] if json.loads(one["content"])["custom"] == text
        ]
        assert [error["field"] for error in problem["errors"]] == [field]
    device.update("customers", world.customer, custom='{"employees": 5}')
    device.sync()
    assert custom(device, world) == {"employees": 5}


def test_a_customer_made_offline_brings_values(world: World, office: Http, phone: Phones, grade: dict[str, Any]) -> None:
    device = phone(world.rep)
    device.pull()

    row = {"id": "customer-0001", "code": "", "name": "New", "phone": None, "email": None, "territory_id": world.territory}
    device.create("customers", row | {"owner_id": None, "custom": '{"customer_grade": "C", "_changed": ["customer_grade"]}'})
    device.sync()

    assert office.get("/customers/customer-0001")["custom"] == {"customer_grade": "C"}
    assert json.loads(device.rows["customers"]["customer-0001"]["custom"]) == {"customer_grade": "C"}
