"""Code lists in files that come from another system: translated, and what nobody has mapped waits with the row brought in."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from sqlalchemy import select, update

from app.core.db import Database
from app.core.settings import Settings
from app.customers import operations as customers
from app.customers.models import Customer, CustomerFact
from app.facts.models import CodeMapping
from app.imports import running
from app.jobs import settle_codes
from tests.app.facts.conftest import add_field, bring, edit, fact_of
from tests.app.imports.test_uploads import errors, sheet_csv, undone, xlsx
from tests.factories import World
from tests.people import Http

CHOICES = [{"code": code, "label_zh": f"{code} 级", "label_en": f"Grade {code}"} for code in ("A", "B")]


@pytest.fixture
def office(http: Http, world: World) -> Http:
    office = http.as_(world.manager)
    add_field(office, "grade", "choice", choices=CHOICES, label_zh="客户等级", label_en="Grade")
    return office


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


def checked(office: Http, raw: bytes, system: str | None = "SAP") -> dict[str, Any]:
    body = {"kind": "customers", "file_name": "sap.csv", "content": base64.b64encode(raw).decode(), "system": system}
    made = office.post("/imports", body, 201)
    assert made["system"] == system
    found: dict[str, Any] = office.post(f"/imports/{made['id']}/check")
    return found


def brought_in(office: Http, db: Database, settings: Settings, *rows: list[str], system: str | None = "SAP") -> dict[str, Any]:
    found = checked(office, sheet_csv(rows), system)
    office.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
    running.run_imports(db, settings)
    done: dict[str, Any] = office.get(f"/imports/{found['id']}")
    return done


def map_code(office: Http, theirs: str, ours: str) -> None:
    office.post("/code-mappings", {"list_name": "grade", "system": "SAP", "theirs": theirs, "ours": ours})


def open_codes(office: Http) -> list[tuple[str, str, str]]:
    return [(one["list_name"], one["system"], one["theirs"]) for one in office.get("/code-mappings?state=open")["items"]]


def grade(office: Http, customer_id: str) -> Any:
    return office.get(f"/customers/{customer_id}")["custom"].get("grade")


HEADER = ["code", "name", "territory", "grade"]


def test_the_check_lists_unmapped_codes_and_writes_none(office: Http) -> None:
    map_code(office, "A", "B")
    rows = [["K-1", "一", "SZ", "A"], ["K-2", "二", "SZ", "VIP"], ["K-3", "三", "SZ", "VIP"], ["K-4", "四", "SZ", "X"]]
    found = checked(office, sheet_csv([HEADER, *rows]))

    assert found["counts"] == {"ready": 4, "to_create": 4, "unmapped": 2, "waiting": 3}
    assert found["unmapped"] == [
        {"list_name": "grade", "code": "VIP", "rows": 2},
        {"list_name": "grade", "code": "X", "rows": 1},
    ]
    waiting = [row["waiting"] for row in office.get(f"/imports/{found['id']}/rows")["items"]]
    assert waiting == [[], ["custom.grade"], ["custom.grade"], ["custom.grade"]]
    assert open_codes(office) == []

    map_code(office, "VIP", "A")
    again = office.post(f"/imports/{found['id']}/check")
    assert (again["counts"]["unmapped"], again["counts"]["waiting"]) == (1, 1)


def test_the_codes_of_a_page_are_taken_before_its_first_customer(
    office: Http, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever maps a code takes it before the customers that wait for it: the other way round each may wait for the other."""
    verb, held = customers.create_customer, []

    def create(session: Any, *args: Any) -> Any:
        held.append(sorted(session.scalars(select(CodeMapping.theirs))))
        return verb(session, *args)

    monkeypatch.setattr(customers, "create_customer", create)
    header = ["code", "name", "territory", "site_name", "site_address", "grade"]
    rows = [
        ["K-1", "一", "SZ", "甲", "深圳", ""],
        ["K-1", "一", "SZ", "乙", "深圳", "W"],
        ["K-2", "二", "SZ", "丙", "深圳", "X"],
    ]
    done = brought_in(office, db, settings, header, *rows)

    assert "faulty" not in done["counts"], errors(office, done["id"])
    assert held == [["W", "X"]] * 2


