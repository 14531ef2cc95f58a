"""A device's secret: shown once, rotated with an overlap, ended by the clock, by a newer one, by a revocation."""

from __future__ import annotations

from typing import Any

import pytest
import structlog.testing

from app.assets.credentials import broker_hash, end_old_secrets, secret_fits
from app.assets.models import Device
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot import operations
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.vehicles import causes_of, happened
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def thing(office: Http, world: World) -> Any:
    """A device that brings its secret over HTTP."""
    profile = office.post(
        "/device-profiles", {"code": "tb", "name": "tb", "adapter": "thingsboard", "metrics": {"soh_pct": {}}}, expect=201
    )
    return office.post(f"/assets/{world.asset}/devices", {"profile_id": profile["id"]}, expect=201)


def sends(http: Http, shown: Any) -> int:
    """Send one reading with a secret and return the status."""
    body = {"ts": to_ms(http.database.clock.now()), "values": {"soh_pct": 90}}
    return http.app.test_client().post(f"/api/v1/{shown['secret']}/telemetry", json=body).status_code


def rotate(office: Http, thing: Any, **body: Any) -> Any:
    return office.post(f"/devices/{thing['id']}/secret-rotations", body)


def test_the_old_secret_is_valid_beside_the_new_one_until_its_hour(
    office: Http, http: Http, thing: Any, clock: SetClock, db: Database
) -> None:
    rotated = rotate(office, thing, overlap_h=6)

    assert rotated["secret"] != thing["secret"]
    assert (thing["username"], rotated["username"]) == (thing["id"], f"{thing['id']}~2")
    assert rotated["old_secret_until"] == "2026-03-02T08:00:00.000Z"
    assert (sends(http, thing), sends(http, rotated)) == (200, 200)
    clock.advance(hours=6, seconds=-1)
    assert sends(http, thing) == 200
    clock.advance(seconds=1)
    assert (sends(http, thing), sends(http, rotated)) == (401, 200)  # whether or not the worker has been there

    with db.transaction() as session:
        assert end_old_secrets(session) == 1
        assert end_old_secrets(session) == 0
    assert office.get(f"/devices/{thing['id']}")["old_secret_until"] is None
    with db.reading() as session:
        assert session.get_one(Device, thing["id"]).old_secret_hash == ""
    told = office.get(f"/history/device/{thing['id']}")["about"]
    assert [entry["kind"] for entry in told] == ["device.registered", "device.secret_rotated", "device.old_secret_ended"]
    assert "2026-03-02 16:00" in told[1]["reason"]


def test_the_overlap_is_a_day_unless_it_is_said_and_never_more_than_a_week(office: Http, thing: Any) -> None:
    assert rotate(office, thing)["old_secret_until"] == "2026-03-03T02:00:00.000Z"
    for wrong in (-1, 169, 1.5, "1", True):
        office.refused("POST", f"/devices/{thing['id']}/secret-rotations", 422, "validation_failed", {"overlap_h": wrong})


def test_at_most_two_secrets_are_valid(office: Http, http: Http, thing: Any) -> None:
    second = rotate(office, thing)
    third = rotate(office, thing)

    assert [sends(http, shown) for shown in (thing, second, third)] == [401, 200, 200]
    assert third["username"] == thing["username"] != second["username"]


def test_without_an_overlap_and_by_a_renewal_every_older_secret_ends_at_once(office: Http, http: Http, thing: Any) -> None:
    second = rotate(office, thing)
    third = rotate(office, thing, overlap_h=0)
    assert [sends(http, shown) for shown in (thing, second, third)] == [401, 401, 200]

    fourth = rotate(office, thing)
    fifth = office.post(f"/devices/{thing['id']}/secret")
    assert [sends(http, shown) for shown in (third, fourth, fifth)] == [401, 401, 200]
    assert fifth["username"] == fourth["username"]


def test_a_revocation_ends_both_and_nothing_is_rotated_after_it(office: Http, http: Http, thing: Any) -> None:
    second = rotate(office, thing)

    assert office.call("DELETE", f"/devices/{thing['id']}", If_Match="*").status_code == 200

    assert [sends(http, shown) for shown in (thing, second)] == [401, 401]
    office.refused("POST", f"/devices/{thing['id']}/secret-rotations", 409, "state_conflict", {})


