"""A device goes from one asset to another: each reading is of the asset where its device was at the reading's own time."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from app.assets.models import FaultCode, Placement
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot.ingest import Message, follow_due
from iot.models import Alarm
from iot.retention import retire_telemetry
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_user, make_world
from tests.iot.vehicles import (
    DAY,
    HOUR,
    Value,
    alarms,
    causes_of,
    expected_alarms,
    first_vehicle,
    happened,
    make_vehicle,
    send,
    shown_alarms,
    stock_up,
    values,
)  # fmt: skip
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def place(office: Http, device: str, asset: str, at: datetime, expect: int = 201) -> Any:
    return office.post(f"/devices/{device}/placements", {"asset_id": asset, "at": at.isoformat()}, expect=expect)


def follow(world: World) -> int:
    return follow_due(world.db, world.settings)


def test_after_a_move_new_readings_are_of_the_new_asset_and_late_ones_of_the_old(world: World, office: Http) -> None:
    old, new = first_vehicle(world), make_vehicle(world, "0002")
    moved_at = MONDAY_MORNING - 5 * DAY
    found = values(MONDAY_MORNING - 10 * DAY, DAY, *[74.0] * 11)
    before, after = found[:5], found[5:]

    shown = place(office, old.device, new.asset, moved_at)
    assert shown == {"device_id": old.device, "asset_id": new.asset, "placed_at": "2026-02-25T02:00:00.000Z", "removed_at": None}
    send(world, old.device, *after)
    assert shown_alarms(world.db, old.pack) == []
    assert shown_alarms(world.db, new.pack) == expected_alarms(after) != []
    send(world, old.device, *before)

    assert shown_alarms(world.db, old.pack) == expected_alarms(before) != []
    assert shown_alarms(world.db, new.pack) == expected_alarms(after)
    assert {alarm.asset_id for alarm in alarms(world.db, old.pack)} == {old.asset}


def test_a_move_recorded_late_brings_both_assets_in_line_without_another_reading(world: World, office: Http) -> None:
    old, new = first_vehicle(world), make_vehicle(world, "0002")
    found = values(MONDAY_MORNING - 10 * DAY, DAY, 80, 80, 80, 80, 80, 74, 73, 72, 71, 70, 69)
    send(world, old.device, *found)
    assert shown_alarms(world.db, old.pack) == expected_alarms(found) != []

    place(office, old.device, new.asset, MONDAY_MORNING - 5 * DAY)
    assert follow(world) > 0

    assert [alarm.state for alarm in alarms(world.db, old.pack)] == ["withdrawn"]
    assert shown_alarms(world.db, new.pack) == expected_alarms(found[5:]) != []
    assert follow(world) == 0


def test_a_rule_on_the_asset_itself_follows_the_device(world: World, office: Http) -> None:
    old, new = first_vehicle(world), make_vehicle(world, "0002")
    document = {
        "name": {"en": "Low", "zh-CN": "过低"},
        "detector": "threshold",
        "severity": "minor",
        "metric": "soh_pct",
        "raise_if": {"below": 50.0, "readings": 1},
        "clear_if": {"at_least": 50.0, "readings": 1},
    }
    office.post("/rules", {"code": "low", "document": document, "enabled": True}, expect=201)
    send(world, old.device, *values(MONDAY_MORNING - 4 * DAY, DAY, 90, 90, 40, 40))
    assert [alarm.state for alarm in alarms(world.db, old.asset)] == ["raised"]

    place(office, old.device, new.asset, MONDAY_MORNING - 2 * DAY - HOUR)
    follow(world)

    assert [alarm.state for alarm in alarms(world.db, old.asset)] == ["withdrawn"]
    assert [alarm.state for alarm in alarms(world.db, new.asset)] == ["raised"]


def test_a_move_is_looked_at_until_no_batch_can_have_missed_it(world: World, office: Http, clock: SetClock) -> None:
    place(office, world.device, make_vehicle(world, "0002").asset, MONDAY_MORNING - DAY)

    def followed() -> list[bool]:
        with world.db.reading() as session:
            return list(session.scalars(select(Placement.followed)))

    follow(world)
    assert followed() == [False]
    clock.advance(seconds=61)
    follow(world)
    assert followed() == [True]


Swap = tuple[list[Value], list[Value], datetime, bool, list[int]]


@st.composite
def swaps(draw: st.DrawFn) -> Swap:
    """Readings of two devices, an instant, whether both went, and the order in which all that is heard of."""
    hours = draw(st.lists(st.integers(0, 120), min_size=6, max_size=14, unique=True))
    level = st.sampled_from([74.0, 74.0, 61.0, 80.0, 76.0])
    found = [Value(MONDAY_MORNING - timedelta(hours=130 - hour), draw(level), f"b:{i}") for i, hour in enumerate(sorted(hours))]
    of_one = draw(st.sets(st.integers(0, len(found) - 1)))
    one = [value for i, value in enumerate(found) if i in of_one]
    other = [value for i, value in enumerate(found) if i not in of_one]
    at = MONDAY_MORNING - timedelta(hours=draw(st.integers(5, 125)), minutes=30)
    both = draw(st.booleans())
    return one, other, at, both, draw(st.permutations(range(-1 - both, len(found))))


def test_any_order_of_readings_and_of_recording_the_swap_ends_in_the_same_alarms(world: World, office: Http) -> None:
    stock_up(world)
    numbers = itertools.count()

    @examples(max_examples=25, suppress_health_check=list(HealthCheck))
    @given(swaps())
    def holds(swap: Swap) -> None:
        one_found, other_found, at, both, order = swap
        n = next(numbers)
        one, other = make_vehicle(world, f"a{n:05d}"), make_vehicle(world, f"b{n:05d}")
        heard = [(one.device, value) for value in one_found] + [(other.device, value) for value in other_found]
        for i in order:
            if i == -1:
                place(office, one.device, other.asset, at)
            elif i == -2:
                place(office, other.device, one.asset, at)
            else:
                send(world, *heard[i])
        follow(world)

        in_one = [value for value in one_found if value.at < at] + [value for value in other_found if both and value.at >= at]
        in_other = [value for value in other_found if not both or value.at < at] + [
            value for value in one_found if value.at >= at
        ]
        assert shown_alarms(world.db, one.pack) == expected_alarms(in_one)
        assert shown_alarms(world.db, other.pack) == expected_alarms(in_other)

    holds()


def test_there_and_back_again(world: World, office: Http) -> None:
    home, away = first_vehicle(world), make_vehicle(world, "0002")
    found = values(MONDAY_MORNING - 9 * DAY, DAY, *[74.0] * 9)
    place(office, home.device, away.asset, MONDAY_MORNING - 6 * DAY)
    send(world, home.device, *found)
    place(office, home.device, home.asset, MONDAY_MORNING - 3 * DAY)
    follow(world)

    assert shown_alarms(world.db, home.pack) == expected_alarms(found[:3] + found[6:]) != []
    assert shown_alarms(world.db, away.pack) == expected_alarms(found[3:6]) != []
    listed = office.get(f"/devices/{home.device}/placements")["items"]
    assert [(stay["asset_id"], stay["placed_at"] and stay["placed_at"][:10]) for stay in listed] == [
        (home.asset, None), (away.asset, "2026-02-24"), (home.asset, "2026-02-27"),
    ]  # fmt: skip
    assert [stay["removed_at"] and stay["removed_at"][:10] for stay in listed] == ["2026-02-24", "2026-02-27", None]
    registered, went, came = happened(world.db, home.device)
    assert (registered.kind, went.kind, came.kind) == ("device.registered", "device.placed", "device.placed")
    assert [cause.id for cause in causes_of(world.db, went)] == [registered.id]
    assert [cause.id for cause in causes_of(world.db, came)] == [went.id]
    assert office.get(f"/devices/{home.device}")["version"] == 3, "who edits the device as it was before is told"


def test_a_move_that_cannot_have_been_is_refused(world: World, office: Http) -> None:
    other = make_vehicle(world, "0002").asset
    path = f"/devices/{world.device}/placements"

    def refused(asset: str, at: datetime, status: int, code: str) -> Any:
        return office.refused("POST", path, status, code, {"asset_id": asset, "at": at.isoformat()})

    late = refused(other, MONDAY_MORNING + timedelta(minutes=6), 422, "validation_failed")
    assert late["errors"][0]["field"] == "at"
    refused("asset-9999", MONDAY_MORNING, 422, "validation_failed")
    refused(world.asset, MONDAY_MORNING, 409, "overlap")
    place(office, world.device, other, MONDAY_MORNING - DAY)
    refused(world.asset, MONDAY_MORNING - DAY, 409, "overlap")
    refused(world.asset, MONDAY_MORNING - 2 * DAY, 409, "overlap")
    place(office, world.device, world.asset, MONDAY_MORNING - HOUR)


def test_a_fault_code_is_of_the_asset_where_the_device_was(world: World, office: Http) -> None:
    other = make_vehicle(world, "0002").asset
    place(office, world.device, other, MONDAY_MORNING - DAY)

    for seq, at in enumerate((MONDAY_MORNING - 2 * DAY, MONDAY_MORNING - DAY)):
        body = f'{{"ts": {to_ms(at)}, "boot": "b", "seq": {seq}, "code": "P0A8{seq}"}}'.encode()
        world.send(Message(f"devices/0/{world.device}/events", body, False, to_ms(MONDAY_MORNING)))

    with world.db.reading() as session:
        found = session.execute(select(FaultCode.code, FaultCode.asset_id).order_by(FaultCode.code)).all()
    assert found == [("P0A80", world.asset), ("P0A81", other)]


def other_customer(world: World, office: Http, http: Http, area: str = "") -> tuple[str, Http]:
    """Make another customer with a vehicle, in a territory of its own if given; return the vehicle and the owner."""
    new = {"code": "C-2", "name": "Other", "territory_id": area or world.territory}
    customer = office.post("/customers", new, expect=201)["id"]
    site = office.post(f"/customers/{customer}/sites", {"name": "Yard", "lat": 22.5, "lon": 114.0}, expect=201)["id"]
    body = {"serial": "VIN-OTHER", "model": "M", "customer_id": customer, "site_id": site}
    asset = office.post("/assets", body, expect=201)["id"]
    with world.db.transaction() as session:
        owner = make_user(session, world.settings, "customer", "other", customer_id=customer).id
    return asset, http.as_(owner)


def test_who_has_a_device_now_does_not_see_what_it_measured_at_another_customers(
    world: World, office: Http, http: Http, clock: SetClock
) -> None:
    asset, other = other_customer(world, office, http)
    owner = http.as_(world.owner)
    send(world, world.device, *values(MONDAY_MORNING - 3 * DAY, DAY, 91, 92, 93))
    path = f"/devices/{world.device}/telemetry?metric=soh_pct"
    assert other.call("GET", path).status_code == 404
    assert len(owner.get(path)["items"]) == 3

    place(office, world.device, asset, MONDAY_MORNING - HOUR)

    assert owner.call("GET", path).status_code == 404
    assert other.get(path)["items"] == other.get(f"/devices/{world.device}/latest")["items"] == []
    assert other.get(path + "&resolution=day")["rollups"] == []
    send(world, world.device, Value(MONDAY_MORNING, 94, "b:9"))
    assert [reading["value"] for reading in other.get(path)["items"]] == [94]
    assert [reading["value"] for reading in other.get(f"/devices/{world.device}/latest")["items"]] == [94]
    assert [reading["value"] for reading in office.get(path)["items"]] == [94, 93, 92, 91]


def test_a_rep_of_another_territory_sees_of_a_devices_ways_only_its_stays_there(world: World, office: Http, http: Http) -> None:
    territory = http.as_(world.admin).post("/territories", {"code": "GZ", "name": "Guangzhou"}, expect=201)["id"]
    customer = office.post("/customers", {"code": "C-3", "name": "Far", "territory_id": territory}, expect=201)["id"]
    site = office.post(f"/customers/{customer}/sites", {"name": "Yard", "lat": 23.1, "lon": 113.3}, expect=201)["id"]
    body = {"serial": "VIN-FAR", "model": "M", "customer_id": customer, "site_id": site}
    asset = office.post("/assets", body, expect=201)["id"]
    with world.db.transaction() as session:
        rep = make_user(session, world.settings, "rep", "far", territory_ids=[territory]).id

    place(office, world.device, asset, MONDAY_MORNING - HOUR)

    path = f"/devices/{world.device}/placements"
    assert [stay["asset_id"] for stay in http.as_(rep).get(path)["items"]] == [asset]
    assert [stay["asset_id"] for stay in office.get(path)["items"]] == [world.asset, asset]


def test_who_has_a_device_now_does_not_see_what_it_was_asked_at_another_customers(
    world: World, office: Http, http: Http, clock: SetClock
) -> None:
    area = http.as_(world.admin).post("/territories", {"code": "far", "name": "Far"}, expect=201)["id"]
    asset, _ = other_customer(world, office, http, area)
    with world.db.transaction() as session:
        person = make_user(session, world.settings, "rep", "of-the-other", territory_ids=[area]).id
    rep = http.as_(person)
    path = f"/devices/{world.device}/commands"
    before = office.post(path, {"body": {"show": "the code of the gate"}}, expect=201)["id"]
    clock.advance(hours=1)
    place(office, world.device, asset, clock.now())
    clock.advance(hours=1)
    after = office.post(path, {"body": {"show": "soc"}}, expect=201)["id"]

    assert [command["id"] for command in rep.get(path)["items"]] == [after]
    assert rep.get(f"/device-commands/{after}")["id"] == after
    rep.refused("GET", f"/device-commands/{before}", 404, "not_found")
    rep.refused("GET", f"/history/device_command/{before}", 404, "not_found")
    assert [command["id"] for command in office.get(path)["items"]] == [after, before]


def test_old_readings_are_folded_for_the_asset_they_are_of_before_they_are_deleted(
    world: World, office: Http, clock: SetClock
) -> None:
    stock_up(world)
    old, new = first_vehicle(world), make_vehicle(world, "0002")
    found = values(MONDAY_MORNING - 60 * DAY, DAY, *[74.0] * 12)
    send(world, old.device, *found)
    place(office, old.device, new.asset, MONDAY_MORNING - 54 * DAY)
    follow(world)
    expected = {old.pack: expected_alarms(found[:6]), new.pack: expected_alarms(found[6:])}
    assert all(expected.values())

    assert retire_telemetry(world.db, replace(world.settings, telemetry_days=30)) == len(found)
    # Both go on being watched: what is folded from here on begins with what was settled.
    place(office, new.device, old.asset, MONDAY_MORNING - DAY)
    closing = Value(MONDAY_MORNING, 76.5, "z:1")
    send(world, old.device, closing)
    send(world, new.device, closing)
    follow(world)

    assert [shown.raised_at for shown in shown_alarms(world.db, old.pack)] == [shown.raised_at for shown in expected[old.pack]]
    assert [shown.raised_at for shown in shown_alarms(world.db, new.pack)] == [shown.raised_at for shown in expected[new.pack]]
    with world.db.reading() as session:
        assert session.scalars(select(Alarm.state).where(Alarm.state == "withdrawn")).all() == []
