"""TeslaMate: ``teslamate/cars/<id>/<field>`` = ``88``, or ``teslamate/<namespace>/cars/<id>/<field>``.

One value a topic, plain text, retained, no time. So a value's time is its arrival, and what the broker kept for us is not a
reading. ``location`` is JSON and brings two values. There is no state of health among the fields.
Source: teslamate-org/teslamate, website/docs/integrations/mqtt.md.
"""

from __future__ import annotations

from typing import Any

from app.core import wire
from app.core.wire import WireError, check_text
from iot.adapters.values import Decoded, Ignored, Sample, number_in

_LONGEST = 4_000
_LIMITS = wire.Limits(size=_LONGEST, depth=8, values=100, text=1_000)


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one TeslaMate message. ``address`` is ``<id>`` or ``<namespace>/<id>``.

    Raises:
        WireError: ``topic_unknown``, ``text_invalid``, ``too_large``, or for a location as ``wire.parse_json``.
    """
    parts = topic.split("/")
    if parts[0] != "teslamate" or len(topic) > 250 or not all(parts):
        raise WireError("topic_unknown")
    if len(parts) == 5 and parts[2] == "cars":
        address = f"{parts[1]}/{parts[3]}"
    elif len(parts) == 4 and parts[1] == "cars":
        address = parts[2]
    else:
        raise WireError("topic_unknown")
    check_text(address, 120)
    field = check_text(parts[-1], 60)
    if retained:
        return [Ignored("teslamate", address, "retained")]
    if len(payload) > _LONGEST:
        raise WireError("too_large", f"{len(payload)} bytes")
    values = _place(payload) if field == "location" else _value(field, payload)
    if not values:
        return [Ignored("teslamate", address, "not_a_number")]
    return [Sample("teslamate", address, None, f"@{received_ms}:{field}"[:80], received_ms, values)]


def _value(field: str, payload: bytes) -> dict[str, float]:
    """Read a number, or true and false as 1 and 0; nothing for texts, times and an unset field."""
    try:
        text = check_text(payload.decode())
    except UnicodeDecodeError:
        raise WireError("text_invalid", "not UTF-8") from None
    if text in {"true", "false"}:
        return {field: float(text == "true")}
    value = number_in(text)
    return {} if value is None else {field: value}


def _place(payload: bytes) -> dict[str, float]:
    """Read both coordinates, in degrees; nothing where one is missing, as while the car has no fix."""
    if not payload.strip():
        return {}
    found: Any = wire.parse_json(payload, _LIMITS)
    if not isinstance(found, dict):
        return {}
    values = {name: found.get(name) for name in ("latitude", "longitude")}
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values.values()):
        return {}
    return {name: float(value or 0.0) for name, value in values.items()}