def test_no_answer_shows_a_secret_a_second_time(office: Http, thing: Any) -> None:
    rotated = rotate(office, thing)

    for path in (f"/devices/{thing['id']}", "/devices", f"/history/device/{thing['id']}"):
        text = office.call("GET", path).get_data(as_text=True)
        assert thing["secret"] not in text
        assert rotated["secret"] not in text


def test_a_secret_fits_its_own_hash_only() -> None:
    kept = broker_hash("right")

    assert secret_fits(kept, "right")
    for wrong in ("", "wrong", "right ", "\ud800", "r" * 10_000):
        assert not secret_fits(kept, wrong), wrong
    for broken in ("", "$7$101$$", "$7$x$AAAA$BBBB", "$6$101$AAAAAAAAAAAAAAAA$", "plain"):
        assert not secret_fits(broken, ""), broken
        assert not secret_fits(broken, "right"), broken


def test_a_new_secret_keeps_the_device_where_it_was(office: Http, world: World, thing: Any) -> None:
    before = office.get(f"/devices/{thing['id']}")

    rotated = rotate(office, thing)

    same = ("asset_id", "profile_id", "address", "shard", "state", "installed_at")
    assert {name: before[name] for name in same} == {name: rotated[name] for name in same}


def test_a_revoked_device_gets_no_new_secret(office: Http, http: Http, thing: Any) -> None:
    office.edit(f"/devices/{thing['id']}", None, thing["version"], method="DELETE")

    office.refused("POST", f"/devices/{thing['id']}/secret", 409, "state_conflict")
    office.refused("POST", f"/devices/{thing['id']}/secret-rotations", 409, "state_conflict", {})
    assert sends(http, thing) == 401


def test_a_fault_of_ours_writes_no_secret_into_the_log(http: Http, thing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device's secret stands in the path of its call."""

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr(operations, "take_telemetry", fail)
    with structlog.testing.capture_logs() as told:
        assert sends(http, thing) == 500

    assert [entry["route"] for entry in told if entry["event"] == "request failed"] == ["/api/v1/<token>/telemetry"]
    assert thing["secret"] not in str(told)


def test_whoever_asks_what_changed_hears_of_each_new_secret(office: Http, thing: Any, clock: SetClock) -> None:
    def shown() -> tuple[int, str]:
        device = office.get(f"/devices/{thing['id']}")
        return device["version"], device["updated_at"]

    assert shown() == (1, "2026-03-02T02:00:00.000Z")
    clock.advance(hours=1)
    rotate(office, thing)
    assert shown() == (2, "2026-03-02T03:00:00.000Z")
    clock.advance(hours=1)
    office.post(f"/devices/{thing['id']}/secret")
    assert shown() == (3, "2026-03-02T04:00:00.000Z")


def test_the_log_leads_from_the_end_of_an_old_secret_back_to_the_rotation(
    office: Http, thing: Any, clock: SetClock, db: Database, world: World
) -> None:
    rotate(office, thing, overlap_h=1)
    clock.advance(hours=1)
    with db.transaction() as session:
        end_old_secrets(session)
    office.post(f"/devices/{thing['id']}/secret")

    registered, rotated, ended, renewed = happened(db, thing["id"])
    assert [entry.kind for entry in (registered, rotated, ended, renewed)] == [
        "device.registered", "device.secret_rotated", "device.old_secret_ended", "device.secret_renewed",
    ]  # fmt: skip
    assert [cause.id for cause in causes_of(db, ended)] == [rotated.id]
    assert (rotated.actor_id, renewed.actor_id) == (world.manager, world.manager)


def test_an_old_secret_is_not_struck_off_before_its_hour(
    office: Http, http: Http, thing: Any, clock: SetClock, db: Database
) -> None:
    rotate(office, thing, overlap_h=1)
    clock.advance(hours=1, seconds=-1)

    with db.transaction() as session:
        assert end_old_secrets(session) == 0

    assert sends(http, thing) == 200
