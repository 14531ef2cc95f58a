"""Rows of one customer: for different sites they are one customer with several, else one of them is an error."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from app.imports import running
from tests.app.facts.conftest import CHOICES, add_field
from tests.app.imports.test_uploads import checked, errors, sheet_csv, undone
from tests.factories import World
from tests.people import Http

HEADER = ["code", "name", "phone", "territory", "site", "address"]
A, B = "深圳市南山区1号", "深圳市福田区2号"


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def states(office: Http, import_id: str) -> list[tuple[int, str, str, int | None]]:
    rows = office.get(f"/imports/{import_id}/rows")["items"]
    return [(row["row"], row["state"], row["plan"], row["follows"]) for row in rows]


def customer(office: Http, code: str) -> dict[str, Any]:
    [found] = [one for one in office.get("/customers")["items"] if one["code"] == code]
    return dict(found)


def sites_of(office: Http, code: str) -> set[str]:
    mine = customer(office, code)["id"]
    return {one["name"] for one in office.get("/sites")["items"] if one["customer_id"] == mine}


def run(office: Http, db: Database, settings: Settings, found: dict[str, Any]) -> dict[str, Any]:
    office.post(f"/imports/{found['id']}/run", {"skip_faulty": True})
    running.run_imports(db, settings)
    done: dict[str, Any] = office.get(f"/imports/{found['id']}")
    return done


def test_rows_of_different_sites_are_one_customer_and_the_check_says_what_the_run_does(
    office: Http, db: Database, settings: Settings
) -> None:
    rows = [
        ["K-1", "鹏程", "13800000001", "SZ", "一厂", A],
        ["K-1", "", "138 0000 0001", "", "二厂", B],
        ["K-2", "大海", "", "SZ", "", ""],
        ["K-1", "鹏程", "", "SZ", "三厂", A],
        ["K-2", "", "", "", "Lager", B],
    ]
    found = checked(office, sheet_csv([HEADER, *rows]), defaults={"territory_code": "SZ"})
    plan = [(2, "create", None), (3, "update", 2), (4, "create", None), (5, "update", 2), (6, "update", 4)]
    assert states(office, found["id"]) == [(n, "ready", what, first) for n, what, first in plan]
    assert found["counts"] == {"ready": 5, "to_create": 2, "to_update": 3}

    done = run(office, db, settings, found)

    assert {name: done["counts"].get(name, 0) for name in ("created", "updated", "refused")} == {
        "created": 2, "updated": 3, "refused": 0,
    }  # fmt: skip
    assert sites_of(office, "K-1") == {"一厂", "二厂", "三厂"}
    assert sites_of(office, "K-2") == {"Lager"}
    assert customer(office, "K-1")["phone"] == "+8613800000001"
    undone(office, db, settings, done["id"])
    assert {one["code"] for one in office.get("/customers")["items"]} == {"C-1"}


def test_a_default_does_not_move_a_customer_whose_row_above_says_where_it_is(
    office: Http, http: Http, world: World, db: Database, settings: Settings
) -> None:
    http.as_(world.admin).post("/territories", {"code": "N", "name": "North"}, 201)
    rows = [["K-1", "鹏程", "", "N", "一厂", A], ["K-1", "", "", "", "二厂", B]]
    found = checked(office, sheet_csv([HEADER, *rows]), defaults={"territory_code": "SZ"})
    assert found["counts"] == {"ready": 2, "to_create": 1, "to_update": 1}
    run(office, db, settings, found)

    assert customer(office, "K-1")["territory_id"] != world.territory
    assert sites_of(office, "K-1") == {"一厂", "二厂"}


def test_rows_that_contradict_each_other_name_each_other(office: Http, db: Database, settings: Settings) -> None:
    rows = [
        ["K-1", "鹏程", "13800000001", "SZ", "一厂", A],
        ["K-1", "鹏程", "13800000002", "SZ", "二厂", B],
        ["K-1", "鹏程", "", "SZ", "三厂", B],
        ["K-2", "大海", "", "SZ", "一厂", A],
    ]
    found = checked(office, sheet_csv([HEADER, *rows]))

    listed = office.get(f"/imports/{found['id']}/rows?state=faulty")["items"]
    told = [(row["row"], one["field"], one["code"], one["other_row"]) for row in listed for one in row["errors"]]
    assert told == [(2, "phone", "contradicts", 3), (3, "phone", "contradicts", 2)]
    assert "row 3" in listed[0]["errors"][0]["text"]
    assert "row 2" in office.call("GET", f"/imports/{found['id']}/errors").get_data(as_text=True)
    assert states(office, found["id"])[2] == (4, "ready", "create", None), "it stands by itself"
    run(office, db, settings, found)
    assert sites_of(office, "K-1") == {"三厂"}


@pytest.mark.parametrize(
    "row",
    [["K-1", "鹏程", "", "SZ", "一厂", B], ["K-1", "", "", "", "一厂", A]],
    ids=["another address", "the same"],
)
def test_two_rows_of_one_site_are_one_too_many(office: Http, row: list[str]) -> None:
    found = checked(office, sheet_csv([HEADER, ["K-1", "鹏程", "", "SZ", "一厂", A], row]))

    assert errors(office, found["id"]) == [(3, "code", "duplicate")]


def test_a_site_without_a_name_is_called_as_the_customer_so_two_of_them_are_one(office: Http) -> None:
    rows = [["K-1", "鹏程", "", "SZ", "", A], ["K-1", "", "", "", "", B], ["K-1", "", "", "", "鹏程", B]]
    found = checked(office, sheet_csv([HEADER, *rows]))

    assert errors(office, found["id"]) == [(3, "code", "duplicate"), (4, "code", "duplicate")]


def test_a_further_row_needs_the_first_one(office: Http, db: Database, settings: Settings) -> None:
    rows = [["K-1", "鹏程", "", "NO", "一厂", A], ["K-1", "", "", "", "二厂", B]]
    found = checked(office, sheet_csv([HEADER, *rows]))

    assert sorted(errors(office, found["id"])) == [
        (2, "territory", "unknown_reference"), (3, "name", "required"), (3, "territory", "required"),
    ]  # fmt: skip


def test_rows_of_a_customer_that_is_there_and_of_its_own_fields(
    office: Http, db: Database, settings: Settings, world: World
) -> None:
    add_field(office, "grade", "choice", choices=CHOICES)
    header = ["code", "name", "grade", "site", "address"]
    rows = [
        ["C-1", "Lin Logistics", "A", "一厂", A],
        ["C-1", "Lin Logistics", "A", "Depot", ""],
        ["C-1", "Lin Logistics", "B", "二厂", B],
    ]
    found = checked(office, sheet_csv([header, *rows]))
    assert errors(office, found["id"]) == [(2, "grade", "contradicts"), (4, "grade", "contradicts")]

    found = checked(office, sheet_csv([header, *rows[:2]]))
    assert found["counts"] == {"ready": 2, "to_update": 1, "to_unchanged": 1}
    done = run(office, db, settings, found)
    assert (done["counts"]["updated"], done["counts"]["unchanged"]) == (1, 1)


def test_a_process_that_dies_between_rows_of_one_customer_makes_it_once(
    office: Http, db: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [["K-1", "鹏程", "", "SZ", f"{n}厂", A] for n in range(60)]
    found = checked(office, sheet_csv([HEADER, *rows]))
    office.post(f"/imports/{found['id']}/run", {})
    bring_in, seen = running._bring_in, 0

    def dies(*args: Any) -> None:
        nonlocal seen
        seen += 1
        if seen in {30, 85}:
            raise KeyboardInterrupt
        bring_in(*args)

    monkeypatch.setattr(running, "_bring_in", dies)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            running.run_imports(db, settings)
    running.run_imports(db, settings)

    done = office.get(f"/imports/{found['id']}")
    assert (done["counts"]["created"], done["counts"]["updated"]) == (1, 59)
    mine = customer(office, "K-1")["id"]
    assert len([one for one in office.get("/sites?limit=200")["items"] if one["customer_id"] == mine]) == 60
