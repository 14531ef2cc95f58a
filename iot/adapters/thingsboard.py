"""ThingsBoard's gateway topics: ``v1/gateway/telemetry`` = ``{"Device A": [{"ts": ms, "values": {"soh": 74.9}}]}``, JSON.

One message may speak for many devices, each by its name. An entry without ``ts`` is measured at its arrival. The body of the
HTTP call of one device has the same entries, so it is read here, too, under the name of the device the token belongs to.
Source: ThingsBoard's documentation, "MQTT Gateway API" and "HTTP Device API".
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.core import wire
from app.core.wire import WireError
from iot.adapters.values import Decoded, Ignored, Sample, content_key, number_in

TELEMETRY = "v1/gateway/telemetry"
_TOPICS = {TELEMETRY, "v1/gateway/attributes", "v1/gateway/connect", "v1/gateway/disconnect"}
_MOST_SAMPLES = 1000
_MOST_METRICS = 100
_MOST_DEVICES = 1000
_LONGEST_NAME = 120
_LIMITS = wire.Limits(size=1_000_000, depth=16, values=200_000, text=20_000)


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one message of a gateway. ``address`` is the device's name.

    Raises:
        WireError: ``topic_unknown``, ``shape_invalid``, ``time_invalid``, ``too_many_values``, or as ``wire.parse_json``.
    """
    if topic not in _TOPICS:
        raise WireError("topic_unknown")
    body = wire.parse_json(payload, _LIMITS)
    if not isinstance(body, dict):
        raise WireError("shape_invalid", "an object is needed")
    kind = topic.rpartition("/")[2]
    if kind in {"connect", "disconnect"}:
        return [Ignored("thingsboard", _name(body.get("device")), f"{kind}ed", alive=kind == "connect")]
    if not 1 <= len(body) <= _MOST_DEVICES:
        raise WireError("too_many_values", f"1 to {_MOST_DEVICES} devices")
    if kind == "attributes":
        return [Ignored("thingsboard", _name(name), "attributes") for name in body]
    found: list[Decoded] = []
    for name, entries in body.items():
        found += _samples(_name(name), entries, retained, received_ms)
    if len(found) > _MOST_SAMPLES:
        raise WireError("too_many_values", f"more than {_MOST_SAMPLES} entries")
    return found


def telemetry_of(address: str, payload: bytes) -> bytes:
    """Return the body of a device's own HTTP call as its gateway would have sent it.

    Raises:
        WireError: as ``wire.parse_json``.
    """
    # Parsed and written anew: bytes put between braces as they are could name other devices.
    return msgspec.json.encode({address: wire.parse_json(payload, _LIMITS)})


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
        raise WireError("shape_invalid", f"a device's name has 1 to {_LONGEST_NAME} characters")
    return name


def _samples(address: str, entries: Any, retained: bool, received_ms: int) -> list[Decoded]:
    listed = entries if isinstance(entries, list) else [entries]
    if not 1 <= len(listed) <= _MOST_SAMPLES:
        raise WireError("too_many_values", f"1 to {_MOST_SAMPLES} entries of one device")
    return [_sample(address, entry, number, retained, received_ms) for number, entry in enumerate(listed)]


def _sample(address: str, entry: Any, number: int, retained: bool, received_ms: int) -> Decoded:
    if not isinstance(entry, dict):
        raise WireError("shape_invalid", "an entry is an object")
    timed = "ts" in entry and isinstance(entry.get("values"), dict)
    values = entry["values"] if timed else entry
    if len(values) > _MOST_METRICS:
        raise WireError("shape_invalid", f"at most {_MOST_METRICS} metrics")
    found = {}
    for name, value in values.items():
        if not 1 <= len(name) <= 60:
            raise WireError("shape_invalid", "a metric's name has 1 to 60 characters")
        read = _read_number(value)
        if read is not None:
            found[name] = read
    at_ms = wire.check_ms(entry["ts"]) if timed else received_ms
    if not timed and retained:
        return Ignored("thingsboard", address, "retained")
    if not found:
        return Ignored("thingsboard", address, "not_a_number")
    key = content_key(at_ms, found if timed else [found, number])
    return Sample("thingsboard", address, None, key, at_ms, found)


def _read_number(value: Any) -> float | None:
    """Read a number, true and false as 1 and 0, or a text that is a number; None for other texts, lists and objects."""
    if isinstance(value, str):
        return number_in(value)
    return float(value) if isinstance(value, int | float) else None
