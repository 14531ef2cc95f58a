"""Contacts on phones: made and edited offline, merged by field, with the scheme of roles and the people met at visits."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.contacts.schemes import DEFAULT, install_default_scheme
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.test_check_ins import WINDOW

Phones = Callable[..., Phone]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    made = make_world(db, settings)
    with db.transaction() as session:
        install_default_scheme(session)
    return made


def test_contacts_and_relations_made_offline_arrive_in_one_push(world: World, phone: Phones, http: Http) -> None:
    device = phone(world.rep)
    device.pull()
    device.create(
        "contact_relations",
        {"id": "relation-0001", "from_id": "contact-0001", "to_id": "contact-0002", "kind": "knows", "strength": 4},
    )
    for n, name in ((1, "王芳"), (2, "Li")):
        row = {"id": f"contact-000{n}", "customer_id": world.customer, "name": name, "phone": "13800001111", "do_not_call": False}
        device.create("contacts", row)
    device.sync()
    device.sync()

    assert device.live("contacts")["contact-0001"]["phone"] == "+8613800001111"
    assert device.live("contact_relations")["relation-0001"]["customer_id"] == world.customer
    graph = http.as_(world.rep).get(f"/customers/{world.customer}/relations")
    assert len(graph["nodes"]) == 2
    assert device.live("sync_problems") == {}


def test_two_phones_that_edit_different_fields_of_one_contact_keep_both(
    world: World, phone: Phones, http: Http, clock: SetClock
) -> None:
    rep = http.as_(world.rep)
    row = rep.post(f"/customers/{world.customer}/contacts", {"name": "Wang"}, expect=201)["id"]
    one, other = phone(world.rep), phone(world.manager)
    one.pull()
    other.pull()
    left = to_ms(clock.now())
    one.update("contacts", row, job_title="director", left_at=left)
    other.update("contacts", row, phone="13800001111", do_not_call=True)
    one.sync()
    other.sync()
    one.sync()

    seen = rep.get(f"/contacts/{row}")
    assert (seen["job_title"], seen["phone"], seen["do_not_call"]) == ("director", "+8613800001111", True)
    assert one.live("contacts")[row]["left_at"] == left
    assert one.live("contacts")[row] == other.live("contacts")[row]


def test_the_weights_of_roles_reach_phones_and_change_with_the_version(world: World, phone: Phones, http: Http) -> None:
    device, owner = phone(world.rep), phone(world.owner)
    device.sync()
    owner.sync()
    [first] = device.live("contact_schemes").values()
    assert json.loads(first["document"]) == DEFAULT
    boss = http.as_(world.manager)
    changed = {"roles": DEFAULT["roles"][:2], "relations": DEFAULT["relations"]}
    draft = boss.post("/contact-schemes", {"document": changed}, expect=201)["id"]
    device.sync()
    assert len(device.live("contact_schemes")) == 1
    boss.post(f"/contact-schemes/{draft}/activate")
    device.sync()
    [second] = device.live("contact_schemes").values()
    assert (json.loads(second["document"]), second["number"]) == (changed, 2)
    assert "contact_schemes" not in owner.rows or owner.live("contact_schemes") == {}


def test_a_role_that_nobody_set_becomes_a_problem_and_nothing_is_lost(world: World, phone: Phones) -> None:
    device = phone(world.rep)
    device.pull()
    device.create("contacts", {"id": "contact-0001", "customer_id": world.customer, "name": "Wang", "role": "emperor"})
    device.sync()
    device.sync()
    [problem] = device.live("sync_problems").values()
    assert "role" in problem["reasons"]


def test_people_met_offline_are_told_with_the_visit_and_confirmed_there(world: World, phone: Phones, http: Http) -> None:
    device = phone(world.rep)
    device.pull()
    rows = [
        ("visit.plan", {"id": "visit-00000001", "site_id": world.site, **WINDOW}),
        ("visit.participants", {"visit_id": "visit-00000001", "participants": [{"name": "Zhang", "phone": "13800002222"}]}),
        ("visit.participants", {"visit_id": "visit-00000001", "participants": [{"name": "Zhang"}]}),
    ]
    for n, (kind, body) in enumerate(rows):
        device.create("intents", {"id": f"intent-{n:08}", "kind": kind, "body": json.dumps(body), "made_at": 0})
        device.sync()
    device.sync()
    [proposed] = device.live("contacts").values()
    assert (proposed["name"], proposed["state"]) == ("Zhang", "proposed")
    for n, kind in enumerate(("contact.confirm", "contact.reject")):
        body = json.dumps({"contact_id": proposed["id"]})
        device.create("intents", {"id": f"decide-{n:08}", "kind": kind, "body": body, "made_at": 0})
    device.sync()
    device.sync()
    verdicts = [device.rows["intents"][f"decide-{n:08}"]["verdict"] for n in range(2)]
    assert verdicts == ["accepted", "rejected"]
    assert device.live("contacts")[proposed["id"]]["state"] == "confirmed"


def test_a_contact_of_a_customer_that_goes_to_another_rep_leaves_the_phone(world: World, phone: Phones, http: Http) -> None:
    rep, boss = http.as_(world.rep), http.as_(world.manager)
    row = rep.post(f"/customers/{world.customer}/contacts", {"name": "Wang"}, expect=201)["id"]
    device, owner = phone(world.rep), phone(world.owner)
    device.sync()
    owner.sync()
    assert row in device.live("contacts")
    assert row not in owner.rows.get("contacts", {})
    north = http.as_(world.admin).post("/territories", {"code": "N", "name": "North"}, expect=201)["id"]
    boss.edit(f"/customers/{world.customer}", {"territory_id": north, "owner_id": None}, 1)
    device.sync()
    assert device.live("contacts") == {}


def test_what_a_phone_edits_of_a_contact_that_was_merged_reaches_the_one_it_is_now(
    world: World, phone: Phones, http: Http
) -> None:
    rep = http.as_(world.rep)
    keeper, twin = (
        rep.post(f"/customers/{world.customer}/contacts", {"name": name}, expect=201)["id"] for name in ("Wang", "Wang Fang")
    )
    device = phone(world.rep)
    device.sync()
    device.update("contacts", twin, phone="13800001111", note="calls back on Fridays")
    rep.post(f"/contacts/{keeper}/merge", {"other_id": twin})
    device.push()
    device.sync()
    assert list(device.live("contacts")) == [keeper]
    assert (device.live("contacts")[keeper]["phone"], device.live("contacts")[keeper]["note"]) == (
        "+8613800001111", "calls back on Fridays",
    )  # fmt: skip
    assert device.live("sync_problems") == {}


def test_two_records_of_one_person_are_merged_from_a_phone_once(world: World, phone: Phones, http: Http) -> None:
    rep = http.as_(world.rep)
    keeper, twin = (
        rep.post(f"/customers/{world.customer}/contacts", {"name": name}, expect=201)["id"] for name in ("Wang", "Wang!")
    )
    device = phone(world.rep)
    device.sync()
    for n in range(2):
        body = json.dumps({"contact_id": keeper, "other_id": twin})
        device.create("intents", {"id": f"merge-{n:08}", "kind": "contact.merge", "body": body, "made_at": 0})
        device.sync()
    assert [device.rows["intents"][f"merge-{n:08}"]["verdict"] for n in range(2)] == ["accepted", "rejected"]
    assert list(device.live("contacts")) == [keeper]
