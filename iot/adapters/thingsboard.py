"""ThingsBoard's gateway topics: ``v1/gateway/telemetry`` = ``{"Device A": [{"ts": ms, "values": {"soh": 74.9}}]}``, JSON.

One message may speak for many devices, each by its name. An entry without ``ts`` is measured at its arrival. The body of the
HTTP call of one device has the same entries, so it is read here, too, under the name of the device the token belongs to.
What a gateway is asked and told goes out on ``v1/gateway/rpc`` and ``v1/gateway/attributes``, where its answers come in, too.
Source: ThingsBoard's documentation, "MQTT Gateway API" and "HTTP Device API".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from app.core import wire
from app.core.wire import WireError
from iot.adapters.values import Answer, Decoded, Ignored, Sample, SettingsReport, content_key, number_in

TELEMETRY, ATTRIBUTES = "v1/gateway/telemetry", "v1/gateway/attributes"
RPC = "v1/gateway/rpc"
_TOPICS = {TELEMETRY, ATTRIBUTES, RPC, "v1/gateway/connect", "v1/gateway/disconnect"}
SETTINGS_NO, CONNECTED = "settings_no", "connected"
_MOST_SAMPLES = 1000
_MOST_METRICS = 100
_MOST_DEVICES = 1000
_LONGEST_NAME = 120
_HIGHEST_NO = 2**53
_LONGEST_SETTING, _LONGEST_VALUE = 40, 200
_ANSWER_LIMITS = wire.Limits(size=64_000, depth=16, values=2_000, text=4_000)
_LIMITS = wire.Limits(size=1_000_000, depth=16, values=200_000, text=20_000)


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one message of a gateway; what we tell and ask gateways on the same topics says nothing. ``address``: the name.

    Raises:
        WireError: ``topic_unknown``, ``shape_invalid``, ``time_invalid``, ``too_many_values``, or as ``wire.parse_json``.
    """
    if topic not in _TOPICS:
        raise WireError("topic_unknown")
    body = wire.parse_json(payload, _LIMITS)
    if not isinstance(body, dict):
        raise WireError("shape_invalid", "an object is needed")
    if topic == RPC:
        return _answers(body, len(payload))
    kind = topic.rpartition("/")[2]
    if kind in {"connect", "disconnect"}:
        gone = kind == "disconnect"
        return [Ignored("thingsboard", _name(body.get("device")), "disconnected" if gone else CONNECTED, alive=not gone)]
    if not 1 <= len(body) <= _MOST_DEVICES:
        raise WireError("too_many_values", f"1 to {_MOST_DEVICES} devices")
    if kind == "attributes":
        return _attributes(body, received_ms)
    found: list[Decoded] = []
    for name, entries in body.items():
        found += _samples(_name(name), entries, retained, received_ms)
    if len(found) > _MOST_SAMPLES:
        raise WireError("too_many_values", f"more than {_MOST_SAMPLES} entries")
    return found


def _answers(body: dict[str, Any], size: int) -> list[Decoded]:
    """Read ``{"device": "A", "id": 1, "data": ...}``, an answer; a request, ours, has its id in ``data``."""
    asked = body.get("data")
    if "id" not in body and isinstance(asked, dict) and "method" in asked:
        return []
    number = body.get("id")
    if isinstance(number, bool) or not isinstance(number, int) or "data" not in body:
        raise WireError("shape_invalid", "an answer has device, id, a whole number, and data")
    if size > _ANSWER_LIMITS.size:
        raise WireError("too_large", f"{size} bytes, at most {_ANSWER_LIMITS.size}")
    wire.check_value(body["data"], _ANSWER_LIMITS)
    return [Answer("thingsboard", _name(body.get("device")), None, number, body["data"])]


def _attributes(body: dict[str, Any], received_ms: int) -> list[Decoded]:
    """Read client attributes by device. A device that tells ``settings_no`` among them says which settings it has taken over.

    What we tell a gateway on this topic names its device as a text.
    """
    if isinstance(body.get("device"), str):
        return []
    return [_told(_name(name), values, received_ms) for name, values in body.items()]


def _told(address: str, values: Any, received_ms: int) -> Decoded:
    number = values.get(SETTINGS_NO) if isinstance(values, dict) else None
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _HIGHEST_NO:
        return Ignored("thingsboard", address, "attributes")
    told = {name: value for name, value in values.items() if name != SETTINGS_NO and _is_setting(name, value)}
    return SettingsReport("thingsboard", address, None, received_ms, number, told, whole=False)


def _is_setting(name: str, value: Any) -> bool:
    if isinstance(value, str):
        return len(name) <= _LONGEST_SETTING and len(value) <= _LONGEST_VALUE
    return len(name) <= _LONGEST_SETTING and isinstance(value, int | float)


def rpc_request(address: str, number: int, call: dict[str, Any]) -> bytes:
    """Return what asks a device behind a gateway: ``{"device": "A", "data": {"id": 1, "method": "toggle", "params": {}}}``.

    The answer comes on the same topic as ``{"device": "A", "id": 1, "data": ...}``.
    Source: ThingsBoard's documentation, "MQTT Gateway API", server-side RPC.
    """
    return msgspec.json.encode({"device": address, "data": {"id": number, **call}})


def rpc_answer_of(address: str, number: int, payload: bytes) -> bytes:
    """Return the body of a device's own HTTP answer as its gateway would have sent it.

    Raises:
        WireError: as ``wire.parse_json``.
    """
    return msgspec.json.encode({"device": address, "id": number, "data": wire.parse_json(payload, _ANSWER_LIMITS)})


def telemetry_of(address: str, payload: bytes) -> bytes:
    """Return the body of a device's own HTTP call as its gateway would have sent it.

    Raises:
        WireError: as ``wire.parse_json``.
    """
    # Parsed and written anew: bytes put between braces as they are could name other devices.
    return msgspec.json.encode({address: wire.parse_json(payload, _LIMITS)})


def settings_update(address: str, number: int, values: dict[str, Any], ended: Sequence[str]) -> bytes:
    """Return what tells a device behind a gateway its settings: shared attributes, and their number as one more.

    Args:
        ended: names it was sent before that hold no more.

    Source: ThingsBoard's documentation, "MQTT Gateway API", attribute updates; the list ``deleted`` is that of
    ``JsonConverter.toJson(AttributeUpdateNotificationMsg)`` in its sources.
    """
    told = values | {SETTINGS_NO: number} | ({"deleted": list(ended)} if ended else {})
    return msgspec.json.encode({"device": address, "data": told})


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
