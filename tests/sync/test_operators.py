"""What operators see of phones: health, explanation, digest, wiping."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from app.core.db import Database
from offline_sync.models import Installation
from tests.conftest import SetClock
from tests.factories import World, make_user
from tests.people import Http
from tests.sync.phones import Phone
from tests.sync.test_watermelon import new_customer

Phones = Callable[..., Phone]


def digest_of(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Compute what docs/sync-protocol.md says, independently of the server's code."""
    total = 0
    for row in rows.values():
        text = json.dumps([row["id"], row["updated_at"]], separators=(",", ":"))
        total ^= int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return {"count": len(rows), "hash": f"{total:016x}"}


def test_a_phone_can_prove_that_it_holds_what_the_server_says(world: World, phone: Phones, clock: SetClock) -> None:
    rep = phone(world.rep)
    rep.sync()
    clock.advance(seconds=5)
    rep.create("customers", new_customer(world))
    rep.sync()

    for name in ("customers", "sites", "assets", "alarms"):
        told = rep.http("GET", f"/sync/digest?collection={name}").get_json()
        assert told == {"collection": name} | digest_of(rep.rows.get(name, {})), name
    del rep.rows["customers"]["customer-from-phone"]
    assert rep.http("GET", "/sync/digest?collection=customers").get_json()["hash"] != digest_of(rep.rows["customers"])["hash"]


def test_health_of_each_phone_is_seen_by_the_office(world: World, phone: Phones, http: Http, clock: SetClock) -> None:
    rep = phone(world.rep, name="phone-of-the-rep")
    device_ms = int(clock.now().timestamp() * 1000) - 90_000
    rep.http(
        "GET", "/sync/watermelon?last_pulled_at=0", X_App_Version="1.2.3", X_Schema_Version="4", X_Queue_Age="60000",
        X_Device_Time=str(device_ms),
    )  # fmt: skip
    office = http.as_(world.manager)
    [seen] = office.get("/sync/installations")["items"]
    assert (seen["id"], seen["user_id"], seen["protocol"], seen["lag"]) == ("phone-of-the-rep", world.rep, "watermelon", 0)
    assert (seen["app_version"], seen["schema_version"], seen["queue_age_ms"], seen["skew_ms"]) == ("1.2.3", 4, 60_000, -90_000)

    assert seen["last_error"] is None
    rep.create("customers", new_customer(world, "bad-customer-1", phone="nonsense"))
    rep.sync()
    assert office.get("/sync/installations")["items"][0]["last_error"] == "phone_invalid"
    text = http.app.test_client().get("/metrics").get_data(as_text=True)
    assert 'fieldloop_sync_installations{protocol="watermelon"} 1' in text
    assert 'fieldloop_sync_clock_skew_seconds_max{protocol="watermelon"}' in text
    assert "fieldloop_sync_problems_open 1" in text
    rep.delete("customers", "bad-customer-1")
    rep.sync()

    office.edit(f"/customers/{world.customer}", {"name": "News"}, 1)
    assert office.get("/sync/installations")["items"][0]["lag"] == 1
    assert http.as_(world.rep).call("GET", "/sync/installations").status_code == 403


def test_an_idle_pull_is_written_down_once_a_minute_at_most(db: Database, world: World, phone: Phones, clock: SetClock) -> None:
    rep = phone(world.rep)
    rep.pull()

    def seen_at() -> datetime:
        with db.reading() as session:
            return session.get_one(Installation, (rep.name, world.rep)).seen_at

    first = seen_at()
    clock.advance(seconds=50)
    rep.pull()
    assert seen_at() == first
    clock.advance(seconds=15)
    rep.pull()
    assert seen_at() == first + timedelta(seconds=65)


def explained(http: Http, world: World, row_id: str, user: str, collection: str = "customers") -> tuple[bool, str]:
    found = http.as_(world.manager).get(f"/sync/explain?collection={collection}&id={row_id}&user={user}")
    return found["on_phone"], found["reason"]


