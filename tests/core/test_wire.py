"""The strict input layer: bytes become a plain value that every room below can store, or a reason; nothing else."""

from __future__ import annotations

import json
import math
import random
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import wire
from app.core.wire import Limits, WireError, check_moment, check_ms, check_text, parse_json

SMALL = Limits(size=1000, depth=4, values=20, text=30)


def reason(raw: bytes, limits: Limits = wire.HTTP_LIMITS) -> str:
    with pytest.raises(WireError) as refused:
        parse_json(raw, limits)
    return refused.value.reason


def value_or_refusal(raw: bytes) -> tuple[Any, WireError | None]:
    try:
        return parse_json(raw, SMALL), None
    except WireError as refusal:
        return None, refusal


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "empty"),
        (b" \n\t ", "empty"),
        (b"{", "not_json"),
        (b"nul", "not_json"),
        (b"{'a': 1}", "not_json"),
        (b'{"a": 1,}', "not_json"),
        (b"[1] [2]", "not_json"),
        (b"\xff\xfe[1]", "not_json"),
        (b"\xef\xbb\xbf[1]", "not_json"),
        (b'"\xc3\x28"', "not_json"),
        (b'"\xed\xa0\x80"', "not_json"),  # a lone surrogate in UTF-8
        (b'"\\ud800"', "not_json"),
        (b'"tab\there"', "not_json"),
        (b"NaN", "not_json"),
        (b"[Infinity]", "not_json"),
        (b"-Infinity", "not_json"),
        (b"01", "not_json"),
        (b"+1", "not_json"),
        (b"1e999", "number_out_of_range"),
        (b"-1e999", "number_out_of_range"),
        (b"9223372036854775808", "number_out_of_range"),
        (b"-9223372036854775809", "number_out_of_range"),
        (b"[18446744073709551616]", "number_out_of_range"),
        (b"9" * 6000, "number_out_of_range"),
        (b'"a\\u0000b"', "text_invalid"),
        (b'{"a\\u0000b": 1}', "text_invalid"),
        (b'"' + b"a" * 20_001 + b'"', "text_too_long"),
        (b'{"' + b"k" * 20_001 + b'": 1}', "text_too_long"),
        (b"[" * 33 + b"]" * 33, "too_deep"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, "too_deep"),
        (b"[" * 100_000, "too_deep"),
        (b"[" + b"1," * 20_000 + b"1]", "too_many_values"),
        (b'"' + b"a" * 1_000_000 + b'"', "too_large"),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_no_room_could_store_is_refused_with_its_reason(raw: bytes, expected: str) -> None:
    assert reason(raw) == expected


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"null", None),
        (b"[true, false]", [True, False]),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"1e308", 1e308),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        ('{"名": "电池"}'.encode(), {"名": "电池"}),
        (b"[" * 32 + b"]" * 32, None),
        (b'{"a": 1, "a": 2}', {"a": 2}),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_within_the_bounds_passes_unchanged(raw: bytes, value: Any) -> None:
    assert parse_json(raw) == (value if value is not None else json.loads(raw))


@pytest.mark.parametrize(
    ("raw", "passes"),
    [
        # Brackets in texts are no nesting, whatever quotes and backslashes stand around them.
        (b'["' + b"[" * 200 + b'"]', True),
        (b'["say \\"' + b"[" * 200 + b'\\""]', True),
        (b'["\\\\", "' + b"[" * 200 + b'"]', True),
        # And nesting is nesting, whatever texts stand before it.
        (b'{"a": "\\\\", "b": ' + b"[" * 40 + b"]" * 40 + b"}", False),
        (b'{"a": "\\"", "b": ' + b"[" * 40 + b"]" * 40 + b"}", False),
        (b'{"a": "\\\\\\"", "b": ' + b"[" * 40 + b"]" * 40 + b"}", False),
        # Closed brackets are not counted for ever.
        (b"[" + b"[]," * 500 + b"[]]", True),
    ],
)
def test_depth_counts_brackets_outside_texts_and_nothing_else(raw: bytes, passes: bool) -> None:
    if passes:
        assert parse_json(raw) == json.loads(raw)
    else:
        assert reason(raw) == "too_deep"


