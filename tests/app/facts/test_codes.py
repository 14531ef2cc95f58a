"""Codes of other systems: mapped to ours, met before anybody mapped them, mapped otherwise later, ignored."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.core.db import Database
from app.facts import codes
from app.jobs import settle_codes
from tests.app.facts.conftest import bring, edit, fact_of
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.races.together import PATIENCE_S, together

FIELD = "custom.customer_grade"
LIST = {"list_name": "customer_grade", "system": "SAP"}


def grade_of(door: Http, customer_id: str) -> str | None:
    found: str | None = door.get(f"/customers/{customer_id}")["custom"].get("customer_grade")
    return found


def test_a_code_that_is_mapped_becomes_ours(world: World, office: Http, rep: Http, grade: dict[str, Any]) -> None:
    for theirs, ours in (("VIP", "A"), ("PRO", "B"), ("STD", "C")):
        office.post("/code-mappings", LIST | {"theirs": theirs, "ours": ours})

    assert bring(office, world.customer, FIELD, "PRO")["outcome"] == "survives"

    assert grade_of(rep, world.customer) == "B"
    survivor = fact_of(rep, world.customer, FIELD)["survivor"]
    assert (survivor["value"], survivor["code"], survivor["source"]) == ("B", "PRO", "SAP")


def test_an_unknown_code_is_kept_becomes_a_task_and_settles_when_it_is_mapped(
    world: World, office: Http, rep: Http, grade: dict[str, Any], clock: SetClock
) -> None:
    assert bring(office, world.customer, FIELD, "GOLD")["outcome"] == "waiting"
    assert bring(office, world.customer, FIELD, "GOLD")["outcome"] == "waiting"
    assert grade_of(rep, world.customer) is None
    [waiting] = fact_of(rep, world.customer, FIELD)["waiting"]
    assert (waiting["code"], waiting["value"]) == ("GOLD", None)
    [task] = office.get("/code-mappings?state=open")["items"]
    assert (task["list_name"], task["system"], task["theirs"], task["ours"]) == ("customer_grade", "SAP", "GOLD", None)

    mapped = office.post(f"/code-mappings/{task['id']}/map", {"ours": "A"})

    assert mapped["state"] == "mapped"
    assert mapped["settled_at"] is not None
    assert grade_of(rep, world.customer) == "A"
    assert fact_of(rep, world.customer, FIELD)["waiting"] == []
    [entry] = [
        one for one in office.get(f"/history/customer/{world.customer}")["about"] if one["kind"] == "customer.code_understood"
    ]
    assert "GOLD" in entry["reason"]
    assert entry["because_of"]


def test_a_code_that_waited_does_not_overwrite_what_a_rep_said_meanwhile(
    world: World, office: Http, rep: Http, grade: dict[str, Any]
) -> None:
    bring(office, world.customer, FIELD, "GOLD")
    edit(rep, world.customer, custom={"customer_grade": "C"})
    [task] = office.get("/code-mappings?state=open")["items"]

    office.post(f"/code-mappings/{task['id']}/map", {"ours": "A"})

    assert grade_of(rep, world.customer) == "C"
    assert [one["value"] for one in fact_of(rep, world.customer, FIELD)["rivals"]] == ["A"]


def test_a_code_that_is_mapped_otherwise_takes_its_facts_along(
    world: World, office: Http, rep: Http, grade: dict[str, Any]
) -> None:
    mapping = office.post("/code-mappings", LIST | {"theirs": "VIP", "ours": "B"})
    bring(office, world.customer, FIELD, "VIP")
    assert grade_of(rep, world.customer) == "B"

    office.post(f"/code-mappings/{mapping['id']}/map", {"ours": "A"})

    assert grade_of(rep, world.customer) == "A"


def test_a_code_means_something_only_in_its_system_and_even_ours_must_be_mapped(
    world: World, office: Http, grade: dict[str, Any]
) -> None:
    office.post("/code-mappings", LIST | {"theirs": "A", "ours": "C"})

    assert bring(office, world.customer, FIELD, "A", system="CRM")["outcome"] == "waiting"
    assert bring(office, world.customer, FIELD, "A")["outcome"] == "survives"
    assert grade_of(office, world.customer) == "C"


def test_an_ignored_code_counts_for_nothing(world: World, office: Http, grade: dict[str, Any]) -> None:
    bring(office, world.customer, FIELD, "TEST")
    [task] = office.get("/code-mappings")["items"]

    assert office.post(f"/code-mappings/{task['id']}/ignore")["state"] == "ignored"

    assert bring(office, world.customer, FIELD, "TEST")["outcome"] == "ignored"
    assert grade_of(office, world.customer) is None
    office.refused("POST", f"/code-mappings/{task['id']}/ignore", 409, "state_conflict")


def test_only_codes_of_the_list_may_stand_for_a_code(world: World, office: Http, grade: dict[str, Any]) -> None:
    for body, field, code in (
        (LIST | {"theirs": "X", "ours": "Z"}, "ours", "not_one_of"),
        ({"list_name": "nothing", "system": "SAP", "theirs": "X", "ours": "A"}, "list_name", "unknown_reference"),
    ):
        refused = office.refused("POST", "/code-mappings", 422, "validation_failed", body)
        assert [(one["field"], one["code"]) for one in refused["errors"]] == [(field, code)]


def test_facts_beyond_the_first_follow_by_the_job(
    db: Database, world: World, office: Http, grade: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codes, "MOST_AT_ONCE", 2)
    ids = [world.customer] + [
        office.post("/customers", {"name": f"N{n}", "territory_id": world.territory}, expect=201)["id"] for n in range(4)
    ]
    rows = [{"customer_id": customer, "field": FIELD, "value": "GOLD"} for customer in ids]
    office.post("/customer-facts", {"system": "SAP", "facts": rows})
    [task] = office.get("/code-mappings?state=open")["items"]

    mapped = office.post(f"/code-mappings/{task['id']}/map", {"ours": "A"})
    assert mapped["settled_at"] is None
    while settle_codes(db, world.settings):
        pass

    assert [grade_of(office, customer) for customer in ids] == ["A"] * 5
    assert office.get("/code-mappings")["items"][0]["settled_at"] is not None


def test_of_two_who_meet_one_code_at_once_one_makes_the_task(world: World, office: Http, grade: dict[str, Any]) -> None:
    second = office.post("/customers", {"name": "Second", "territory_id": world.territory}, expect=201)["id"]

    outcomes = together(*[lambda who=who: bring(office, who, FIELD, "GOLD")["outcome"] for who in (world.customer, second)])

    assert outcomes == ["waiting"] * 2
    assert len(office.get("/code-mappings")["items"]) == 1


@pytest.fixture
def mapped_meanwhile(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Whoever has read what codes stand for waits a second for somebody to map one, unless that has to wait for them."""
    known, was_read, was_mapped = codes.known_codes, threading.Event(), threading.Event()

    def read_and_wait(*args: Any) -> Any:
        found = known(*args)
        was_read.set()
        was_mapped.wait(1)
        return found

    monkeypatch.setattr(codes, "known_codes", read_and_wait)
    return was_read, was_mapped


