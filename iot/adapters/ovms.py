"""Open Vehicle Monitoring System v3: ``ovms/<user>/<vehicle>/metric/v/b/soh`` = ``85``.

One value a topic, plain text, retained, QoS 0, no time and no unit. So a value's time is its arrival,
and a retained value the broker kept for us has no time at all: it is not a reading.
Source: openvehicles/Open-Vehicle-Monitoring-System-3, ovms_server_v3.cpp and userguide/metrics.rst.
"""

from __future__ import annotations

from app.core import wire
from app.core.wire import WireError, check_text
from iot.adapters.values import Decoded, Ignored, Sample, number_in

_LONGEST = 4_000
_CONNECTED = "s/v3/connected"


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one OVMS message. ``address`` is ``<user>/<vehicle>``.

    Raises:
        WireError: ``topic_unknown``, ``text_invalid``, ``too_large``.
    """
    parts = topic.split("/")
    if parts[0] != "ovms" or len(parts) < 4 or not parts[1] or not parts[2] or len(topic) > 250:
        raise WireError("topic_unknown")
    address = check_text(f"{parts[1]}/{parts[2]}", 120)
    name = wire.check_text("/".join(parts[4:]))
    if parts[3] != "metric" or not name:
        return [Ignored("ovms", address, "not_a_metric")]
    if retained:
        return [Ignored("ovms", address, "retained")]
    if len(payload) > _LONGEST:
        raise WireError("too_large", f"{len(payload)} bytes")
    try:
        value = _number(check_text(payload.decode()))
    except UnicodeDecodeError:
        raise WireError("text_invalid", "not UTF-8") from None
    if value is None:
        return [Ignored("ovms", address, "not_a_number")]
    # The broker publishes "no" for a car that is gone: its will.
    alive = name != _CONNECTED or value != 0
    return [Sample("ovms", address, None, f"@{received_ms}:{name}"[:80], received_ms, {name: value}, alive)]


def _number(text: str) -> float | None:
    """Read a number, or yes and no as 1 and 0; None for texts and lists."""
    if text in {"yes", "no"}:
        return 1.0 if text == "yes" else 0.0
    return number_in(text.strip())
