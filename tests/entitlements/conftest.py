"""A customer, two reps, the office, and a kind of class hours with what was granted of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from tests.factories import World, make_user, make_world
from tests.people import Http
from tests.sync.phones import Phone

HOURS = {"code": "class_hours", "name_zh": "培训课时", "name_en": "class hours", "unit": "hour"}


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
def owner(http: Http, world: World) -> Http:
    return http.as_(world.owner)


@pytest.fixture
def colleague_id(world: World) -> str:
    with world.db.transaction() as session:
        return make_user(session, world.settings, "rep", "colleague", locale="zh-CN", territory_ids=[world.territory]).id


@pytest.fixture
def colleague(http: Http, colleague_id: str) -> Http:
    return http.as_(colleague_id)


@pytest.fixture
def kind(office: Http) -> str:
    return make_kind(office)


@pytest.fixture
def phone(http: Http) -> Callable[..., Phone]:
    """Make a phone of a person: ``phone(world.rep)``."""
    return lambda user_id, **more: Phone(http.as_(user_id), **more)


def make_kind(office: Http, **more: Any) -> str:
    return str(office.post("/entitlement-kinds", HOURS | more, expect=201)["id"])


def grant(office: Http, customer: str, kind: str, amount: str, since: str = "2026-01-01", until: str | None = None) -> str:
    body = {"customer_id": customer, "kind_id": kind, "amount": amount, "valid_from": since, "valid_until": until}
    return str(office.post("/entitlement-grants", body | {"reference": f"SO-{amount}"}, expect=201)["id"])


def used(customer: str, kind: str, n: int, amount: str = "1.00", at: str = "2026-03-02T01:00:00Z", **more: Any) -> dict[str, Any]:
    return {"id": f"spend-{n:06}", "customer_id": customer, "kind_id": kind, "amount": amount, "happened_at": at, **more}


def spend(
    person: Http, world: World, kind: str, n: int, amount: str = "1.00", at: str = "2026-03-02T01:00:00Z"
) -> dict[str, Any]:
    told: dict[str, Any] = person.post("/entitlement-spends", used(world.customer, kind, n, amount, at), expect=201)
    return told


def balance(person: Http, customer: str, kind: str) -> dict[str, Any]:
    [found] = person.get(f"/entitlements?customer_id={customer}&kind_id={kind}")["items"]
    return dict(found)


def figures(person: Http, customer: str, kind: str) -> tuple[str, ...]:
    """Return granted, spent, left and beyond."""
    found = balance(person, customer, kind)
    return tuple(found[name] for name in ("granted", "spent", "left", "beyond"))


def standing(person: Http, customer: str) -> dict[str, tuple[Any, ...]]:
    """Return how each spend of a customer stands, by its id."""
    rows = person.get(f"/entitlement-spends?customer_id={customer}&limit=200")["items"]
    return {row["id"]: (row["state"], row["covered"], row["cover"], row["lack"]) for row in rows}


def faults(answer: dict[str, Any]) -> dict[str, str]:
    return {fault["field"]: fault["code"] for fault in answer["errors"]}
