"""WatermelonDB's protocol on the wire, trap by trap; the numbers are those of docs/sync-traps.md."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from app.assets.models import Asset
from app.core.clock import to_ms
from app.core.db import Database
from app.core.scopes import begin_history_anew, forget_removals
from app.core.tracked import touch
from app.customers.models import Customer, Site
from offline_sync import changes
from offline_sync.models import Intent, Receipt, SyncConflict, SyncProblem
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http
from tests.races.together import together
from tests.sync.phones import BadNetwork, LostError, Phone
from tests.sync.rxdb_phones import RxdbPhone

Phones = Callable[..., Phone]


def stored(db: Database, model: Any, row_id: str) -> Any:
    with db.reading() as session:
        return session.get(model, row_id)


def count(db: Database, model: Any) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def new_customer(world: World, row_id: str = "customer-from-phone", **values: Any) -> dict[str, Any]:
    row = {"id": row_id, "code": "", "name": "From a phone", "phone": None, "email": None, "territory_id": world.territory}
    return row | {"owner_id": None} | values


def new_site(customer: str, row_id: str = "site-from-phone") -> dict[str, Any]:
    return {"id": row_id, "customer_id": customer, "name": "Yard", "address": "", "lat": 22.5, "lon": 114.0}


def test_a_first_sync_holds_what_the_person_may_see_and_no_removals(world: World, phone: Phones) -> None:
    rep = phone(world.rep)

    answer = rep.http("GET", "/sync/watermelon?last_pulled_at=null&schema_version=1&migration=null").get_json()

    assert set(answer["changes"]) >= {"customers", "sites", "assets", "intents", "sync_problems"}
    assert [row["id"] for row in answer["changes"]["customers"]["updated"]] == [world.customer]
    assert not any(lists["deleted"] or lists["created"] for lists in answer["changes"].values())


@pytest.mark.parametrize("cursor", ["", "null", "0", "undefined"])
def test_every_way_to_say_never_is_a_first_sync(world: World, phone: Phones, cursor: str) -> None:
    answer = phone(world.rep).http("GET", f"/sync/watermelon?last_pulled_at={cursor}").get_json()

    assert answer["changes"]["customers"]["updated"]
    assert answer["experimentalStrategy"] == "replacement"


def test_an_empty_server_hands_out_a_cursor_that_the_first_row_comes_after(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    before = rep.cursor
    rep.create("customers", new_customer(world))
    rep.sync()

    assert before is not None
    assert rep.cursor is not None
    assert rep.cursor > before


def push_as_it_stands(rep: Phone, raw: str) -> Any:
    """Push a body byte for byte: the test client sorts the keys of an object that it is given."""
    return rep.person.app.test_client().post(
        f"/api/v1/sync/watermelon?last_pulled_at={rep.cursor}", data=raw, content_type="application/json",
        headers={"Authorization": f"Bearer {rep.person.token}", "X-Installation": rep.name},
    )  # fmt: skip


@pytest.mark.parametrize("order", [("sites", "customers"), ("customers", "sites")], ids="-".join)
def test_what_is_made_offline_is_stored_whatever_the_order_of_parent_and_child(
    db: Database, world: World, phone: Phones, order: tuple[str, str]
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("sites", new_site("customer-from-phone"))
    rep.create("customers", new_customer(world))
    sent = rep.changes()
    answer = push_as_it_stands(rep, json.dumps({table: sent[table] for table in order}))
    assert answer.get_json() == {"experimentalRejectedIds": {}}
    rep.sync()

    customer = stored(db, Customer, "customer-from-phone")
    assert customer.owner_id == world.rep
    assert customer.code.startswith("C-")
    assert stored(db, Site, "site-from-phone").customer_id == customer.id
    assert rep.rows["customers"][customer.id]["code"] == customer.code
    assert not rep.rejected


def test_the_same_push_again_makes_nothing_twice_and_undoes_nothing(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world))
    sent = rep.changes()
    for _ in range(2):
        assert rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", sent).status_code == 200
    http.as_(world.manager).edit("/customers/customer-from-phone", {"name": "By the manager"}, 1)
    rep.sync()

    assert stored(db, Customer, "customer-from-phone").name == "By the manager"
    assert rep.rows["customers"]["customer-from-phone"]["name"] == "By the manager"
    assert count(db, SyncConflict) == 0


def test_a_lost_answer_to_a_creation_and_an_edit_since_keep_both_sides(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", rep.changes())  # the answer is lost
    http.as_(world.manager).edit("/customers/customer-from-phone", {"email": "office@example.test"}, 1)
    rep.update("customers", "customer-from-phone", name="Edited since")
    rep.sync()

    customer = stored(db, Customer, "customer-from-phone")
    assert (customer.name, customer.email) == ("Edited since", "office@example.test")
    assert rep.rows["customers"][customer.id]["email"] == "office@example.test"


def test_two_people_edit_different_fields_and_both_stay(db: Database, world: World, phone: Phones) -> None:
    one, two = phone(world.rep), phone(world.manager)
    one.pull()
    two.pull()
    one.update("customers", world.customer, name="New name")
    two.update("customers", world.customer, phone="+8613800138000")
    one.push()
    two.push()

    customer = stored(db, Customer, world.customer)
    assert (customer.name, customer.phone) == ("New name", "+8613800138000")
    one.pull()
    two.pull()
    assert one.rows["customers"] == two.rows["customers"]
    assert count(db, SyncConflict) == 0


def test_two_people_edit_one_field_the_last_to_arrive_is_kept_and_the_other_can_be_restored(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    one, two = phone(world.rep), phone(world.manager)
    one.pull()
    two.pull()
    one.update("customers", world.customer, name="First")
    two.update("customers", world.customer, name="Second")
    one.push()
    two.push()
    assert stored(db, Customer, world.customer).name == "Second"

    manager = http.as_(world.manager)
    [conflict] = manager.get("/sync/conflicts")["items"]
    assert (conflict["field"], conflict["kept"], conflict["lost"]) == ("name", "Second", "First")
    manager.post(f"/sync/conflicts/{conflict['id']}/restore")
    manager.refused("POST", f"/sync/conflicts/{conflict['id']}/restore", 409, "state_conflict")

    one.sync()
    two.sync()
    assert one.rows["customers"][world.customer]["name"] == "First"
    assert two.rows["customers"][world.customer]["name"] == "First"


def test_a_repeated_push_does_not_undo_what_came_between(db: Database, world: World, phone: Phones, http: Http) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.update("customers", world.customer, name="From the phone")
    sent, cursor = rep.changes(), rep.cursor
    rep.http("POST", f"/sync/watermelon?last_pulled_at={cursor}", sent)
    http.as_(world.manager).edit(f"/customers/{world.customer}", {"name": "Since then"}, 2)
    rep.http("POST", f"/sync/watermelon?last_pulled_at={cursor}", sent)

    assert stored(db, Customer, world.customer).name == "Since then"
    rep.sync()
    assert rep.rows["customers"][world.customer]["name"] == "Since then"


def test_a_deletion_wins_over_an_edit_which_is_kept_and_can_be_brought_back(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep, other = phone(world.rep), phone(world.manager)
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.create("sites", new_site("customer-from-phone"))
    rep.sync()
    other.pull()
    other.update("sites", "site-from-phone", address="Gate 7")
    rep.delete("customers", "customer-from-phone")
    rep.sync()
    other.push()
    other.pull()

    assert stored(db, Site, "site-from-phone").deleted_at is not None
    assert "site-from-phone" not in other.rows["sites"]
    assert "customer-from-phone" not in other.rows["customers"]
    manager = http.as_(world.manager)
    [lost] = manager.get("/sync/conflicts")["items"]
    assert (lost["field"], lost["lost"]) == ("", {"address": "Gate 7"})
    manager.post("/customers/customer-from-phone/undelete")
    manager.post(f"/sync/conflicts/{lost['id']}/restore")  # it lives again: only what was edited is written
    rep.sync()
    assert rep.rows["sites"]["site-from-phone"]["name"] == "Yard"
    assert rep.rows["sites"]["site-from-phone"]["address"] == "Gate 7"


def test_who_holds_an_old_value_for_the_servers_overwrites_what_stands_there_with_a_trace(
    db: Database, world: World, phone: Phones
) -> None:
    """A repeat changes nothing, but its phone takes it for stored; what it edits before it pulls again, it edits blindly."""
    rep, other = phone(world.rep), phone(world.manager)
    rep.pull()
    rep.update("customers", world.customer, name="One")
    before_push = rep.snapshot()
    rep.push()
    rep.go_back(before_push)
    other.pull()
    other.update("customers", world.customer, name="Two")
    other.push()
    rep.pull()
    rep.push()
    rep.update("customers", world.customer, name="Three")
    rep.pull()
    rep.push()

    assert stored(db, Customer, world.customer).name == "Three"
    with db.reading() as session:
        [lost] = session.scalars(select(SyncConflict))
    assert (lost.field, lost.kept, lost.lost) == ("name", "Three", "Two")

    rep.pull()
    rep.update("customers", world.customer, name="Four")
    rep.sync()
    with db.reading() as session:
        assert len(session.scalars(select(SyncConflict)).all()) == 1, "it has seen what it replaced"


def test_created_synced_deleted_and_synced_again_stays_away(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.push()
    rep.delete("customers", "customer-from-phone")
    rep.sync()
    rep.sync()

    assert "customer-from-phone" not in rep.rows["customers"]
    assert stored(db, Customer, "customer-from-phone").deleted_at is not None


def test_an_edit_whose_answer_was_lost_is_no_conflict_with_itself_when_blanks_were_trimmed(
    db: Database, world: World, phone: Phones
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.update("customers", world.customer, name=" With blanks ", phone="138 0013 8000")
    rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", rep.changes())  # the answer is lost
    rep.sync()

    customer = stored(db, Customer, world.customer)
    assert (customer.name, customer.phone, customer.version) == ("With blanks", "+8613800138000", 2)
    assert rep.rows["customers"][world.customer]["name"] == "With blanks"
    assert count(db, SyncConflict) == 0


@pytest.mark.parametrize("others", [0, 9])
def test_who_deletes_a_row_that_never_was_keeps_nobody_else_from_its_id(
    db: Database, world: World, phone: Phones, others: int
) -> None:
    eve, rep = phone(world.manager), phone(world.rep)
    eve.pull()
    rep.pull()
    guessed = {"customers": {"created": [], "updated": [], "deleted": ["customer-from-phone"]}}
    assert eve.http("POST", f"/sync/watermelon?last_pulled_at={eve.cursor}", guessed).status_code == 200
    for row_id in ("customer-from-phone", *(f"customer-{n:04}" for n in range(others))):
        rep.create("customers", new_customer(world, row_id))
    rep.sync()

    assert stored(db, Customer, "customer-from-phone").deleted_at is None
    assert len(rep.rows["customers"]) == others + 2


@pytest.mark.parametrize("others", [0, 9])
def test_a_creation_that_arrives_after_its_deletion_does_not_rise(db: Database, world: World, phone: Phones, others: int) -> None:
    rep = phone(world.rep)
    rep.pull()
    for row_id in ("customer-from-phone", *(f"customer-{n:04}" for n in range(others))):
        rep.create("customers", new_customer(world, row_id))
    late, cursor = rep.changes(), rep.cursor
    rep.delete("customers", "customer-from-phone")
    rep.sync()
    rep.http("POST", f"/sync/watermelon?last_pulled_at={cursor}", late)

    assert stored(db, Customer, "customer-from-phone") is None


def test_a_bad_row_is_kept_once_with_reasons_in_the_persons_language_and_the_rest_lands(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep = phone(world.rep)  # reads Chinese
    rep.pull()
    rep.create("customers", new_customer(world, "good-customer-1"))
    rep.create("customers", new_customer(world, "bad-customer-1", phone="not a number", name=""))
    for _ in range(3):
        rep.sync()

    assert stored(db, Customer, "good-customer-1") is not None
    assert stored(db, Customer, "bad-customer-1") is None
    assert rep.rejected == {"customers": ["bad-customer-1"]}
    [problem] = rep.rows["sync_problems"].values()
    assert json.loads(problem["reasons"]) == {"name": "必填", "phone": "不是有效的电话号码"}
    assert json.loads(problem["content"])["phone"] == "not a number"

    manager = http.as_(world.manager)
    [seen] = manager.get("/sync/problems?state=open")["items"]
    manager.refused("POST", f"/sync/problems/{seen['id']}/replay", 422, "validation_failed", {"values": {"name": "Named"}})
    manager.post(f"/sync/problems/{seen['id']}/replay", {"values": {"name": "Named", "phone": None}})
    assert stored(db, Customer, "bad-customer-1").owner_id == world.rep
    rep.sync()
    assert not rep.rejected
    assert rep.rows["customers"]["bad-customer-1"]["name"] == "Named"
    assert rep.rows["sync_problems"][problem["id"]]["state"] == "replayed"


POISON = [
    {"id": "x" * 200}, {"id": "../../etc"}, {"id": None}, {"id": 5}, {"id": {}}, {"id": ["x"]},
    {"id": "nul\x00nul1"}, {"name": "nul\x00"},
    {"name": "\ud800"},
    {"name": {"deep": [1]}}, {"name": 10**400}, {"name": "x" * 5000}, {"email": "none"}, {"territory_id": "not-there"},
    {"territory_id": 7}, {"code": ["x"]},
]  # fmt: skip


@pytest.mark.parametrize("poison", POISON, ids=lambda found: json.dumps(found)[:30])
def test_no_poison_stops_the_other_rows(db: Database, world: World, phone: Phones, poison: dict[str, Any]) -> None:
    rep = phone(world.rep)
    rep.pull()
    rows = [
        new_customer(world, "good-customer-1"),
        new_customer(world, "bad-customer-1") | poison,
        new_customer(world, "good-2-2"),
    ]
    answer = rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", {"customers": {"created": rows}})

    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert stored(db, Customer, "good-customer-1") is not None
    assert stored(db, Customer, "good-2-2") is not None
    assert count(db, SyncProblem) == 1
    rep.pull()
    assert len(rep.rows["sync_problems"]) == 1


@pytest.mark.parametrize(
    "poison",
    [
        {"customers": {"created": [{"id": "half\ud800half"}]}},
        {"customers": {"deleted": ["half\ud800half"]}},
        {"customers": {"deleted": [{}]}},
        {"customers": {"deleted": [["a-list"]]}},
        {"sites": {"created": [{"id": "bad-site-1", "name": "", "customer_id": {}}]}},
        {"customers\ud800": {"created": [{"id": "bad-customer-1"}]}},
        {"customers\x00": {"created": [{"id": "bad-customer-1"}]}},
        {"sites": {"updated": [{"id": "bad-site-1", "name": "", "_changed": "name,\ud800"}]}},
    ],
    ids=lambda found: json.dumps(found)[:50],
)
def test_no_half_character_stops_the_other_rows(
    db: Database, world: World, phone: Phones, poison: dict[str, dict[str, list[Any]]]
) -> None:
    rep = phone(world.rep)
    rep.pull()
    created = {"customers": {"created": [new_customer(world, "good-customer-1")]}}
    for _ in range(2):
        for body in (poison, created):
            answer = rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", body)
            assert answer.status_code == 200, answer.get_data(as_text=True)

    assert stored(db, Customer, "good-customer-1") is not None
    assert count(db, SyncProblem) == 1
    rep.pull()
    assert len(rep.rows["sync_problems"]) == 1


def test_a_problem_too_long_to_be_kept_whole_is_not_taken_again_and_can_be_dismissed(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep = phone(world.rep)
    rep.pull()
    long = new_customer(world, "bad-customer-1", name="") | {"memo": "x" * 15_000, "more": "y" * 15_000}
    rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", {"customers": {"created": [long]}})

    manager = http.as_(world.manager)
    [seen] = manager.get("/sync/problems?state=open")["items"]
    manager.refused("POST", f"/sync/problems/{seen['id']}/replay", 422, "validation_failed", {"values": {"name": "Named"}})
    assert manager.post(f"/sync/problems/{seen['id']}/dismiss")["state"] == "dismissed"


def test_fields_of_a_row_do_not_pass_for_what_the_problem_says_of_it(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep = phone(world.rep)
    rep.pull()
    odd = new_customer(world, "bad-customer-1", name="") | {"deleted": True, "claimed": 5, "as_text": "x"}
    rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", {"customers": {"created": [odd]}})

    manager = http.as_(world.manager)
    [seen] = manager.get("/sync/problems?state=open")["items"]
    manager.post(f"/sync/problems/{seen['id']}/replay", {"values": {"name": "Named"}})
    assert stored(db, Customer, "bad-customer-1").name == "Named"


@pytest.mark.parametrize("protocol", ["watermelon", "rxdb"])
def test_a_refused_deletion_is_told_each_time_it_is_tried_and_closed_once_it_is_taken(
    world: World, phone: Phones, http: Http, protocol: str
) -> None:
    office = http.as_(world.manager)
    rep: Any = phone(world.rep)
    if protocol == "rxdb":
        rep = RxdbPhone(http.as_(world.rep), names=("customers", "sync_problems"))
    rep.sync()
    rep.create("customers", new_customer(world))
    rep.sync()
    step = {"kind": "call", "customer_id": "customer-from-phone", "next_step": "ring again", "next_due": "2026-03-05"}
    asked = office.post("/follow-ups", step, expect=201)["id"]

    def dropped() -> tuple[bool, list[tuple[str, str]]]:
        rep.delete("customers", "customer-from-phone")
        for _ in range(2):
            rep.sync()
        told = [(row["state"], row["reasons"]) for row in rep.live("sync_problems").values()]
        return "customer-from-phone" in rep.live("customers"), told

    there, [(state, why)] = dropped()
    assert (there, state) == (True, "open")
    assert dropped() == (True, [("open", why)]), "one problem while it is open"
    for _ in range(2):
        [problem] = office.get("/sync/problems?state=open")["items"]
        office.post(f"/sync/problems/{problem['id']}/dismiss")
        rep.sync()
        assert [row["state"] for row in rep.live("sync_problems").values()] == ["dismissed"]
        assert dropped() == (True, [("open", why)])
    office.post(f"/follow-ups/{asked}/done", {})
    assert dropped() == (False, [("mended", why)])
    office.post("/customers/customer-from-phone/undelete")
    rep.sync()
    office.post("/follow-ups", step, expect=201)
    assert dropped() == (True, [("open", why)])


def test_a_deletion_closes_no_problem_of_an_edit_and_what_the_phone_sends_on_stays_dismissed(
    world: World, phone: Phones, http: Http
) -> None:
    office, rep = http.as_(world.manager), phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.sync()
    rep.update("customers", "customer-from-phone", phone="nonsense")
    rep.sync()
    [problem] = office.get("/sync/problems?state=open")["items"]
    office.post(f"/sync/problems/{problem['id']}/dismiss")
    rep.sync()
    assert [row["state"] for row in rep.rows["sync_problems"].values()] == ["dismissed"], "the row waits on, as it was"
    rep.update("customers", "customer-from-phone", phone=None)
    rep.sync()
    rep.update("customers", "customer-from-phone", phone="no number")
    rep.sync()
    rep.delete("customers", "customer-from-phone")
    rep.sync()
    assert sorted(row["state"] for row in rep.rows["sync_problems"].values()) == ["dismissed", "open"]


def test_people_who_share_a_phone_have_a_problem_each_with_the_same_row(db: Database, world: World, phone: Phones) -> None:
    phones = [phone(world.rep, name="shared-phone-1"), phone(world.manager, name="shared-phone-1")]
    for one in phones:
        one.pull()
        one.http("POST", f"/sync/watermelon?last_pulled_at={one.cursor}", {"customers": {"created": [{"id": "bad-customer-1"}]}})
        one.pull()
        assert len(one.rows["sync_problems"]) == 1


def test_a_push_of_too_many_rows_is_refused_before_anything_is_written(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    for path, body in (
        (f"/sync/watermelon?last_pulled_at={rep.cursor}", {"customers": {"deleted": [f"gone-{i:07}" for i in range(20_001)]}}),
        ("/sync/rxdb/customers/push", [{}] * 20_001),
    ):
        answer = rep.http("POST", path, body)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["code"] == "too_many"
    assert count(db, SyncProblem) == 0


@pytest.mark.parametrize(
    "odd",
    [{"since": 2**70}, {"since": -1}, {"upto": 2**62}, {"upto": 2**80}, {"after": ["\0", ""]}, {"upto": 10**9}],
    ids=str,
)
def test_a_page_the_server_did_not_write_is_refused(world: World, phone: Phones, odd: dict[str, Any]) -> None:
    rep = phone(world.rep)
    rep.pull()
    written = {"since": None, "upto": 1, "epoch": rep.cursor >> 40, "after": ["", ""], "replacement": False} | odd
    page = base64.urlsafe_b64encode(json.dumps(written).encode()).decode()

    assert rep.http("GET", f"/sync/watermelon?page={quote(page)}").status_code == 422


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'{"customers": 5}', b'{"customers": {"created": 5}}', b"[" * 100])
def test_what_is_no_push_at_all_is_refused_and_nothing_is_stored(db: Database, world: World, http: Http, body: bytes) -> None:
    rep = http.as_(world.rep)
    answer = rep.app.test_client().post(
        "/api/v1/sync/watermelon?last_pulled_at=5", data=body, content_type="application/json",
        headers={"Authorization": f"Bearer {rep.token}", "X-Installation": "phone-000001"},
    )  # fmt: skip

    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "application/problem+json"
    assert count(db, SyncProblem) == 0


def test_another_reps_row_is_refused_in_the_words_of_one_that_does_not_exist(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    from tests.factories import make_user

    with db.transaction() as session:
        stranger = make_user(session, world.settings, "rep", "stranger").id
    there, nowhere = phone(stranger), phone(stranger)
    for rep, row_id in ((there, world.customer), (nowhere, "customer-nowhere")):
        rep.pull()
        rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", {"customers": {"deleted": [row_id]}})
        edited = new_customer(world, row_id, name="Taken") | {"_status": "updated", "_changed": "name"}
        rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", {"customers": {"updated": [edited]}})
        rep.pull()

    assert stored(db, Customer, world.customer).name == "Lin Logistics"
    assert stored(db, Customer, world.customer).deleted_at is None
    texts = [sorted(p["reasons"] for p in rep.rows["sync_problems"].values()) for rep in (there, nowhere)]
    assert world.customer not in there.rows["customers"]
    assert all("Lin" not in text for found in texts for text in found)


def test_owner_and_territory_are_not_written_just_because_they_are_columns(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.update("customers", world.customer, owner_id="somebody-else-1", code="MINE", name="Fine")
    rep.sync()

    customer = stored(db, Customer, world.customer)
    assert (customer.owner_id, customer.code, customer.name) == (world.rep, "C-1", "Fine")
    assert rep.rows["customers"][world.customer]["owner_id"] == world.rep


def test_a_row_of_a_read_only_collection_comes_back_as_it_is(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.update("assets", world.asset, model="Mine now")
    rep.sync()
    rep.delete("assets", world.asset)
    rep.sync()
    rep.sync()

    assert rep.rows["assets"][world.asset]["model"] == "Model 60"


def test_gaining_and_losing_a_territory_sends_rows_and_removals_though_no_row_changed(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    from tests.factories import make_user

    with db.transaction() as session:
        other = make_user(session, world.settings, "rep", "other").id
    rep, admin = phone(other), http.as_(world.admin)
    rep.sync()
    assert not rep.rows["customers"]
    admin.call("PUT", f"/users/{other}/territories", {"territory_ids": [world.territory]}, If_Match="*")
    rep.sync()
    assert world.customer in rep.rows["customers"]
    assert world.asset in rep.rows["assets"]
    admin.call("PUT", f"/users/{other}/territories", {"territory_ids": []}, If_Match="*")
    rep.sync()
    assert not rep.rows["customers"]
    assert not rep.rows["assets"]


def test_an_edit_of_a_row_that_left_the_scope_is_kept_for_the_office(
    db: Database, world: World, phone: Phones, http: Http
) -> None:
    rep, admin = phone(world.rep), http.as_(world.admin)
    rep.pull()
    admin.edit(f"/customers/{world.customer}", {"owner_id": None}, 1)
    admin.call("PUT", f"/users/{world.rep}/territories", {"territory_ids": []}, If_Match="*")
    rep.update("customers", world.customer, name="Typed in the tunnel")
    rep.push()
    rep.pull()

    assert world.customer not in rep.rows["customers"]
    assert stored(db, Customer, world.customer).name == "Lin Logistics"
    [problem] = http.as_(world.manager).get("/sync/problems")["items"]
    assert json.loads(problem["content"])["name"] == "Typed in the tunnel"


@pytest.mark.parametrize("wrong", ["old", "future", "other history"])
def test_a_cursor_of_no_use_gets_everything_as_a_replacement(
    db: Database, world: World, phone: Phones, clock: SetClock, wrong: str
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.rows["customers"]["ghost-customer-1"] = {"id": "ghost-customer-1", "name": "of the past"}
    rep.create("customers", new_customer(world, "unsent-customer"))
    assert rep.cursor is not None
    if wrong == "future":
        rep.cursor += 1000
    with db.transaction() as session:
        if wrong == "other history":
            begin_history_anew(session)
        elif wrong == "old":
            forget_removals(session, 90)
    if wrong == "old":
        rep_online = phone(world.rep)
        rep_online.pull()
        rep_online.create("customers", new_customer(world, "short-lived-customer"))
        rep_online.sync()
        rep_online.delete("customers", "short-lived-customer")
        rep_online.sync()
        for _ in range(2):
            clock.advance(days=91)
            with db.transaction() as session:
                forget_removals(session, 90)

    rep.sync()

    assert set(rep.rows["customers"]) == {world.customer, "unsent-customer"}
    assert stored(db, Customer, "unsent-customer") is not None


def test_an_upgraded_app_gets_the_rows_its_new_tables_and_columns_need(world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    path = f"/sync/watermelon?last_pulled_at={rep.cursor}&schema_version=2&migration="

    def migrated(migration: Any) -> dict[str, list[str]]:
        changes = rep._get(path + json.dumps(migration))["changes"]
        return {name: [row["id"] for row in lists["updated"]] for name, lists in changes.items() if lists["updated"]}

    assert migrated({"from": 1, "tables": ["assets"], "columns": []}) == {"assets": [world.asset]}
    assert migrated({"from": 1, "tables": [], "columns": [{"table": "sites", "columns": ["lat"]}]}) == {"sites": [world.site]}
    assert migrated({"from": 1, "tables": [], "columns": [{"table": "customers", "columns": ["phone", "password_hash"]}]}) == {}
    assert migrated({"from": 1, "tables": ["users", "outbox"], "columns": []}) == {}
    assert rep.http("GET", path + '{"tables": 5}').status_code == 422


def test_pages_of_a_pull_together_are_the_pull(db: Database, world: World, phone: Phones) -> None:
    rep, paged = phone(world.rep), phone(world.rep)
    rep.pull()
    for n in range(25):
        rep.create("customers", new_customer(world, f"customer-{n:04}"))
    rep.sync()
    paged.pull(limit=7)

    assert paged.rows == rep.rows
    assert paged.cursor == rep.cursor
    rep.delete("customers", "customer-0003")
    rep.sync()
    paged.pull(limit=1)
    assert paged.rows == rep.rows


def test_who_does_not_name_the_installation_is_told_so(world: World, http: Http) -> None:
    http.as_(world.rep).refused("GET", "/sync/watermelon", 422, "installation_needed")
    http.refused("GET", "/sync/watermelon", 401, "unauthenticated")


def test_a_pull_over_many_tables_is_one_snapshot(
    db: Database, world: World, phone: Phones, http: Http, monkeypatch: pytest.MonkeyPatch
) -> None:
    rep, manager = phone(world.rep), http.as_(world.manager)
    rep.pull()
    manager.edit(f"/customers/{world.customer}", {"name": "First"}, 1)
    manager.edit(f"/sites/{world.site}", {"name": "First"}, 1)
    read, between = changes.rows_of, iter([world.customer])

    def rows_of(session: Any, actor: Any, settings: Any, name: str, ids: Any) -> Any:
        found = read(session, actor, settings, name, ids)
        if name == "customers" and next(between, None):  # the customers were read, the sites not yet
            manager.edit(f"/customers/{world.customer}", {"name": "Second"}, 2)
            manager.edit(f"/sites/{world.site}", {"name": "Second"}, 2)
        return found

    monkeypatch.setattr("offline_sync.watermelon.rows_of", rows_of)
    rep.pull()
    assert (rep.rows["customers"][world.customer]["name"], rep.rows["sites"][world.site]["name"]) == ("First", "First")
    rep.pull()
    assert (rep.rows["customers"][world.customer]["name"], rep.rows["sites"][world.site]["name"]) == ("Second", "Second")


@pytest.mark.parametrize("others", [0, 9])
@pytest.mark.parametrize("deleted_by", ["the same phone", "the office"])
def test_a_creation_that_arrives_again_does_not_revive_what_was_deleted_since(
    db: Database, world: World, phone: Phones, http: Http, deleted_by: str, others: int
) -> None:
    rep = phone(world.rep)
    rep.pull()
    for row_id in ("customer-from-phone", *(f"customer-{n:04}" for n in range(others))):
        rep.create("customers", new_customer(world, row_id))
    sent, cursor = rep.changes(), rep.cursor
    rep.sync()
    if deleted_by == "the office":
        http.as_(world.manager).call("DELETE", "/customers/customer-from-phone", If_Match="*")
    else:
        rep.delete("customers", "customer-from-phone")
    rep.sync()
    assert stored(db, Customer, "customer-from-phone").deleted_at is not None
    rep.http("POST", f"/sync/watermelon?last_pulled_at={cursor}", sent)
    rep.sync()

    assert stored(db, Customer, "customer-from-phone").deleted_at is not None
    assert "customer-from-phone" not in rep.rows["customers"]
    assert count(db, Customer) == 2 + others


def test_a_push_that_breaks_off_leaves_nothing_and_lands_whole_the_next_time(
    db: Database, world: World, phone: Phones, monkeypatch: pytest.MonkeyPatch
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world, "customer-to-go-1"))
    rep.sync()
    rep.create("sites", new_site("customer-from-phone"))
    rep.create("customers", new_customer(world))
    rep.delete("customers", "customer-to-go-1")

    def fail(*_: Any) -> None:
        raise RuntimeError("planted")

    with monkeypatch.context() as patch:
        patch.setattr("offline_sync.arrivals._delete", fail)  # deletions are the last of a push
        assert rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", rep.changes()).status_code == 500
    assert stored(db, Customer, "customer-from-phone") is None
    assert stored(db, Site, "site-from-phone") is None
    rep.sync()
    assert stored(db, Site, "site-from-phone").customer_id == "customer-from-phone"
    assert stored(db, Customer, "customer-to-go-1").deleted_at is not None
    assert not rep.rejected


def test_the_stamps_of_phones_decide_nothing(db: Database, world: World, phone: Phones, clock: SetClock) -> None:
    early, late = phone(world.rep), phone(world.manager)
    for one in (early, late):
        one.pull()
    present = to_ms(clock.now())
    early.update("customers", world.customer, name="From a clock years ahead")
    early.rows["customers"][world.customer] |= {"updated_at": 2**45, "created_at": 2**45}
    early.create("customers", new_customer(world) | {"updated_at": 2**45, "created_at": 2**45})
    late.update("customers", world.customer, name="From a clock of 1970")
    late.rows["customers"][world.customer] |= {"updated_at": 5, "created_at": 5}
    for one in (early, late, early):
        one.sync()

    row = early.rows["customers"][world.customer]
    assert row == late.rows["customers"][world.customer]
    assert (row["name"], row["updated_at"], row["created_at"]) == ("From a clock of 1970", present, present)
    made = early.rows["customers"]["customer-from-phone"]
    assert (made["created_at"], made["updated_at"]) == (present, present)


@pytest.mark.parametrize("rows", [1, 9])
def test_a_phone_hears_of_values_that_were_not_taken_though_no_row_changed(
    db: Database, world: World, phone: Phones, rows: int
) -> None:
    rep = phone(world.rep)
    rep.pull()
    ids = [f"customer-{n:04}" for n in range(rows)]
    for row_id in ids:
        rep.create("customers", new_customer(world, row_id))
    rep.sync()
    before = {row_id: stored(db, Customer, row_id).version for row_id in ids}
    for row_id in ids:
        rep.update("customers", row_id, owner_id="somebody-else-1", territory_id="elsewhere-0001")
    rep.sync()

    assert {rep.rows["customers"][row_id]["owner_id"] for row_id in ids} == {world.rep}
    assert {rep.rows["customers"][row_id]["territory_id"] for row_id in ids} == {world.territory}
    assert {row_id: stored(db, Customer, row_id).version for row_id in ids} == before
    assert not rep.rejected


def test_a_field_this_server_does_not_know_is_left_out_and_the_row_is_taken(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world) | {"loyalty": "gold"})
    rep.update("customers", world.customer, name="Newer app", loyalty="silver")
    rep.sync()

    assert stored(db, Customer, "customer-from-phone") is not None
    assert stored(db, Customer, world.customer).name == "Newer app"
    assert not rep.rejected
    assert not rep.rows["sync_problems"]


@pytest.mark.parametrize("protocol", [Phone, RxdbPhone])
def test_values_survive_the_way_up_and_down(
    db: Database, world: World, http: Http, protocol: Callable[..., Phone | RxdbPhone]
) -> None:
    one, two = protocol(http.as_(world.rep)), protocol(http.as_(world.manager))
    one.sync()
    one.create("customers", new_customer(world, phone="+8613800138000"))
    one.create("sites", new_site("customer-from-phone") | {"lat": 22.123456789012345, "lon": 0.0})
    one.sync()
    one.update("customers", "customer-from-phone", phone=None, email="a.b@example.test", name="例 ‘x’")
    one.sync()
    two.sync()

    customer, site = two.live("customers")["customer-from-phone"], two.live("sites")["site-from-phone"]
    assert (customer["name"], customer["phone"], customer["email"]) == ("例 ‘x’", None, "a.b@example.test")
    assert (site["lat"], site["lon"]) == (22.123456789012345, 0.0)
    assert customer == one.live("customers")["customer-from-phone"]
    assert site == one.live("sites")["site-from-phone"]
    assert {type(customer[name]) for name in ("created_at", "updated_at")} == {int}
    assert not one.waiting()
    assert not two.waiting()


def test_what_phones_only_read_comes_as_flags_texts_and_milliseconds(
    db: Database, world: World, phone: Phones, http: Http, clock: SetClock
) -> None:
    with db.transaction() as session:
        asset = session.get_one(Asset, world.asset)
        asset.warranty_until = date(2031, 2, 3)
        touch(session, asset)
    melon, rx = phone(world.rep), RxdbPhone(http.as_(world.rep), names=("stations", "assets"))
    melon.sync()
    rx.sync()
    [station, *_] = melon.rows["stations"].values()

    assert station["active"] is True
    assert isinstance(station["opening_hours"], str)
    assert melon.rows["assets"][world.asset]["warranty_until"] == "2031-02-03"
    assert station["created_at"] == to_ms(clock.now())
    for name in ("stations", "assets"):
        assert rx.live(name) == melon.rows[name]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_a_problem_of_its_row_alone(db: Database, world: World, phone: Phones, value: str) -> None:
    rep = phone(world.rep)
    rep.pull()
    rows = [new_site(world.customer, "good-site-0001"), new_site(world.customer, "bad-site-0001") | {"lat": "@"}]
    raw = json.dumps({"sites": {"created": rows}}).replace('"@"', value)
    answer = push_as_it_stands(rep, raw)

    assert answer.get_json() == {"experimentalRejectedIds": {"sites": ["bad-site-0001"]}}
    assert stored(db, Site, "good-site-0001") is not None
    assert stored(db, Site, "bad-site-0001") is None
    rep.pull()
    [problem] = rep.rows["sync_problems"].values()
    assert "lat" in json.loads(problem["reasons"])


def test_two_syncs_of_one_phone_at_once_make_everything_once(db: Database, world: World, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    ids = [f"customer-{n:04}" for n in range(9)]
    for row_id in ids:
        rep.create("customers", new_customer(world, row_id))
        rep.create("sites", new_site(row_id, f"site-of-{row_id}"))
    rep.update("customers", world.customer, name="Once")
    rep.intend("intent-rep-0001", "alarm.acknowledge", '{"alarm_id": "no-such-alarm"}')
    sent, path = rep.changes(), f"/sync/watermelon?last_pulled_at={rep.cursor}"
    answers = together(*[lambda: rep.http("POST", path, sent)] * 2)
    rep.sync()

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.get_json()["experimentalRejectedIds"] for answer in answers] == [{}, {}]
    assert (count(db, Customer), count(db, Site), count(db, Intent)) == (1 + 9, 1 + 9, 1)
    assert stored(db, Customer, world.customer).version == 2
    assert (count(db, SyncConflict), count(db, SyncProblem)) == (0, 0)
    assert rep.rows["customers"][world.customer]["name"] == "Once"


def test_under_a_bad_network_nothing_is_lost_doubled_or_revived(
    db: Database, world: World, phone: Phones, clock: SetClock
) -> None:
    import os
    import random

    seed = int(os.environ.get("SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"again with: SEED={seed}")
    chance = random.Random(seed)
    people = [world.rep, world.manager, world.rep]
    phones = [phone(person, network=BadNetwork(chance)) for person in people]
    made: set[str] = set()
    dropped: set[str] = set()
    for n in range(120):
        one = chance.choice(phones)
        clock.advance(seconds=1)
        held = [row_id for row_id in one.rows.get("customers", {}) if row_id != world.customer]
        verb = chance.choice(["create", "update", "update", "delete", "sync", "sync", "sync"])
        if verb == "create" and one.cursor:
            one.create("customers", new_customer(world, f"customer-{n:04}", name=f"made {n}"))
            made.add(f"customer-{n:04}")
        elif verb == "update" and held:
            field = chance.choice(["name", "email"])
            one.update("customers", chance.choice(held), **{field: f"n{n}" if field == "name" else f"a{n}@example.test"})
        elif verb == "delete" and held and chance.random() < 0.3:
            row_id = chance.choice(held)
            one.delete("customers", row_id)
            dropped.add(row_id)
        else:
            try:
                one.sync()
            except LostError:
                continue
    for one in phones * 2:
        one._network = lambda send: send()
        one.sync()

    with db.reading() as session:
        live = set(session.scalars(select(Customer.id).where(Customer.deleted_at.is_(None)))) - {world.customer}
    assert live == made - dropped
    assert all(one.rows["customers"] == phones[0].rows["customers"] for one in phones)
    assert set(phones[0].rows["customers"]) == live | {world.customer}
    assert not any(one.rejected for one in phones)
    assert count(db, Receipt) > 0
    assert count(db, Intent) == 0
