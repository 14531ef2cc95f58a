"""How complete customers are: a score, never a refusal; a task for the rep in charge that closes itself; a list and a file."""

from __future__ import annotations

import csv
import io
from typing import Any

from app.completeness.scores import completeness
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import scan_completeness
from tests.app.facts.conftest import edit
from tests.factories import World, make_user
from tests.people import Http

RULE = {
    "fields": [{"field": "name", "weight": 60}, {"field": "phone", "weight": 30}, {"field": "site", "weight": 10}],
    "least": 95,
}


def tasks(door: Http, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = door.get(f"/repair-tasks{query}")["items"]
    return found


def test_a_score_is_the_share_of_the_weight_that_is_there() -> None:
    counted = [{"field": "a", "weight": 1}, {"field": "b", "weight": 2}, {"field": "c", "weight": 3}]

    assert completeness({"a", "b", "c", "d"}, counted) == (100, [])
    assert completeness({"a", "c"}, counted) == (66, ["b"])
    assert completeness({"a"}, counted) == (16, ["c", "b"]), "the weightiest first"
    assert completeness(set(), []) == (100, [])


def test_a_customer_with_nothing_but_a_name_is_taken_and_scored(world: World, office: Http) -> None:
    office.post("/completeness-rule", RULE)

    made = office.post("/customers", {"name": "New", "territory_id": world.territory}, expect=201)

    assert office.get(f"/customers/{made['id']}/completeness") == {"score": 60, "missing": ["phone", "site"]}


def test_a_task_is_made_for_the_rep_in_charge_changes_and_closes_itself(
    db: Database, world: World, office: Http, rep: Http
) -> None:
    office.post("/completeness-rule", RULE)
    assert scan_completeness(db, world.settings) == 1
    [task] = tasks(rep)
    assert (task["customer_id"], task["user_id"], task["missing"], task["score"]) == (world.customer, world.rep, ["phone"], 70)
    assert scan_completeness(db, world.settings) == 0, "nothing changed"

    office.call("DELETE", f"/sites/{world.site}", If_Match="*")
    edit(office, world.customer, owner_id=None)
    scan_completeness(db, world.settings)
    [same] = tasks(office, "?state=open")
    assert (same["id"], same["user_id"], same["missing"]) == (task["id"], None, ["phone"]), "an asset stands there"

    edit(rep, world.customer, phone="13800000001")
    scan_completeness(db, world.settings)

    assert tasks(office, "?state=open") == []
    [done] = tasks(office, "?state=done")
    assert done["id"] == task["id"]
    kinds = [one["kind"] for one in office.get(f"/history/customer/{world.customer}")["about"]]
    assert kinds.count("customer.repair_needed") == kinds.count("customer.repaired") == 1


def test_a_field_of_the_companys_own_counts_and_a_new_rule_is_applied_to_everybody(
    db: Database, world: World, office: Http, grade: dict[str, Any]
) -> None:
    edit(office, world.customer, phone="13800000001", email="a@example.test")
    scan_completeness(db, world.settings)
    assert tasks(office) == []

    office.post(
        "/completeness-rule", {"fields": [*RULE["fields"], {"field": "custom.customer_grade", "weight": 50}], "least": 95}
    )
    scan_completeness(db, world.settings)

    [task] = tasks(office)
    assert (task["missing"], task["score"]) == (["custom.customer_grade"], 66)
    edit(office, world.customer, custom={"customer_grade": "A"})
    scan_completeness(db, world.settings)
    assert tasks(office, "?state=open") == []


def test_a_new_site_closes_a_task_though_the_customer_did_not_change(db: Database, world: World, office: Http) -> None:
    made = office.post("/customers", {"name": "New", "phone": "13800000001", "territory_id": world.territory}, expect=201)
    office.post("/completeness-rule", RULE)
    scan_completeness(db, world.settings)
    assert made["id"] in [task["customer_id"] for task in tasks(office, "?state=open")]

    office.post(f"/customers/{made['id']}/sites", {"name": "Yard", "lat": 1, "lon": 1}, expect=201)
    scan_completeness(db, world.settings)

    assert made["id"] not in [task["customer_id"] for task in tasks(office, "?state=open")]


def test_the_task_of_a_customer_that_is_gone_is_dropped(db: Database, world: World, office: Http) -> None:
    made = office.post("/customers", {"name": "New", "territory_id": world.territory}, expect=201)
    office.post("/completeness-rule", RULE)
    scan_completeness(db, world.settings)

    office.post(f"/customers/{world.customer}/merge", {"other_id": made["id"]})
    scan_completeness(db, world.settings)
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": made["id"]})
    scan_completeness(db, world.settings)

    states = sorted(task["state"] for task in tasks(office) if task["customer_id"] == made["id"])
    assert states == ["dropped", "open"]


def test_a_rep_sees_and_exports_only_tasks_of_own_customers(
    db: Database, settings: Settings, world: World, office: Http, rep: Http, http: Http
) -> None:
    with db.transaction() as session:
        other = make_user(session, settings, "rep", "other").id
    made = office.post("/customers", {"name": "=1+1", "territory_id": world.territory, "owner_id": world.rep}, expect=201)
    office.post("/completeness-rule", RULE)
    scan_completeness(db, world.settings)

    found = rep.get("/repair-tasks/export?state=open")

    rows = list(csv.DictReader(io.StringIO(found["csv"])))
    assert (found["rows"], found["cut"]) == (2, False)
    assert [(row["name"], row["score"], row["missing"]) for row in rows] == [
        ("'=1+1", "60", "phone|site"), ("Lin Logistics", "70", "phone"),
    ]  # fmt: skip
    assert made["id"] in {task["customer_id"] for task in tasks(rep)}
    assert http.as_(other).get("/repair-tasks/export")["rows"] == 0
    assert tasks(http.as_(other)) == []


def test_a_rule_names_each_field_once_and_only_those_that_exist(world: World, office: Http) -> None:
    one = {"field": "phone", "weight": 1}
    for named, code in (([one, one], "not_each_once"), ([], "not_each_once"), ([{"field": "custom.no", "weight": 1}], "unknown")):
        refused = office.refused("POST", "/completeness-rule", 422, "validation_failed", {"fields": named, "least": 50})
        assert [error["code"] for error in refused["errors"]] == [code]
    office.refused(
        "POST", "/completeness-rule", 422, "validation_failed", {"fields": [{"field": "territory_id", "weight": 1}], "least": 5}
    )
