"""Our own convention: ``devices/<shard>/<device>/telemetry|events|responses/<id>|settings/applied``, JSON.

telemetry: ``{"ts": ms, "boot": "id", "seq": n, "m": {"soh_pct": 74.9}}`` or a list of up to 1,000 of them.
events:    ``{"ts": ms, "boot": "id", "seq": n, "code": "P0A80", "severity": "major", "text": "..."}``.
applied:   ``{"ts": ms, "no": 7, "settings": {"report_s": 60}}``: which settings it has taken over, and what it is set to now.
``boot`` changes at each start of the device, ``seq`` grows within it. Without seq the message is known
by its time and a hash of its content.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.core import wire
from app.core.wire import WireError
from iot.adapters.values import Answer, Decoded, FaultReport, Sample, SettingsReport, check_settings, content_key

_MOST_SAMPLES = 1000
_MOST_METRICS = 100
_LARGEST = 4_000_000  # the most samples of the most metrics, with names as long as they come
_ANSWER_LIMITS = wire.Limits(size=64_000, depth=16, values=2_000, text=4_000)
# The level behind the device, and how many there are: our own words to a device, and what it says.
_OURS = {("commands", 5), ("settings", 4)}
_THEIRS = {("telemetry", 4), ("events", 4), ("responses", 5), ("settings", 5)}
_HIGHEST_NO = 2**53
SEVERITIES = ("critical", "major", "minor", "warning")


class _Telemetry(msgspec.Struct, forbid_unknown_fields=True):
    ts: int
    m: dict[str, float]
    boot: str = ""
    seq: int | None = None


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    ts: int
    code: str
    severity: str = "warning"
    text: str = ""
    boot: str = ""
    seq: int | None = None


class _Applied(msgspec.Struct, forbid_unknown_fields=True):
    ts: int
    no: int
    settings: dict[str, Any] | None = None


_telemetry = msgspec.json.Decoder(_Telemetry | list[_Telemetry])
_event = msgspec.json.Decoder(_Event)
_applied = msgspec.json.Decoder(_Applied)


def decode(topic: str, payload: bytes, *, retained: bool, received_ms: int) -> list[Decoded]:
    """Decode one message of our own convention; commands and settings, which are ours, say nothing. It carries its own time.

    Raises:
        WireError: ``topic_unknown``, ``empty``, ``not_json``, ``shape_invalid``, ``time_invalid``, ...
    """
    parts = topic.split("/")
    if len(parts) < 4 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 3:
        raise WireError("topic_unknown")
    shard, device = int(parts[1]), wire.check_id(parts[2])
    form = (parts[3], len(parts))
    if form in _OURS:
        return []
    if form not in _THEIRS or (parts[3] == "settings" and parts[4] != "applied"):
        raise WireError("topic_unknown")
    if len(payload) > _LARGEST:
        raise WireError("too_large", f"{len(payload)} bytes, at most {_LARGEST}")
    if not payload.strip():
        raise WireError("empty")
    if parts[3] == "telemetry":
        return _samples(shard, device, payload)
    if parts[3] == "events":
        return [_fault(shard, device, payload)]
    if parts[3] == "settings":
        return [_report(shard, device, payload)]
    body = wire.parse_json(payload, _ANSWER_LIMITS)
    return [Answer("native", device, shard, wire.check_id(parts[4]), body)]


def _parse(decoder: Any, payload: bytes) -> Any:
    try:
        return decoder.decode(payload)
    except msgspec.ValidationError as fault:
        raise WireError("shape_invalid", str(fault)[:200]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise WireError("not_json", str(fault)[:200]) from None


def _samples(shard: int, device: str, payload: bytes) -> list[Decoded]:
    found = _parse(_telemetry, payload)
    entries: list[_Telemetry] = found if isinstance(found, list) else [found]
    if not 1 <= len(entries) <= _MOST_SAMPLES:
        raise WireError("too_many_values", f"a list of 1 to {_MOST_SAMPLES} samples")
    samples: list[Decoded] = []
    for entry in entries:
        wire.check_ms(entry.ts)
        if not 1 <= len(entry.m) <= _MOST_METRICS:
            raise WireError("shape_invalid", f"1 to {_MOST_METRICS} metrics")
        for name in entry.m:
            if not 1 <= len(name) <= 60:
                raise WireError("shape_invalid", "a metric's name has 1 to 60 characters")
            wire.check_text(name)
        key = _key(entry.boot, entry.seq, entry.ts, entry.m)
        samples.append(Sample("native", device, shard, key, entry.ts, entry.m))
    return samples


def _fault(shard: int, device: str, payload: bytes) -> FaultReport:
    event: _Event = _parse(_event, payload)
    wire.check_ms(event.ts)
    if not 1 <= len(event.code) <= 40 or event.severity not in SEVERITIES or len(event.text) > 300:
        raise WireError("shape_invalid", "code of 1 to 40 characters, a known severity, text of at most 300")
    wire.check_text(event.code)
    wire.check_text(event.text)
    key = _key(event.boot, event.seq, event.ts, [event.code, event.severity, event.text])
    return FaultReport("native", device, shard, key, event.ts, event.code, event.severity, event.text)


def _report(shard: int, device: str, payload: bytes) -> SettingsReport:
    report: _Applied = _parse(_applied, payload)
    wire.check_ms(report.ts)
    if not 0 <= report.no <= _HIGHEST_NO:
        raise WireError("shape_invalid", "no from 0")
    values = None if report.settings is None else check_settings(report.settings)
    return SettingsReport("native", device, shard, report.ts, report.no, values)


def _key(boot: str, seq: int | None, at_ms: int, content: Any) -> str:
    """Return what makes a message the same message: boot and sequence number, else time and a hash of the content."""
    if seq is not None:
        if not 0 <= seq < wire.INT64 or len(boot) > 40:
            raise WireError("shape_invalid", "seq from 0, boot of at most 40 characters")
        return f"{wire.check_text(boot)}:{seq}"
    return content_key(at_ms, content)
