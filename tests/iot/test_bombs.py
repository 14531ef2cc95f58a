"""Messages made to hurt: each is decoded or refused with a reason, in bounded time and memory; no name of another's is taken."""

from __future__ import annotations

import json
import math
import random
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.assets.mappings import MappedForm, read_form
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.core.wire import WireError
from evaluation.sparkplug import metric, part, payload, varint
from iot.adapters import Decoded, Sample, decode
from iot.ingest import Message
from iot.models import Telemetry
from tests.conftest import MONDAY_MORNING
from tests.factories import World, make_world
from tests.iot.vehicles import dead_letters, latest, row_counts
from tests.people import Http

TS = to_ms(MONDAY_MORNING)
NATIVE, OVMS, BOARD, NODE = (
    "devices/0/device-0001/telemetry",
    "ovms/u/c/metric/v/b/soh",
    "v1/gateway/telemetry",
    "spBv1.0/g/NDATA/n",
)
TESLA, PLACE = "teslamate/cars/1/speed", "teslamate/cars/1/location"
# Of one message: its own bytes, what it decodes to, and the parser's working memory.
MOST_BYTES, MOST_SECONDS = 80_000_000, 20.0


def form(code: str, payload: str, source: str, **mapping: Any) -> MappedForm:
    asked = {"topic": f"{code}/{{address}}", "payload": payload, **mapping}
    return read_form(code, asked, {f"m{i}": {"source": source.format(i)} for i in range(50)})


FORMS = [
    form("rows", "json", "$.a{}", each="$"),
    form("timed", "json", "$.a{}", each="$", time="$.t", time_form="iso", key="$.k"),
    form("lines", "csv", "1"),
    read_form("texts", {"topic": "texts/{address}/{metric}", "payload": "text"}, {"m": {}}),
]


def read(topic: str, payload: bytes, *, retained: bool = False) -> list[Decoded]:
    return decode(topic, payload, retained=retained, received_ms=TS, forms=FORMS)


