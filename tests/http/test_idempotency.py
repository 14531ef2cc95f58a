"""A repeated request has one effect and one answer; an edit of an older version has none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.core.db import Database
from app.core.history import HistoryEntry
from app.core.idempotency import StoredAnswer, forget_answers
from app.customers import operations as customers
from app.customers.models import Customer, Site
from tests.conftest import SetClock
from tests.factories import World
from tests.people import Http

KEY = "a-key-of-mine-1"
SITE = {"name": "Yard", "lat": 22.5, "lon": 114.0}


@pytest.fixture
def admin(http: Http, world: World) -> Http:
    return http.as_(world.admin)


def together(n: int, send: Callable[[int], Any]) -> list[Any]:
    """Call ``send`` in ``n`` threads that are released at once."""
    start = Barrier(n)

    def one(i: int) -> Any:
        start.wait(20)
        return send(i)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(one, range(n)))


def count(db: Database, model: type) -> int:
    with db.reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def told(answer: TestResponse) -> tuple[int, bytes, str | None]:
    return answer.status_code, answer.data, answer.headers.get("ETag")


# Idempotency-Key


def test_the_same_request_again_gives_the_same_answer_and_no_second_effect(admin: Http, world: World, db: Database) -> None:
    path = f"/customers/{world.customer}/sites"

    first = admin.call("POST", path, SITE, Idempotency_Key=KEY)
    again = [admin.call("POST", path, SITE, Idempotency_Key=KEY) for _ in range(3)]

    assert first.status_code == 201
    assert "Idempotency-Replayed" not in first.headers
    for answer in again:
        assert told(answer) == told(first)
        assert answer.mimetype == "application/json"
        assert answer.headers["Idempotency-Replayed"] == "true"
    assert count(db, Site) == 2
    with db.reading() as session:
        kinds = session.scalars(select(HistoryEntry.kind).where(HistoryEntry.subject_id == first.get_json()["id"])).all()
    assert list(kinds) == ["site.created"]


def test_without_a_key_each_request_is_a_new_one(admin: Http, world: World, db: Database) -> None:
    path = f"/customers/{world.customer}/sites"

    ids = {admin.post(path, SITE, expect=201)["id"] for _ in range(3)}

    assert len(ids) == 3
    assert count(db, StoredAnswer) == 0


def test_eight_at_once_with_one_key_have_one_effect_and_one_answer(admin: Http, world: World, db: Database) -> None:
    path = f"/customers/{world.customer}/sites"

    answers = together(8, lambda _: admin.call("POST", path, SITE, Idempotency_Key=KEY))

    assert {told(answer) for answer in answers} == {told(answers[0])}
    assert answers[0].status_code == 201
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    assert count(db, Site) == 2


def test_a_redemption_sent_eight_times_at_once_by_a_phone_succeeds_eight_times_with_one_effect(
    admin: Http, http: Http, world: World, db: Database
) -> None:
    """Not "redeemed already": the phone that lost the answer must learn that it was its own redemption."""
    world.report(74.9, 74.5, 74.1)
    owner, staff = http.as_(world.owner), http.as_(world.staff[0])
    [task], [offer] = staff.get("/station-tasks")["items"], owner.get("/service-offers")["items"]
    staff.post(f"/station-tasks/{task['id']}/accept")
    slot = owner.get(f"/work-orders/{offer['work_order_id']}/slots")["slots"][0]
    owner.post(f"/service-offers/{offer['id']}/accept", {"slot_at": slot})
    code = owner.get(f"/service-offers/{offer['id']}/coupon")["code"]

    answers = together(8, lambda _: staff.call("POST", "/coupons/redeem", {"code": code}, Idempotency_Key=KEY))

    assert {told(answer) for answer in answers} == {told(answers[0])}
    assert answers[0].get_json()["state"] == "redeemed"
    with db.reading() as session:
        assert session.scalar(select(func.count()).where(HistoryEntry.kind == "coupon.redeemed")) == 1
    staff.refused("POST", "/coupons/redeem", 409, "coupon_redeemed", {"code": code}, Idempotency_Key=KEY + "2")


def test_the_key_with_another_body_or_path_is_refused(admin: Http, world: World, db: Database) -> None:
    path = f"/customers/{world.customer}/sites"
    first = admin.call("POST", path, SITE, Idempotency_Key=KEY)
    with db.transaction() as session:
        actor = world.actor(world.admin)
        other = customers.create_customer(session, actor, {"code": "C-2", "name": "Chen", "territory_id": world.territory})

    admin.refused("POST", path, 422, "key_reused", SITE | {"name": "Other"}, Idempotency_Key=KEY)
    admin.refused("POST", f"/customers/{other.id}/sites", 422, "key_reused", SITE, Idempotency_Key=KEY)

    assert told(admin.call("POST", path, SITE, Idempotency_Key=KEY)) == told(first)
    assert count(db, Site) == 2


def test_a_key_belongs_to_one_person_and_one_route(admin: Http, http: Http, world: World, db: Database) -> None:
    path, manager = f"/customers/{world.customer}/sites", http.as_(world.manager)

    mine = admin.call("POST", path, SITE, Idempotency_Key=KEY)
    theirs = manager.call("POST", path, SITE | {"name": "Theirs"}, Idempotency_Key=KEY)
    elsewhere = admin.call("POST", "/partners", {"name": "Dealer"}, Idempotency_Key=KEY)

    assert {answer.status_code for answer in (mine, theirs, elsewhere)} == {201}
    assert mine.get_json()["id"] != theirs.get_json()["id"]
    assert told(admin.call("POST", path, SITE, Idempotency_Key=KEY)) == told(mine)
    assert told(manager.call("POST", path, SITE | {"name": "Theirs"}, Idempotency_Key=KEY)) == told(theirs)
    assert (count(db, Site), count(db, StoredAnswer)) == (3, 3)


def test_a_refused_request_may_be_mended_and_sent_with_the_same_key(admin: Http, world: World, db: Database) -> None:
    path = "/customers"
    body = {"code": "C-2", "name": "Chen", "territory_id": "no-such-territory"}

    admin.refused("POST", path, 422, "validation_failed", body | {"name": ""}, Idempotency_Key=KEY)
    admin.refused("POST", path, 422, "validation_failed", body, Idempotency_Key=KEY)
    assert count(db, StoredAnswer) == 0

    made = admin.call("POST", path, body | {"territory_id": world.territory}, Idempotency_Key=KEY)
    assert made.status_code == 201
    assert told(admin.call("POST", path, body | {"territory_id": world.territory}, Idempotency_Key=KEY)) == told(made)


def test_a_conflict_is_judged_anew_with_the_same_key(admin: Http, http: Http, world: World) -> None:
    world.report(74.9, 74.5, 74.1)
    staff = http.as_(world.staff[0])
    [task] = staff.get("/station-tasks")["items"]
    path = f"/station-tasks/{task['id']}/begin"

    staff.refused("POST", path, 409, "state_conflict", Idempotency_Key=KEY)
    staff.post(f"/station-tasks/{task['id']}/accept")

    assert staff.post(path, Idempotency_Key=KEY)["state"] == "in_progress"
    assert staff.post(path, Idempotency_Key=KEY)["state"] == "in_progress"


def test_an_answer_without_a_body_is_repeated_too(http: Http, world: World) -> None:
    owner = http.as_(world.owner)

    answers = [owner.call("POST", "/me/registration-tokens/forget", {"address": "x"}, Idempotency_Key=KEY) for _ in range(2)]

    assert [told(answer) for answer in answers] == [(204, b"", None)] * 2


def test_an_answer_that_shows_a_secret_is_not_kept(admin: Http, world: World, db: Database) -> None:
    path = f"/devices/{world.device}/secret"

    secrets = {admin.call("POST", path, Idempotency_Key=KEY).get_json()["secret"] for _ in range(2)}

    assert len(secrets) == 2
    assert count(db, StoredAnswer) == 0


def test_answers_are_kept_for_thirty_days(admin: Http, world: World, db: Database, clock: SetClock) -> None:
    path = f"/customers/{world.customer}/sites"
    first = admin.call("POST", path, SITE, Idempotency_Key=KEY)

    clock.advance(days=29, hours=23)
    with db.transaction() as session:
        assert forget_answers(session, world.settings.idempotency_days) == 0
    assert told(admin.call("POST", path, SITE, Idempotency_Key=KEY)) == told(first)

    clock.advance(hours=2)
    with db.transaction() as session:
        assert forget_answers(session, world.settings.idempotency_days) == 1
    assert world.settings.idempotency_days * timedelta(days=1) >= timedelta(days=30)


# If-Match


def test_reads_and_edits_tell_the_version(admin: Http, world: World, clock: SetClock) -> None:
    for path in (
        f"/customers/{world.customer}",
        f"/stations/{world.stations[0]}",
        f"/assets/{world.asset}",
        f"/devices/{world.device}",
        f"/users/{world.rep}",
        "/me",
    ):
        answer = admin.call("GET", path)
        assert answer.headers["ETag"] == f'"{answer.get_json()["version"]}"', path
    clock.advance(seconds=1)
    edited = admin.call("PATCH", f"/customers/{world.customer}", {"name": "New"}, If_Match='"1"')
    assert (edited.headers["ETag"], edited.get_json()["version"]) == ('"2"', 2)
    assert admin.call("GET", f"/customers/{world.customer}").headers["ETag"] == '"2"'
    assert "ETag" not in admin.call("GET", "/customers").headers
    assert "ETag" not in admin.call("GET", "/customers/no-such-customer").headers


def test_every_edit_needs_the_version_it_edits(admin: Http, world: World, clock: SetClock) -> None:
    [rule] = [rule for rule in admin.get("/rules")["items"] if rule["code"].startswith("battery")][:1]
    for method, path, body in (
        ("PATCH", f"/customers/{world.customer}", {"name": "New"}),
        ("PATCH", f"/stations/{world.stations[0]}", {"name": "New"}),
        ("PATCH", "/me", {"name": "New"}),
        ("PATCH", f"/users/{world.rep}", {"name": "New"}),
        ("PATCH", f"/rules/{rule['id']}", {"enabled": False}),
        ("PUT", f"/users/{world.manager}/territories", {"territory_ids": []}),
        ("DELETE", f"/devices/{world.device}", None),
    ):
        clock.advance(seconds=1)
        admin.refused(method, path, 428, "version_required", body)
        stale = admin.refused(method, path, 412, "version_stale", body, If_Match='"7", W/"8"')
        assert "version is 1" in stale["detail"], path
        done = admin.call(method, path, body, If_Match='W/"7", "1"')
        assert (done.status_code, done.headers["ETag"]) == (200, '"2"'), path
        admin.refused(method, path, 412, "version_stale", body, If_Match='"1"')


def test_a_star_matches_whatever_is_there_but_not_what_is_not(admin: Http, world: World, clock: SetClock) -> None:
    clock.advance(seconds=1)
    assert admin.call("PATCH", f"/customers/{world.customer}", {"name": "A"}, If_Match="*").get_json()["version"] == 2
    clock.advance(seconds=1)
    assert admin.call("PATCH", f"/customers/{world.customer}", {"name": "B"}, If_Match="*").get_json()["version"] == 3
    admin.refused("PATCH", "/customers/no-such-customer", 404, "not_found", {"name": "C"}, If_Match="*")


def test_a_stale_edit_changes_nothing(admin: Http, world: World, db: Database) -> None:
    entries = count(db, HistoryEntry)

    admin.refused("PATCH", f"/customers/{world.customer}", 412, "version_stale", {"name": "New"}, If_Match='"2"')

    assert admin.get(f"/customers/{world.customer}")["name"] == "Lin Logistics"
    assert count(db, HistoryEntry) == entries


@pytest.mark.parametrize("version", ['"1"', "*"])
def test_of_parallel_edits_of_one_version_exactly_one_wins(
    admin: Http, world: World, db: Database, clock: SetClock, version: str
) -> None:
    path = f"/customers/{world.customer}"
    clock.advance(seconds=1)

    answers = together(6, lambda i: admin.call("PATCH", path, {"name": f"Name {i}"}, If_Match=version))

    won = [i for i, answer in enumerate(answers) if answer.status_code == 200]
    lost = [answer for answer in answers if answer.status_code != 200]
    present = admin.get(path)
    if version == "*":  # each that began after the other's end edits the newer version
        assert present["version"] == 1 + len(won)
    else:
        assert len(won) == 1
        assert present == {name: value for name, value in answers[won[0]].json.items() if name != "outranked"}
    assert present["name"] in {f"Name {i}" for i in won}
    assert {(answer.status_code, answer.get_json()["code"]) for answer in lost} <= {(412, "version_stale"), (409, "conflict")}
    with db.reading() as session:
        edits = session.scalar(select(func.count()).where(HistoryEntry.kind == "customer.edited"))
    assert edits == len(won)


def test_of_parallel_first_ones_with_one_code_exactly_one_is_made(admin: Http, world: World, db: Database) -> None:
    body = {"code": "C-2", "name": "Chen", "territory_id": world.territory}

    answers = together(6, lambda _: admin.call("POST", "/customers", body))

    assert sorted(answer.status_code for answer in answers)[0] == 201
    refusals = {(answer.status_code, answer.get_json()["code"]) for answer in answers if answer.status_code != 201}
    assert refusals <= {(422, "validation_failed"), (409, "conflict")}
    assert sum(answer.status_code == 201 for answer in answers) == 1
    assert count(db, Customer) == 2
