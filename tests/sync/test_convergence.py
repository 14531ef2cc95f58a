"""Convergence: whatever phones, network and office do, nothing acknowledged is lost, and all end with the same rows.

SOAK=1 lets 50 phones work for 30 days against web processes, as `make soak` does (DAYS=<n>: fewer of them; MINUTES=<n>: no
further day begins after so long).
SEED=<n> repeats a run's choices.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.customers.models import Customer, Site
from app.factory import create_app
from tests.factories import make_world
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import LostError, Phone, Send
from tests.sync.rxdb_phones import RxdbPhone
from tests.sync.simulation import Company, Plan, SpreadHttp, Ticking
from tests.sync.test_watermelon import new_customer
from tests.sync.web_on_set_time import SharedClock, WebHttp, web_processes

SMALL = Plan(
    reps=3,
    managers=1,
    staff=2,
    areas=3,
    days=2,
    turns_a_day=4,
    operations_a_day=20,
    jobs=3,
    threads=4,
    rows=40,
    keep_days=1,
    share=4,
)
LARGE = Plan(
    reps=17, managers=2, staff=6, areas=8, days=int(os.environ.get("DAYS", "30")), turns_a_day=6, operations_a_day=200,
    jobs=18, threads=4, rows=600, keep_days=5, office=4, share=2, busy=True,
    limit_s=60 * float(os.environ.get("MINUTES", "0")),
)  # fmt: skip
SOAK = bool(os.environ.get("SOAK"))


@pytest.fixture
def clock(tmp_path: Path) -> SharedClock | Ticking:
    return SharedClock(tmp_path / "clock") if SOAK else Ticking()


@pytest.fixture
def settings(settings: Settings) -> Settings:
    # Work waits for days on a phone here: no task lapses, and nobody is locked out for asking too often.
    return replace(settings, station_lease_s=2_000_000, redeem_tries_per_minute=10_000)


@contextmanager
def servers(db: Database, url: str, settings: Settings, folder: Path) -> Iterator[Http]:
    """Several servers on one database: web processes for the soak, else instances of the application with own connections."""
    if SOAK:
        with web_processes(url, settings, folder) as port:
            web = WebHttp(None, db, settings)  # type: ignore[arg-type]
            web.port = port
            yield web
    else:
        with ExitStack() as stack:
            others = [Database(url, db.clock, pool_size=8) for _ in range(2)]
            for other in others:
                stack.callback(other.close)
            spread = SpreadHttp(create_app(settings, db), db, settings)
            spread.apps = [create_app(settings, found) for found in (db, *others)]
            yield spread


@pytest.mark.timeout(3600 if SOAK else 300)
def test_phones_of_both_protocols_end_with_the_same_rows_and_nothing_acknowledged_is_lost(
    db: Database, database_url: str, settings: Settings, clock: SharedClock | Ticking, tmp_path: Path
) -> None:
    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    began = time.monotonic()
    world = make_world(db, settings)
    with servers(db, database_url, settings, tmp_path) as http:
        company = Company(
            world, http, LARGE if SOAK else SMALL, seed,
            now_ms=lambda: to_ms(clock.now()), advance=lambda span: clock.advance(seconds=span.total_seconds()),
        )  # fmt: skip
        company.run()
        company.come_to_rest()
        company.check()
    print(f"{db.dialect}: {company.result()}; {time.monotonic() - began:.0f} s; SEED={seed}")


# What the simulation found, each as small as it gets


def test_a_value_that_came_with_the_pull_before_a_push_is_kept_in_the_journal(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep, manager = phone(world.rep), phone(world.manager)
    for one in (rep, manager):
        one.sync()
    rep.update("customers", world.customer, name="By the rep")
    manager.update("customers", world.customer, name="By the manager")
    manager.sync()
    rep.sync()  # the library pulls first, and keeps the rep's value over the one that comes

    [lost] = manager.person.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == ("By the rep", "By the manager")


def test_what_a_row_was_made_with_is_kept_in_the_journal_when_an_upgraded_app_overwrites_it_unseen(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep, manager = phone(world.rep), phone(world.manager)
    rep.pull()
    rep.create("customers", new_customer(world) | {"email": "by.the.rep@example.test"})
    rep.sync()
    manager.sync()
    manager.update("customers", "customer-from-phone", email="by.the.manager@example.test")  # in a column new to this app
    manager.http("POST", f"/sync/watermelon?last_pulled_at={manager.cursor}&seen=0", manager.changes())

    [lost] = manager.person.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == ("by.the.manager@example.test", "by.the.rep@example.test")


def test_an_old_push_that_is_late_does_not_undo_a_newer_one_of_the_same_phone(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep = phone(world.rep)
    rep.sync()
    rep.update("customers", world.customer, name="First")
    old, cursor = rep.changes(), rep.cursor
    rep.sync()
    rep.update("customers", world.customer, name="Second")
    rep.sync()
    rep.http("POST", f"/sync/watermelon?last_pulled_at={cursor}", old)
    rep.sync()

    assert rep.rows["customers"][world.customer]["name"] == "Second"


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_a_creation_that_is_late_does_not_undo_what_its_phone_edited_since_without_a_trace(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    late: list[Send] = []

    def network(send: Send) -> Any:
        if send.__name__ == "send" and not late:
            late.append(send)
            raise LostError("request")
        return send()

    rep = kind(http.as_(world.rep), network=network)
    rep.pull() if kind is Phone else rep.pull("customers")
    rep.create("customers", new_customer(world, name="Made"))
    with suppress(LostError):
        rep.sync()
    rep.update("customers", "customer-from-phone", name="Edited")
    rep.sync()
    late[0]()
    rep.sync()

    lost = http.as_(world.manager).get("/sync/conflicts")["items"]
    assert "Edited" in {rep.live("customers")["customer-from-phone"]["name"], *(one["lost"] for one in lost)}


def test_no_site_is_made_in_a_customer_that_is_just_being_deleted(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    office = http.as_(world.manager)
    for _ in range(8):
        customer = office.post("/customers", {"name": "x", "territory_id": world.territory}, expect=201)
        path = f"/customers/{customer['id']}"
        together(
            *(partial(office.call, "POST", f"{path}/sites", {"name": f"s{i}", "lat": 1, "lon": 1}) for i in range(3)),
            partial(office.call, "DELETE", path, If_Match="*"),
        )
    with db.reading() as session:
        orphans = select(Site.id).join(Customer).where(Site.deleted_at.is_(None), Customer.deleted_at.is_not(None))
        assert session.scalars(orphans).all() == []


def test_two_people_who_share_a_device_do_not_overwrite_each_other_without_a_trace(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep, manager = phone(world.rep, name="one-device"), phone(world.manager, name="one-device")
    for one in (rep, manager):
        one.sync()
    rep.update("customers", world.customer, name="By the rep")
    manager.update("customers", world.customer, name="By the manager")
    for one in (rep, manager):
        one.sync()

    [lost] = manager.person.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == ("By the manager", "By the rep")


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_a_deletion_that_arrives_again_does_not_undo_the_offices_undelete_but_a_new_one_deletes(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    sent: list[Send] = []

    def network(send: Send) -> Any:
        sent.append(send)
        return send()

    rep, office = kind(http.as_(world.rep), network=network), http.as_(world.manager)
    rep.sync()
    customer = new_customer(world)
    rep.create("customers", customer)
    rep.sync()
    rep.delete("customers", customer["id"])
    sent.clear()
    rep.sync()
    office.post(f"/customers/{customer['id']}/undelete")
    for send in sent:
        send()
    rep.sync()

    assert customer["id"] in rep.live("customers")
    rep.delete("customers", customer["id"])
    rep.sync()
    office.refused("GET", f"/customers/{customer['id']}", 404, "not_found")


def test_pushes_of_the_same_rows_do_not_wait_for_each_other_in_a_circle(
    db: Database, settings: Settings, phone: Callable[..., Phone], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.core.http._DEADLOCK_TRIES", 1)
    world = make_world(db, settings)
    rep, manager = phone(world.rep), phone(world.manager)
    rep.pull()
    ids = [f"customer-{n:04}" for n in range(40)]
    for row_id in ids:
        rep.create("customers", new_customer(world, row_id))
    for one in (rep, manager):
        one.sync()
    for n in range(3):
        for one, order in ((rep, ids), (manager, ids[::-1])):
            for row_id in order:
                one.update("customers", row_id, name=f"{one.name} {n}")
        for found in together(rep.push, manager.push):
            assert found is True, found


def test_a_column_that_an_upgrade_brought_and_that_is_filled_before_the_next_pull_loses_nothing(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    manager = phone(world.manager)
    manager.pull()
    manager.create("customers", new_customer(world, email="first@example.test"))
    manager.sync()
    rep = phone(world.rep, lacks={"customers": {"email"}})
    rep.sync()
    rep.upgrade()
    rep.update("customers", "customer-from-phone", email="second@example.test")
    rep.sync()

    [lost] = manager.person.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == ("second@example.test", "first@example.test")


def add_field(office: Http, key: str = "grade") -> None:
    office.post("/custom-fields", {"key": key, "kind": "text", "label_zh": "级别", "label_en": "Grade"}, expect=201)


def test_a_name_that_was_edited_together_with_a_key_is_kept_in_the_journal_when_somebody_overwrites_it_unseen(
    db: Database, settings: Settings, http: Http, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.manager)
    add_field(office)
    rep, manager = phone(world.rep), phone(world.manager)
    for one in (rep, manager):
        one.pull()
    rep.update("customers", world.customer, name="By the rep", custom='{"grade": "A", "_changed": ["grade"]}')
    manager.update("customers", world.customer, name="By the manager")
    rep.sync()
    assert office.get(f"/customers/{world.customer}")["version"] == 2, "one edit is one version"
    manager.sync()

    lost = {(one["kept"], one["lost"]) for one in office.get("/sync/conflicts")["items"]}
    assert lost == {("By the manager", "By the rep")}


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_a_key_that_is_sent_again_beside_a_new_one_does_not_undo_what_came_between(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    office, lost = http.as_(world.manager), [True]
    for key in ("grade", "branch"):
        add_field(office, key)

    def network(send: Send) -> Any:
        answer = send()
        if send.__name__ == "send" and lost:
            lost.clear()
            raise LostError("answer")
        return answer

    rep = kind(http.as_(world.rep), network=network)
    rep.pull() if kind is Phone else rep.pull("customers")
    rep.update("customers", world.customer, custom='{"grade": "A", "_changed": ["grade"]}')
    with suppress(LostError):
        rep.sync()
    seen = office.get(f"/customers/{world.customer}")
    assert seen["custom"] == {"grade": "A"}
    office.edit(f"/customers/{world.customer}", {"custom": {"grade": "B"}}, seen["version"])
    rep.update("customers", world.customer, custom='{"grade": "A", "branch": "retail", "_changed": ["branch", "grade"]}')
    rep.sync()

    assert office.get(f"/customers/{world.customer}")["custom"] == {"grade": "B", "branch": "retail"}


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_a_lead_that_was_made_and_given_back_offline_leaves_the_phone(
    db: Database, settings: Settings, http: Http, kind: type[Any]
) -> None:
    world = make_world(db, settings)
    more = {} if kind is Phone else {"names": ("intents", "leads", "pool_leads")}
    rep = kind(http.as_(world.rep), **more)
    rep.sync()
    rep.create("leads", {"id": "lead-00000001", "name": "Li", "phone": "13900139000", "interest": "a crane"})
    rep.intend("intent-00000001", "lead.give_back", '{"lead_id": "lead-00000001", "reason": "too far"}')
    rep.sync()
    rep.sync()

    assert rep.live("intents")["intent-00000001"]["verdict"] == "accepted"
    assert rep.live("leads") == {}


def test_a_contact_that_was_made_in_a_customer_which_its_push_deletes_leaves_the_phone(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.sync()
    rep.create("contacts", {"id": "contact-0001", "customer_id": "customer-from-phone", "name": "Wang", "do_not_call": False})
    rep.delete("customers", "customer-from-phone")
    rep.sync()

    assert rep.rejected == {}
    assert rep.live("contacts") == {}


def test_a_key_that_came_for_a_merged_customer_is_kept_in_the_journal_when_somebody_overwrites_it_after_the_parting(
    db: Database, settings: Settings, http: Http, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.manager)
    add_field(office)
    values = {"id": "customer-other", "name": "Lin Ltd.", "territory_id": world.territory, "owner_id": world.rep}
    office.post("/customers", values, expect=201)
    rep, manager = phone(world.rep), phone(world.manager)
    for one in (rep, manager):
        one.pull()
    rep.update("customers", "customer-other", custom='{"grade": "A", "_changed": ["grade"]}')
    manager.update("customers", "customer-other", custom='{"grade": "B", "_changed": ["grade"]}')
    office.post(f"/customers/{world.customer}/merge", {"other_id": "customer-other"})
    rep.push()
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": "customer-other"})
    manager.push()

    assert office.get("/customers/customer-other")["custom"] == {"grade": "B"}
    assert [(one["kept"], one["lost"]) for one in office.get("/sync/conflicts")["items"]] == [("B", "A")]


def test_an_edit_that_was_refused_and_put_right_has_still_not_seen_what_came_with_the_pull_before(
    db: Database, settings: Settings, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    rep, manager = phone(world.rep), phone(world.manager)
    for one in (rep, manager):
        one.pull()
    rep.update("customers", world.customer, name="By the rep", phone="nonsense")
    manager.update("customers", world.customer, name="By the manager")
    manager.sync()
    rep.sync()
    assert rep.rejected == {"customers": [world.customer]}
    rep.update("customers", world.customer, phone="+8613800000001")
    rep.sync()

    [lost] = manager.person.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == ("By the rep", "By the manager")


def test_a_name_of_a_lead_is_kept_in_the_journal_when_somebody_overwrites_it_unseen(
    db: Database, settings: Settings, http: Http, phone: Callable[..., Phone]
) -> None:
    world = make_world(db, settings)
    office = http.as_(world.manager)
    lead = http.as_(world.rep).post("/leads", {"name": "Li", "phone": "13900139000", "interest": "a crane"}, expect=201)
    rep = phone(world.rep)
    rep.pull()
    rep.update("leads", lead["id"], name="By the rep")
    office.edit(f"/leads/{lead['id']}", {"name": "By the office"}, lead["version"])
    assert office.get(f"/leads/{lead['id']}")["version"] == lead["version"] + 1, "one edit is one version"
    rep.sync()

    [lost] = office.get("/sync/conflicts")["items"]
    assert (lost["kept"], lost["lost"]) == ("By the rep", "By the office")
