"""Rows that come to a phone and leave it: whatever moves between two pulls, or while one is under way, the next one mends.

Each of these is what the simulation in test_convergence.py, or who read its rules, found; as small as it gets.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from app.core.db import Database
from app.core.scopes import begin_history_anew
from app.core.settings import Settings
from tests.factories import World, make_world
from tests.people import Http
from tests.sync.phones import KilledError, Phone, Send, Witness
from tests.sync.rxdb_phones import RxdbPhone
from tests.sync.test_watermelon import new_customer, new_site


def test_the_sites_of_a_deleted_customer_come_back_with_it_also_when_time_goes_on(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep, office = phone(world.rep), phone(world.manager).person
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.create("sites", new_site("customer-from-phone"))
    rep.sync()
    rep.delete("customers", "customer-from-phone")
    rep.sync()
    office.post("/customers/customer-from-phone/undelete")
    rep.sync()

    assert "site-from-phone" in rep.rows["sites"]


def _give(office: Http, world: World, *areas: str) -> None:
    office.call("PUT", f"/users/{world.rep}/territories", {"territory_ids": list(areas)}, If_Match="*")


def _elsewhere(http: Http, world: World) -> tuple[Http, str, set[str]]:
    """Give the rep an area besides theirs, with customers that come last in a pull; return who gave it, it, and them."""
    office = http.as_(world.admin)
    area = office.post("/territories", {"code": "B", "name": "Elsewhere"}, expect=201)["id"]
    ids = {f"zzz-elsewhere-{n}" for n in range(3)}
    for row_id in sorted(ids):
        office.post("/customers", {"id": row_id, "name": "x", "territory_id": area}, expect=201)
        office.post("/customers", {"id": f"aaa-{row_id}", "name": "x", "territory_id": world.territory}, expect=201)
    _give(office, world, world.territory, area)
    return office, area, ids


def test_rows_of_a_scope_that_came_and_went_between_two_pages_leave_the_phone(
    db: Database, settings: Settings, http: Http
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.admin)
    area = office.post("/territories", {"code": "B", "name": "Elsewhere"}, expect=201)["id"]
    for n in range(3):
        office.post("/customers", {"id": f"zzz-elsewhere-{n}", "name": "x", "territory_id": area}, expect=201)
        office.post("/customers", {"id": f"aaa-near-by-{n}", "name": "x", "territory_id": world.territory}, expect=201)
    rep = RxdbPhone(http.as_(world.rep))
    first = rep._page("customers", None, 2)
    for doc in first["documents"]:
        rep._persist("customers", doc)
    rep.checkpoints["customers"] = first["checkpoint"]
    _give(office, world, world.territory, area)
    rep.pull("customers", limit=20)
    _give(office, world, world.territory)
    rep.sync()

    assert not [row_id for row_id in rep.live("customers") if row_id.startswith("zzz")]
    assert len(rep.live("customers")) == 4


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_rows_of_a_scope_that_went_and_came_back_between_two_pages_are_on_the_phone(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    office, area, ids = _elsewhere(http, world)
    asked: list[Send] = []

    def network(send: Send) -> Any:
        asked.append(send)
        if len(asked) == 2:
            _give(office, world, world.territory)
        return send()

    rep = kind(http.as_(world.rep))
    rep.sync()
    for row_id in [world.customer, *(f"aaa-{row_id}" for row_id in ids)]:  # 4, and 3 that go: the last page is not full
        office.edit(f"/customers/{row_id}", {"name": "y"}, 1)
    rep._network = network
    rep.pull(limit=2) if kind is Phone else rep.pull("customers", limit=2)
    assert not ids & set(rep.live("customers"))
    _give(office, world, world.territory, area)
    rep.sync()

    assert ids <= set(rep.live("customers"))


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_rows_of_a_scope_that_went_in_a_pull_whose_app_was_killed_and_came_back_are_on_the_phone(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    office, area, ids = _elsewhere(http, world)
    rep = kind(http.as_(world.rep))
    rep.sync()

    class Killer(Witness):
        def step(self, phone: Any) -> None:
            if not ids & set(phone.live("customers")):
                raise KilledError

    rep.witness = Killer()
    _give(office, world, world.territory)
    with suppress(KilledError):
        rep.sync()
    assert not ids & set(rep.live("customers"))
    rep.witness = Witness()
    _give(office, world, world.territory, area)
    rep.sync()

    assert ids <= set(rep.live("customers"))


@pytest.mark.parametrize("sites", [1, 9], ids=["one", "many"])
def test_sites_made_in_a_customer_that_the_same_push_deletes_leave_the_phone_and_come_back_with_it(
    db: Database, settings: Settings, phone: Callable[..., Phone], sites: int
) -> None:
    world = make_world(db, settings)
    rep, office = phone(world.rep), phone(world.manager).person
    customer = office.post("/customers", {"name": "x", "territory_id": world.territory}, expect=201)["id"]
    rep.sync()
    made = {rep.create("sites", new_site(customer, f"site-made-{n:04}"))["id"] for n in range(sites)}
    rep.delete("customers", customer)
    rep.sync()

    assert not rep.rejected
    assert set(rep.rows["sites"]) == {world.site}
    office.post(f"/customers/{customer}/undelete")
    rep.sync()
    assert set(rep.rows["sites"]) == {world.site} | made


@pytest.mark.parametrize("goes", ["the scope", "the row"])
def test_a_row_made_in_a_scope_that_came_and_went_since_the_last_pull_leaves_the_phone(
    db: Database, settings: Settings, phone: Callable[..., Phone], http: Http, goes: str
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.admin)
    area, other = (office.post("/territories", {"code": code, "name": code}, expect=201)["id"] for code in "BC")
    customer = office.post("/customers", {"name": "x", "territory_id": world.territory}, expect=201)
    path = f"/customers/{customer['id']}"
    rep = phone(world.rep)
    rep.pull()
    rep.create("sites", new_site(customer["id"]))
    office.edit(path, {"territory_id": area}, 1)
    _give(office, world, world.territory, area)
    rep.push()
    if goes == "the scope":
        _give(office, world, world.territory)
    else:
        office.edit(path, {"territory_id": other}, 2)
    rep.sync()

    assert set(rep.rows["sites"]) == {world.site}


def test_what_goes_between_reconciling_and_the_rows_that_follow_leaves_the_phone(
    db: Database, settings: Settings, http: Http
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.manager)
    office.post("/customers", {"id": "customer-to-go", "name": "x", "territory_id": world.territory}, expect=201)
    asked: list[Send] = []

    def network(send: Send) -> Any:
        asked.append(send)
        if len(asked) == 3:  # refused, reconciled, and now the rows
            office.call("DELETE", "/customers/customer-to-go", If_Match="*")
        return send()

    rep = RxdbPhone(http.as_(world.rep))
    rep.pull("customers")
    with db.transaction() as session:
        begin_history_anew(session)
    rep._network = network
    rep.pull("customers")
    rep.pull("customers")

    assert len(asked) == 4
    assert set(rep.live("customers")) == {world.customer}


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_what_goes_after_an_app_was_killed_in_its_first_pull_leaves_the_phone(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.manager)
    office.post("/customers", {"id": "customer-to-go", "name": "x", "territory_id": world.territory}, expect=201)

    class Killer(Witness):
        def step(self, phone: Any) -> None:
            if "customer-to-go" in phone.live("customers"):
                raise KilledError

    rep = kind(http.as_(world.rep), witness=Killer())
    with suppress(KilledError):
        rep.sync()
    rep.witness = Witness()
    office.call("DELETE", "/customers/customer-to-go", If_Match="*")
    rep.sync()

    assert set(rep.live("customers")) == {world.customer}
