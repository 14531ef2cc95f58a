"""The check says which values a better source's would outrank, and the run finds the same."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.imports import running
from tests.app.facts.conftest import CHOICES, add_field, bring, edit
from tests.app.imports.test_uploads import brought_in, checked, sheet_csv
from tests.factories import World
from tests.people import Http

A, B = "+8613800000001", "+8613800000002"


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


def outranked(office: Http, import_id: str) -> list[tuple[str, list[str]]]:
    return [(row["plan"], row["outranked"]) for row in office.get(f"/imports/{import_id}/rows")["items"]]


def facts(office: Http, world: World) -> Any:
    return office.get(f"/customers/{world.customer}/facts")


@pytest.mark.parametrize("kept", [False, True], ids=["only the log knows who wrote", "facts are kept"])
def test_the_check_foresees_what_the_run_finds(
    office: Http, rep: Http, db: Database, settings: Settings, world: World, *, kept: bool
) -> None:
    add_field(office, "grade", "choice", choices=CHOICES)
    edit(rep, world.customer, phone=A, custom={"grade": "A"})
    if kept:
        bring(office, world.customer, "phone", B)
        bring(office, world.customer, "email", "erp@example.test")
    header = ["code", "phone", "email", "grade", "site", "address", "lat", "lon"]
    rows = [
        ["C-1", B, "new@example.test", "B", "Depot", "深圳市南山区1号", "22.6", "114.1"],
        ["K-1", B, "", "B", "", "", "", ""],
    ]
    before = facts(office, world)
    found = checked(office, sheet_csv([[*header, "name", "territory"], [*rows[0], "", ""], [*rows[1], "鹏程", "SZ"]]))

    seen = ["custom.grade", *(["email"] if kept else []), "lat", "lon", "phone"]
    assert [(plan, sorted(names)) for plan, names in outranked(office, found["id"])] == [("update", seen), ("create", [])]
    assert (found["counts"]["to_outrank"], found["counts"].get("outranked")) == (1, None)
    assert facts(office, world) == before, "nothing was written"

    office.post(f"/imports/{found['id']}/run", {})
    running.run_imports(db, settings)
    assert [sorted(names) for _, names in outranked(office, found["id"])] == [seen, []]
    done = office.get(f"/imports/{found['id']}")["counts"]
    assert (done["outranked"], done.get("to_outrank")) == (1, None)


def test_a_row_of_which_nothing_would_be_taken_is_to_be_unchanged(office: Http, rep: Http, world: World) -> None:
    edit(rep, world.customer, phone=A)
    found = checked(office, sheet_csv([["code", "phone"], ["C-1", B]]))

    assert found["counts"] == {"ready": 1, "to_unchanged": 1, "to_outrank": 1}


def test_the_offices_order_of_sources_is_asked_also_by_the_check(
    office: Http, rep: Http, db: Database, settings: Settings, world: World
) -> None:
    edit(rep, world.customer, phone=A, email="rep@example.test")
    office.post("/fact-rules", {"default": {}, "fields": {"phone": {"order": [["import"], ["rep", "office"]]}}})
    raw = sheet_csv([["code", "phone", "email"], ["C-1", B, "file@example.test"]])
    assert outranked(office, checked(office, raw)["id"]) == [("update", ["email"])]

    done = brought_in(office, db, settings, raw)
    assert outranked(office, done["id"]) == [("update", ["email"])]
    seen = office.get(f"/customers/{world.customer}")
    assert (seen["phone"], seen["email"]) == (B, "rep@example.test")


def test_of_an_older_files_word_nothing_is_foreseen(office: Http, db: Database, settings: Settings) -> None:
    brought_in(office, db, settings, sheet_csv([["code", "name", "territory", "phone"], ["K-1", "鹏程", "SZ", A]]))
    found = checked(office, sheet_csv([["code", "phone"], ["K-1", B]]))

    assert found["counts"] == {"ready": 1, "to_update": 1}
