"""The strict input layer: HTTP schemas and MQTT adapters both stand on it. Knows no Flask and no database.

Bytes become a plain value here or a ``WireError`` with a stable reason; nothing else gets through:
no NaN, no integer beyond 64 bits, no NUL, no lone surrogate, no deep or huge structure.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from app.core.clock import EARLIEST, LATEST

INT64 = 2**63
ID_PATTERN = re.compile(r"[A-Za-z0-9_.-]{8,36}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# A whole string, possibly cut short. Possessive, and an open string runs to the end: linear.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


class WireError(ValueError):
    """Input that may not pass. ``reason`` is a stable code, ``detail`` tells a person more."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Limits:
    """Bounds of one JSON document: bytes, nesting, values in all, characters in one text."""

    size: int = 1_000_000
    depth: int = 32
    values: int = 20_000
    text: int = 20_000


HTTP_LIMITS = Limits()
_decoder = msgspec.json.Decoder()


def parse_json(raw: bytes, limits: Limits = HTTP_LIMITS) -> object:
    """Decode one JSON document strictly.

    Args:
        raw: UTF-8 bytes.
        limits: the bounds.

    Returns:
        Plain dicts, lists, strings, numbers, booleans and None.

    Raises:
        WireError: ``too_large``, ``empty``, ``too_deep``, ``not_json``, ``number_out_of_range``,
            ``text_invalid``, ``text_too_long`` or ``too_many_values``.
    """
    if len(raw) > limits.size:
        raise WireError("too_large", f"{len(raw)} bytes, at most {limits.size}")
    if not raw.strip():
        raise WireError("empty")
    _check_depth(raw, limits.depth)
    try:
        value = _decoder.decode(raw)
    except msgspec.ValidationError as fault:
        raise WireError("number_out_of_range", str(fault)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise WireError("not_json", str(fault)[:200]) from None
    check_value(value, limits)
    return value


def parse_rows(raw: bytes, limits: Limits) -> object:
    """Decode a document of many rows that are checked one by one later: only its size, depth and form are judged here.

    Raises:
        WireError: ``too_large``, ``empty``, ``too_deep`` or ``not_json``.
    """
    if len(raw) > limits.size:
        raise WireError("too_large", f"{len(raw)} bytes, at most {limits.size}")
    if not raw.strip():
        raise WireError("empty")
    _check_depth(raw, limits.depth)
    try:
        return _decoder.decode(raw)
    except msgspec.MsgspecError:
        # A number or a text in it that only this decoder refuses is the fault of one row.
        try:
            return json.loads(raw, parse_constant=str, parse_float=_finite)
        except (ValueError, RecursionError) as fault:
            raise WireError("not_json", str(fault)[:200]) from None


def _finite(text: str) -> float | str:
    """Read a number; one that no float can hold stays the text it is."""
    value = float(text)
    return value if math.isfinite(value) else text


def _check_depth(raw: bytes, allowed: int) -> None:
    """Refuse deep nesting before any parser recurses into it. Brackets inside strings do not count."""
    if raw.count(b"[") + raw.count(b"{") <= allowed:
        return
    brackets = _STRINGS.sub(b"", raw).translate(_ONE_KIND, _NO_BRACKETS)
    left = brackets
    for _ in range(allowed):  # each time the innermost pairs go
        if not left:
            return
        left = left.replace(b"[]", b"")
    depth = 0
    for bracket in brackets if left else b"":  # something is left where it is too deep, or no JSON at all
        depth += 1 if bracket == ord("[") else -1
        if depth > allowed:
            raise WireError("too_deep", f"nested deeper than {allowed}")


def check_value(value: object, limits: Limits = HTTP_LIMITS) -> None:
    """Walk a decoded value and refuse what no room below could store.

    Raises:
        WireError: as ``parse_json``.
    """
    seen = 0
    stack = [value]
    while stack:
        found = stack.pop()
        seen += 1
        if seen > limits.values:
            raise WireError("too_many_values", f"more than {limits.values}")
        if isinstance(found, dict):
            for key in found:
                check_text(key, limits.text)
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
        elif isinstance(found, str):
            check_text(found, limits.text)
        elif isinstance(found, int) and not -INT64 <= found < INT64:
            raise WireError("number_out_of_range", "an integer does not fit into 64 bits")


def plain_text(value: str, longest: int) -> str:
    """Return the beginning of a text, with escapes where it holds what cannot be stored everywhere."""
    return (ascii(value)[1:-1] if _UNSTORABLE.search(value) else value)[:longest]


def check_text(value: str, longest: int = HTTP_LIMITS.text) -> str:
    """Return the text when it can be stored everywhere.

    Raises:
        WireError: ``text_too_long`` or ``text_invalid`` (NUL, lone surrogate).
    """
    if len(value) > longest:
        raise WireError("text_too_long", f"{len(value)} characters, at most {longest}")
    if _UNSTORABLE.search(value):
        raise WireError("text_invalid", "NUL or a lone surrogate")
    return value


def fold(name: str) -> str:
    """Return what two spellings of one name have in common: letter case and full or half width do not matter.

    Source: Unicode 15.0, 3.13, D146 (NFKC, case folding), repeated once, since one may bring back what the other folded.
    """
    for _ in range(2):
        name = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", name)


def check_id(value: object) -> str:
    """Return an id as made by any client: ``[A-Za-z0-9_.-]``, 8 to 36 characters.

    Raises:
        WireError: ``id_invalid``.
    """
    if not isinstance(value, str) or not ID_PATTERN.fullmatch(value):
        raise WireError("id_invalid", "8 to 36 characters of A-Z a-z 0-9 _ . -")
    return value


def check_moment(at: datetime) -> datetime:
    """Return an aware instant in UTC inside the years 2000 to 2100.

    Raises:
        WireError: ``time_invalid``.
    """
    if at.tzinfo is None:
        raise WireError("time_invalid", "an offset from UTC is needed")
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        raise WireError("time_invalid", "outside the years 2000 to 2100") from None
    if not EARLIEST <= at < LATEST:
        raise WireError("time_invalid", "outside the years 2000 to 2100")
    return at


EARLIEST_MS = int(EARLIEST.timestamp() * 1000)
LATEST_MS = int(LATEST.timestamp() * 1000)


def check_ms(value: object) -> int:
    """Return Unix milliseconds inside the years 2000 to 2100.

    Raises:
        WireError: ``time_invalid``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not EARLIEST_MS <= value < LATEST_MS:
        raise WireError("time_invalid", "Unix milliseconds inside the years 2000 to 2100")
    return value
