"""ThingsBoard, TeslaMate and Sparkplug: messages as their makers send them, to readings, alarms, and what is asked back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.core.texts.facts import FACTS
from app.core.wire import WireError
from app.factory import create_app
from evaluation.sparkplug import metric, part, payload
from iot.adapters import Ignored, NodeMessage, Sample, decode, sparkplug
from iot.commands import take_queued
from iot.ingest import Message
from iot.models import DeviceCommand, SparkplugNode
from iot.silence import notice_silence
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.iot.vehicles import DAY, HOUR, alarms, counted, dead_letters, happened, heard, latest, offers
from tests.people import Http

TS = to_ms(MONDAY_MORNING)


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


SOURCES = {"teslamate": "usable_battery_level"}


def add_device(office: Http, world: World, adapter: str, address: str, **more: Any) -> dict[str, Any]:
    """Register a device of a convention, its profile first."""
    profiles = {one["code"]: one["id"] for one in office.get("/device-profiles")["items"]}
    if adapter not in profiles:
        metrics = {"soh_pct": {"source": SOURCES.get(adapter, "soh")}, "temperature_c": {"source": "Temperature"}}
        body = {"code": adapter, "name": adapter, "adapter": adapter, "metrics": metrics}
        profiles[adapter] = office.post("/device-profiles", body, expect=201)["id"]
    asked = {"profile_id": profiles[adapter], "address": address} | more
    made: dict[str, Any] = office.post(f"/assets/{world.asset}/devices", asked, expect=201)
    return made


def read(topic: str, payload: bytes | str | Any, *, retained: bool = False) -> list[Any]:
    text = payload if isinstance(payload, str | bytes) else json.dumps(payload)
    raw = text.encode() if isinstance(text, str) else text
    return list(decode(topic, raw, retained=retained, received_ms=TS))


def arrived(world: World, topic: str, payload: bytes | str) -> Message:
    raw = payload.encode() if isinstance(payload, str) else payload
    return Message(topic, raw, False, to_ms(world.db.clock.now()))


def one_alarm_one_offer(world: World) -> None:
    assert [alarm.state for alarm in alarms(world.db, world.pack)] == ["raised"]
    assert len(offers(world.db, world.pack)) == 1


# --- ThingsBoard ---

TELEMETRY = "v1/gateway/telemetry"


def test_a_gateway_speaks_for_many_devices_and_one_of_them_raises_an_alarm(world: World, office: Http, clock: SetClock) -> None:
    van, depot = (add_device(office, world, "thingsboard", name) for name in ("Van 1/A", "仓库"))
    low = [{"ts": to_ms(clock.now() - DAY * (2 - i)), "values": {"soh": 74.5 - i / 10, "state": "driving"}} for i in range(3)]
    sent = {"Van 1/A": low, "仓库": [{"Temperature": "20.5", "lit": True}], "Stranger": [{"soh": 1}]}

    fates = world.send(*[arrived(world, TELEMETRY, json.dumps(sent)) for _ in range(2)])

    assert (fates["reading"], fates["duplicate"], fates["unknown_device"]) == (5, 5, 2)
    assert latest(world.db, van["id"]) == (clock.now(), pytest.approx(74.3))
    assert latest(world.db, depot["id"], "temperature_c") == (clock.now(), 20.5)
    one_alarm_one_offer(world)


def test_connects_and_attributes_of_a_gateway_show_that_a_device_is_there() -> None:
    assert read("v1/gateway/connect", {"device": "A", "type": "van"}) == [Ignored("thingsboard", "A", "connected")]
    assert read("v1/gateway/disconnect", {"device": "A"}) == [Ignored("thingsboard", "A", "disconnected", alive=False)]
    assert read("v1/gateway/attributes", {"A": {"fw": "1.2"}, "B": {}}) == [
        Ignored("thingsboard", "A", "attributes"),
        Ignored("thingsboard", "B", "attributes"),
    ]
    assert read(TELEMETRY, {"A": [{"state": "on", "place": {"lat": 1}}]}) == [Ignored("thingsboard", "A", "not_a_number")]
    assert read(TELEMETRY, {"A": [{"soh": 1}]}, retained=True) == [Ignored("thingsboard", "A", "retained")]


THINGSBOARD_POISON: dict[str, tuple[str, Any, str]] = {
    "another topic": ("v1/gateway/claim", {"device": "A"}, "topic_unknown"),
    "an answer to nothing": ("v1/gateway/rpc", {"device": "A", "data": {}}, "shape_invalid"),
    "an answer of nobody": ("v1/gateway/rpc", {"id": 1, "data": {}}, "shape_invalid"),
    "an answer to a text": ("v1/gateway/rpc", {"device": "A", "id": "1", "data": {}}, "shape_invalid"),
    "an answer to true": ("v1/gateway/rpc", {"device": "A", "id": True, "data": {}}, "shape_invalid"),
    "an answer without one": ("v1/gateway/rpc", {"device": "A", "id": 1}, "shape_invalid"),
    "an endless answer": ("v1/gateway/rpc", {"device": "A", "id": 1, "data": ["x" * 1000] * 64}, "too_large"),
    "an answer of many values": ("v1/gateway/rpc", {"device": "A", "id": 1, "data": [1] * 2000}, "too_many_values"),
    "empty": (TELEMETRY, b"", "empty"),
    "no JSON": (TELEMETRY, b"{", "not_json"),
    "a list": (TELEMETRY, [], "shape_invalid"),
    "nobody": (TELEMETRY, {}, "too_many_values"),
    "no name": (TELEMETRY, {"": [{"soh": 1}]}, "shape_invalid"),
    "an endless name": (TELEMETRY, {"A" * 121: [{"soh": 1}]}, "shape_invalid"),
    "an endless metric": (TELEMETRY, {"A": [{"m" * 61: 1}]}, "shape_invalid"),
    "no entries": (TELEMETRY, {"A": []}, "too_many_values"),
    "a number for entries": (TELEMETRY, {"A": 1}, "shape_invalid"),
    "1,001 entries": (TELEMETRY, {"A": [{"soh": 1}] * 1001}, "too_many_values"),
    "1,001 entries of two": (TELEMETRY, {"A": [{"soh": 1}] * 1000, "B": [{"soh": 1}]}, "too_many_values"),
    "101 metrics": (TELEMETRY, {"A": [{f"m{i}": i for i in range(101)}]}, "shape_invalid"),
    "seconds": (TELEMETRY, {"A": [{"ts": TS // 1000, "values": {"soh": 1}}]}, "time_invalid"),
    "a text for a time": (TELEMETRY, {"A": [{"ts": str(TS), "values": {"soh": 1}}]}, "time_invalid"),
    "a connect of nobody": ("v1/gateway/connect", {}, "shape_invalid"),
}


@pytest.mark.parametrize("name", THINGSBOARD_POISON)
def test_poison_of_a_gateway_is_refused_with_its_reason(name: str) -> None:
    topic, payload, reason = THINGSBOARD_POISON[name]

    with pytest.raises(WireError) as refused:
        read(topic, payload)

    assert refused.value.reason == reason


def test_a_gateway_that_tells_a_device_is_gone_does_not_make_it_heard(world: World, office: Http, clock: SetClock) -> None:
    device = add_device(office, world, "thingsboard", "Van 1")
    world.send(arrived(world, "v1/gateway/connect", '{"device": "Van 1"}'))
    clock.advance(hours=1)
    world.send(arrived(world, "v1/gateway/disconnect", '{"device": "Van 1"}'))

    assert heard(world.db, device["id"]) == MONDAY_MORNING


def test_a_gateway_that_speaks_for_others_only_is_not_silent(world: World, office: Http, clock: SetClock) -> None:
    van = add_device(office, world, "thingsboard", "Van 1")
    gateway = add_device(office, world, "thingsboard", "Gateway", gateway=True)
    clock.advance(hours=23)
    world.send(arrived(world, TELEMETRY, '{"Van 1": [{"soh": 80}]}'))
    clock.advance(hours=23)
    with world.db.transaction() as session:
        notice_silence(session)
    assert {one["subject_id"] for one in office.get("/alarms")["items"]} == {world.device}

    world.send(arrived(world, TELEMETRY, '{"Gateway": [{"cpu": 3}]}'))  # it has values of its own
    clock.advance(hours=25)
    with world.db.transaction() as session:
        notice_silence(session)
    assert {one["subject_id"] for one in office.get("/alarms")["items"]} == {world.device, van["id"], gateway["id"]}


def post_raw(http: Http, token: str, body: Any) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.app.test_client().post(f"/api/v1/{token}/telemetry", data=raw)


def test_a_device_brings_its_telemetry_over_http_with_its_secret(world: World, office: Http, http: Http, clock: SetClock) -> None:
    device = add_device(office, world, "thingsboard", "Van 1")
    low = [{"ts": to_ms(clock.now() - DAY * (2 - i)), "values": {"soh": 74.5 - i / 10}} for i in range(3)]

    assert post_raw(http, device["secret"], low).status_code == 200
    assert post_raw(http, device["secret"], low[0]).status_code == 200
    assert post_raw(http, device["secret"], {"soc": 55}).status_code == 200

    assert latest(world.db, device["id"]) == (clock.now(), pytest.approx(74.3))
    assert (counted(world.db)["reading"], counted(world.db)["duplicate"]) == (4, 1)
    one_alarm_one_offer(world)


def test_a_token_nobody_has_or_has_no_more_is_refused(world: World, office: Http, http: Http) -> None:
    device = add_device(office, world, "thingsboard", "Van 1")
    native = office.post(f"/devices/{world.device}/secret")["secret"]
    renewed = office.post(f"/devices/{device['id']}/secret")["secret"]

    for token in (device["secret"], native, "x", "A" * 2000, "%00"):
        answer = post_raw(http, token, {"soh": 1})
        assert (answer.status_code, answer.mimetype) == (401, "application/problem+json"), token
        assert answer.json["code"] == "unauthenticated"
    assert post_raw(http, renewed, {"soh": 80}).status_code == 200
    assert office.call("DELETE", f"/devices/{device['id']}", If_Match="*").status_code == 200
    assert post_raw(http, renewed, {"soh": 80}).status_code == 401
    assert counted(world.db)["reading"] == 1


def from_address(app: Flask, address: str, token: str) -> Any:
    where = {"REMOTE_ADDR": address}
    return app.test_client().post(f"/api/v1/{token}/telemetry", data=b'{"soh": 90}', environ_overrides=where)


def test_wrong_tokens_are_limited_by_address_in_all_workers_and_right_ones_never(
    world: World, office: Http, http: Http, db: Database, settings: Settings, clock: SetClock
) -> None:
    device = add_device(office, world, "thingsboard", "Van 1")
    other = Database(settings.database_url, clock)
    workers = [http.app, create_app(settings, other)]

    told = [from_address(workers[i % 2], "192.0.2.7", f"guess-{i}").status_code for i in range(33)]
    assert told == [401] * 30 + [429] * 3
    locked = from_address(workers[1], "192.0.2.7", "guess")
    assert (locked.json["code"], locked.headers["Retry-After"]) == ("too_many_requests", "60")
    assert [from_address(app, "192.0.2.7", device["secret"]).status_code for app in workers] == [200, 200]
    assert from_address(workers[0], "192.0.2.8", "guess").status_code == 401

    clock.advance(seconds=61)
    assert [from_address(workers[0], "192.0.2.7", "guess").status_code for _ in range(2)] == [401, 429]
    assert from_address(workers[0], "192.0.2.7", "guess").headers["Retry-After"] == "120"
    clock.advance(hours=2)
    assert from_address(workers[0], "192.0.2.7", "guess").status_code == 401
    other.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"{", "not_json"),
        (b'[{"soh": 1}], "Van 2": [{"soh": 2}]', "not_json"),
        (b"[]", "too_many_values"),
        (b"7", "shape_invalid"),
        ({"ts": 1, "values": {"soh": 1}}, "time_invalid"),
        (b" " * 262_145, "too_large"),
    ],
)
def test_a_body_that_cannot_be_used_is_told_so_and_speaks_for_nobody_else(
    world: World, office: Http, http: Http, body: Any, reason: str
) -> None:
    first, second = (add_device(office, world, "thingsboard", name) for name in ("Van 1", "Van 2"))

    answer = post_raw(http, first["secret"], body)

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert answer.json["detail"] == f"The body is not acceptable: {FACTS[reason][0]}."
    assert latest(world.db, second["id"]) is None
    assert dead_letters(world.db) == []


# --- TeslaMate; names and values as in its documentation, website/docs/integrations/mqtt.md ---


def test_a_teslas_fields_become_readings_and_a_derived_state_of_health_can_be_judged(
    world: World, office: Http, clock: SetClock
) -> None:
    car = add_device(office, world, "teslamate", "1")
    for i, level in enumerate((74.0, 73.0, 72.0)):
        clock.advance(days=1)
        world.send(arrived(world, "teslamate/cars/1/usable_battery_level", str(level)))
        assert latest(world.db, car["id"]) == (clock.now(), level), i

    one_alarm_one_offer(world)


HEALTH = {
    "soh_pct": {"unit": "%", "component": "battery_pack", "source": "rated_range_health_pct"},
    "charge_pct": {"source": "battery_level"},
    "range_m": {"source": "rated_battery_range_km", "scale": 1000.0},
}


def test_a_teslas_rated_range_gives_a_state_of_health_where_its_profile_asks_for_it(
    world: World, office: Http, clock: SetClock
) -> None:
    body = {"code": "tesla", "name": "Tesla", "adapter": "teslamate", "metrics": HEALTH, "limits": {"rated_range_new_km": 400}}
    profile = office.post("/device-profiles", body, expect=201)["id"]
    car = office.post(f"/assets/{world.asset}/devices", {"profile_id": profile, "address": "9"}, expect=201)

    def say(**fields: float) -> None:
        world.send(*[arrived(world, f"teslamate/cars/9/{name}", str(value)) for name, value in fields.items()])

    def told() -> list[float]:
        return [one["value"] for one in office.get(f"/devices/{car['id']}/telemetry?metric=soh_pct")["items"]]

    say(battery_level=80, rated_battery_range_km=240)
    assert told() == [75.0]
    clock.advance(minutes=10)
    say(battery_level=79)
    assert told() == [75.0], "the range is from before"
    clock.advance(seconds=3)
    say(rated_battery_range_km=235.0)
    assert told() == [pytest.approx(100 * 235 / 0.79 / 400), 75.0]
    clock.advance(days=1)
    say(rated_battery_range_km=60, battery_level=20)
    assert len(told()) == 2, "so little charge says too little"

    asset = office.get(f"/assets/{world.asset}")
    office.edit(f"/assets/{world.asset}", {"limits": {"rated_range_new_km": 500}}, asset["version"])
    clock.advance(days=1)
    say(rated_battery_range_km=240, battery_level=80)
    assert told()[0] == 60.0
    assert len(office.get(f"/devices/{car['id']}/telemetry?metric=range_m")["items"]) == 4


def test_no_state_of_health_is_derived_unasked_or_without_the_range_when_new(world: World, office: Http) -> None:
    plain = {name: metric for name, metric in HEALTH.items() if name != "soh_pct"}
    for i, (metrics, limits) in enumerate(((HEALTH, {}), (plain, {"rated_range_new_km": 400}))):
        body = {"code": f"t{i}", "name": "T", "adapter": "teslamate", "metrics": metrics, "limits": limits}
        profile = office.post("/device-profiles", body, expect=201)["id"]
        car = office.post(f"/assets/{world.asset}/devices", {"profile_id": profile, "address": f"{i}"}, expect=201)
        fields = {"battery_level": "80", "rated_battery_range_km": "240"}
        world.send(*[arrived(world, f"teslamate/cars/{i}/{name}", value) for name, value in fields.items()])
        assert {one["metric"] for one in office.get(f"/devices/{car['id']}/latest")["items"]} == {"charge_pct", "range_m"}

    body = {"code": "t", "name": "T", "adapter": "teslamate", "metrics": {"soh_pct": HEALTH["soh_pct"]}}
    refusal = office.refused("POST", "/device-profiles", 422, "validation_failed", body)
    assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("metrics.soh_pct.source", "sources_missing")]


@pytest.mark.parametrize(
    ("field", "payload", "values"),
    [
        ("battery_level", "88", {"battery_level": 88}),
        ("power", "-9", {"power": -9}),
        ("rated_battery_range_km", "401.63", {"rated_battery_range_km": 401.63}),
        ("plugged_in", "true", {"plugged_in": 1}),
        ("healthy", "false", {"healthy": 0}),
        ("location", '{"latitude": 35.278131, "longitude": 29.744801}', {"latitude": 35.278131, "longitude": 29.744801}),
    ],
)
def test_teslamate_values(field: str, payload: str, values: dict[str, float]) -> None:
    for address, topic in (("1", f"teslamate/cars/1/{field}"), ("home/1", f"teslamate/home/cars/1/{field}")):
        [sample] = read(topic, payload)
        assert (sample.address, sample.at_ms, sample.values) == (address, TS, values)
        assert read(topic, payload, retained=True) == [Ignored("teslamate", address, "retained")]


@pytest.mark.parametrize(
    ("field", "payload"),
    [
        ("display_name", "Blue Thunder"),
        ("since", "2019-02-28T23:00:07Z"),
        ("geofence", "🏡 Home"),
        ("power", ""),
        ("speed", "nan"),
        ("speed", "1e999"),
        ("location", ""),
        ("location", "[1]"),
        ("location", '{"latitude": null, "longitude": 1}'),
    ],
)
def test_texts_times_and_fields_without_a_value_are_passed_over(field: str, payload: str) -> None:
    assert read(f"teslamate/cars/1/{field}", payload) == [Ignored("teslamate", "1", "not_a_number")]


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("teslamate/cars/1", b"1", "topic_unknown"),
        ("teslamate/cars//power", b"1", "topic_unknown"),
        ("teslamate/a/b/cars/1/power", b"1", "topic_unknown"),
        ("teslamate/cars/1/power", b"\xff", "text_invalid"),
        ("teslamate/cars/1/power", b"\x00", "text_invalid"),
        ("teslamate/cars/1/power", b"1" * 4001, "too_large"),
        ("teslamate/cars/1/location", b"{", "not_json"),
        ("teslamate/cars/1/" + "x" * 61, b"1", "text_too_long"),
    ],
)
def test_poison_of_teslamate_is_refused_with_its_reason(topic: str, payload: bytes, reason: str) -> None:
    with pytest.raises(WireError) as refused:
        read(topic, payload)

    assert refused.value.reason == reason


# --- Sparkplug B ---

# Payloads of united-manufacturing-hub/benthos-umh (Apache-2.0), sparkplug_plugin test vectors, at commit acf99b9: a birth of
# a node with bdSeq 88, "Node Control/Rebirth" and Temperature 21.5 (alias 100); Temperature 22.5 by alias; a death with
# bdSeq 0; Temperature 27.0 with sequence number 5 after 1.
BIRTH = base64.b64decode(
    "CNLig7n6MhINCgViZFNlcRABIAhYWBIcChROb2RlIENvbnRyb2wvUmViaXJ0aBACIAtwABIaCgtUZW1wZXJhdHVyZRBkIAppAAAAAACANUAYAA=="
)
VALUE = base64.b64decode("CNLig7n6MhINEGQgCmkAAAAAAIA2QBgB")
OLD_DEATH = base64.b64decode("CNLig7n6MhINCgViZFNlcRAAIAhYABgA")
GAP = base64.b64decode("CNLig7n6MhINEGQgCmkAAAAAAAA7QBgF")
AT = 1_750_855_643_474


def test_the_published_vectors_are_read_as_their_makers_read_them() -> None:
    [birth], [value], [death], [gap] = (
        read(f"spBv1.0/org/{kind}/702", raw)
        for kind, raw in (("NBIRTH", BIRTH), ("NDATA", VALUE), ("NDEATH", OLD_DEATH), ("NDATA", GAP))
    )

    assert [(one.name, one.alias, one.kind, one.value) for one in birth.metrics] == [
        ("bdSeq", 1, 8, 88),
        ("Node Control/Rebirth", 2, 11, 0),
        ("Temperature", 100, 10, 21.5),
    ]
    assert [(one.name, one.alias, one.kind, one.value) for one in value.metrics] == [("", 100, 10, 22.5)]
    assert [(one.name, one.alias, one.value) for one in death.metrics] == [("bdSeq", 0, 0)]
    assert [one.seq for one in (birth, value, death, gap)] == [0, 1, 0, 5]
    assert {one.at_ms for one in (birth, value, death, gap)} == {AT}


class Node:
    """A node with one device below it, and what the host knows and asks of it."""

    def __init__(self, world: World, office: Http) -> None:
        self.world = world
        self.node = add_device(office, world, "sparkplug", "org/702")
        self.below = add_device(office, world, "sparkplug", "org/702/pack")

    def send(self, kind: str, raw: bytes, below: str = "") -> dict[str, int]:
        topic = f"spBv1.0/org/{kind}/702" + (f"/{below}" if below else "")
        return self.world.send(arrived(self.world, topic, raw))

    @property
    def state(self) -> SparkplugNode:
        with self.world.db.reading() as session:
            return session.get_one(SparkplugNode, self.node["id"])

    def asked(self) -> list[DeviceCommand]:
        with self.world.db.reading() as session:
            return list(session.scalars(select(DeviceCommand).where(DeviceCommand.device_id == self.node["id"])))

    def publish(self) -> list[Any]:
        with self.world.db.transaction() as session:
            return list(take_queued(session, [0]))


@pytest.fixture
def node(world: World, office: Http, clock: SetClock) -> Node:
    return Node(world, office)


def test_a_births_names_stand_for_later_aliases_and_a_low_value_raises_an_alarm(
    node: Node, office: Http, clock: SetClock
) -> None:
    node.send("NBIRTH", BIRTH)
    node.send("NDATA", VALUE)
    found = office.get(f"/devices/{node.node['id']}/telemetry?metric=temperature_c")["items"]
    # The published payloads tell two values of one instant.
    assert {(one["at"], one["value"]) for one in found} == {("2025-06-25T12:47:23.474Z", value) for value in (21.5, 22.5)}

    node.send("DBIRTH", payload(to_ms(clock.now() - DAY * 9), 2, metric("soh", 7, 80.0, kind=10)), "pack")
    for i in range(3):
        at = to_ms(clock.now() - DAY * (2 - i))
        node.send("DDATA", payload(at, 3 + i, metric(alias=7, value=74.5 - i / 10)), "pack")

    assert latest(node.world.db, node.below["id"]) == (clock.now(), pytest.approx(74.3))
    one_alarm_one_offer(node.world)
    assert (node.state.gaps, node.asked(), dead_letters(node.world.db)) == (0, [], [])


def test_a_gap_is_counted_the_value_kept_and_the_node_asked_once_for_its_births(node: Node, clock: SetClock) -> None:
    node.send("NBIRTH", BIRTH)
    node.send("NDATA", VALUE)
    node.send("NDATA", GAP)
    clock.advance(seconds=1)
    node.send("NDATA", payload(TS, 9, metric(alias=100, value=28.0)))

    assert node.state.gaps == 2
    assert counted(node.world.db)["sequence_gap"] == 2
    assert latest(node.world.db, node.node["id"], "temperature_c")[1] == 28.0  # type: ignore[index]
    [command] = node.asked()
    assert [entry.kind for entry in happened(node.world.db, command.id)] == ["device_command.queued"]

    [out] = node.publish()
    assert (out.topic, out.qos) == ("spBv1.0/org/NCMD/702", 0)
    [(_, at), (_, asked)] = list(sparkplug._fields(out.payload))
    found = sparkplug._metric(asked)
    assert (at, found.name, found.kind, found.value) == (to_ms(clock.now()), "Node Control/Rebirth", 11, 1)

    node.send("NBIRTH", payload(TS, 0, metric("Temperature", 5, 29.0, kind=10)))
    assert [one.state for one in node.asked()] == ["answered"]
    node.send("NDATA", payload(TS + 1, 1, metric(alias=5, value=30.0)))
    assert latest(node.world.db, node.node["id"], "temperature_c")[1] == 30.0  # type: ignore[index]


def test_a_birth_that_tells_old_values_again_at_their_own_time_adds_no_reading(node: Node, clock: SetClock) -> None:
    node.send("NBIRTH", payload(TS, 0))
    node.send(
        "DBIRTH", payload(TS, 1, metric("soh", 7, 80.0, kind=10, at=TS - 5000), metric("soc", 8, 50.0, at=TS - 5000)), "pack"
    )
    node.send("DDATA", payload(TS, 2, metric(alias=7, value=74.0, at=TS - 2000)), "pack")
    for minute in range(1, 4):
        clock.advance(minutes=1)
        at = to_ms(clock.now())
        node.send("NBIRTH", payload(at, 0))
        fates = node.send("DBIRTH", payload(at, 1, metric("soh", 7, 74.0, kind=10, at=TS - 2000)), "pack")
        assert (fates.get("reading", 0), fates["duplicate"]) == (0, 1), minute

    assert counted(node.world.db)["reading"] == 3


def test_a_node_that_does_not_answer_is_asked_again_after_a_minute(node: Node, clock: SetClock) -> None:
    for seconds in (0, 59, 1):
        clock.advance(seconds=seconds)
        node.send("NDATA", payload(to_ms(clock.now()), None, metric("Temperature", value=1.0)))

    assert len(node.asked()) == 2


def test_a_value_under_an_unknown_alias_waits_as_a_dead_letter_until_the_birth_has_named_it(
    node: Node, http: Http, clock: SetClock
) -> None:
    sent = payload(TS, 4, metric(alias=7, value=81.5), metric("other", value=1.0))
    node.send("DDATA", sent, "pack")
    [letter] = dead_letters(node.world.db)
    assert letter.reason == "alias_unknown"
    assert latest(node.world.db, node.below["id"]) is None
    assert len(node.asked()) == 1

    clock.advance(seconds=5)
    node.send("NBIRTH", payload(TS, 0))
    node.send("DBIRTH", payload(TS - 1000, 1, metric("soh", 7, 80.0, kind=10)), "pack")
    answer = http.as_(node.world.admin).post(f"/dead-letters/{letter.id}/replay")

    assert answer["state"] == "replayed"
    assert latest(node.world.db, node.below["id"]) == (MONDAY_MORNING, 81.5)
    assert node.state.gaps == 0, "what is replayed says nothing of gaps"


def test_a_death_ends_its_own_birth_and_the_will_of_an_earlier_connection_does_not(node: Node) -> None:
    node.send("NBIRTH", BIRTH)
    node.send("NDEATH", OLD_DEATH)
    assert (node.state.born, counted(node.world.db)["ignored_old_death"]) == (True, 1)

    node.send("NDEATH", payload(TS, None, metric("bdSeq", long_value=88, kind=8)))
    assert (node.state.born, node.state.births) == (False, {})

    node.send("NDATA", VALUE)
    assert [letter.reason for letter in dead_letters(node.world.db)] == ["alias_unknown"]


def test_a_device_that_died_has_no_names_any_more_and_is_not_heard_by_its_death(
    node: Node, office: Http, clock: SetClock
) -> None:
    node.send("NBIRTH", payload(TS, 0))
    node.send("DBIRTH", payload(TS, 1, metric("soh", 7, 80.0, kind=10)), "pack")
    clock.advance(hours=1)
    node.send("DDEATH", payload(TS, 2), "pack")
    node.send("DDATA", payload(TS + 1, 3, metric(alias=7, value=1.0)), "pack")

    assert latest(node.world.db, node.below["id"])[1] == 80.0  # type: ignore[index]
    assert node.state.births.keys() == {""}
    assert node.state.gaps == 0


def test_what_is_historical_keeps_its_own_time_and_without_one_is_no_reading(node: Node, clock: SetClock) -> None:
    node.send("NBIRTH", payload(TS, 0, metric("Temperature", 1, 20.0, kind=10)))
    past = metric(alias=1, value=5.0, at=TS - 1000, historical=1)
    unknown = metric(alias=1, value=99.0, historical=1)

    fates = node.send("NDATA", payload(TS + 1000, 1, past, unknown))

    assert fates["reading"] == 1
    assert latest(node.world.db, node.node["id"], "temperature_c") == (MONDAY_MORNING, 20.0)


def test_the_births_of_a_nobody_are_not_kept(world: World, office: Http) -> None:
    add_device(office, world, "sparkplug", "org/702/pack")

    fates = world.send(arrived(world, "spBv1.0/org/NBIRTH/702", BIRTH), arrived(world, "spBv1.0/org/DDATA/702/pack", VALUE))

    assert fates["unknown_device"] == 2
    with world.db.reading() as session:
        assert session.scalars(select(SparkplugNode)).all() == []


def test_a_node_that_names_devices_nobody_registered_grows_nothing_and_its_gaps_are_still_seen(node: Node) -> None:
    node.send("NBIRTH", payload(TS, 0))
    before = node.state.births
    for i in range(1, 256):
        node.send("DBIRTH", payload(TS, i, *[metric(f"{k}/{i}", k, 1.0) for k in range(20)]), f"invented-{i}")

    assert (node.state.births, node.state.gaps, node.state.seq, node.asked()) == (before, 0, 255, [])
    assert counted(node.world.db)["unknown_device"] == 255
    node.send("DDATA", payload(TS, 1, metric(alias=3, value=1.0)), "invented-1")  # 0 is missing
    assert (node.state.gaps, len(node.asked())) == (1, 1)
    assert dead_letters(node.world.db) == []


def test_a_node_is_heard_by_what_it_says_of_its_devices(node: Node, clock: SetClock) -> None:
    node.send("NBIRTH", payload(TS, 0))
    node.send("DBIRTH", payload(TS, 1, metric("soh", 7, 80.0, kind=10)), "pack")
    clock.advance(hours=1)
    node.send("DDEATH", payload(TS, 2), "pack")

    assert (heard(node.world.db, node.node["id"]), heard(node.world.db, node.below["id"])) == (clock.now(), MONDAY_MORNING)
    clock.advance(hours=1)
    node.send("NDEATH", payload(TS, None))
    assert heard(node.world.db, node.node["id"]) == clock.now() - HOUR


@pytest.mark.parametrize(
    ("kind", "sent", "number"),
    [
        (1, 255, -1),
        (1, 4294967295, -1),
        (2, 32768, -32768),
        (3, 2**32 - 5, -5),
        (4, 2**64 - 1, -1),
        (7, 2**32 - 1, 2**32 - 1),
        (11, 1, 1),
        (0, 7, 7),
    ],
)
def test_signed_numbers_come_as_twos_complement(kind: int, sent: int, number: float) -> None:
    assert sparkplug.number_of(sent, kind) == number


@pytest.mark.parametrize(
    ("topic", "raw", "reason"),
    [
        ("spBv1.0/org/NDATA", b"", "topic_unknown"),
        ("spBv1.0/org/DDATA/702", VALUE, "topic_unknown"),
        ("spBv1.0/org/NDATA/702/x", VALUE, "topic_unknown"),
        ("spBv1.0/org/XDATA/702", VALUE, "topic_unknown"),
        ("spBv1.0/org/NDATA/702", VALUE[:-1], "protobuf_invalid"),
        ("spBv1.0/org/NDATA/702", b"\x0b", "protobuf_invalid"),
        ("spBv1.0/org/NDATA/702", b"\x08" + b"\xff" * 10, "protobuf_invalid"),
        ("spBv1.0/org/NDATA/702", part(3, 256), "protobuf_invalid"),
        ("spBv1.0/org/NDATA/702", part(2, 7), "protobuf_invalid"),
        ("spBv1.0/org/NDATA/702", part(2, part(1, b"\xff")), "text_invalid"),
        ("spBv1.0/org/NDATA/702", part(2, part(1, b"a\x00")), "text_invalid"),
        ("spBv1.0/org/NDATA/702", part(2, part(1, b"a" * 251)), "text_too_long"),
        ("spBv1.0/org/NDATA/702", part(2, part(13, b"abc")), "protobuf_invalid"),
        ("spBv1.0/org/NDATA/702", part(1, 5), "time_invalid"),
        ("spBv1.0/org/NDATA/702", part(2, b"") * 5001, "too_many_values"),
    ],
)
def test_poison_of_a_node_is_refused_with_its_reason(topic: str, raw: bytes, reason: str) -> None:
    with pytest.raises(WireError) as refused:
        read(topic, raw)

    assert refused.value.reason == reason


def test_commands_and_hosts_say_nothing_and_an_empty_message_shows_life() -> None:
    assert read("spBv1.0/STATE/host", b'{"online": true}') == []
    assert read("spBv1.0/org/NCMD/702", sparkplug.rebirth(TS)) == []
    assert read("spBv1.0/org/DDATA/702/pack", b"") == [Ignored("sparkplug", "org/702/pack", "empty")]
    assert read("spBv1.0/org/NBIRTH/702", BIRTH, retained=True) == [Ignored("sparkplug", "org/702", "retained")]


# --- any bytes ---

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["A", "ts", "values", "device", "latitude", "longitude", ""]), inner, max_size=4)
    ),
    max_leaves=12,
)
_TOPICS = st.sampled_from(
    [
        TELEMETRY,
        "v1/gateway/connect",
        "v1/gateway/attributes",
        "v1/gateway/x",
        "teslamate/cars/1/power",
        "teslamate/cars/1/location",
        "teslamate/a/cars/1/x",
        "spBv1.0/g/NBIRTH/n",
        "spBv1.0/g/DDATA/n/d",
        "spBv1.0/g/NDEATH/n",
        "spBv1.0/g/NDATA/n",
        "spBv1.0/",
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A real payload with some bytes changed, dropped or added."""
    raw = bytearray(draw(st.sampled_from([BIRTH, VALUE, OLD_DEATH, GAP])))
    edits: Iterable[tuple[int, int]] = draw(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=4))
    for at, byte in edits:
        raw[at % len(raw)] = byte
    return bytes(raw[: draw(st.integers(0, len(raw)))])