def test_a_code_is_the_other_systems_also_where_both_are_spelt_the_same(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    map_code(office, "A", "B")
    brought_in(office, db, settings, ["code", "grade"], ["C-1", "A"])
    assert grade(office, world.customer) == "B"

    brought_in(office, db, settings, ["code", "grade"], ["C-1", "Grade A"], system=None)
    assert grade(office, world.customer) == "A"


def test_the_row_comes_the_word_waits_and_follows_when_the_code_is_mapped(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    done = brought_in(office, db, settings, HEADER, ["C-1", "Lin Logistics", "SZ", "VIP"], ["K-1", "鹏程", "SZ", "VIP"])

    assert {name: done["counts"].get(name) for name in ("created", "unchanged", "waiting")} == {
        "created": 1, "unchanged": 1, "waiting": 2,
    }  # fmt: skip
    assert open_codes(office) == [("grade", "SAP", "VIP")]
    [made] = [one for one in office.get("/customers")["items"] if one["code"] == "K-1"]
    found = fact_of(office, made["id"], "custom.grade")
    assert found["survivor"] is None
    [waits] = found["waiting"]
    assert (waits["code"], waits["source_kind"], waits["source"]) == ("VIP", "import", done["number"])

    [code] = office.get("/code-mappings?state=open")["items"]
    office.post(f"/code-mappings/{code['id']}/map", {"ours": "A"})
    assert (grade(office, world.customer), grade(office, made["id"])) == ("A", "A")
    office.post(f"/code-mappings/{code['id']}/map", {"ours": "B"})
    assert (grade(office, world.customer), grade(office, made["id"])) == ("B", "B"), "mapped otherwise, they follow again"


def test_a_word_that_came_while_its_code_was_being_mapped_follows(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    found = checked(office, sheet_csv([["code", "grade"], ["C-1", "VIP"]]))
    office.post(f"/imports/{found['id']}/run", {})
    with db.transaction() as session:
        assert running.step(session, settings, found["id"]) == 1
    map_code(office, "VIP", "A")
    with db.transaction() as session:  # as if the mapping had not seen this word
        session.execute(update(CustomerFact).where(CustomerFact.code == "VIP").values(waiting=True, value=None))
        session.execute(update(Customer).values(custom={}))
    settle_codes(db, settings)
    assert grade(office, world.customer) is None

    running.run_imports(db, settings)
    settle_codes(db, settings)
    assert grade(office, world.customer) == "A"


def test_a_mapped_cell_follows_when_its_code_is_mapped_otherwise(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    map_code(office, "VIP", "A")
    brought_in(office, db, settings, ["code", "grade"], ["C-1", "VIP"])
    assert grade(office, world.customer) == "A"

    map_code(office, "VIP", "B")
    assert grade(office, world.customer) == "B"


def test_undoing_takes_back_what_waits_and_what_followed_and_leaves_another_files_word(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    first = brought_in(office, db, settings, ["code", "grade"], ["C-1", "OLD"])
    second = brought_in(office, db, settings, ["code", "grade"], ["C-1", "NEW"])
    assert len(fact_of(office, world.customer, "custom.grade")["waiting"]) == 2
    map_code(office, "OLD", "A")
    map_code(office, "NEW", "B")
    assert grade(office, world.customer) == "B"

    assert undone(office, db, settings, second["id"])["counts"]["undone"] == 1
    found = fact_of(office, world.customer, "custom.grade")
    assert (grade(office, world.customer), found["survivor"]["source"], found["rivals"]) == ("A", first["number"], [])
    undone(office, db, settings, first["id"])
    assert grade(office, world.customer) is None
    assert not [one for one in office.get(f"/customers/{world.customer}/facts")["items"] if one["field"] == "custom.grade"]


def test_undoing_a_word_that_still_waits_leaves_the_other_systems_own_word(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    assert bring(office, world.customer, "custom.grade", "VIP")["outcome"] == "waiting"
    done = brought_in(office, db, settings, ["code", "grade"], ["C-1", "VIP"])
    assert len(fact_of(office, world.customer, "custom.grade")["waiting"]) == 2

    assert undone(office, db, settings, done["id"])["counts"] == {"undone": 1, "to_unchanged": 1, "unmapped": 1}
    [left] = fact_of(office, world.customer, "custom.grade")["waiting"]
    assert (left["source_kind"], left["source"]) == ("erp", "SAP")


def test_a_rep_outranks_a_code_of_a_file(office: Http, rep: Http, db: Database, settings: Settings, world: World) -> None:
    edit(rep, world.customer, custom={"grade": "A"})
    map_code(office, "VIP", "B")
    found = checked(office, sheet_csv([["code", "grade"], ["C-1", "VIP"]]))
    assert found["counts"] == {"ready": 1, "to_unchanged": 1, "to_outrank": 1}

    done = brought_in(office, db, settings, ["code", "grade"], ["C-1", "VIP"])
    assert (done["counts"]["outranked"], grade(office, world.customer)) == (1, "A")


def test_an_ignored_code_is_no_task_and_its_word_does_not_count(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    bring(office, world.customer, "custom.grade", "NONE")
    [code] = office.get("/code-mappings?state=open")["items"]
    office.post(f"/code-mappings/{code['id']}/ignore")
    done = brought_in(office, db, settings, ["code", "grade"], ["C-1", "NONE"])

    assert (done["counts"].get("unmapped"), done["counts"]["unchanged"], done["unmapped"]) == (None, 1, [])
    assert (open_codes(office), grade(office, world.customer)) == ([], None)


@pytest.mark.parametrize(
    ("cell", "code"), [("x" * 61, "too_long"), (7, "number_cell"), ("1E+5", "number_lost"), (True, "not_text")]
)
def test_a_cell_that_cannot_be_a_code_is_an_error(office: Http, cell: Any, code: str) -> None:
    found = checked(office, xlsx([["code", "grade"], ["C-1", cell]]))

    assert errors(office, found["id"]) == [(2, "grade", code)]


def test_a_file_after_file_with_the_same_unknown_code_is_bounded(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    for _ in range(22):
        brought_in(office, db, settings, ["code", "grade"], ["C-1", "VIP"])

    assert len(fact_of(office, world.customer, "custom.grade")["waiting"]) == 20


def test_a_kept_mapping_names_the_system_and_a_body_may_take_it_away(office: Http) -> None:
    mapping = {"columns": {"Nr": "code", "Klasse": "custom.grade"}, "key": "code", "system": "SAP"}
    kept = office.post("/import-mappings", mapping | {"kind": "customers", "name": "SAP"}, 201)
    assert kept["system"] == "SAP"
    raw = base64.b64encode(sheet_csv([["Nr", "Klasse"], ["C-1", "A"]])).decode()
    made = office.post("/imports", {"kind": "customers", "file_name": "x.csv", "content": raw}, 201)
    assert made["system"] == "SAP"
    assert office.post(f"/imports/{made['id']}/check")["counts"]["unmapped"] == 1

    version = office.get(f"/imports/{made['id']}")["version"]
    changed = office.edit(f"/imports/{made['id']}", {"system": None}, version)
    assert (changed["system"], changed["unmapped"], changed["counts"]) == (None, [], {"new": 1})
    assert office.post(f"/imports/{made['id']}/check")["counts"] == {"ready": 1, "to_update": 1}