@pytest.mark.parametrize("before", [None, "C"], ids=["waiting", "mapped otherwise"])
def test_a_word_that_comes_while_its_code_is_mapped_follows(
    world: World,
    office: Http,
    rep: Http,
    grade: dict[str, Any],
    db: Database,
    mapped_meanwhile: tuple[threading.Event, threading.Event],
    before: str | None,
) -> None:
    was_read, was_mapped = mapped_meanwhile
    second = office.post("/customers", {"name": "Second", "territory_id": world.territory}, expect=201)["id"]
    was_mapped.set()
    bring(office, second, FIELD, "GOLD")
    [task] = office.get("/code-mappings")["items"]
    if before is not None:
        office.post(f"/code-mappings/{task['id']}/map", {"ours": before})
    was_mapped.clear()
    was_read.clear()

    def map_it() -> None:
        assert was_read.wait(PATIENCE_S)
        office.post(f"/code-mappings/{task['id']}/map", {"ours": "A"})
        was_mapped.set()

    told, nothing = together(lambda: bring(office, world.customer, FIELD, "GOLD")["outcome"], map_it)
    while settle_codes(db, world.settings):
        pass

    assert (told, nothing) == ("waiting" if before is None else "survives", None)
    assert [grade_of(office, one) for one in (world.customer, second)] == ["A", "A"]
    assert fact_of(rep, world.customer, FIELD)["waiting"] == []
