"""The real client libraries, headless in Node, against the real server process: WatermelonDB and RxDB on one account.

A phone is a process of its own (``driver_*.mjs``), because the open RxDB limits the collections of one process.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.customers.models import Customer, Site
from offline_sync.models import SyncConflict
from tests.factories import PASSWORD, World
from tests.iot.broker.brokers import ROOT
from tests.people import Http
from tests.sync.test_watermelon import new_customer, new_site, stored

HERE = Path(__file__).parent
SECRET = "a secret of the tests, long enough for anything"


def node() -> str:
    """Return the Node that the development environment brings, else the machine's."""
    own = Path(sys.executable).parent / "node"
    found = str(own) if own.exists() else shutil.which("node")
    if found is None or not (ROOT / "examples" / "node_modules").exists():
        message = "Node or examples/node_modules is missing (make test installs both): the real clients are unproven"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return str(found)


class Client:
    """A driver process: commands in, answers out, one JSON line each."""

    def __init__(self, kind: str, base: str, login: str, installation: str, **options: Any) -> None:
        self.process = subprocess.Popen(
            [node(), str(HERE / f"driver_{kind}.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=ROOT,
        )  # fmt: skip
        self.options = {"base": base, "login": login, "password": PASSWORD, "installation": installation, **options}
        self.call("open", **self.options)

    def call(self, command: str, **options: Any) -> dict[str, Any]:
        answer = self.ask(command, **options)
        assert answer["ok"], (command, options, answer)
        return answer

    def ask(self, command: str, **options: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"command": command} | options) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read() if self.process.stderr else ""
        found: dict[str, Any] = json.loads(line)
        return found

    def rows(self, collection: str) -> dict[str, dict[str, Any]]:
        """Return the live rows by id, without what the library keeps beside them."""
        rows = self.call("list", collection=collection)["rows"]
        return {row["id"]: {name: value for name, value in row.items() if not name.startswith("_")} for row in rows}

    def complaints(self) -> list[str]:
        """Return what the library logged, apart from the faults the test injected."""
        logs = self.call("logs")["logs"]
        return [entry["text"] for entry in logs if entry["level"] in {"warn", "error"} and "injected fault" not in entry["text"]]

    def close(self) -> None:
        if self.process.poll() is None:
            self.ask("close")
        self.process.communicate(timeout=20)


@pytest.fixture
def client(server: str) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(kind: str, login: str, **options: Any) -> Client:
        one = Client(kind, server, f"{login}@example.test", f"{kind}-{len(made):04}", **options)
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


def same(*clients: Client, collection: str) -> dict[str, dict[str, Any]]:
    """Sync until each has what the others sent; return the rows, which must be the same on all."""
    for _ in range(2):
        for one in clients:
            one.call("sync")
    found = [one.rows(collection) for one in clients]
    assert all(rows == found[0] for rows in found), found
    return found[0]


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_a_row_that_may_not_be_deleted_comes_back_to_the_phone_that_did_it(
    world: World, client: Callable[..., Client], kind: str
) -> None:
    """A customer with equipment: the phone shows it again, has nothing left to send, and is told why."""
    phone = client(kind, "rep")
    phone.call("sync")

    phone.call("delete", collection="customers", id=world.customer)
    assert phone.rows("customers") == {}
    for _ in range(2):
        phone.call("sync")

    assert set(phone.rows("customers")) == {world.customer}
    [told] = phone.rows("sync_problems").values()
    assert (told["row_id"], told["state"]) == (world.customer, "open")
    phone.call("sync")
    assert len(phone.rows("sync_problems")) == 1


def test_watermelondb_and_rxdb_on_one_account_see_each_others_changes(
    db: Database, world: World, client: Callable[..., Client]
) -> None:
    melon, rx = client("watermelon", "rep"), client("rxdb", "rep")
    assert set(same(melon, rx, collection="customers")) == {world.customer}

    # Each makes rows offline; the child's parent comes in the same push.
    melon.call("create", collection="sites", row=new_site("made-on-melon-1"))
    melon.call("create", collection="customers", row=new_customer(world, "made-on-melon-1"))
    rx.call("create", collection="customers", row=new_customer(world, "made-on-rxdb-01") | {"created_at": 0, "updated_at": 0})
    rows = same(melon, rx, collection="customers")
    assert set(rows) == {world.customer, "made-on-melon-1", "made-on-rxdb-01"}
    assert rows["made-on-rxdb-01"]["code"].startswith("C-")
    assert set(same(melon, rx, collection="sites")) == {world.site, "site-from-phone"}

    # Both edit one row offline: different fields, then the same one.
    melon.call("update", collection="customers", id=world.customer, changes={"name": "From WatermelonDB"})
    rx.call("update", collection="customers", id=world.customer, changes={"phone": "+8613800138000"})
    row = same(melon, rx, collection="customers")[world.customer]
    assert (row["name"], row["phone"]) == ("From WatermelonDB", "+8613800138000")
    melon.call("update", collection="customers", id=world.customer, changes={"email": "melon@example.test"})
    rx.call("update", collection="customers", id=world.customer, changes={"email": "rx@example.test"})
    assert same(melon, rx, collection="customers")[world.customer]["email"] == stored(db, Customer, world.customer).email

    # Deleted on one, edited on the other: gone on both.
    rx.call("delete", collection="customers", id="made-on-melon-1")
    melon.call("update", collection="customers", id="made-on-melon-1", changes={"name": "Too late"})
    assert set(same(rx, melon, collection="customers")) == {world.customer, "made-on-rxdb-01"}
    assert set(same(melon, rx, collection="sites")) == {world.site}

    for name in ("customers", "sites", "assets", "alarms"):
        digests = {one.call("digest", collection=name)["hash"] for one in (melon, rx)}
        assert len(digests) == 1, name
    assert melon.call("pending")["count"] == rx.call("pending")["count"] == 0
    assert melon.complaints() == []
    assert rx.complaints() == []


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_what_somebody_else_wrote_to_the_same_field_is_in_the_journal_also_when_it_came_with_the_pull_before_the_push(
    db: Database, world: World, client: Callable[..., Client], kind: str
) -> None:
    one, other = client(kind, "rep"), client("watermelon", "manager")
    for phone in (one, other):
        phone.call("sync")
    one.call("update", collection="customers", id=world.customer, changes={"name": "Last to arrive"})
    other.call("update", collection="customers", id=world.customer, changes={"name": "First to arrive"})
    other.call("sync")
    one.call("sync")

    assert same(one, other, collection="customers")[world.customer]["name"] == "Last to arrive"
    with db.reading() as session:
        [lost] = session.scalars(select(SyncConflict))
    assert (lost.kept, lost.lost) == ("Last to arrive", "First to arrive")
    assert one.complaints() == other.complaints() == []


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_lost_and_doubled_messages_and_another_phone_in_between_lose_nothing(
    db: Database, world: World, client: Callable[..., Client], kind: str
) -> None:
    one, other = client(kind, "rep"), client("watermelon", "manager")
    one.call("sync")
    other.call("sync")
    for n, (fault, method) in enumerate(
        [("drop_request", "POST"), ("drop_response", "POST"), ("duplicate", "POST"), ("drop_response", "GET")]
    ):
        row = new_customer(world, f"customer-{n:04}") | ({"created_at": 0, "updated_at": 0} if kind == "rxdb" else {})
        one.call("create", collection="customers", row=row)
        one.call("fault", kind=fault, path="/sync/", method=method, times=1)
        one.ask("sync")
        other.call("sync")
        if stored(db, Customer, f"customer-{n:04}") is not None:
            other.call("update", collection="customers", id=f"customer-{n:04}", changes={"email": f"office{n}@example.test"})
            other.call("sync")
        one.call("fault", kind="none")
        one.call("sync")
        one.call("update", collection="customers", id=f"customer-{n:04}", changes={"name": f"Edited {n}"})
    rows = same(one, other, collection="customers")

    assert set(rows) == {world.customer, *(f"customer-{n:04}" for n in range(4))}
    assert [rows[f"customer-{n:04}"]["name"] for n in range(4)] == [f"Edited {n}" for n in range(4)]
    assert sum(bool(row["email"]) for row in rows.values()) >= 2
    told = one.call("digest", collection="customers")
    assert (told["count"], told["hash"]) == (5, other.call("digest", collection="customers")["hash"])
    assert one.complaints() == []
    assert other.complaints() == []


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_an_edit_that_is_refused_is_told_until_it_is_put_right(world: World, client: Callable[..., Client], kind: str) -> None:
    """RxDB takes the row of the server in its place, WatermelonDB keeps what was written; neither closes the problem by that."""
    phone = client(kind, "rep")
    phone.call("sync")
    before = phone.rows("customers")[world.customer]["phone"]

    phone.call("update", collection="customers", id=world.customer, changes={"phone": "nonsense"})
    for _ in range(3):
        phone.call("sync")

    [told] = phone.rows("sync_problems").values()
    assert (told["row_id"], told["state"], json.loads(told["reasons"])) == (
        world.customer,
        "open",
        {"phone": "不是有效的电话号码"},
    )
    assert phone.rows("customers")[world.customer]["phone"] == (before if kind == "rxdb" else "nonsense")

    phone.call("update", collection="customers", id=world.customer, changes={"phone": "+8613800138009"})
    for _ in range(2):
        phone.call("sync")
    assert [row["state"] for row in phone.rows("sync_problems").values()] in ([], ["mended"])
    assert phone.rows("customers")[world.customer]["phone"] == "+8613800138009"


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_a_bad_row_and_a_refused_intent_do_not_stop_the_phone(world: World, client: Callable[..., Client], kind: str) -> None:
    one = client(kind, "rep")
    one.call("sync")
    stamps = {"created_at": 0, "updated_at": 0} if kind == "rxdb" else {}
    one.call("create", collection="customers", row=new_customer(world, "bad-customer-1", phone="nonsense") | stamps)
    one.call("create", collection="customers", row=new_customer(world, "good-customer-1") | stamps)
    intent = {"id": "intent-rep-0001", "kind": "alarm.acknowledge", "body": '{"alarm_id": "no-such-alarm"}', "made_at": 5}
    one.call("create", collection="intents", row=intent | stamps)
    one.call("sync")
    one.call("sync")

    assert "good-customer-1" in one.rows("customers")
    assert one.rows("intents")["intent-rep-0001"]["verdict"] == "rejected"
    assert one.rows("intents")["intent-rep-0001"]["text"]
    [problem] = one.rows("sync_problems").values()
    assert json.loads(problem["reasons"]) == {"phone": "不是有效的电话号码"}
    # RxDB's queue goes on only without the row; WatermelonDB keeps it, to be mended.
    assert ("bad-customer-1" in one.rows("customers")) == (kind == "watermelon")
    assert one.complaints() == []


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_an_upgraded_app_has_what_its_new_columns_hold_and_loses_nothing_unsent(
    db: Database, world: World, http: Http, client: Callable[..., Client], kind: str
) -> None:
    office = http.as_(world.manager)
    made = {"name": "x", "email": "owner@example.test", "territory_id": world.territory}
    for row_id in ("quiet", "edited", "deleted", "renamed", "gone"):
        office.post("/customers", made | {"id": f"customer-{row_id}"}, expect=201)
    phone = client(kind, "rep", schema_version=1)
    phone.call("sync")
    assert "email" not in phone.rows("customers")["customer-edited"]
    office.call("PATCH", "/customers/customer-renamed", {"name": "Renamed by the office"}, If_Match="*")
    office.call("DELETE", "/customers/customer-gone", If_Match="*")
    phone.call("update", collection="customers", id="customer-edited", changes={"name": "Edited before the upgrade"})
    phone.call("delete", collection="customers", id="customer-deleted")
    phone.call("create", collection="customers", row=old_customer(world))

    phone.call("open", **phone.options | {"schema_version": 2})
    assert phone.call("pending")["count"] == 3
    phone.call("sync")

    rows = phone.rows("customers")
    names = {row_id: row["name"] for row_id, row in rows.items() if row_id != world.customer}
    assert names == {
        "customer-quiet": "x",
        "customer-edited": "Edited before the upgrade",
        "customer-renamed": "Renamed by the office",
        "customer-from-phone": "From a phone",
    }
    assert {rows[f"customer-{row_id}"]["email"] for row_id in ("quiet", "edited", "renamed")} == {"owner@example.test"}
    assert phone.call("pending")["count"] == 0
    assert phone.complaints() == []
    for row_id, name in names.items():
        assert stored(db, Customer, row_id).name == name
    assert stored(db, Customer, "customer-edited").email == "owner@example.test"
    phone.call("sync")  # WatermelonDB sees the stamps of what it pushed with the next pull.
    told = phone.call("digest", collection="customers")
    assert told["hash"] == http.as_(world.rep).get("/sync/digest?collection=customers")["hash"]
    # Nobody's edit met another's. With WatermelonDB an upgraded phone says that nothing was seen: what the edit replaced is kept.
    with db.reading() as session:
        journal = [(lost.row_id, lost.lost) for lost in session.scalars(select(SyncConflict))]
    assert journal == ([("customer-edited", "x")] if kind == "watermelon" else [])


def old_customer(world: World) -> dict[str, Any]:
    """Return a customer as the release made one that knows no e-mail."""
    return {name: value for name, value in new_customer(world).items() if name != "email"}


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_customers_made_offline_arrive_with_what_hangs_on_them(
    db: Database, world: World, client: Callable[..., Client], kind: str
) -> None:
    phone = client(kind, "rep")
    phone.call("sync")
    for n in range(8):
        phone.call("create", collection="customers", row=new_customer(world, f"customer-made-{n}"))
        phone.call("create", collection="sites", row=new_site(f"customer-made-{n}", f"site-made-{n}"))
    phone.call("sync")
    phone.call("sync")

    made = {f"site-made-{n}" for n in range(8)}
    assert made <= set(phone.rows("sites"))
    assert all(stored(db, Site, row_id) is not None for row_id in made)
    assert phone.rows("sync_problems") == {}
    assert phone.complaints() == []


@pytest.mark.parametrize("kind", ["watermelon", "rxdb"])
def test_an_owner_reports_without_network_by_a_form_on_the_phone_and_its_photo_comes_later(
    db: Database, world: World, http: Http, client: Callable[..., Client], kind: str
) -> None:
    office = http.as_(world.manager)
    step = {"label_zh": "货架", "label_en": "Shelf", "required": True}
    asked = {"code": "area", "kind": "number", "label_zh": "面积", "label_en": "Area"}
    steps = [
        {**step, "code": "shelf", "kind": "photo", "least": 1},
        {**step, "code": "size", "kind": "form", "questions": [asked]},
    ]
    form = office.post("/report-forms", {"code": "shop", "name_zh": "门店", "name_en": "Shop", "steps": steps}, expect=201)
    held = ["report_forms", "report_form_versions", "customer_reports", "attachments", "intents", "sync_problems"]
    phone = client(kind, "owner", **({"collections": held} if kind == "rxdb" else {}))
    phone.call("sync")
    [version] = phone.rows("report_form_versions").values()
    assert [one["code"] for one in json.loads(version["steps"])] == ["shelf", "size"]

    stamps = {"created_at": 0, "updated_at": 0} if kind == "rxdb" else {}
    raw = b"\x89PNG" + bytes(60)
    photo = {"id": "photo-000001", "subject_kind": "customer", "subject_id": world.customer, "name": "shelf.png"}
    photo |= {"mime": "image/png", "size": len(raw), "sha256": hashlib.sha256(raw).hexdigest(), "state": "waiting", "made_at": 1}
    made_ms = int(time.time() * 1000) - 3_600_000  # the server runs by the real clock
    for n, (ago_ms, area) in enumerate(((0, 60), (3_600_000, 40))):
        told = {"shelf": {"photo_ids": ["photo-000001"]}, "size": {"answers": {"area": area}}}
        body = {"id": f"report-{n:06}", "version_id": version["id"], "made_ms": made_ms - ago_ms, "steps": told}
        intent = {"id": f"intent-{n:06}", "kind": "customer_report.file", "body": json.dumps(body), "made_at": made_ms + n}
        phone.call("create", collection="intents", row=intent | stamps)
        phone.call("sync")
    phone.call("create", collection="attachments", row=photo | stamps)
    phone.call("sync")
    phone.call("sync")

    assert {row["verdict"] for row in phone.rows("intents").values()} == {"accepted"}
    rows = phone.rows("customer_reports")
    grown = {row_id: [(one["before"], one["after"]) for one in json.loads(row["grown"])] for row_id, row in rows.items()}
    # The one of an hour before came last: the other one had grown since.
    assert grown == {"report-000000": [(40, 60)], "report-000001": []}
    assert [json.loads(row["awaiting"]) for row in rows.values()] == [["photo-000001"]] * 2
    assert phone.rows("attachments")["photo-000001"]["state"] == "waiting"
    assert phone.rows("sync_problems") == {}
    assert phone.call("digest", collection="customer_reports")["count"] == 2
    assert {row["form_id"] for row in rows.values()} == {form["id"]}
    assert phone.complaints() == []