def test_texts_made_to_be_slow_to_scan_are_scanned_once() -> None:
    """A scan that began anew at each quote would need hours for these; the test's time limit is the assertion."""
    open_brackets = b"{" * 40
    for text in (b'"' + b'\\"' * 450_000 + b"\\", b'"\\' * 300_000, b'"' * 900_000, b"\\" * 900_000, b'"' + b"\\" * 900_001):
        with pytest.raises(WireError):
            parse_json(text + open_brackets)
        with pytest.raises(WireError):
            parse_json(open_brackets + text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(st.characters(), max_size=8), inner, max_size=6),
    max_leaves=25,
)


def storable(value: Any, depth: int = 0) -> bool:
    """Judge a value by the rules as they are written down, not as they are programmed."""
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return len(value) <= SMALL.text and "\x00" not in value and not any(0xD800 <= ord(c) <= 0xDFFF for c in value)
    if depth >= SMALL.depth:
        return False
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    return all(storable(one, depth + 1) for one in inner)


def count(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(map(count, inner))


@settings(max_examples=200)
@given(json_values)
def test_exactly_the_values_that_can_be_stored_pass(value: Any) -> None:
    raw = json.dumps(value).encode("utf-8", "surrogatepass")
    expected = storable(value) and count(value) <= SMALL.values and len(raw) <= SMALL.size

    found, refusal = value_or_refusal(raw)

    assert (refusal is None) == expected
    assert refusal or found == value


@settings(max_examples=200)
@given(st.binary(max_size=60) | st.text(alphabet='[]{}":,\\ \n01eE+-.aNI', max_size=60).map(str.encode))
def test_any_bytes_give_a_value_or_a_reason_and_nothing_else(raw: bytes) -> None:
    value, refusal = value_or_refusal(raw)

    if refusal is None:
        assert json.loads(raw) == value
        assert storable(value)
    else:
        assert refusal.reason.isidentifier()


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_document_gives_a_value_or_a_reason(seed: int) -> None:
    rng = random.Random(seed)
    whole = json.dumps({"ts": 1, "m": {"soh_pct": 74.9, "名": '\\"x'}, "list": [[1, -2.5e3], None, True]}).encode()
    for _ in range(500):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        _, refusal = value_or_refusal(bytes(damaged[: rng.randint(1, len(damaged))]))
        assert refusal is None or len(refusal.detail) <= 200


def test_a_document_at_the_limits_does_not_come_near_the_recursion_limit() -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(200)
    try:
        assert reason(b"[" * 500_000) == "too_deep"
        parse_json(b"[" * 32 + b"]" * 32)
    finally:
        sys.setrecursionlimit(limit)


def test_texts_are_bounded_by_characters_and_free_of_what_databases_refuse() -> None:
    assert check_text("电" * 30, 30) == "电" * 30
    for text, expected in (("电" * 31, "text_too_long"), ("a\x00", "text_invalid"), ("\ud800", "text_invalid")):
        with pytest.raises(WireError) as refused:
            check_text(text, 30)
        assert refused.value.reason == expected


def test_instants_lie_in_this_century_and_know_their_offset() -> None:
    assert check_moment(datetime(2026, 3, 2, 10, tzinfo=timezone(timedelta(hours=8)))) == datetime(2026, 3, 2, 2, tzinfo=UTC)
    assert check_moment(datetime(2000, 1, 1, tzinfo=UTC)).year == 2000
    for bad in (
        datetime(2026, 3, 2),  # noqa: DTZ001 - the fault under test
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-12))),
    ):
        with pytest.raises(WireError) as refused:
            check_moment(bad)
        assert refused.value.reason == "time_invalid"


def test_milliseconds_lie_in_this_century_and_are_whole() -> None:
    assert check_ms(946_684_800_000) == 946_684_800_000
    for bad in (946_684_799_999, 4_102_444_800_000, 1_772_416_800, -1, True, None, "1772416800000", 1.77e12, 2**63):
        with pytest.raises(WireError) as refused:
            check_ms(bad)
        assert refused.value.reason == "time_invalid"
