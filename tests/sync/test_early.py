"""RxDB sends each collection apart: a new row that comes before the one it hangs on waits for it and is not dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from app.attachments.models import Attachment
from app.core.db import Database
from app.core.settings import Settings
from app.customers.models import Customer, Site
from offline_sync import arrivals, early
from offline_sync.models import EarlyRow, SyncProblem
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import Phone
from tests.sync.rxdb_phones import RxdbPhone
from tests.sync.test_watermelon import count, new_customer, new_site, stored

NAMES = ("customers", "sites", "attachments", "sync_problems")
NEW = "customer-from-phone"


@pytest.fixture
def rep(world: World, http: Http) -> RxdbPhone:
    phone = RxdbPhone(http.as_(world.rep), names=NAMES)
    phone.sync()
    return phone


def photo(kind: str, subject: str) -> dict[str, Any]:
    about = {"subject_kind": kind, "subject_id": subject, "name": "a.jpg", "mime": "image/jpeg", "size": 3}
    return {"id": f"photo-of-{subject}", **about, "sha256": "0" * 64, "state": "waiting", "code": None, "made_at": 1}


def reasons(db: Database) -> dict[str, Any]:
    with db.reading() as session:
        return {row.row_id: row.reasons for row in session.scalars(select(SyncProblem))}


@pytest.mark.parametrize("others", [0, 9])
def test_it_is_taken_once_that_one_is_here(db: Database, world: World, rep: RxdbPhone, others: int) -> None:
    rep.create("customers", new_customer(world))
    rep.create("sites", new_site(NEW))
    for n in range(others):
        rep.create("sites", new_site(NEW, f"site-of-many-{n}"))
    rep.create("attachments", photo("site", "site-from-phone"))
    rep.create("attachments", photo("customer", NEW))
    for table in ("attachments", "sites"):
        rep.push(table)
    assert set(rep.live("sites")) >= {"site-from-phone"}, "it stays on the phone meanwhile"
    assert (count(db, EarlyRow), count(db, Attachment)) == (3 + others, 0)
    rep.push("customers")
    rep.sync()

    assert stored(db, Site, "site-from-phone").customer_id == NEW
    assert count(db, Attachment) == 2
    assert len(rep.live("sites")) == 2 + others
    assert {row["id"] for row in rep.live("attachments").values()} == {f"photo-of-{NEW}", "photo-of-site-from-phone"}
    assert (count(db, EarlyRow), reasons(db)) == (0, {})


def test_what_was_edited_while_it_waited_is_what_is_taken(db: Database, world: World, rep: RxdbPhone) -> None:
    rep.create("customers", new_customer(world))
    rep.create("sites", new_site(NEW))
    rep.push("sites")
    rep.update("sites", "site-from-phone", name="Edited since")
    rep.push("sites")
    rep.push("customers")

    assert stored(db, Site, "site-from-phone").name == "Edited since"
    assert count(db, EarlyRow) == 0


def test_what_was_deleted_while_it_waited_is_not_made(db: Database, world: World, rep: RxdbPhone) -> None:
    rep.create("customers", new_customer(world))
    rep.create("sites", new_site(NEW))
    rep.push("sites")
    rep.delete("sites", "site-from-phone")
    rep.push("sites")
    rep.sync()

    assert stored(db, Customer, NEW) is not None
    assert stored(db, Site, "site-from-phone") is None
    assert reasons(db) == {}


@pytest.mark.parametrize("first", ["sites", "customers"])
def test_it_is_refused_with_what_it_hangs_on_and_leaves_the_phone(db: Database, world: World, rep: RxdbPhone, first: str) -> None:
    rep.create("customers", new_customer(world, phone="nonsense"))
    rep.create("sites", new_site(NEW))
    rep.push(first)
    rep.sync()
    rep.sync()

    assert "site-from-phone" not in rep.live("sites")
    assert NEW not in rep.live("customers")
    assert set(reasons(db)) == {NEW, "site-from-phone"}
    assert {row["row_id"] for row in rep.live("sync_problems").values()} == {NEW, "site-from-phone"}


def test_what_is_wrong_by_itself_does_not_wait(db: Database, rep: RxdbPhone) -> None:
    rep.create("sites", new_site("customer-unknown") | {"lat": 123.0})
    rep.sync()

    assert reasons(db) == {"site-from-phone": {"lat": ["out_of_range"]}}
    assert "site-from-phone" not in rep.live("sites")


@pytest.mark.parametrize("how", ["deleted", "moved"])
def test_it_does_not_wait_for_what_its_maker_saw_and_sees_no_more(
    db: Database, world: World, http: Http, rep: RxdbPhone, how: str
) -> None:
    office = http.as_(world.admin)
    office.post("/customers", {"id": NEW, "name": "x", "territory_id": world.territory}, expect=201)
    rep.sync()
    rep.create("sites", new_site(NEW))
    if how == "deleted":
        office.call("DELETE", f"/customers/{NEW}", If_Match="*")
    else:
        far = office.post("/territories", {"code": "T-FAR", "name": "Far"}, expect=201)["id"]
        office.edit(f"/customers/{NEW}", {"territory_id": far}, 1)
    rep.sync()

    assert "site-from-phone" not in rep.live("sites")
    assert count(db, EarlyRow) == 0
    assert "site-from-phone" in reasons(db)


def test_it_does_not_wait_for_what_was_deleted_before_it_came(db: Database, world: World, rep: RxdbPhone) -> None:
    rep.create("customers", new_customer(world))
    rep.create("sites", new_site(NEW))
    rep.push("sites")
    rep.delete("customers", NEW)
    rep.push("customers")
    rep.sync()

    assert "site-from-phone" not in rep.live("sites")
    assert (count(db, EarlyRow), stored(db, Customer, NEW)) == (0, None)


def test_it_waits_for_a_month_and_not_longer(db: Database, settings: Settings, rep: RxdbPhone, clock: SetClock) -> None:
    rep.create("sites", new_site("customer-unknown"))
    rep.sync()

    def forget() -> None:
        with db.transaction() as session:
            arrivals.forget(session, settings)

    clock.advance(days=early.PATIENCE.days)
    forget()
    rep.sync()
    assert "site-from-phone" in rep.live("sites")
    clock.advance(seconds=1)
    forget()
    rep.sync()
    assert "site-from-phone" not in rep.live("sites")
    assert reasons(db) == {"site-from-phone": {"id": ["not_found"]}}


def test_a_foreign_customer_is_waited_for_like_one_that_does_not_exist(
    db: Database, world: World, http: Http, rep: RxdbPhone
) -> None:
    office = http.as_(world.admin)
    far = office.post("/territories", {"code": "T-FAR", "name": "Far"}, expect=201)["id"]
    office.post("/customers", {"id": "customer-of-others", "name": "x", "territory_id": far}, expect=201)
    found = []
    for n, customer in enumerate(("customer-of-others", "customer-of-nobody")):
        row = new_site(customer, f"site-{n}-from-phone") | {"created_at": 0, "updated_at": 0, "_deleted": False}
        answer = rep.http("POST", "/sync/rxdb/sites/push", [{"newDocumentState": row}])
        found.append((answer.status_code, answer.get_json()))
        told = office.get(f"/sync/explain?collection=sites&id={row['id']}&user={world.rep}")
        assert (told["on_phone"], told["reason"]) == (False, "waits_for_parent")

    assert found[0] == found[1] == (200, [])
    assert count(db, Site) == 1


def test_pushes_of_both_at_once_end_with_both(db: Database, world: World, rep: RxdbPhone) -> None:
    for n in range(8):
        customer, site = f"customer-at-once-{n}", f"site-at-once-{n}"
        rows = {"customers": new_customer(world, customer), "sites": new_site(customer, site)}

        def push(table: str, rows: dict[str, Any] = rows) -> int:
            row = rows[table] | {"created_at": 0, "updated_at": 0, "_deleted": False}
            return int(rep.http("POST", f"/sync/rxdb/{table}/push", [{"newDocumentState": row}]).status_code)

        assert together(lambda push=push: push("sites"), lambda push=push: push("customers")) == [200, 200]
        assert stored(db, Site, site) is not None, n
    assert count(db, EarlyRow) == 0


def test_a_problem_is_mended_when_the_phone_sends_the_row_as_it_can_be_taken(
    db: Database, world: World, http: Http, phone: Callable[..., Phone]
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world, phone="nonsense"))
    rep.sync()
    rep.update("customers", NEW, phone=None)
    rep.sync()

    [problem] = http.as_(world.manager).get("/sync/problems?state=mended")["items"]
    assert problem["row_id"] == NEW
    http.as_(world.admin).refused("POST", f"/sync/problems/{problem['id']}/replay", 409, "state_conflict", {"values": {}})
    assert [row["state"] for row in rep.rows["sync_problems"].values()] == ["mended"]