# What it holds, and the reason of its refusal; "" where it is decoded.
BOMBS: dict[str, tuple[str, bytes, str]] = {
    "a million metrics": (NODE, b"\x12\x00" * 1_000_000, "too_large"),
    "half a million metrics": (NODE, b"\x12\x00" * 500_000, "too_many_values"),
    "half a million metrics below": ("spBv1.0/g/DBIRTH/n/d", metric("a", 1, 1.0) * 60_000, "too_many_values"),
    "half a million unknown fields": (NODE, b"\x48\x00" * 500_000, "too_many_values"),
    "a metric of unknown fields": (NODE, part(2, b"\x48\x00" * 490_000), "too_many_values"),
    "a template of templates": (NODE, part(2, part(18, part(2, b"\x0a" * 900_000))), ""),
    "an endless name": (NODE, part(2, part(1, b"a" * 900_000)), "text_too_long"),
    "an endless text": (NODE, part(2, part(1, b"a") + part(15, b"a" * 900_000)), ""),
    "an unknown data type": (NODE, metric("a", 1, 5.0, kind=2**32 - 1), ""),
    "a data type beyond 64 bits": (NODE, part(2, b"\x20" + b"\xff" * 9 + b"\x7f"), ""),
    "a negative length": (NODE, b"\x12" + b"\xff" * 9 + b"\x01", "protobuf_invalid"),
    "a length beyond the end": (NODE, b"\x12" + varint(2**63) + b"a", "protobuf_invalid"),
    "a field without a number": (NODE, b"\x00\x00", "protobuf_invalid"),
    "a group": (NODE, b"\x0b\x0b\x0b", "protobuf_invalid"),
    "an endless group": (NODE, b"\x0b" * 900_000, "protobuf_invalid"),
    "no number": (NODE, metric("a", 1, float("nan")), ""),
    "a number of another width": (NODE, part(2, part(1, b"a") + part(13, b"\x00" * 900_000)), "protobuf_invalid"),
    "a thousand names": (BOARD, json.dumps({f"n{i}": [{"s": 1}] for i in range(1001)}).encode(), "too_many_values"),
    "a deep list of a gateway": (BOARD, b'{"A":' + b"[" * 900_000, "too_deep"),
    "a wide list of a gateway": (BOARD, b'{"A":[' + b"{}," * 300_000 + b"{}]}", "too_many_values"),
    "one name 70,000 times": (BOARD, b"{" + b",".join([b'"A":[{"s":1}]'] * 70_000) + b"}", ""),
    "long numbers as texts": (BOARD, json.dumps({"A": [{f"m{i}": "9" * 9000 for i in range(100)}]}).encode(), ""),
    "a text for no number": (BOARD, b'{"A":[{"s":NaN}]}', "not_json"),
    "a name of half a character": (BOARD, b'{"\\ud800":[{"s":1}]}', "not_json"),
    "a name that is no text": (BOARD, b'{"\xff":[{"s":1}]}', "not_json"),
    "lines": ("lines/1", b"1\n" * 499_999, "too_many_values"),
    "blank lines": ("lines/1", b"1" + b"\n" * 999_000, ""),
    "columns": ("lines/1", b"," * 999_999, "too_many_values"),
    "quotes": ("lines/1", b'"' * 999_999, "csv_invalid"),
    "an open quote": ("lines/1", b'"' + b"1\n" * 499_000, "csv_invalid"),
    "blanks": ("texts/1/m", b" " * 999_999, "empty"),
    "digits": ("texts/1/m", b"1" * 999_999, "value_invalid"),
    "a list of lists": ("rows/1", b"[" * 900_000, "too_deep"),
    "a wide list": ("rows/1", b"[" + b"0," * 400_000 + b"0]", "too_many_values"),
    "a thousand times fifty": ("rows/1", json.dumps([{f"a{k}": 1 for k in range(50)}] * 1000).encode(), ""),
    "a long time": ("timed/1", json.dumps([{"a1": 1, "t": "9" * 9000}]).encode(), "time_invalid"),
    "a time before all times": ("timed/1", b'[{"k": 1, "t": "0001-01-01T00:00:00+23:59", "a1": 1}]', "time_invalid"),
    "digits of a car": (OVMS, b"1" * 4000, ""),
    "more digits of a car": (OVMS, b"1" * 4001, "too_large"),
    "a text that is no text": (OVMS, b"\xff\xfe", "text_invalid"),
    "a metric with a NUL": ("ovms/u/c/metric/a\x00b", b"1", "text_invalid"),
    "an infinite place": (PLACE, b'{"latitude": 1e999, "longitude": 1}', "number_out_of_range"),
    "a deep place": (PLACE, b"[" * 3000, "too_deep"),
    "samples": (NATIVE, b"[" + b",".join([b'{"ts": 1772424000000, "m": {"a": 1}}'] * 100_000) + b"]", "too_many_values"),
    "a deep answer": ("devices/0/device-0001/responses/command-1", b"[" * 64_000, "too_deep"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_and_is_decoded_or_refused_with_its_reason(name: str) -> None:
    topic, payload, reason = BOMBS[name]
    found = ""
    tracemalloc.start()
    began = time.process_time()
    try:
        read(topic, payload)
    except WireError as fault:
        found = fault.reason
    seconds, (_, peak) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == reason
    assert peak < MOST_BYTES, f"{peak / 1e6:.1f} MB"
    assert seconds < MOST_SECONDS, f"{seconds:.1f} s, traced"


@pytest.mark.parametrize("text", ["1_000", "\u0661\u0662", "\uff11", "0x10", "1e", "infinity", "nan", "1e999", "--1", "1 2"])
def test_only_decimal_numbers_are_numbers_in_every_convention(text: str) -> None:
    for topic, said in ((OVMS, text), (TESLA, text), (BOARD, json.dumps({"A": [{"s": text}]}))):
        [told] = read(topic, said.encode())
        assert not isinstance(told, Sample), topic
    with pytest.raises(WireError, match="value_invalid"):
        read("texts/1/m", text.encode())


_LEVEL = st.sampled_from(
    ["cars", "metric", "location", "NBIRTH", "DDATA", "NCMD", "STATE", "telemetry", "0", "1", "device-0001", ""]
)
_TOPICS = st.builds(
    "/".join,
    st.tuples(
        st.sampled_from(["devices", "ovms", "teslamate", "spBv1.0", "v1/gateway", "rows", "timed", "lines", "texts", "$SYS", ""]),
        st.lists(_LEVEL | st.text(max_size=4) | st.text(alphabet="x/", min_size=100, max_size=300), max_size=5).map("/".join),
    ),
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a1", "t", "k", "ts", "m", "values"]), inner),
    max_leaves=10,
)
_METRICS = st.lists(
    st.builds(part, st.integers(1, 20), st.integers(0, 2**64 - 1) | st.binary(max_size=9)), max_size=6
).map(b"".join)  # fmt: skip
_PAYLOADS = (
    st.binary(max_size=60)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | st.text(max_size=20).map(lambda text: text.encode(errors="replace"))
    | st.lists(st.builds(part, st.just(2), _METRICS), max_size=4).map(b"".join)
)


@given(_TOPICS, _PAYLOADS, st.booleans())
def test_any_topic_and_any_bytes_are_decoded_or_refused(topic: str, payload: bytes, kept: bool) -> None:
    try:
        found = read(topic, payload, retained=kept)
    except WireError:
        return
    for one in found:
        assert 1 <= len(one.address) <= 120
        assert "\x00" not in one.address


# Names


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def arrived(world: World, topic: str, body: Any) -> Message:
    return Message(topic, json.dumps(body).encode(), False, to_ms(world.db.clock.now()))


def test_a_gateway_that_names_100_000_devices_nobody_registered_grows_nothing(world: World) -> None:
    world.send(arrived(world, BOARD, {"nobody": [{"soh": 1}]}))
    before = row_counts(world.db)
    sent = [arrived(world, BOARD, {f"invented {i}/{k}": [{"soh": 1}] for k in range(1000)}) for i in range(100)]

    began = time.process_time()
    fates = world.send(*sent)

    assert time.process_time() - began < 60
    assert (fates["unknown_device"], fates.get("poison", 0), fates.get("reading", 0)) == (100_000, 0, 0)
    assert row_counts(world.db) == before
    assert dead_letters(world.db) == []


_EXTREMES = (0, 1, 127, 2**31, 2**32 - 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1)
_NAMES = ("bdSeq", "soh", "Node Control/Rebirth", "=1", "", "名", "a" * 250, "x\x1f'\"")


def _any_message(draw: random.Random) -> tuple[str, bytes]:
    """A message of a node with numbers at the edges of their fields."""
    kind = draw.choice(["NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"])
    below = "/d" if kind.startswith("D") else ""
    metrics = []
    for _ in range(draw.randrange(6)):
        fields = [name for name in ("kind", "historical", "null", "int_value", "long_value") if draw.random() < 0.3]
        more = {name: draw.choice(_EXTREMES) for name in fields}
        if draw.random() < 0.3:
            more["at"] = TS + draw.randrange(-(10**9), 10**9)
        value = draw.choice([None, None, 1.5, -1e308, 5e-324, math.inf, math.nan])
        metrics.append(metric(draw.choice(_NAMES), draw.choice([None, *_EXTREMES]), value, **more))
    seq = draw.choice([None, draw.randrange(256)])
    return f"spBv1.0/g/{kind}/n{below}", payload(TS + draw.randrange(10**6), seq, *metrics)


@pytest.mark.parametrize("seed", [1, 20_261])
def test_whatever_a_node_tells_can_be_stored_or_is_refused_with_a_reason_of_its_own(
    world: World, office: Http, seed: int
) -> None:
    body = {"code": "sp", "name": "S", "adapter": "sparkplug", "metrics": {"soh_pct": {"source": "soh", "scale": 100}}}
    profile = office.post("/device-profiles", body, expect=201)["id"]
    for address in ("g/n", "g/n/d"):
        office.post(f"/assets/{world.asset}/devices", {"profile_id": profile, "address": address}, expect=201)
    draw = random.Random(seed)

    for start in range(0, 300, 30):
        world.send(*[Message(*_any_message(draw), False, TS + start) for _ in range(30)])

    assert {letter.reason for letter in dead_letters(world.db)} <= {"alias_unknown", "number_out_of_range"}
    with world.db.reading() as session:
        assert all(abs(value) < math.inf for value in session.scalars(select(Telemetry.value)))


def test_a_name_is_known_in_its_own_convention_only(world: World, office: Http) -> None:
    """One name registered under every convention: each message speaks for the device of its own."""
    name = "device-0001/1"  # fits an OVMS car, a TeslaMate car in a namespace, a node, a gateway's device
    made = {}
    for adapter in ("ovms", "teslamate", "sparkplug", "thingsboard", "mapped"):
        body: dict[str, Any] = {"code": "device-0001" if adapter == "mapped" else adapter, "name": adapter, "adapter": adapter}
        if adapter == "mapped":
            body["mapping"] = {"topic": "any/{address}", "payload": "json"}
        source = {"mapped": "$.soh", "ovms": "v/b/soh"}.get(adapter, "soh")
        profile = office.post("/device-profiles", body | {"metrics": {"soh_pct": {"source": source}}}, expect=201)["id"]
        address = "1" if adapter == "mapped" else name
        asked = {"profile_id": profile, "address": address}
        made[adapter] = office.post(f"/assets/{world.asset}/devices", asked, expect=201)["id"]
    sent = {
        "ovms": ("ovms/device-0001/1/metric/v/b/soh", b"81"),
        "teslamate": ("teslamate/device-0001/cars/1/soh", b"82"),
        "sparkplug": ("spBv1.0/device-0001/NDATA/1", metric("soh", None, 83.0)),
        "thingsboard": (BOARD, b'{"device-0001/1": [{"soh": 84}], "device-0001": [{"soh": 1}]}'),
        "mapped": ("any/1", b'{"soh": 85}'),
    }
    for number, (adapter, (topic, said)) in enumerate(sent.items()):
        world.send(Message(topic, said, False, TS))
        known = {one: latest(world.db, made[one]) for one in made}
        assert {one for one, value in known.items() if value} == set(list(sent)[: number + 1]), adapter
        assert known[adapter] == (MONDAY_MORNING, 81.0 + number)
    assert latest(world.db, world.device) is None
