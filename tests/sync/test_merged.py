"""A customer is merged while phones are away: what they still say of it reaches the one it is now, and nothing is lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as trying
from hypothesis import strategies as st
from sqlalchemy import select

from app.attachments.models import Attachment
from app.core.db import Database
from app.core.settings import Settings
from app.customers.models import Customer, Site
from offline_sync.models import SyncConflict, SyncProblem
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.phones import LostError, Phone, digest_of
from tests.sync.rxdb_phones import RxdbPhone
from tests.sync.test_watermelon import count, new_site, stored

Phones = Callable[..., Phone]
OTHER = "customer-other"
NAMES = ("customers", "sites", "attachments", "sync_problems")


@pytest.fixture
def office(http: Http, world: World) -> Http:
    """A manager; there is a second record of the customer."""
    door = http.as_(world.manager)
    values = {"id": OTHER, "name": "Lin Logistics Ltd.", "territory_id": world.territory, "owner_id": world.rep}
    door.post("/customers", values, expect=201)
    return door


def merge(office: Http, world: World) -> Any:
    return office.post(f"/customers/{world.customer}/merge", {"other_id": OTHER})


def losses(db: Database) -> list[tuple[str, str, Any, Any]]:
    with db.reading() as session:
        return [(one.row_id, one.field, one.kept, one.lost) for one in session.scalars(select(SyncConflict))]


def agrees(phone: Any) -> bool:
    """Tell whether a phone holds what the server says it should."""
    told = [phone.person.get(f"/sync/digest?collection={name}") for name in ("customers", "sites")]
    return [digest_of(phone.live(name).values()) | {"collection": name} for name in ("customers", "sites")] == told


@pytest.mark.parametrize("many", [1, 12])
def test_a_site_made_for_a_customer_that_was_merged_meanwhile_is_the_survivors_and_the_answer_says_so(
    db: Database, world: World, office: Http, phone: Phones, many: int
) -> None:
    rep = phone(world.rep)
    rep.pull()
    for n in range(many):
        rep.create("sites", new_site(OTHER, f"site-from-phone-{n}"))
    merge(office, world)
    answer = rep.http("POST", f"/sync/watermelon?last_pulled_at={rep.cursor}", rep.changes())

    assert answer.json == {"experimentalRejectedIds": {}, "merged": {"customers": {OTHER: world.customer}}}
    rep.sync()
    with db.reading() as session:
        assert set(session.scalars(select(Site.customer_id))) == {world.customer}
    assert {row["customer_id"] for row in rep.live("sites").values()} == {world.customer}
    assert OTHER not in rep.live("customers")
    assert (len(rep.live("sites")), count(db, SyncProblem), agrees(rep)) == (many + 1, 0, True)


def test_over_rxdb_the_answer_is_the_site_as_the_survivors(db: Database, world: World, office: Http, http: Http) -> None:
    rep = RxdbPhone(http.as_(world.rep), names=NAMES)
    rep.sync()
    rep.create("sites", new_site(OTHER))
    rep.update("customers", OTHER, phone="13800000009")
    photo = {"subject_kind": "customer", "subject_id": OTHER, "name": "a.jpg", "mime": "image/jpeg", "size": 3}
    rep.create(
        "attachments", {"id": "photo-of-other"} | photo | {"sha256": "0" * 64, "state": "waiting", "code": None, "made_at": 1}
    )
    merge(office, world)
    for table in ("attachments", "sites", "customers"):
        rep.push(table)

    assert rep.live("sites")["site-from-phone"]["customer_id"] == world.customer
    assert stored(db, Customer, world.customer).phone == "+8613800000009"
    assert stored(db, Attachment, "photo-of-other").subject_id == world.customer
    rep.sync()
    assert set(rep.live("customers")) == {world.customer}
    assert (count(db, SyncProblem), rep.waiting(), agrees(rep)) == (0, 0, True)
    office.post(f"/customers/{world.customer}/unmerge", {"other_id": OTHER})
    rep.sync()
    assert rep.live("sites")["site-from-phone"]["customer_id"] == OTHER
    assert rep.live("attachments")["photo-of-other"]["subject_id"] == OTHER
    phones = [rep.live("customers")[row]["phone"] for row in (world.customer, OTHER)]
    assert phones == [None, "+8613800000009"], "what was said of the other goes back to it"
    assert agrees(rep)


def test_an_edit_of_a_customer_that_was_merged_reaches_the_survivor_and_what_it_replaces_is_in_the_journal(
    db: Database, world: World, office: Http, phone: Phones
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.update("customers", OTHER, name="Lin & Sons")
    merge(office, world)
    assert rep.push()

    assert stored(db, Customer, world.customer).name == "Lin & Sons"
    assert losses(db) == [(world.customer, "name", "Lin & Sons", "Lin Logistics")]
    assert "customer.edited_after_merge" in [
        entry["kind"] for entry in office.get(f"/history/customer/{world.customer}")["about"]
    ]
    rep.pull()
    assert set(rep.live("customers")) == {world.customer}
    assert agrees(rep)


def test_the_same_push_again_undoes_nothing_that_came_between(db: Database, world: World, office: Http, phone: Phones) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.update("customers", OTHER, name="From the phone")
    sent = rep.changes()
    merge(office, world)
    path = f"/sync/watermelon?last_pulled_at={rep.cursor}&seen={rep.cursor}"
    assert rep.http("POST", path, sent).status_code == 200
    office.edit(f"/customers/{world.customer}", {"name": "By the office"}, office.get(f"/customers/{world.customer}")["version"])
    assert rep.http("POST", path, sent).status_code == 200

    assert stored(db, Customer, world.customer).name == "By the office"


@pytest.mark.parametrize("first", [OTHER, "customer-third"])
def test_the_survivor_gets_its_own_value_back_however_many_edits_reached_it_and_whoever_leaves_first(
    db: Database, world: World, office: Http, phone: Phones, first: str
) -> None:
    third = {"id": "customer-third", "name": "Lin", "territory_id": world.territory, "owner_id": world.rep}
    office.post("/customers", third, expect=201)
    office.edit(f"/customers/{world.customer}", {"email": "own@lin.example"}, 1)
    phones = [phone(world.rep) for _ in range(3)]
    for rep in phones:
        rep.pull()
    for other in (OTHER, "customer-third"):
        office.post(f"/customers/{world.customer}/merge", {"other_id": other})
    edits = [(OTHER, "a@x.example"), (OTHER, "b@x.example"), ("customer-third", "c@x.example")]
    for rep, (other, email) in zip(phones, edits, strict=True):
        rep.update("customers", other, email=email)
        rep.push()
    assert stored(db, Customer, world.customer).email == "c@x.example"

    for other in (first, *({OTHER, "customer-third"} - {first})):
        office.post(f"/customers/{world.customer}/unmerge", {"other_id": other})

    emails = [stored(db, Customer, row).email for row in (world.customer, OTHER, "customer-third")]
    assert emails == ["own@lin.example", "b@x.example", "c@x.example"]


def test_a_deletion_of_a_customer_that_was_merged_deletes_nothing(
    db: Database, world: World, office: Http, phone: Phones
) -> None:
    rep = phone(world.rep)
    rep.pull()
    rep.delete("customers", OTHER)
    merge(office, world)
    rep.sync()

    assert stored(db, Customer, world.customer).deleted_at is None
    assert set(rep.live("customers")) == {world.customer}
    assert agrees(rep)


def test_who_may_not_see_the_survivor_still_adds_to_it_and_their_edits_are_in_the_journal(
    db: Database, settings: Settings, world: World, office: Http, phone: Phones, http: Http
) -> None:
    area = http.as_(world.admin).post("/territories", {"code": "B", "name": "B"}, expect=201)["id"]
    with db.transaction() as session:
        their = make_user(session, settings, "rep", "rep-b", territory_ids=[area]).id
    office.edit(f"/customers/{OTHER}", {"territory_id": area, "owner_id": their}, 1)
    rep = phone(their)
    rep.pull()
    assert set(rep.live("customers")) == {OTHER}
    rep.create("sites", new_site(OTHER))
    rep.update("customers", OTHER, name="Lin in B")
    merge(office, world)
    assert rep.push()
    assert rep.rejected == {}
    rep.pull()

    assert stored(db, Site, "site-from-phone").customer_id == world.customer
    assert stored(db, Customer, world.customer).name == "Lin Logistics"
    assert losses(db) == [(OTHER, "name", None, "Lin in B")]
    assert (rep.live("customers"), rep.live("sites"), agrees(rep)) == ({}, {}, True)
    [kept] = office.get("/sync/conflicts")["items"]
    office.post(f"/sync/conflicts/{kept['id']}/restore")
    assert stored(db, Customer, world.customer).name == "Lin in B"


def test_somebody_who_never_had_to_do_with_it_adds_nothing(
    db: Database, settings: Settings, world: World, office: Http, phone: Phones
) -> None:
    with db.transaction() as session:
        stranger = make_user(session, settings, "rep", "stranger").id
    merge(office, world)
    rep = phone(stranger)
    rep.pull()
    rep.create("sites", new_site(OTHER))
    rep.push()

    assert rep.rejected == {"sites": ["site-from-phone"]}
    assert count(db, Site) == 1


def test_an_owner_answers_offline_and_is_heard_after_the_merge(db: Database, world: World, office: Http, phone: Phones) -> None:
    """The intent names the offer by its id, which stays; who owns it moved."""
    world.report(74.9, 74.5, 74.1)
    owner = phone(world.owner)
    owner.pull()
    [offer] = owner.live("service_offers")
    owner.intend("intent-owner-01", "service_offer.decline", json.dumps({"offer_id": offer}))
    office.post(f"/customers/{OTHER}/merge", {"other_id": world.customer})
    owner.sync()

    assert owner.live("intents")["intent-owner-01"]["verdict"] == "accepted"
    assert set(owner.live("customers")) == {OTHER}
    assert {row["customer_id"] for row in owner.live("assets").values()} == {OTHER}


# --- any order of merges, of their undoing, and of pushes ---

PICK = st.integers(0, 3)
STEPS = st.tuples(
    st.sampled_from(
        ["merge", "unmerge", "site on phone", "site in office", "edit on phone", "edit in office", "push", "answer lost", "sync"]
    ),
    PICK,
    PICK,
)
_RUNS = itertools.count(1)


class Story:
    """Four records that people merge and part while others work on them, and what must be true in the end."""

    def __init__(self, db: Database, world: World, http: Http, kind: type[Any]) -> None:
        self.db, run = db, next(_RUNS)
        self.office = http.as_(world.manager)
        self.ids = [f"record-{run:04}-{n}" for n in range(4)]
        for row_id in self.ids:
            values = {"id": row_id, "name": row_id, "territory_id": world.territory, "owner_id": world.rep}
            self.office.post("/customers", values, expect=201)
        self.phone = kind(http.as_(world.rep))
        self.phone.sync()
        self.into: dict[str, str] = {}
        self.sites: dict[str, str] = {}
        self.emails: dict[str, list[str]] = {row_id: [] for row_id in self.ids}

    def do(self, what: str, one: int, other: int) -> None:
        getattr(self, what.replace(" ", "_"))(self.ids[one], self.ids[other])

    def merge(self, one: str, other: str) -> None:
        if one != other and not {one, other} & set(self.into):
            self.office.post(f"/customers/{one}/merge", {"other_id": other})
            self.into[other] = one

    def unmerge(self, one: str, other: str) -> None:
        if self.into.get(other) == one and one not in self.into:
            self.office.post(f"/customers/{one}/unmerge", {"other_id": other})
            del self.into[other]

    def site_on_phone(self, one: str, _other: str) -> None:
        if one in self.phone.live("customers"):
            row = new_site(one, f"{one}-s{len(self.sites)}")
            self.phone.create("sites", row)
            self.sites[row["id"]] = one

    def site_in_office(self, one: str, _other: str) -> None:
        made = self.office.post(f"/customers/{one}/sites", {"name": "s", "lat": 1, "lon": 1}, expect=201)
        self.sites[made["id"]] = one

    def edit_on_phone(self, one: str, _other: str) -> None:
        if one in self.phone.live("customers"):
            self.phone.update("customers", one, email=self._email(one))

    def edit_in_office(self, one: str, _other: str) -> None:
        if one not in self.into:
            version = self.office.get(f"/customers/{one}")["version"]
            self.office.edit(f"/customers/{one}", {"email": self._email(one)}, version)

    def _email(self, one: str) -> str:
        self.emails[one].append(f"{one}-{len(self.emails[one])}@example.test")
        return self.emails[one][-1]

    def push(self, *_: str) -> None:
        if isinstance(self.phone, Phone):
            self.phone.push()
            return
        for table in ("sites", "customers"):
            self.phone.push(table)

    def answer_lost(self, *_: str) -> None:
        def network(send: Any) -> Any:
            send()
            raise LostError("answer")

        self.phone._network, before = network, self.phone._network
        with suppress(LostError):
            self.push()
        self.phone._network = before

    def sync(self, *_: str) -> None:
        self.push()  # a pull that comes first takes a row that left, and what was edited of it, from a phone
        self.phone.sync()

    def end(self) -> None:
        """Send everything, part all that was merged, and look."""
        self.sync()
        while self.into:
            other = next(row for row, one in self.into.items() if one not in self.into)
            self.unmerge(self.into[other], other)
        self.sync()
        with self.db.reading() as session:
            homes = {site.id: site.customer_id for site in session.scalars(select(Site)) if site.id in self.sites}
            emails = {row.id: row.email for row in session.scalars(select(Customer)) if row.id in self.ids}
            journal = {str(one.lost) for one in session.scalars(select(SyncConflict))}
            problems = [one.reasons for one in session.scalars(select(SyncProblem))]
        assert homes == self.sites, "each site is whose it was made for"
        for row_id, said in self.emails.items():
            assert emails[row_id] is None or emails[row_id] in said, "nobody keeps what was said of another"
            if said:
                assert emails[row_id] == said[-1] or any(said[-1] in lost for lost in journal), "the last word stands somewhere"
        assert problems == []
        assert agrees(self.phone)


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_no_order_of_merges_and_pushes_loses_anything(db: Database, world: World, http: Http, kind: type[Any]) -> None:
    @trying(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEPS, max_size=14))
    def tried(steps: list[tuple[str, int, int]]) -> None:
        story = Story(db, world, http, kind)
        for what, one, other in steps:
            story.do(what, one, other)
        story.end()

    tried()


@pytest.mark.parametrize("kind", [Phone, RxdbPhone])
def test_what_somebody_said_unseen_of_a_customer_before_it_was_merged_is_kept_when_a_late_edit_replaces_it(
    db: Database, world: World, office: Http, phone: Phones, http: Http, kind: type[Any]
) -> None:
    rep, late = phone(world.rep), kind(http.as_(world.manager))
    rep.pull()
    late.sync()
    rep.update("customers", OTHER, email="first@lin.example")
    rep.push()
    late.update("customers", OTHER, email="second@lin.example")
    merge(office, world)
    assert stored(db, Customer, world.customer).email == "first@lin.example"
    late.push() if kind is Phone else late.push("customers")

    assert stored(db, Customer, world.customer).email == "second@lin.example"
    assert [(name, kept, lost) for _, name, kept, lost in losses(db)] == [("email", "second@lin.example", "first@lin.example")]
