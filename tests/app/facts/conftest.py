"""What the tests of facts share: a small organisation, its people, and a field of the company's own."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_world
from tests.people import Http

CHOICES = [{"code": code, "label_zh": f"{code} 级", "label_en": f"Grade {code}"} for code in ("A", "B", "C")]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def rep(http: Http, world: World) -> Http:
    return http.as_(world.rep)


def add_field(office: Http, key: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    """Add a field of the company's own."""
    values = {"key": key, "kind": kind, "label_zh": "字段", "label_en": "Field"} | more
    made: dict[str, Any] = office.post("/custom-fields", values, expect=201)
    return made


@pytest.fixture
def grade(office: Http) -> dict[str, Any]:
    """The field that says how good a customer is."""
    return add_field(office, "customer_grade", "choice", choices=CHOICES)


def edit(door: Http, customer_id: str, **changes: Any) -> dict[str, Any]:
    """Edit a customer as it is now."""
    answer = door.call("PATCH", f"/customers/{customer_id}", changes, If_Match="*")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.json
    return found


def fact_of(door: Http, customer_id: str, name: str) -> dict[str, Any]:
    """Return what is known of a field."""
    [found] = [one for one in door.get(f"/customers/{customer_id}/facts")["items"] if one["field"] == name]
    return dict(found)


def bring(office: Http, customer_id: str, field: str, value: Any, **more: Any) -> dict[str, Any]:
    """Let another system say one thing."""
    system, kind = more.pop("system", "SAP"), more.pop("kind", "erp")
    row = {"customer_id": customer_id, "field": field, "value": value} | more
    [outcome] = office.post("/customer-facts", {"system": system, "kind": kind, "facts": [row]})["items"]
    return dict(outcome)
