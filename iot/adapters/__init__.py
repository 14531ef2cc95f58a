"""Conventions devices speak: topic and payload in, plain values out. Pure; knows no database and no broker."""

from __future__ import annotations

from iot.adapters import native, ovms
from iot.adapters.values import Answer, Decoded, FaultReport, Ignored, Sample


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one message by its topic.

    Args:
        topic: as received.
        payload: as received.
        retained: the broker kept it for us; its time is unknown unless it carries one.
        received_ms: when it reached us, Unix ms.

    Returns:
        What it says: samples, fault reports, answers; ``Ignored`` for what we know and do not use.

    Raises:
        WireError: with a stable reason, for anything else.
    """
    if topic.startswith("devices/"):
        return native.decode(topic, payload)
    return ovms.decode(topic, payload, retained=retained, received_ms=received_ms)


__all__ = ["Answer", "Decoded", "FaultReport", "Ignored", "Sample", "decode"]
