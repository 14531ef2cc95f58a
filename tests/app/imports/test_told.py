"""What a file says is a file's word: it overwrites nobody who knows better, and goes with the import."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.app.facts.conftest import add_field, bring, edit, fact_of
from tests.app.imports.test_uploads import brought_in, checked, errors, sheet_csv, undone, upload, xlsx
from tests.factories import World, make_world
from tests.people import Http

A, B, C = "+8613800000001", "+8613800000002", "+8613800000003"
HEADER = ["code", "phone", "email"]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


@pytest.fixture
def bring_in(office: Http, db: Database, settings: Settings) -> Any:
    return lambda *rows: brought_in(office, db, settings, sheet_csv(rows))


def rows_of(office: Http, import_id: str) -> list[tuple[str, list[str]]]:
    return [(row["state"], row["outranked"]) for row in office.get(f"/imports/{import_id}/rows")["items"]]


def facts(door: Http, world: World) -> dict[str, Any]:
    return {one["field"]: one for one in door.get(f"/customers/{world.customer}/facts")["items"]}


def site_of(door: Http, world: World) -> dict[str, Any]:
    [found] = [one for one in door.get("/sites")["items"] if one["id"] == world.site]
    return dict(found)


def test_a_reps_number_survives_a_file_whose_number_is_a_rival_until_the_import_is_undone(
    bring_in: Any, office: Http, rep: Http, world: World, db: Database, settings: Settings
) -> None:
    edit(rep, world.customer, phone=A)
    before = facts(rep, world)

    done = bring_in(HEADER, ["C-1", B, "new@example.test"])

    assert rows_of(office, done["id"]) == [("updated", ["phone"])]
    assert (done["counts"]["updated"], done["counts"]["outranked"]) == (1, 1)
    seen = rep.get(f"/customers/{world.customer}")
    assert (seen["phone"], seen["email"]) == (A, "new@example.test")
    found = fact_of(rep, world.customer, "phone")
    assert (found["survivor"]["source_kind"], [one["value"] for one in found["rivals"]]) == ("rep", [B])
    assert [(one["source_kind"], one["source"]) for one in found["rivals"]] == [("import", done["number"])]

    gone = undone(office, db, settings, done["id"])

    assert (gone["state"], gone["counts"]) == ("undone", {"undone": 1, "to_update": 1})
    seen = rep.get(f"/customers/{world.customer}")
    assert (seen["phone"], seen["email"]) == (A, None)
    assert {name: one["rivals"] for name, one in facts(rep, world).items()} == {name: [] for name in before}
    story = office.get(f"/history/customer/{world.customer}")["about"]
    told = next(one for one in story if one["kind"] == "customer.fact_withdrawn")
    assert told["reason"] == "What was said of e-mail, phone (source: a file) was taken back."


def test_a_file_of_which_nothing_was_taken_changes_nothing_and_leaves_nothing_behind(
    bring_in: Any, office: Http, rep: Http, world: World, db: Database, settings: Settings
) -> None:
    edit(rep, world.customer, phone=A)
    version = rep.get(f"/customers/{world.customer}")["version"]
    done = bring_in(["code", "phone"], ["C-1", B])

    assert rows_of(office, done["id"]) == [("unchanged", ["phone"])]
    assert [one["value"] for one in fact_of(rep, world.customer, "phone")["rivals"]] == [B]
    undone(office, db, settings, done["id"])
    assert fact_of(rep, world.customer, "phone")["rivals"] == []
    assert rep.get(f"/customers/{world.customer}")["phone"] == A
    assert version <= rep.get(f"/customers/{world.customer}")["version"]


def test_an_owners_word_and_a_persons_choice_stand_above_any_file(
    bring_in: Any, office: Http, http: Http, rep: Http, world: World
) -> None:
    http.as_(world.owner).post(f"/customers/{world.customer}/facts", {"values": {"phone": A}})
    first = bring_in(["code", "phone"], ["C-1", B])
    assert first["counts"]["outranked"] == 1
    [rival] = fact_of(rep, world.customer, "phone")["rivals"]
    rep.post(f"/customers/{world.customer}/facts/phone/choose", {"fact_id": rival["fact_id"], "reason": "called there"})
    second = bring_in(["code", "phone"], ["C-1", C])

    assert second["counts"]["outranked"] == 1
    assert rep.get(f"/customers/{world.customer}")["phone"] == B


def test_of_two_files_the_newer_one_holds_and_undoing_it_brings_back_the_older_ones_word(
    bring_in: Any, office: Http, world: World, db: Database, settings: Settings
) -> None:
    bring_in(["code", "name", "phone", "territory"], ["K-1", "鹏程", A, "SZ"])
    newer = bring_in(["code", "phone"], ["K-1", B])
    [made] = [one for one in office.get("/customers")["items"] if one["code"] == "K-1"]
    assert made["phone"] == B

    undone(office, db, settings, newer["id"])

    found = fact_of(office, made["id"], "phone")
    assert (found["survivor"]["value"], found["survivor"]["source_kind"], found["rivals"]) == (A, "import", [])


def test_what_a_person_said_since_stays_and_the_files_word_goes_all_the_same(
    bring_in: Any, office: Http, rep: Http, world: World, db: Database, settings: Settings
) -> None:
    done = bring_in(HEADER, ["C-1", B, "new@example.test"])
    edit(rep, world.customer, phone=A)
    bring(office, world.customer, "email", "new@example.test")

    gone = undone(office, db, settings, done["id"])

    assert gone["counts"]["kept"] == 1
    assert sorted(errors(office, done["id"], "kept")) == [(2, "email", "changed_since"), (2, "phone", "changed_since")]
    for name, value, kind in (("phone", A, "rep"), ("email", "new@example.test", "erp")):
        found = fact_of(rep, world.customer, name)
        survivor = found["survivor"]
        assert (survivor["value"], survivor["source_kind"], found["rivals"]) == (value, kind, []), "the system said the same"


def test_a_site_somebody_stood_at_is_not_moved_by_a_file(
    bring_in: Any, office: Http, rep: Http, world: World, db: Database, settings: Settings
) -> None:
    site = site_of(rep, world)
    answer = rep.call("PATCH", f"/sites/{world.site}", {"lat": 22.5, "lon": 114.0, "address": "深圳市南山区1号"}, If_Match="*")
    assert answer.status_code == 200
    done = bring_in(["code", "site", "address", "lat", "lon"], ["C-1", site["name"], "深圳市福田区2号", "23.1", "113.3"])

    assert rows_of(office, done["id"]) == [("unchanged", ["address", "lat", "lon"])]
    undone(office, db, settings, done["id"])
    seen = site_of(rep, world)
    assert (seen["lat"], seen["lon"], seen["address"]) == (22.5, 114.0, "深圳市南山区1号")
    told = [rival["source_kind"] for one in facts(rep, world).values() for rival in one["rivals"]]
    assert "import" not in told


def test_a_site_that_a_file_made_is_the_files_word_and_a_reps_stands_above_it(
    bring_in: Any, office: Http, world: World, http: Http
) -> None:
    bring_in(["code", "name", "territory", "site", "address"], ["K-1", "鹏程", "SZ", "Werk", "深圳市南山区1号"])
    [made] = [one for one in office.get("/customers")["items"] if one["code"] == "K-1"]
    told = {one["field"].rpartition(".")[2]: one for one in office.get(f"/customers/{made['id']}/facts")["items"]}
    assert {told[name]["survivor"]["source_kind"] for name in ("name", "address")} == {"import"}

    again = bring_in(["code", "site", "address"], ["K-1", "Werk", "深圳市福田区2号"])
    assert again["counts"]["updated"] == 1, "a newer file may correct an older one"


def test_a_made_customer_that_stays_keeps_no_rival_of_what_somebody_changed(
    bring_in: Any, office: Http, world: World, db: Database, settings: Settings
) -> None:
    done = bring_in(["code", "name", "phone", "territory"], ["K-1", "鹏程", A, "SZ"])
    [made] = [one for one in office.get("/customers")["items"] if one["code"] == "K-1"]
    edit(office, made["id"], phone=B)
    assert [one["value"] for one in fact_of(office, made["id"], "phone")["rivals"]] == [A]

    undone(office, db, settings, done["id"])

    assert fact_of(office, made["id"], "phone")["rivals"] == []
    assert (office.get(f"/customers/{made['id']}")["name"], errors(office, done["id"], "kept")) == (
        "鹏程",
        [(2, "phone", "changed_since")],
    )


CHOICES = [{"code": code, "label_zh": f"{code} 级", "label_en": f"Grade {code}"} for code in ("A", "B")]


@pytest.fixture
def own(office: Http) -> None:
    add_field(office, "grade", "choice", choices=CHOICES, label_zh="客户等级", label_en="Grade")
    add_field(office, "docks", "number", label_zh="月台数", label_en="Docks")
    add_field(office, "cooled", "flag", label_zh="冷链", label_en="Cooled")
    add_field(office, "since", "day", label_zh="合作日期", label_en="Since")
    add_field(office, "hotline", "phone", label_zh="热线", label_en="Hotline")


def test_columns_named_like_the_companys_own_fields_fill_them(
    own: None, bring_in: Any, office: Http, world: World, db: Database, settings: Settings
) -> None:
    header = ["客户编号", "客户等级", "月台数", "Cooled", "合作日期", "hotline"]
    done = bring_in(header, ["C-1", "B 级", "12", "是", "2026-01-31", "13800000001"])

    assert done["columns"] == dict(
        zip(header, ["code", *(f"custom.{key}" for key in ("grade", "docks", "cooled", "since", "hotline"))], strict=True)
    )
    values = {"grade": "B", "docks": 12, "cooled": True, "since": "2026-01-31", "hotline": A}
    assert office.get(f"/customers/{world.customer}")["custom"] == values
    assert fact_of(office, world.customer, "custom.docks")["survivor"]["source_kind"] == "import"
    assert bring_in(header, ["C-1", "B", "12", "yes", "2026-01-31", "13800000001"])["counts"] == {
        "unchanged": 1,
        "to_unchanged": 1,
    }

    undone(office, db, settings, done["id"])
    assert office.get(f"/customers/{world.customer}")["custom"] == {}


@pytest.mark.parametrize("subject", ["customer", "lead"])
@pytest.mark.parametrize("as_file", [sheet_csv, xlsx])
def test_an_own_field_is_proposed_as_mappings_write_it_by_its_key_and_by_its_labels(
    office: Http, subject: str, as_file: Callable[..., bytes]
) -> None:
    add_field(office, "volume", "number", label_zh="年用量", label_en="Yearly volume", subject_kind=subject)
    # Called like another field, and like one of ours.
    add_field(office, "custom_volume", "number", label_zh="volume", label_en="Customs", subject_kind=subject)
    add_field(office, "phone", "phone", label_zh="热线", label_en="Hotline", subject_kind=subject)
    asked = [
        "custom.volume",
        " Custom.Volume ",
        "volume",
        "年用量",
        "yearly volume",
        "custom.custom_volume",
        "custom.phone",
        "phone",
    ]
    content = [base64.b64encode(as_file([["Nr", name], ["1", "2"]])).decode() for name in asked]
    made = [
        office.post("/imports", {"kind": f"{subject}s", "file_name": "x.csv", "content": one}, 201)["columns"] for one in content
    ]

    found = [next(iter(columns.values()), None) for columns in made]
    own = "custom.volume"
    assert found == [own, own, own, own, own, "custom.custom_volume", "custom.phone", "phone"]


def test_a_new_customer_gets_its_own_values_with_the_row_and_is_found_by_them(own: None, bring_in: Any, office: Http) -> None:
    bring_in(["code", "name", "territory", "grade", "docks"], ["K-1", "鹏程", "SZ", "grade a", "7077"])

    [hit] = office.get("/search?q=7077")["items"]
    assert (hit["title"], hit["matched"]["field"]) == ("鹏程", "custom.docks")


def test_what_a_rep_said_of_an_own_field_survives_a_file(own: None, bring_in: Any, rep: Http, world: World) -> None:
    edit(rep, world.customer, custom={"grade": "A"})
    done = bring_in(["code", "grade"], ["C-1", "B"])

    assert (done["counts"]["unchanged"], done["counts"]["outranked"]) == (1, 1)
    assert rep.get(f"/customers/{world.customer}")["custom"] == {"grade": "A"}


@pytest.mark.parametrize(
    ("column", "cell", "code"),
    [
        ("grade", "C", "not_one_of"),
        ("docks", "many", "not_number"),
        ("since", "31.1.2026", "date_invalid"),
        ("hotline", "1.38E+10", "number_lost"),
        ("hotline", "12", "phone_invalid"),
        ("north", "x", "unknown"),
    ],
)
def test_a_cell_that_its_own_field_cannot_hold_is_an_error(
    own: None, office: Http, http: Http, world: World, column: str, cell: str, code: str
) -> None:
    north = http.as_(world.admin).post("/territories", {"code": "N", "name": "North"}, 201)
    add_field(office, "north", "text", territory_id=north["id"], label_zh="北方", label_en="North")
    found = checked(office, sheet_csv([["code", column], ["C-1", cell]]))

    assert errors(office, found["id"]) == [(2, column, code)]
    assert office.get(f"/customers/{world.customer}")["custom"] == {}


def test_a_mapping_names_own_fields_that_there_are(own: None, office: Http) -> None:
    made = upload(office, sheet_csv([["code", "Klasse"], ["C-1", "A"]]))
    assert made["columns"] == {"code": "code"}
    for wrong in ("custom.nothing", "custom.", "grade"):
        body = {"columns": {"code": "code", "Klasse": wrong}}
        told = office.edit(f"/imports/{made['id']}", body, made["version"], expect=422)
        assert {one["code"] for one in told["errors"]} == {"not_one_of"}, wrong
    office.edit(f"/imports/{made['id']}", {"columns": {"code": "code", "Klasse": "custom.grade"}}, made["version"])
    assert office.post(f"/imports/{made['id']}/check")["counts"] == {"ready": 1, "to_update": 1}
