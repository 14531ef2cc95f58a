"""A customer's own device: prepared by the office, claimed once by its owner with the code on its label."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from app.assets.models import Device, DeviceClaim
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import JOBS
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_user, make_world, soh
from tests.iot.vehicles import causes_of, counted, happened
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def owner(http: Http, world: World) -> Http:
    return http.as_(world.owner)


def prepare(office: Http, world: World, **more: Any) -> Any:
    return office.post("/device-claims", {"profile_id": world.profile} | more, expect=201)


def refused(owner: Http, world: World, code: str) -> None:
    owner.refused("POST", f"/assets/{world.asset}/device-claims", 422, "claim_invalid", {"code": code})


def test_an_owner_claims_a_prepared_device_and_from_then_on_it_is_heard(world: World, office: Http, owner: Http) -> None:
    prepared = prepare(office, world, id="my-device-1")
    message = soh("my-device-1", MONDAY_MORNING, 90, "b", 1, MONDAY_MORNING)
    assert world.send(message)["unknown_device"] == 1

    typed = "-".join(prepared["code"][i : i + 4] for i in range(0, 16, 4)).lower() + " "
    device = owner.post(f"/assets/{world.asset}/device-claims", {"code": typed}, expect=201)

    assert (device["id"], device["asset_id"], device["username"]) == ("my-device-1", world.asset, prepared["username"])
    assert "secret" not in device
    world.send(message)
    assert counted(world.db)["reading"] == 1
    told = happened(world.db, "my-device-1")
    assert [entry.kind for entry in told] == ["device.prepared", "device.claimed", "device.registered"]
    assert [entry.actor_id for entry in told] == [world.manager, world.owner, world.owner]


def test_the_secret_of_the_label_signs_in_once_the_device_is_claimed(world: World, office: Http, owner: Http, http: Http) -> None:
    body = {"code": "tb", "name": "tb", "adapter": "thingsboard", "metrics": {"soh_pct": {}}}
    profile = office.post("/device-profiles", body, expect=201)
    prepared = office.post("/device-claims", {"profile_id": profile["id"], "address": "Van 7"}, expect=201)

    def sends() -> int:
        return http.app.test_client().post(f"/api/v1/{prepared['secret']}/telemetry", json={"soh_pct": 90}).status_code

    assert sends() == 401
    owner.post(f"/assets/{world.asset}/device-claims", {"code": prepared["code"]}, expect=201)
    assert sends() == 200


def test_a_code_works_once_and_until_its_day_and_leaves_nothing_readable(
    world: World, office: Http, owner: Http, clock: SetClock
) -> None:
    first, second = prepare(office, world), prepare(office, world, valid_days=1)
    assert len(first["code"]) == 16
    with world.db.reading() as session:
        kept = " ".join(str(vars(claim)) for claim in session.scalars(select(DeviceClaim)))
    assert first["code"] not in kept
    assert first["secret"] not in kept

    owner.post(f"/assets/{world.asset}/device-claims", {"code": first["code"]}, expect=201)
    refused(owner, world, first["code"])
    clock.advance(days=1)
    refused(owner, world, second["code"])
    with world.db.reading() as session:
        assert len(session.scalars(select(Device)).all()) == 2  # the world's own, and the claimed one


def test_used_and_expired_claims_are_deleted_after_thirty_days_and_an_id_that_nobody_claimed_is_free_again(
    world: World, office: Http, owner: Http, clock: SetClock
) -> None:
    forget = next(job for job in JOBS if job.id == "forget_old_rows")

    def kept() -> set[str]:
        forget.work(world.db, world.settings)
        with world.db.reading() as session:
            return set(session.scalars(select(DeviceClaim.id)))

    used = prepare(office, world, id="used-one", valid_days=730)
    prepare(office, world, id="expired-one", valid_days=1)
    prepare(office, world, id="waiting-one", valid_days=90)
    owner.post(f"/assets/{world.asset}/device-claims", {"code": used["code"]}, expect=201)
    clock.advance(days=30)
    assert kept() == {"used-one", "expired-one", "waiting-one"}
    clock.advance(seconds=1)
    assert kept() == {"expired-one", "waiting-one"}
    clock.advance(days=1)
    assert kept() == {"waiting-one"}

    refused(owner, world, used["code"])
    assert "device.claimed" in [entry.kind for entry in happened(world.db, "used-one")]
    body = {"profile_id": world.profile, "id": "used-one"}
    office.refused("POST", "/device-claims", 422, "validation_failed", body)
    prepare(office, world, id="expired-one")


def test_wrong_codes_are_counted_and_lock_their_person_only(
    world: World, office: Http, owner: Http, http: Http, clock: SetClock
) -> None:
    prepared = prepare(office, world)
    with world.db.transaction() as session:
        other = make_user(session, world.settings, "customer", "other", customer_id=world.customer).id
    for i in range(10):
        refused(owner, world, f"WRONG{i}")

    path, body = f"/assets/{world.asset}/device-claims", {"code": prepared["code"]}
    owner.refused("POST", path, 429, "too_many_requests", body)
    assert [entry.kind for entry in happened(world.db, world.owner)].count("device.claim_refused") == 10
    assert http.as_(other).call("POST", path, {"code": "WRONG"}).status_code == 422
    clock.advance(seconds=61)
    owner.post(path, body, expect=201)


def test_nobody_claims_for_an_asset_that_is_not_theirs(world: World, office: Http, owner: Http, http: Http) -> None:
    prepared = prepare(office, world)
    customer = office.post("/customers", {"code": "C-2", "name": "Other", "territory_id": world.territory}, expect=201)["id"]
    with world.db.transaction() as session:
        stranger = make_user(session, world.settings, "customer", "stranger", customer_id=customer).id

    body = {"code": prepared["code"]}
    http.as_(stranger).refused("POST", f"/assets/{world.asset}/device-claims", 404, "not_found", body)
    http.as_(world.staff[0]).refused("POST", f"/assets/{world.asset}/device-claims", 403, "forbidden", body)
    owner.post(f"/assets/{world.asset}/device-claims", body, expect=201)


def test_what_cannot_be_registered_is_not_prepared(world: World, office: Http) -> None:
    prepare(office, world, id="my-device-1")

    for body, field in (
        ({"profile_id": world.profile, "id": world.device}, "id"),
        ({"profile_id": world.profile, "id": "my-device-1"}, "id"),
        ({"profile_id": "no-such-profile"}, "profile_id"),
        ({"profile_id": world.profile, "valid_days": 0}, "valid_days"),
        ({"profile_id": world.profile, "gateway": True}, "gateway"),
    ):
        answer = office.refused("POST", "/device-claims", 422, "validation_failed", body)
        assert [error["field"] for error in answer["errors"]] == [field]


def test_the_answer_names_the_topic_of_the_devices_own_convention(world: World, office: Http) -> None:
    assert prepare(office, world, id="my-device-1")["topic"] == "devices/0/my-device-1/telemetry"
    for adapter, address, topic in (
        ("ovms", "anna/CAR1", "ovms/anna/CAR1/metric/#"),
        ("sparkplug", "plant/press", "spBv1.0/plant/NDATA/press"),
        ("thingsboard", "Van 7", "v1/gateway/telemetry"),
    ):
        body = {"code": adapter, "name": adapter, "adapter": adapter, "metrics": {}}
        profile = office.post("/device-profiles", body, expect=201)
        prepared = office.post("/device-claims", {"profile_id": profile["id"], "address": address}, expect=201)
        assert prepared["topic"] == topic


def test_an_address_is_kept_for_the_device_that_waits_for_it_until_its_code_runs_out(
    world: World, office: Http, clock: SetClock
) -> None:
    profile = office.post(
        "/device-profiles", {"code": "tb", "name": "tb", "adapter": "thingsboard", "metrics": {"soh_pct": {}}}, expect=201
    )
    asked = {"profile_id": profile["id"], "address": "Van 7", "valid_days": 1}
    office.post("/device-claims", asked, expect=201)

    taken = office.refused("POST", "/device-claims", 422, "validation_failed", asked)
    assert [error["field"] for error in taken["errors"]] == ["address"]
    clock.advance(days=1)
    office.post("/device-claims", asked, expect=201)


def test_a_claimed_device_is_as_it_was_prepared_and_there_from_its_claim_on(
    world: World, office: Http, owner: Http, clock: SetClock
) -> None:
    prepared = prepare(office, world, id="my-device-1", shard=3)
    clock.advance(days=2)

    device = owner.post(f"/assets/{world.asset}/device-claims", {"code": prepared["code"]}, expect=201)

    assert (device["shard"], prepared["topic"].split("/")[1]) == (3, "3")
    assert device["installed_at"] == "2026-03-04T02:00:00.000Z"
    first, second, third = happened(world.db, "my-device-1")
    assert [cause.id for cause in causes_of(world.db, second)] == [first.id]
    assert [cause.id for cause in causes_of(world.db, third)] == [second.id]
