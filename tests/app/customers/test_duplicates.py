"""Pairs that may be one customer: found by keys, shown with reasons to whom may see both, away once they are dismissed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import delete, select

from app.core.db import Database
from app.core.settings import Settings
from app.customers import blocks
from app.customers import operations as customers
from app.customers.models import Customer, CustomerKey, CustomerPrint, DuplicatePair
from app.jobs import JOBS
from tests.factories import World, make_user
from tests.iot.vehicles import BOSS
from tests.people import Http
from tests.sync.phones import Phone
from tests.sync.test_watermelon import new_customer

CODE = "91350100M000100Y43"


def look(db: Database, settings: Settings) -> int:
    [job] = [job for job in JOBS if job.id == "find_duplicates"]
    return job.work(db, settings)


def found(door: Http, customer_id: str) -> list[tuple[str, int]]:
    return [(one["customer"]["id"], one["score"]) for one in door.get(f"/customers/{customer_id}/duplicates")["items"]]


def test_a_duplicate_is_shown_with_its_reasons_in_the_readers_language(
    http: Http, world: World, office: Http, other: dict[str, Any]
) -> None:
    [one] = office.get(f"/customers/{world.customer}/duplicates")["items"]
    assert (one["customer"]["id"], one["likely"]) == (other["id"], False)
    assert one["score"] == 67
    assert [(sign["code"], sign["text"]) for sign in one["signs"]] == [
        ("name_same", "the same name, company form and trade apart"),
        ("position_far", "sites at least 6788 m apart"),
    ]
    [told] = http.as_(world.rep).get(f"/customers/{world.customer}/duplicates")["items"]
    assert told["signs"][0]["text"] == "名称相同（不计公司形式与行业词）"


def test_a_credit_code_is_checked_at_the_door_and_decides(world: World, office: Http, other: dict[str, Any]) -> None:
    refusal = office.call("PATCH", f"/customers/{other['id']}", {"credit_code": CODE[:-1] + "4"}, If_Match="*").json
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("credit_code", "credit_code_invalid")]
    strange = {"name": "完全不同的名称", "territory_id": world.territory, "credit_code": CODE.lower()}
    made = office.post("/customers", strange, expect=201)
    assert made["credit_code"] == CODE
    office.edit(f"/customers/{other['id']}", {"credit_code": CODE}, other["version"])

    assert found(office, made["id"]) == [(other["id"], 100)]


def test_the_office_reads_the_open_pairs_and_a_merge_or_a_dismissal_closes_one(
    db: Database, settings: Settings, http: Http, world: World, office: Http, other: dict[str, Any]
) -> None:
    assert look(db, settings) == 2, "seen from both sides"
    assert look(db, settings) == 0, "nothing changed since"
    [pair] = office.get("/duplicate-pairs")["items"]
    assert {pair["first_id"], pair["second_id"]} == {world.customer, other["id"]}
    assert {pair["first_name"], pair["second_name"]} == {"Lin Logistics", "Lin Logistics Ltd."}
    assert (pair["score"], pair["state"]) == (67, "open")
    assert office.get("/duplicate-pairs?least=90")["items"] == []
    http.as_(world.rep).refused("GET", "/duplicate-pairs", 403, "forbidden")

    office.post(f"/customers/{world.customer}/merge", {"other_id": other["id"]})
    assert office.get("/duplicate-pairs")["items"] == found(office, world.customer) == []
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": other["id"]})
    look(db, settings)
    assert office.get("/duplicate-pairs")["items"] == found(office, world.customer) == [], "who parts them has said it"


def test_a_dismissed_pair_stays_away_until_what_is_compared_changes(
    db: Database, settings: Settings, world: World, office: Http, other: dict[str, Any]
) -> None:
    path = f"/customers/{world.customer}/dismiss-duplicate"
    pair = office.post(path, {"other_id": other["id"]})
    assert (pair["state"], pair["decided_by"], pair["decided_at"]) == ("dismissed", world.manager, "2026-03-02T02:00:00.000Z")
    office.refused("POST", path, 409, "state_conflict", {"other_id": other["id"]})
    for side in (world.customer, other["id"]):
        assert found(office, side) == []
        assert office.get(f"/history/customer/{side}")["about"][-1]["kind"] == "customer.duplicate_dismissed"

    office.edit(f"/customers/{other['id']}", {"owner_id": None}, other["version"])
    look(db, settings)
    assert office.get("/duplicate-pairs")["items"] == found(office, world.customer) == [], "nothing of that is compared"

    office.edit(f"/customers/{other['id']}", {"phone": None}, other["version"] + 1)
    assert [row_id for row_id, _ in found(office, world.customer)] == [other["id"]]
    look(db, settings)
    [again] = office.get("/duplicate-pairs")["items"]
    assert (again["id"], again["decided_by"]) == (pair["id"], None)


def test_nobody_reads_of_a_customer_they_may_not_see(
    db: Database, settings: Settings, http: Http, world: World, office: Http, other: dict[str, Any]
) -> None:
    with db.transaction() as session:
        stranger = make_user(session, settings, "rep", "stranger").id
    office.edit(f"/customers/{other['id']}", {"owner_id": stranger}, other["version"])
    area = http.as_(world.admin).post("/territories", {"code": "B", "name": "B"}, expect=201)["id"]
    office.edit(f"/customers/{other['id']}", {"territory_id": area}, other["version"] + 1)

    assert found(http.as_(world.rep), world.customer) == []
    assert found(http.as_(stranger), other["id"]) == []
    assert [row_id for row_id, _ in found(office, world.customer)] == [other["id"]]
    for verb in ("merge", "dismiss-duplicate"):
        http.as_(stranger).refused(
            "POST", f"/customers/{other['id']}/{verb}", 422, "validation_failed", {"other_id": world.customer}
        )


@pytest.mark.parametrize("many", [1, 12])
def test_what_a_phone_brings_can_be_found_at_once(db: Database, world: World, office: Http, http: Http, many: int) -> None:
    rep = Phone(http.as_(world.rep))
    rep.pull()
    for n in range(many):
        rep.create("customers", new_customer(world, f"customer-{n:05}", name=f"鹏程{n}号物流", phone=f"138{n:08}"))
    rep.create("customers", new_customer(world, "customer-again", name="朋城0号物流", phone="13800000000"))
    rep.sync()

    assert [row_id for row_id, _ in found(office, "customer-again")] == ["customer-00000"]


def changes(office: Http, world: World, other: str) -> list[tuple[str, Callable[[], Any]]]:
    path = f"/customers/{other}"
    [yard] = office.get(f"/sites?customer_id={other}")["items"]
    return [
        ("name", lambda: office.call("PATCH", path, {"name": "Kepler Fruit"}, If_Match="*")),
        ("phone", lambda: office.call("PATCH", path, {"phone": "13800009999"}, If_Match="*")),
        ("email", lambda: office.call("PATCH", path, {"email": "a@lin.example"}, If_Match="*")),
        ("code", lambda: office.call("PATCH", path, {"credit_code": CODE}, If_Match="*")),
        ("site", lambda: office.call("POST", f"{path}/sites", {"name": "x", "lat": 1, "lon": 1, "address": "1 High St"})),
        ("address", lambda: office.call("PATCH", f"/sites/{yard['id']}", {"address": "77 Long Road"}, If_Match="*")),
        ("site gone", lambda: office.call("DELETE", f"/sites/{yard['id']}", If_Match="*")),
        ("site back", lambda: office.call("POST", f"/sites/{yard['id']}/undelete")),
        ("gone", lambda: office.call("DELETE", path, If_Match="*")),
        ("back", lambda: office.call("POST", f"{path}/undelete")),
    ]


def test_the_keys_are_those_of_the_rows_after_every_change(
    db: Database, world: World, office: Http, other: dict[str, Any]
) -> None:
    """Made anew from nothing they are the same, so no verb forgot them."""
    for what, change in changes(office, world, other["id"]):
        before = kept(db)
        assert change().status_code < 300, what
        after = kept(db)
        assert after != before, what
        with db.transaction() as session:
            session.execute(delete(CustomerKey))
            session.execute(delete(CustomerPrint))
            blocks.rekey(session, list(session.scalars(select(Customer.id))))
        assert kept(db) == after, what


def kept(db: Database) -> tuple[Any, ...]:
    with db.reading() as session:
        keys = session.execute(select(CustomerKey.customer_id, CustomerKey.key)).all()
        prints = session.execute(select(CustomerPrint.customer_id, CustomerPrint.digest)).all()
        return sorted(map(tuple, keys)), sorted(map(tuple, prints))


def test_customers_from_before_there_were_keys_get_theirs_by_the_clock(
    db: Database, settings: Settings, world: World, office: Http, other: dict[str, Any]
) -> None:
    with db.transaction() as session:
        session.execute(delete(CustomerKey))
        for row in session.scalars(select(CustomerPrint)):
            row.digest, row.searched = "", False

    look(db, settings)

    with db.reading() as session:
        assert session.scalars(select(DuplicatePair.score)).all() == [67]


def test_a_key_that_too_many_share_brings_nobody_and_a_rare_one_does(db: Database, world: World) -> None:
    many = [{"name": "鹏程物流", "territory_id": world.territory, "id": f"branch-of-{n:05}", "owner_id": None} for n in range(70)]
    with db.transaction() as session:
        customers.create_customers(session, BOSS, [{**one, "phone": f"+86138{n % 68:08}"} for n, one in enumerate(many)])

    with db.reading() as session:
        assert blocks.neighbours(session, "branch-of-00005") == []
        assert blocks.neighbours(session, "branch-of-00000") == ["branch-of-00068"]
