"""Messages as a Sparkplug B node writes them: the other side of ``iot.adapters.sparkplug``.

Source: Eclipse Sparkplug 3.0.0, sparkplug_b.proto; Protocol Buffers, "Encoding".
"""

from __future__ import annotations

import struct

_DOUBLE = 13 << 3 | 1
_FIELDS = {"at": 3, "kind": 4, "historical": 5, "null": 7, "int_value": 10, "long_value": 11, "boolean": 14}


def varint(value: int) -> bytes:
    """Return a whole number from 0 on in base 128, low digits first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def part(field: int, value: int | bytes) -> bytes:
    """Return a field that holds a whole number or bytes."""
    if isinstance(value, bytes):
        return varint(field << 3 | 2) + varint(len(value)) + value
    return varint(field << 3) + varint(value)


def metric(name: str = "", alias: int | None = None, value: float | None = None, **more: int) -> bytes:
    """Return a metric whose value is a double.

    Args:
        name: left out when empty, as in messages after a birth.
        alias: what stands for the name in later messages.
        value: left out when None.
        more: further fields: at (Unix ms), kind (the number of the data type), historical, null, int_value, long_value, boolean.
    """
    body = (part(1, name.encode()) if name else b"") + (b"" if alias is None else part(2, alias))
    body += b"".join(part(_FIELDS[key], given) for key, given in more.items())
    return part(2, body + (b"" if value is None else varint(_DOUBLE) + struct.pack("<d", value)))


def payload(at_ms: int, seq: int | None, *metrics: bytes) -> bytes:
    """Return a payload; ``at_ms``: Unix ms. A death has no sequence number."""
    return part(1, at_ms) + b"".join(metrics) + (b"" if seq is None else part(3, seq))
