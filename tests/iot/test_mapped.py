"""Devices of other makers, read as a profile says that somebody wrote over HTTP: no code, and nothing is lost in silence."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assets.mappings import MappedForm, overlap, read_form
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.core.wire import WireError
from iot.adapters import Ignored, Sample, decode
from iot.ingest import Message
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world
from tests.iot.vehicles import DAY, alarms, counted, dead_letters, latest, offers
from tests.people import Http

TS = to_ms(MONDAY_MORNING)
PROFILE: dict[str, Any] = {
    "code": "plant",
    "name": "Plant, JSON",
    "adapter": "mapped",
    "mapping": {"topic": "plant/{address}/status", "payload": "json", "time": "$.t", "key": "$['no']"},
    "metrics": {
        "soh_pct": {"unit": "%", "component": "battery_pack", "source": "$.battery.soh", "scale": 100},
        "temperature_c": {"unit": "°C", "source": "$.cells[1]['temp K']", "offset": -273.15},
        "door_open": {"source": "$.door", "enum": {"open": 1, "shut": 0}},
    },
}


def form(mapping: dict[str, Any] | None = None, metrics: dict[str, Any] | None = None) -> MappedForm:
    return read_form("plant", PROFILE["mapping"] | (mapping or {}), PROFILE["metrics"] if metrics is None else metrics)


def read(form: MappedForm, topic: str, payload: bytes | str, *, retained: bool = False) -> list[Any]:
    raw = payload.encode() if isinstance(payload, str) else payload
    return list(decode(topic, raw, retained=retained, received_ms=TS, forms=[form]))


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def register(office: Http, world: World, profile: dict[str, Any], address: str = "pump-7") -> dict[str, Any]:
    made = office.post("/device-profiles", profile, expect=201)
    found: dict[str, Any] = office.post(
        f"/assets/{world.asset}/devices", {"profile_id": made["id"], "address": address}, expect=201
    )
    return found


def status(world: World, soh: float, no: int, at: Any, address: str = "pump-7", **more: Any) -> Message:
    body = {"t": to_ms(at), "no": no, "battery": {"soh": soh}} | more
    return Message(f"plant/{address}/status", msgspec.json.encode(body), False, to_ms(world.db.clock.now()))


# --- from a profile over HTTP to an alarm and an offer ---


def test_a_profile_written_over_http_brings_readings_an_alarm_and_an_offer(world: World, office: Http, clock: SetClock) -> None:
    device = register(office, world, PROFILE)
    assert device["address"] == "plant/pump-7"

    sent = [status(world, 0.749 - i / 1000, i, clock.now() - DAY * (2 - i)) for i in range(3)]
    fates = world.send(*sent, *sent)

    assert (fates["reading"], fates["duplicate"]) == (3, 3)
    assert latest(world.db, device["id"]) == (clock.now(), pytest.approx(74.7))
    assert [alarm.state for alarm in alarms(world.db, world.pack)] == ["raised"]
    assert len(offers(world.db, world.pack)) == 1


def test_scale_offset_and_enum_bring_values_into_the_profiles_units(world: World, office: Http, clock: SetClock) -> None:
    device = register(office, world, PROFILE)

    world.send(status(world, 0.8, 1, clock.now(), door="open", cells=[{}, {"temp K": "300.15"}]))

    assert {metric: latest(world.db, device["id"], metric) for metric in PROFILE["metrics"]} == {
        "soh_pct": (clock.now(), 80.0),
        "temperature_c": (clock.now(), pytest.approx(27.0)),
        "door_open": (clock.now(), 1.0),
    }


def test_what_does_not_fit_is_a_dead_letter_that_a_better_profile_reads(
    world: World, office: Http, http: Http, clock: SetClock
) -> None:
    device = register(office, world, PROFILE)
    world.send(status(world, 0.8, 1, clock.now(), door="ajar"))
    [letter] = dead_letters(world.db)
    assert (letter.reason, letter.detail) == ("value_invalid", "door_open: ajar")
    assert latest(world.db, device["id"]) is None

    profile = next(one for one in office.get("/device-profiles")["items"] if one["code"] == "plant")
    metrics = profile["metrics"] | {"door_open": {"source": "$.door", "enum": {"open": 1, "shut": 0, "ajar": 0.5}}}
    office.edit(f"/device-profiles/{profile['id']}", {"metrics": metrics}, profile["version"])
    answer = http.as_(world.admin).post(f"/dead-letters/{letter.id}/replay")

    assert answer["state"] == "replayed"
    assert latest(world.db, device["id"], "door_open") == (clock.now(), 0.5)


def test_an_unregistered_device_of_a_known_maker_is_counted_and_another_topic_is_poison(
    world: World, office: Http, clock: SetClock
) -> None:
    register(office, world, PROFILE)

    world.send(
        status(world, 0.8, 1, clock.now(), address="pump-8"),
        Message("plant/pump-7/other", b"{}", False, TS),
        Message("plant/pump-7/status/more", b"{}", False, TS),
    )

    assert counted(world.db)["unknown_device"] == 1
    assert [letter.reason for letter in dead_letters(world.db)] == ["topic_unknown"] * 2


def test_devices_of_two_makers_may_have_one_name(world: World, office: Http, clock: SetClock) -> None:
    other = PROFILE | {
        "code": "dock",
        "mapping": {"topic": "dock/{address}", "payload": "text"},
        "metrics": {"soh_pct": {}},
    }
    first, second = register(office, world, PROFILE, "1"), register(office, world, other, "1")

    world.send(status(world, 0.8, 1, clock.now(), address="1"), Message("dock/1", b" 71.5\n", False, TS))

    assert (latest(world.db, first["id"]), latest(world.db, second["id"])) == ((clock.now(), 80.0), (clock.now(), 71.5))


# --- forms ---


def test_every_entry_of_a_list_is_a_sample() -> None:
    listed = form({"each": "$.records", "time": "$.at", "time_form": "iso"})
    body = {"records": [{"at": f"2026-03-02T02:00:0{i}Z", "no": i, "battery": {"soh": i / 10}} for i in range(3)]}

    found = read(listed, "plant/a/status", msgspec.json.encode(body))

    assert [(one.at_ms - TS, one.values) for one in found] == [(i * 1000, {"soh_pct": i / 10}) for i in range(3)]
    assert len({one.key for one in found}) == 3


@pytest.mark.parametrize(
    ("time_form", "given", "expected"),
    [
        ("ms", TS, TS),
        ("ms", float(TS), TS),
        ("ms", str(TS), TS),
        ("s", TS // 1000, TS),
        ("s", TS / 1000 + 0.25, TS + 250),
        ("iso", "2026-03-02T10:00:00+08:00", TS),
        ("iso", "2026-03-02T02:00:00.5Z", TS + 500),
    ],
)
def test_times_are_read_in_the_form_the_profile_says(time_form: str, given: Any, expected: int) -> None:
    body = msgspec.json.encode({"t": given, "no": 1, "battery": {"soh": 1}})

    [sample] = read(form({"time_form": time_form}), "plant/a/status", body)

    assert sample.at_ms == expected


@pytest.mark.parametrize(
    ("separator", "line"), [(",", "7,x,80.5,x"), (";", "7;x;80.5"), ("tab", '7\t"x\ty"\t80.5'), ("|", "7|x|80.5")]
)
def test_a_column_of_csv(separator: str, line: str) -> None:
    columns = form({"payload": "csv", "separator": separator, "time": None, "key": "1"}, {"soh_pct": {"source": "3"}})

    [sample] = read(columns, "plant/a/status", line)

    assert (sample.values, sample.at_ms) == ({"soh_pct": 80.5}, TS)
    assert sample.key.startswith("#7:")


def test_each_line_of_csv_is_a_sample_also_when_two_are_alike() -> None:
    columns = form({"payload": "csv", "time": None, "key": None}, {"soh_pct": {"source": "1"}})

    found = read(columns, "plant/a/status", "80\r\n80\r\n\r\n79\r\n")

    assert [one.values["soh_pct"] for one in found] == [80, 80, 79]
    assert len({one.key for one in found}) == 3


def test_a_topic_may_name_the_metric_of_a_plain_text() -> None:
    named = form(
        {"topic": "dev/{address}/{metric}", "payload": "text", "time": None, "key": None},
        {"soh_pct": {"source": "SoH"}, "on": {"enum": {"ON": 1, "OFF": 0}}},
    )

    assert read(named, "dev/a/SoH", "80")[0].values == {"soh_pct": 80}
    assert read(named, "dev/a/on", "ON")[0].values == {"on": 1}
    assert read(named, "dev/a/colour", "red") == [Ignored("mapped", "plant/a", "not_mapped")]


def test_what_the_broker_kept_is_a_reading_only_where_it_carries_its_time() -> None:
    body = msgspec.json.encode({"t": TS - 5000, "no": 1, "battery": {"soh": 1}})

    assert [one.at_ms for one in read(form(), "plant/a/status", body, retained=True)] == [TS - 5000]
    assert read(form({"time": None}), "plant/a/status", body, retained=True) == [Ignored("mapped", "plant/a", "retained")]


def test_a_number_that_starts_again_with_the_device_is_told_apart_by_the_time() -> None:
    keys = {
        read(form(), "plant/a/status", msgspec.json.encode({"t": TS + later, "no": 1, "battery": {"soh": 1}}))[0].key
        for later in (0, 0, 1)
    }

    assert len(keys) == 2


POISON = {
    "empty": (b"", "empty"),
    "no JSON": (b"{", "not_json"),
    "not UTF-8": (b'{"t": "\xff"}', "not_json"),
    "NaN": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": NaN}}', "not_json"),
    "too deep": (b"[" * 100, "too_deep"),
    "beyond 64 bits": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": %d}}' % 2**70, "number_out_of_range"),
    "a text beyond every float": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": "1e999"}}', "value_invalid"),
    "a word": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": "good"}}', "value_invalid"),
    "a list for a number": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": []}}', "value_invalid"),
    "an object for a number": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": {}}}', "value_invalid"),
    "no time": (b'{"no": 1, "battery": {"soh": 1}}', "time_missing"),
    "a time of 1970": (b'{"t": 1772416800, "no": 1, "battery": {"soh": 1}}', "time_invalid"),
    "a time beyond every float": (b'{"t": "9e99", "no": 1, "battery": {"soh": 1}}', "time_invalid"),
    "true for a time": (b'{"t": true, "no": 1, "battery": {"soh": 1}}', "time_invalid"),
    "no key": (b'{"t": 1772416800000, "battery": {"soh": 1}}', "key_invalid"),
    "a fraction for a key": (b'{"t": 1772416800000, "no": 1.5, "battery": {"soh": 1}}', "key_invalid"),
    "an endless key": (b'{"t": 1772416800000, "no": "%s", "battery": {"soh": 1}}' % (b"9" * 41), "key_invalid"),
    "nothing of the profile": (b'{"t": 1772416800000, "no": 1, "soh": 1}', "nothing_mapped"),
    "null alone": (b'{"t": 1772416800000, "no": 1, "battery": {"soh": null}}', "nothing_mapped"),
    "a bare number": (b"74.9", "nothing_mapped"),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_is_refused_with_its_reason(name: str) -> None:
    payload, reason = POISON[name]

    with pytest.raises(WireError) as refused:
        read(form(), "plant/a/status", payload)

    assert refused.value.reason == reason


def test_a_time_in_seconds_beyond_every_float_is_refused() -> None:
    with pytest.raises(WireError, match="time_invalid"):
        read(form({"time_form": "s"}), "plant/a/status", b'{"t": 1e308, "no": 1, "battery": {"soh": 1}}')


FORMS = [
    form(),
    form({"each": "$.records", "time_form": "iso"}),
    form({"time_form": "s", "key": None}),
    form({"payload": "text", "time": None, "key": None}, {"soh_pct": {}}),
    form({"payload": "csv", "time": "1", "key": "2"}, {"soh_pct": {"source": "3"}}),
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.just("1e999"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["t", "no", "battery", "soh", "cells", "door", "records"]), inner, max_size=4)
    ),
    max_leaves=12,
)
_PAYLOADS = (
    st.binary(max_size=60)
    | st.text(alphabet='0123456789.eE+-,"\n\r\t x', max_size=30).map(str.encode)
    | _JSON.map(lambda value: json.dumps(value).encode())
)


@given(st.sampled_from(FORMS), st.text(min_size=1, max_size=8), _PAYLOADS, st.booleans())
def test_any_bytes_are_decoded_or_refused_and_never_break(form: MappedForm, level: str, payload: bytes, kept: bool) -> None:
    try:
        found = decode(f"plant/{level}/status", payload, retained=kept, received_ms=TS, forms=[form])
    except WireError:
        return
    for one in found:
        assert isinstance(one, Sample | Ignored)
        if isinstance(one, Sample):
            assert all(abs(value) < float("inf") for value in one.values.values())
            assert 0 < len(one.key) <= 80


# --- what may be written ---

_LEVELS = st.lists(st.sampled_from(["a", "b", "+"]), min_size=1, max_size=4)


@given(_LEVELS, st.booleans(), _LEVELS, st.booleans())
def test_filters_overlap_exactly_where_a_topic_fits_both(
    one: list[str], one_open: bool, other: list[str], other_open: bool
) -> None:
    def fits(levels: list[str], open_end: bool, topic: list[str]) -> bool:
        head = topic[: len(levels)]
        same = len(head) == len(levels) and all(level in ("+", part) for level, part in zip(levels, head, strict=True))
        return same and (open_end or len(topic) == len(levels))

    topics: list[list[str]] = [[]]
    for _ in range(5):
        topics += [[*topic, level] for topic in topics for level in "ab" if len(topic) < 5]
    shared = any(fits(one, one_open, topic) and fits(other, other_open, topic) for topic in topics if topic)
    written = ["/".join(levels) + ("/#" if end else "") for levels, end in ((one, one_open), (other, other_open))]

    assert overlap(*written) == overlap(*reversed(written)) == shared


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"mapping": None}, "mapping", "required"),
        ({"adapter": "native"}, "mapping", "not_mapped"),
        ({"mapping": {"topic": "plant/status", "payload": "json"}}, "mapping.topic", "pattern_invalid"),
        ({"mapping": {"topic": "plant/{address}/#", "payload": "json"}}, "mapping.topic", "pattern_invalid"),
        ({"mapping": {"topic": "plant/{address}-x/status", "payload": "json"}}, "mapping.topic", "pattern_invalid"),
        ({"mapping": {"topic": "plant//{address}", "payload": "json"}}, "mapping.topic", "pattern_invalid"),
        ({"mapping": {"topic": "plant/{address}/{metric}", "payload": "json"}}, "mapping.topic", "pattern_invalid"),
        ({"mapping": {"topic": "devices/0/{address}/telemetry", "payload": "json"}}, "mapping.topic", "pattern_reserved"),
        ({"mapping": {"topic": "+/{address}/status", "payload": "json"}}, "mapping.topic", "pattern_reserved"),
        ({"mapping": {"topic": "{address}/status", "payload": "json"}}, "mapping.topic", "pattern_reserved"),
        ({"mapping": {"topic": "ovms/lin/{address}", "payload": "json"}}, "mapping.topic", "pattern_reserved"),
        ({"mapping": {"topic": "$SYS/{address}", "payload": "json"}}, "mapping.topic", "pattern_reserved"),
        ({"mapping": {"topic": "p/{address}", "payload": "json", "time": "t"}}, "mapping.time", "place_invalid"),
        ({"mapping": {"topic": "p/{address}", "payload": "json", "key": "$.a[-1]"}}, "mapping.key", "place_invalid"),
        ({"mapping": {"topic": "p/{address}", "payload": "json", "each": "$..a"}}, "mapping.each", "place_invalid"),
        ({"mapping": {"topic": "p/{address}", "payload": "csv"}}, "metrics.soh_pct.source", "place_invalid"),
        ({"mapping": {"topic": "p/{address}", "payload": "text"}}, "metrics", "too_many"),
        ({"metrics": {}}, "metrics", "required"),
        ({"metrics": {"soh_pct": {"source": "$.a["}}}, "metrics.soh_pct.source", "place_invalid"),
        ({"mapping": {"topic": "p/{address}", "payload": "xml"}}, "mapping.payload", "not_one_of"),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_profile_that_makes_no_sense_is_refused_in_the_field_at_fault(
    office: Http, change: dict[str, Any], field: str, code: str
) -> None:
    for path, body in (
        ("/device-profiles", PROFILE | change),
        ("/device-profile-trials", {"profile": PROFILE | change, "topic": "plant/a/status", "payload": "{}"}),
    ):
        refusal = office.refused("POST", path, 422, "validation_failed", body)
        told = [(fault["field"].removeprefix("profile."), fault["code"]) for fault in refusal["errors"]]
        assert (field, code) in told


def test_two_profiles_may_not_read_the_same_topic(office: Http, world: World) -> None:
    office.post("/device-profiles", PROFILE, expect=201)
    other = PROFILE | {"code": "other"}
    for topic in ("plant/{address}/status", "plant/+/{address}", "plant/{address}/+"):
        mapping = PROFILE["mapping"] | {"topic": topic}
        refusal = office.refused("POST", "/device-profiles", 422, "validation_failed", other | {"mapping": mapping})
        assert [(fault["field"], fault["code"]) for fault in refusal["errors"]] == [("mapping.topic", "pattern_taken")]
    made = office.post(
        "/device-profiles", other | {"mapping": PROFILE["mapping"] | {"topic": "plants/{address}/status"}}, expect=201
    )

    refusal = office.call(
        "PATCH", f"/device-profiles/{made['id']}", {"mapping": PROFILE["mapping"]}, If_Match=f'"{made["version"]}"'
    )
    assert refusal.json["errors"][0]["code"] == "pattern_taken"
    same = office.edit(f"/device-profiles/{made['id']}", {"mapping": made["mapping"] | {"key": "$.id"}}, made["version"])
    assert same["mapping"]["key"] == "$.id"


# --- trying it out ---


def test_a_profile_is_tried_on_a_message_and_nothing_is_stored(office: Http, world: World, clock: SetClock) -> None:
    payload = msgspec.json.encode({"t": TS - 1000, "no": 5, "battery": {"soh": 0.801}, "door": True}).decode()
    asked = {"profile": PROFILE, "topic": "plant/pump-7/status", "payload": payload}

    answer = office.post("/device-profile-trials", asked)
    as_bytes = office.post(
        "/device-profile-trials",
        {"profile": PROFILE, "topic": "plant/pump-7/status", "payload_base64": base64.b64encode(payload.encode()).decode()},
    )

    at = (clock.now() - timedelta(seconds=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    assert [(one["address"], one["metric"], one["at"], one["value"]) for one in answer["items"]] == [
        ("plant/pump-7", "door_open", at, 1.0),
        ("plant/pump-7", "soh_pct", at, pytest.approx(80.1)),
    ]
    assert as_bytes == answer
    assert (answer["reason"], answer["passed_over"]) == (None, None)
    assert dead_letters(world.db) == []
    assert "plant" not in [one["code"] for one in office.get("/device-profiles")["items"]]


@pytest.mark.parametrize("name", POISON)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_trying_poison_tells_the_reason_the_dead_letter_would_have(office: Http, name: str) -> None:
    payload, reason = POISON[name]
    asked = {"profile": PROFILE, "topic": "plant/a/status", "payload_base64": base64.b64encode(payload).decode()}

    answer = office.post("/device-profile-trials", asked)

    assert (answer["items"], answer["reason"]) == ([], reason)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_trial_needs_a_topic_of_the_profile_and_one_payload(office: Http) -> None:
    for topic in ("devices/0/device-0001/telemetry", "plant/a/other"):
        asked = {"profile": PROFILE, "topic": topic, "payload": "{}"}
        assert office.post("/device-profile-trials", asked)["reason"] == "topic_unknown"
    for payloads in ({}, {"payload": "x", "payload_base64": "eA=="}):
        office.refused("POST", "/device-profile-trials", 422, "validation_failed", {"profile": PROFILE, "topic": "t"} | payloads)
    bad = {"profile": PROFILE, "topic": "plant/a/status", "payload_base64": "%%"}
    office.refused("POST", "/device-profile-trials", 422, "validation_failed", bad)
