"""Sparkplug B: ``spBv1.0/<group>/<kind>/<node>[/<device>]``, protobuf; only the fields that are needed are read, by hand.

A message alone does not say what its values are called: births give the names, later messages may hold aliases. So what is
decoded here is still in the node's words; ``iot.nodes`` knows the births.
Source: Eclipse Sparkplug 3.0.0, 6.4 (payloads) and its sparkplug_b.proto; Protocol Buffers, "Encoding".
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

from app.core import wire
from app.core.wire import WireError
from iot.adapters.values import Decoded, Ignored, NodeMessage, NodeMetric

REBIRTH = "Node Control/Rebirth"
BIRTHS, DEATHS = frozenset({"NBIRTH", "DBIRTH"}), frozenset({"NDEATH", "DDEATH"})
_FORMS = frozenset({("NBIRTH", 4), ("NDEATH", 4), ("NDATA", 4), ("DBIRTH", 5), ("DDEATH", 5), ("DDATA", 5)})
_COMMANDS = frozenset({"NCMD", "DCMD"})
_LARGEST = 1_000_000
_MOST_METRICS = 5_000
_MOST_FIELDS = 100  # of one metric, and of a payload beside its metrics
_LONGEST_NAME = 250
_BOOLEAN = 11
_BITS = {1: 8, 2: 16, 3: 32, 4: 64}  # the signed integers, sent as two's complement in an unsigned field
_NUMBERS = frozenset({10, 11, 12, 13, 14})  # fields of int, long, float, double and boolean


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one message of a node. ``address`` is ``<group>/<node>`` or ``<group>/<node>/<device>``.

    Commands, which are ours or another host's, and the states of hosts say nothing.

    Raises:
        WireError: ``topic_unknown``, ``protobuf_invalid``, ``text_invalid``, ``time_invalid``, ``too_large``,
            ``too_many_values``.
    """
    parts = topic.split("/")
    if len(parts) < 3 or len(topic) > 300 or not all(parts):
        raise WireError("topic_unknown")
    kind = parts[2]
    if parts[1] == "STATE" or kind in _COMMANDS:
        return []
    if (kind, len(parts)) not in _FORMS:
        raise WireError("topic_unknown")
    node = wire.check_text(f"{parts[1]}/{parts[3]}", 120)
    below = parts[4] if len(parts) == 5 else ""
    address = wire.check_text(f"{node}/{below}" if below else node, 120)
    if retained:
        return [Ignored("sparkplug", address, "retained")]
    if len(payload) > _LARGEST:
        raise WireError("too_large", f"{len(payload)} bytes, at most {_LARGEST}")
    if not payload and kind not in DEATHS:
        return [Ignored("sparkplug", address, "empty")]
    at_ms, seq, metrics = _read(payload)
    at_ms = received_ms if at_ms is None else at_ms
    alive = kind not in DEATHS
    return [NodeMessage("sparkplug", address, None, at_ms, node, below, kind, seq, tuple(metrics), alive)]


def _read(payload: bytes) -> tuple[int | None, int | None, list[NodeMetric]]:
    """Return time, sequence number and metrics of a payload."""
    at_ms, seq, metrics = None, None, []
    for field, value in _fields(payload, _MOST_METRICS + _MOST_FIELDS):
        if field == 1:
            at_ms = wire.check_ms(_whole(value))
        elif field == 3:
            seq = _whole(value)
        elif field == 2:
            metrics.append(_metric(value))
            if len(metrics) > _MOST_METRICS:
                raise WireError("too_many_values", f"more than {_MOST_METRICS} metrics")
    if seq is not None and seq > 255:
        raise WireError("protobuf_invalid", "seq is at most 255")
    return at_ms, seq, metrics


def _metric(raw: Any) -> NodeMetric:
    found: dict[int, Any] = dict(_fields(_bytes(raw)))
    name = _text(found[1]) if 1 in found else ""
    for field in (2, 3, 4, 5, 7):
        _whole(found.get(field, 0))
    at_ms = wire.check_ms(found[3]) if found.get(3) else None
    kind = found.get(4, 0)
    value = None if found.get(7) else _value(found)
    return NodeMetric(name, found.get(2), at_ms, kind, value, bool(found.get(5)))


def _value(found: dict[int, Any]) -> float | int | None:
    """Return the value in its field's own form; None for texts, bytes, tables and templates."""
    field = next((field for field in sorted(found) if field in _NUMBERS), None)
    if field is None:
        return None
    value = found[field]
    if field in {12, 13}:
        size = 4 if field == 12 else 8
        if not isinstance(value, bytes) or len(value) != size:
            raise WireError("protobuf_invalid", "a number of another width")
        number: float = struct.unpack("<f" if field == 12 else "<d", value)[0]
        return number if math.isfinite(number) else None
    return _whole(value)


def number_of(value: float | int | None, kind: int) -> float | None:
    """Return a value as a number, by the data type its birth or the metric itself says; None where there is none."""
    if isinstance(value, int) and kind in _BITS:
        bits = _BITS[kind]
        value &= (1 << bits) - 1
        return float(value - (1 << bits) if value >> (bits - 1) else value)
    if kind == _BOOLEAN and value is not None:
        return float(value != 0)
    return None if value is None else float(value)


def _fields(raw: bytes, most: int = _MOST_FIELDS) -> Iterator[tuple[int, Any]]:
    """Yield field number and value: an integer, or bytes of a length of 4, of 8, or as sent.

    Raises:
        WireError: ``protobuf_invalid``, ``too_many_values``.
    """
    at = seen = 0
    while at < len(raw):
        seen += 1
        if seen > most:
            raise WireError("too_many_values", f"more than {most} fields")
        tag, at = _varint(raw, at)
        field, form = tag >> 3, tag & 7
        if form not in {0, 1, 2, 5} or not field:
            raise WireError("protobuf_invalid", f"field {field} in form {form}")
        if form == 0:
            value, at = _varint(raw, at)
            yield field, value
            continue
        size = 8 if form == 1 else 4
        if form == 2:
            size, at = _varint(raw, at)
        if at + size > len(raw):
            raise WireError("protobuf_invalid", "cut short")
        yield field, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for position in range(10):
        if at >= len(raw):
            raise WireError("protobuf_invalid", "cut short")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << (7 * position)
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
    raise WireError("protobuf_invalid", "an endless number")


def _whole(value: Any) -> int:
    if not isinstance(value, int):
        raise WireError("protobuf_invalid", "a whole number is needed")
    return value


def _bytes(value: Any) -> bytes:
    if not isinstance(value, bytes):
        raise WireError("protobuf_invalid", "bytes are needed")
    return value


def _text(value: Any) -> str:
    try:
        return wire.check_text(_bytes(value).decode(), _LONGEST_NAME)
    except UnicodeDecodeError:
        raise WireError("text_invalid", "not UTF-8") from None


def rebirth(at_ms: int) -> bytes:
    """Return the payload that asks a node for its births. ``at_ms``: our clock, Unix ms."""
    name = REBIRTH.encode()
    metric = b"\x0a" + _written(len(name)) + name + b"\x18" + _written(at_ms) + b"\x20" + _written(_BOOLEAN) + b"\x70\x01"
    return b"\x08" + _written(at_ms) + b"\x12" + _written(len(metric)) + metric


def _written(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