def test_why_a_row_is_or_is_not_on_a_phone(db: Database, world: World, phone: Phones, http: Http) -> None:
    with db.transaction() as session:
        stranger = make_user(session, world.settings, "rep", "stranger").id
    admin = http.as_(world.admin)

    assert explained(http, world, world.customer, world.rep) == (True, "shared_scope")
    assert explained(http, world, world.customer, stranger) == (False, "no_shared_scope")
    assert explained(http, world, "customer-nowhere", world.rep) == (False, "no_such_row")
    assert explained(http, world, "some-offer-001", world.staff[0], "service_offers") == (False, "collection_not_for_role")
    admin.call("PUT", f"/users/{stranger}/territories", {"territory_ids": [world.territory]}, If_Match="*")
    assert explained(http, world, world.customer, stranger) == (True, "shared_scope")
    admin.call("PUT", f"/users/{stranger}/territories", {"territory_ids": []}, If_Match="*")
    assert explained(http, world, world.customer, stranger) == (False, "user_lost_scope")
    rep = phone(world.rep)
    rep.pull()
    rep.create("customers", new_customer(world))
    rep.sync()
    rep.delete("customers", "customer-from-phone")
    rep.sync()
    assert explained(http, world, "customer-from-phone", world.rep) == (False, "row_deleted")


def test_a_phone_in_the_middle_of_its_first_pull_can_be_wiped(world: World, phone: Phones, http: Http) -> None:
    rep, office = phone(world.rep), http.as_(world.manager)
    assert rep.http("GET", "/sync/rxdb/stations/pull?limit=1").status_code == 200

    [listed] = office.get("/sync/installations")["items"]
    assert (listed["id"], listed["pulled_no"], listed["lag"]) == (rep.name, None, None)
    office.post(f"/sync/installations/{rep.name}/wipe", {"user_id": world.rep})
    assert rep.http("GET", "/sync/rxdb/stations/pull?limit=1").get_json()["code"] == "wipe_required"


def test_replaying_an_intent_does_not_make_another_wish_of_it(world: World, phone: Phones, http: Http) -> None:
    rep, office = phone(world.rep), http.as_(world.admin)
    rep.pull()
    rep.create("intents", {"id": "intent-rep-0001", "kind": "alarm.acknowledge", "body": "{}", "made_at": 1})
    rep.sync()
    [problem] = office.get("/sync/problems?state=open")["items"]

    values = {"kind": "notification.open", "body": '{"notification_id": "notification-1"}'}
    told = office.refused("POST", f"/sync/problems/{problem['id']}/replay", 422, "validation_failed", {"values": values})
    assert [error["field"] for error in told["errors"]] == ["kind"]
    office.post(f"/sync/problems/{problem['id']}/replay", {"values": {"body": '{"alarm_id": "alarm-unknown-1"}'}})


def test_a_phone_is_wiped_confirms_it_and_may_begin_again(world: World, phone: Phones, http: Http) -> None:
    rep, office = phone(world.rep), http.as_(world.manager)
    rep.sync()
    office.post(f"/sync/installations/{rep.name}/wipe", {"user_id": world.rep})

    answer = rep.http("GET", "/sync/watermelon?last_pulled_at=0")
    assert (answer.status_code, answer.get_json()["code"]) == (403, "wipe_required")
    assert rep.http("POST", "/sync/watermelon?last_pulled_at=0", {}).status_code == 403
    assert rep.http("GET", "/sync/rxdb/customers/pull").status_code == 403
    other = phone(world.rep)
    other.sync()  # the person's other phone goes on
    assert rep.http("POST", "/sync/wiped").status_code == 204
    assert rep.http("POST", "/sync/wiped").status_code == 404
    assert office.get("/sync/installations")["items"][-1]["wiped_at"] or office.get("/sync/installations")["items"][0]["wiped_at"]
    rep.rows, rep.cursor = {}, None
    rep.sync()
    assert world.customer in rep.rows["customers"]
    office.refused("POST", "/sync/installations/nobody-0001/wipe", 404, "not_found", {"user_id": world.rep})