@given(_TOPICS, st.binary(max_size=80) | broken() | _JSON.map(lambda value: json.dumps(value).encode()), st.booleans())
def test_any_bytes_are_decoded_or_refused_and_never_break(topic: str, raw: bytes, kept: bool) -> None:
    try:
        found = decode(topic, raw, retained=kept, received_ms=TS)
    except WireError:
        return
    for one in found:
        assert isinstance(one, Sample | Ignored | NodeMessage)
        if isinstance(one, Sample):
            assert one.values
            assert all(abs(value) < float("inf") for value in one.values.values())
        if isinstance(one, NodeMessage):
            numbers = [sparkplug.number_of(each.value, each.kind) for each in one.metrics]
            assert all(number is None or abs(number) < float("inf") for number in numbers)


@given(st.integers(TS, TS + 10**9))
def test_the_request_for_a_birth_is_read_as_it_was_written(at: int) -> None:
    found = dict(sparkplug._fields(sparkplug.rebirth(at)))

    assert found[1] == at
    assert sparkplug._metric(found[2])[:5] == ("Node Control/Rebirth", None, at, 11, 1)


@pytest.mark.parametrize(
    ("adapter", "address"),
    [
        ("ovms", "anna"),
        ("ovms", "+/CAR1"),
        ("ovms", "anna/#"),
        ("ovms", "anna/CAR 1"),
        ("ovms", "anna/CAR1/more"),
        ("teslamate", "a/b/1"),
        ("teslamate", "#"),
        ("sparkplug", "plant/+"),
        ("sparkplug", "plant/press/#"),
        ("sparkplug", "plant//press"),
    ],
)
def test_an_address_that_no_topic_can_hold_is_refused_when_it_is_registered(
    world: World, office: Http, adapter: str, address: str
) -> None:
    """No broker would let such a device speak; so its owner hears of it at once."""
    body = {"code": adapter, "name": adapter, "adapter": adapter, "metrics": {}}
    profile = office.post("/device-profiles", body, expect=201)["id"]
    for path in (f"/assets/{world.asset}/devices", "/device-claims"):
        asked = {"profile_id": profile, "address": address}
        answer = office.refused("POST", path, 422, "validation_failed", asked)
        assert [error["field"] for error in answer["errors"]] == ["address"]
