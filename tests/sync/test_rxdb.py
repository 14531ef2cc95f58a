"""RxDB's protocol on the wire: full pages, constant checkpoints, conflicts that are states, refusals that let the queue go on."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.core.scopes import begin_history_anew
from app.core.settings import Settings
from app.customers.models import Customer
from offline_sync.models import SyncConflict
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.phones import Phone
from tests.sync.rxdb_phones import RxdbPhone
from tests.sync.test_watermelon import new_customer, stored

Row = dict[str, Any]
HALF = "cut \ud83d"  # what is left of an emoji when a text is cut in the middle of it


@pytest.mark.parametrize(
    "poison",
    [
        {"newDocumentState": {"id": "bad-customer-1", "name": HALF}},
        {"newDocumentState": {"id": "half\ud800half", "name": "Half"}},
        {"newDocumentState": {"id": "nul-\x00-nul", "name": "Nul"}},
        {"newDocumentState": {"id": ["a-list"]}},
        {"newDocumentState": {"id": {"an": "object"}}, "assumedMasterState": {"updated_at": 10**400}},
        {"newDocumentState": {"id": "bad-customer-1", "name": HALF, "memo": 10**400}},
    ],
    ids=lambda found: json.dumps(found)[:50],
)
def test_no_poison_stops_the_other_rows(db: Database, world: World, http: Http, poison: Row) -> None:
    phone = Replica(http.as_(world.rep))
    good = {"newDocumentState": new_customer(world, "good-customer-1") | {"_deleted": False}}
    for _ in range(2):
        answer = phone.call("POST", "push", [poison, good])
        assert answer.status_code == 200, answer.get_data(as_text=True)
        json.loads(answer.get_data(as_text=True), parse_constant=pytest.fail)

    assert stored(db, Customer, "good-customer-1") is not None
    assert len(phone.person.get("/sync/rxdb/sync_problems/pull", X_Installation=phone.phone)["documents"]) == 1


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        ({"upto": 2**62}, "validation_failed"), ({"upto": 2**80}, "validation_failed"), ({"since": 2**70}, "validation_failed"),
        ({"since": -2}, "validation_failed"), ({"after": "\0"}, "validation_failed"), ({"upto": 10**9}, "checkpoint_gone"),
    ],
)  # fmt: skip
def test_a_checkpoint_the_server_did_not_write_is_refused(world: World, http: Http, odd: Row, code: str) -> None:
    phone = Replica(http.as_(world.rep))
    phone.pull()
    answer = phone.call("GET", "pull", checkpoint=json.dumps(phone.checkpoint | odd))

    assert answer.get_json()["code"] == code
    [seen] = http.as_(world.manager).get("/sync/installations")["items"]
    assert seen["lag"] >= 0


def test_a_schema_version_no_column_holds_is_as_if_not_said(world: World, http: Http) -> None:
    rep = http.as_(world.rep)
    answer = rep.call("POST", "/sync/rxdb/customers/push", [], X_Installation="rx-phone-0001", X_Schema_Version="99999999999")

    assert answer.status_code == 200


class Replica:
    """One collection on an RxDB phone, as its replication protocol sees it."""

    def __init__(self, person: Http, name: str = "customers", phone: str = "rx-phone-0001") -> None:
        self.person, self.name, self.phone = person, name, phone
        self.docs: dict[str, Row] = {}
        self.master: dict[str, Row] = {}
        self.checkpoint: Any = None

    def call(self, method: str, what: str, body: Any = None, **query: Any) -> Any:
        text = "&".join(f"{key}={quote(str(value))}" for key, value in query.items())
        return self.person.call(method, f"/sync/rxdb/{self.name}/{what}?{text}", body, X_Installation=self.phone)

    def pull(self, limit: int = 100) -> int:
        pages = 0
        while True:
            query = {"limit": limit} | ({"checkpoint": json.dumps(self.checkpoint)} if self.checkpoint else {})
            answer = self.call("GET", "pull", **query)
            assert answer.status_code == 200, answer.get_data(as_text=True)
            found = answer.get_json()
            pages += 1
            assert set(found["checkpoint"]) == {"epoch", "since", "upto", "after"}
            assert len({doc["id"] for doc in found["documents"]}) == len(found["documents"])
            for doc in found["documents"]:
                self.master[doc["id"]] = doc
                if doc["_deleted"]:
                    self.docs.pop(doc["id"], None)
                else:
                    self.docs[doc["id"]] = doc
            if found["documents"]:
                self.checkpoint = (self.checkpoint or {}) | found["checkpoint"]
            if len(found["documents"]) < limit:
                return pages

    def push(self, *rows: Row) -> list[Row]:
        body = [{"newDocumentState": row} | self._assumed(row) for row in rows]
        answer = self.call("POST", "push", body)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        conflicts: list[Row] = answer.get_json()
        assert isinstance(conflicts, list)
        for row in rows:
            self.master[row["id"]] = row
        for state in conflicts:
            self.master[state["id"]] = state
            if state["_deleted"]:
                self.docs.pop(state["id"], None)
            else:
                self.docs[state["id"]] = state
        return conflicts

    def _assumed(self, row: Row) -> Row:
        known = self.master.get(row["id"])
        return {"assumedMasterState": known} if known else {}


@pytest.fixture
def replica(world: World, http: Http) -> Callable[..., Replica]:
    return lambda user_id, *more: Replica(http.as_(user_id), *more)


def doc(world: World, row_id: str, **values: Any) -> Row:
    return new_customer(world, row_id) | {"created_at": 0, "updated_at": 0, "_deleted": False} | values


def test_a_page_is_full_unless_it_is_the_last_also_across_rows_nobody_may_see(
    db: Database, world: World, settings: Settings, phone: Callable[..., Phone], replica: Callable[..., Replica]
) -> None:
    maker = phone(world.rep)
    maker.pull()
    for n in range(30):
        maker.create("customers", new_customer(world, f"customer-{n:04}"))
    maker.sync()
    rep = replica(world.rep)

    assert rep.pull(limit=10) == 4  # 31 rows
    assert len(rep.docs) == 31
    with db.transaction() as session:
        stranger = make_user(session, settings, "rep", "stranger").id
    other = replica(stranger)
    assert other.pull(limit=10) == 1
    assert not other.docs


def test_what_one_phone_pushes_another_pulls_and_it_itself_hears_what_the_server_set(
    db: Database, world: World, replica: Callable[..., Replica]
) -> None:
    one, two = replica(world.rep), replica(world.manager, "customers", "rx-phone-0002")
    one.pull()
    two.pull()
    [state] = one.push(doc(world, "customer-from-rxdb"))

    assert state["code"].startswith("C-")
    assert state["owner_id"] == world.rep
    two.pull()
    assert two.docs["customer-from-rxdb"] == one.docs["customer-from-rxdb"]


def test_watermelondb_and_rxdb_on_one_account_see_each_others_changes(
    world: World, phone: Callable[..., Phone], replica: Callable[..., Replica]
) -> None:
    melon, rx = phone(world.rep), replica(world.rep)
    melon.pull()
    rx.pull()
    rx.push(doc(world, "made-on-rxdb-1"))
    melon.create("customers", new_customer(world, "made-on-melon-1"))
    melon.sync()
    rx.pull()
    rx.push(rx.docs["made-on-melon-1"] | {"name": "Edited on RxDB"})
    melon.update("customers", "made-on-rxdb-1", name="Edited on WatermelonDB")
    melon.sync()
    rx.pull()
    melon.delete("customers", "made-on-melon-1")
    melon.sync()
    rx.pull()

    assert set(rx.docs) == set(melon.rows["customers"]) == {world.customer, "made-on-rxdb-1"}
    assert {k: v for k, v in rx.docs["made-on-rxdb-1"].items() if k != "_deleted"} == melon.rows["customers"]["made-on-rxdb-1"]


def test_a_lost_answer_is_no_conflict(db: Database, world: World, replica: Callable[..., Replica]) -> None:
    rep = replica(world.rep)
    rep.pull()
    row = doc(world, "customer-from-rxdb")
    first = rep.call("POST", "push", [{"newDocumentState": row}]).get_json()
    again = rep.call("POST", "push", [{"newDocumentState": row}]).get_json()

    assert first == again
    with db.reading() as session:
        assert not session.scalars(select(SyncConflict)).all()


def test_two_phones_edit_different_fields_and_both_end_with_both(world: World, replica: Callable[..., Replica]) -> None:
    one, two = replica(world.rep), replica(world.manager, "customers", "rx-phone-0002")
    one.pull()
    two.pull()
    one.push(one.docs[world.customer] | {"name": "New name"})
    [merged] = two.push(two.docs[world.customer] | {"phone": "+8613800138000"})
    one.pull()

    assert (merged["name"], merged["phone"]) == ("New name", "+8613800138000")
    assert one.docs[world.customer] == two.docs[world.customer] == merged


def test_one_field_edited_by_both_keeps_the_last_and_journals_the_other(
    db: Database, world: World, replica: Callable[..., Replica]
) -> None:
    one, two = replica(world.rep), replica(world.manager, "customers", "rx-phone-0002")
    one.pull()
    two.pull()
    one.push(one.docs[world.customer] | {"name": "First"})
    two.push(two.docs[world.customer] | {"name": "Second"})

    assert stored(db, Customer, world.customer).name == "Second"
    with db.reading() as session:
        [lost] = session.scalars(select(SyncConflict))
    assert (lost.field, lost.kept, lost.lost) == ("name", "Second", "First")


def test_an_old_push_that_comes_late_undoes_nothing_its_phone_has_seen_since(
    db: Database, world: World, replica: Callable[..., Replica], clock: SetClock
) -> None:
    one, two = replica(world.rep), replica(world.manager, "customers", "rx-phone-0002")
    one.pull()
    two.pull()
    old = {"newDocumentState": one.docs[world.customer] | {"name": "First"}, "assumedMasterState": one.master[world.customer]}
    clock.advance(minutes=1)
    one.call("POST", "push", [old])
    two.pull()
    two.push(two.docs[world.customer] | {"name": "Second"})
    one.pull()
    one.push(one.docs[world.customer])
    two.push(two.docs[world.customer] | {"name": "Third"})
    one.call("POST", "push", [old])

    assert stored(db, Customer, world.customer).name == "Third"


def test_a_refused_row_leaves_the_phone_with_its_content_kept_and_the_queue_goes_on(
    db: Database, world: World, replica: Callable[..., Replica]
) -> None:
    rep, problems = replica(world.rep), replica(world.rep, "sync_problems")
    rep.pull()
    states = rep.push(doc(world, "bad-customer-1", phone="nonsense"), doc(world, "good-customer-1"))

    assert {state["id"]: state["_deleted"] for state in states} == {"bad-customer-1": True, "good-customer-1": False}
    problems.pull()
    [problem] = problems.docs.values()
    assert problem["table_name"] == "customers"
    assert json.loads(problem["content"])["phone"] == "nonsense"
    assert json.loads(problem["reasons"]) == {"phone": "不是有效的电话号码"}


def test_a_row_the_person_may_not_see_is_not_shown_by_a_conflict(
    db: Database, world: World, settings: Settings, replica: Callable[..., Replica]
) -> None:
    with db.transaction() as session:
        stranger = make_user(session, settings, "rep", "stranger").id
    [state] = replica(stranger).push(doc(world, world.customer, name="Guess"))

    assert state["_deleted"] is True
    assert "Lin" not in json.dumps(state)
    assert stored(db, Customer, world.customer).name == "Lin Logistics"


def test_a_deletion_wins_and_reaches_the_other_phone(db: Database, world: World, replica: Callable[..., Replica]) -> None:
    one, two = replica(world.rep), replica(world.manager, "customers", "rx-phone-0002")
    one.pull()
    one.push(doc(world, "customer-from-rxdb"))
    two.pull()
    one.push(one.docs["customer-from-rxdb"] | {"_deleted": True})
    [state] = two.push(two.docs["customer-from-rxdb"] | {"name": "Too late"})

    assert state["_deleted"] is True
    assert "customer-from-rxdb" not in two.docs
    assert stored(db, Customer, "customer-from-rxdb").deleted_at is not None
    with db.reading() as session:
        [lost] = session.scalars(select(SyncConflict))
    assert (lost.field, lost.lost) == ("", {"name": "Too late"}), "what the phone did not edit is not brought back one day"


def test_a_checkpoint_of_another_history_is_gone_and_reconciling_names_what_must_go(
    db: Database, world: World, replica: Callable[..., Replica]
) -> None:
    rep = replica(world.rep)
    rep.pull()
    with db.transaction() as session:
        begin_history_anew(session)

    answer = rep.call("GET", "pull", checkpoint=json.dumps(rep.checkpoint))
    assert (answer.status_code, answer.get_json()["code"]) == (410, "checkpoint_gone")
    found = rep.call("POST", "reconcile", {"ids": [world.customer, "ghost-customer-1"]}).get_json()
    assert [(d["id"], d["_deleted"]) for d in found["documents"]] == [("ghost-customer-1", True)]
    rep.checkpoint = found["checkpoint"]
    rep.pull()
    assert world.customer in rep.docs


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_removals_at_and_across_the_ends_of_pages_all_arrive_and_what_is_still_seen_stays(
    world: World, http: Http, limit: int
) -> None:
    office = http.as_(world.admin)
    mine = [f"customer-{n:04}" for n in (2, 5, 8, 9)]
    for n in range(12):
        row_id = f"customer-{n:04}"
        owner = {"owner_id": world.rep} if row_id in mine else {}
        office.post("/customers", {"id": row_id, "name": "x", "territory_id": world.territory} | owner, expect=201)
    rep = RxdbPhone(http.as_(world.rep), names=("customers",))
    rep.sync()
    assert len(rep.live("customers")) == 13
    office.call("DELETE", "/customers/customer-0009", If_Match="*")
    office.edit("/customers/customer-0005", {"name": "changed"}, 1)
    # The territory goes, and with it all but the rep's own rows: those are removals that another scope takes back.
    office.call("PUT", f"/users/{world.rep}/territories", {"territory_ids": []}, If_Match="*")
    rep.pull("customers", limit=limit)

    assert set(rep.live("customers")) == {world.customer, *mine} - {"customer-0009"}
    assert rep.live("customers")["customer-0005"]["name"] == "changed"


def test_the_stream_says_resync_only_when_there_is_something_new_and_holds_nothing(
    world: World, replica: Callable[..., Replica]
) -> None:
    rep, other = replica(world.rep), replica(world.manager, "customers", "rx-phone-0002")
    rep.pull()
    other.pull()

    def stream() -> str:
        answer = rep.call("GET", "stream", since=json.dumps(rep.checkpoint))
        assert answer.mimetype == "text/event-stream"
        return answer.get_data(as_text=True)

    assert "RESYNC" not in stream()
    other.push(other.docs[world.customer] | {"name": "News"})
    assert "data: RESYNC\n\n" in stream()
    assert "retry: 5000\n" in stream()
    rep.pull()
    assert "RESYNC" not in stream()


def test_a_collection_a_role_may_not_hold_is_empty_and_writing_to_it_is_refused(
    world: World, replica: Callable[..., Replica]
) -> None:
    staff = replica(world.staff[0], "service_offers")
    staff.pull()

    assert not staff.docs
    assert staff.person.call("GET", "/sync/rxdb/no_such/pull", X_Installation="rx-phone-0001").status_code == 404


@pytest.mark.parametrize("body", [{}, 5, "x", [1, "x", None, {}, {"newDocumentState": 5}]])
def test_a_push_of_anything_is_answered(world: World, replica: Callable[..., Replica], body: Any) -> None:
    answer = replica(world.rep).call("POST", "push", body)

    assert answer.status_code in {200, 422}, answer.get_data(as_text=True)
    assert answer.status_code == (200 if isinstance(body, list) else 422)


@pytest.mark.parametrize("checkpoint", ["{", "5", '{"epoch": 1}', '{"epoch":"x","since":0,"upto":0,"after":""}'])
def test_a_checkpoint_that_is_none_is_refused(world: World, replica: Callable[..., Replica], checkpoint: str) -> None:
    assert replica(world.rep).call("GET", "pull", checkpoint=checkpoint).status_code == 422
