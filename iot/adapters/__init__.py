"""Conventions devices speak: topic and payload in, plain values out. Pure; knows no database and no broker."""

from __future__ import annotations

from collections.abc import Sequence

from app.assets.mappings import MappedForm
from app.core.wire import WireError
from iot.adapters import mapped, native, ovms, sparkplug, teslamate, thingsboard
from iot.adapters.values import Answer, Decoded, FaultReport, Ignored, NodeMessage, NodeMetric, Sample, SettingsReport

_KNOWN = {
    "devices/": native.decode,
    "ovms/": ovms.decode,
    "v1/gateway/": thingsboard.decode,
    "teslamate/": teslamate.decode,
    "spBv1.0/": sparkplug.decode,
}
_PREFIXES = tuple(_KNOWN)


def is_mapped(topic: str) -> bool:
    """Tell whether only a profile can say how a topic's messages are read."""
    return not topic.startswith(_PREFIXES)


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int, forms: Sequence[MappedForm] = ()) -> list[Decoded]:
    """Decode one message by its topic.

    Args:
        topic: as received.
        payload: as received.
        retained: the broker kept it for us; its time is unknown unless it carries one.
        received_ms: when it reached us, Unix ms.
        forms: how profiles read topics that have no adapter of their own.

    Returns:
        What it says: samples, fault reports, answers; ``Ignored`` for what we know and do not use.

    Raises:
        WireError: with a stable reason, for anything else.
    """
    for prefix, known in _KNOWN.items():
        if topic.startswith(prefix):
            return known(topic, payload, retained=retained, received_ms=received_ms)
    form = next((form for form in forms if form.matched(topic)), None)
    if form is None:
        raise WireError("topic_unknown")
    return mapped.decode(form, topic, payload, retained=retained, received_ms=received_ms)


def source_of(topic: str, forms: Sequence[MappedForm] = ()) -> str:
    """Return who speaks on a topic, as far as the broker's rights make one account stay below it: a device, a node, a gateway.

    Whoever writes on topics of their own choice below it is still one source. Topics of no known convention are one by their
    first level.

    Args:
        topic: as received.
        forms: how profiles read topics that have no adapter of their own.
    """
    levels = topic.split("/")
    match levels:
        case ["devices", _, device, *_]:
            return f"devices/{device}"
        case ["ovms", user, vehicle, *_]:
            return f"ovms/{user}/{vehicle}"
        case ["spBv1.0", group, _, node, *_]:
            return f"spBv1.0/{group}/{node}"
        case ["teslamate", *_, _] | ["v1", "gateway", _]:
            return "/".join(levels[:-1])
    for form in forms:
        if (matched := form.matched(topic)) is not None:
            return form.full_address(matched[0])
    return levels[0]


__all__ = [
    "Answer",
    "Decoded",
    "FaultReport",
    "Ignored",
    "NodeMessage",
    "NodeMetric",
    "Sample",
    "SettingsReport",
    "decode",
    "is_mapped",
    "source_of",
]
