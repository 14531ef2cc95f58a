"""Reading a batch of fixes strictly: of each fix what a phone told, or why it cannot be used. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from app.core import wire
from app.core.errors import FieldsInvalid, Invalid
from app.core.geo import Position
from app.positions.datum import Datum
from app.positions.reach import is_null
from app.positions.stays import RULE
from app.tracks.chunks import Told, to_e7

# A receiver tells neither more speed nor more height; what does is no fix.
_GREATEST = 1e6
_LONGEST_PROVIDER = 20


class _Fix(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of ``FixSchema`` that a fix of a track may have."""

    lat: float
    lon: float
    at_ms: int
    datum: str = Datum.UNKNOWN.value
    accuracy_m: float | None = None
    provider: str | None = None
    mocked: bool | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None
    altitude_m: float | None = None
    sequence: int | None = None
    monotonic_ms: int | None = None


class Batch(NamedTuple):
    """What a phone sent at once. ``now_ms``: its own clock then."""

    id: str
    now_ms: int
    fixes: list[Any]


def read_batch(value: Any, most: int) -> Batch:
    """Read the frame of a batch; its fixes are looked at one by one later.

    Args:
        most: so many fixes may be in it.

    Raises:
        FieldsInvalid: what is wrong with the frame.
        Invalid: ``batch_too_large`` with the bound. Nothing of such a batch is taken.
    """
    if not isinstance(value, Mapping):
        raise FieldsInvalid({"body": ["not_object"]})
    faults: dict[str, list[str]] = {
        wire.plain_text(name, 40): ["unknown"] for name in sorted(set(value) - {"id", "now_ms", "fixes"})[:10]
    }
    for name in ("id", "now_ms", "fixes"):
        if name not in value:
            faults[name] = ["required"]
    if faults:
        raise FieldsInvalid(faults)
    fixes = value["fixes"]
    if not isinstance(fixes, list):
        raise FieldsInvalid({"fixes": ["not_list"]})
    if len(fixes) > most:
        raise Invalid("batch_too_large", fixes=len(fixes), most=most)
    try:
        return Batch(wire.check_id(value["id"]), _check_number(value["now_ms"]), fixes)
    except wire.WireError as fault:
        raise FieldsInvalid({"id" if fault.reason == "id_invalid" else "now_ms": [fault.reason]}) from None


def _check_number(value: object) -> int:
    """Return what a phone's clock says; it may be years off, so any number a clock may show is one."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**53:
        raise wire.WireError("out_of_range")
    return value


def read_fix(value: object) -> Told | str:
    """Return a fix in whole numbers, or the code of why it cannot be used.

    Returns:
        ``malformed``: not the fields or types of a fix; ``impossible``: numbers no receiver tells; ``null_island``: the zero
        of a program that found no position; ``accuracy_too_coarse``: less accurate than anything is made of.
    """
    try:
        fix = msgspec.convert(value, _Fix)
        if fix.provider is not None:
            wire.check_text(fix.provider, _LONGEST_PROVIDER)
        datum = Datum(fix.datum)
    except (msgspec.ValidationError, wire.WireError, ValueError):
        return "malformed"
    if not _is_possible(fix):
        return "impossible"
    if is_null(Position(fix.lat, fix.lon)):
        return "null_island"
    if (fix.accuracy_m or 0.0) > RULE.coarse_m:
        return "accuracy_too_coarse"
    return Told(
        fix.at_ms,
        to_e7(fix.lat),
        to_e7(fix.lon),
        datum.value,
        _whole(fix.accuracy_m, 10),
        fix.provider,
        _whole(fix.speed_mps, 100),
        _whole(fix.heading_deg, 10),
        _whole(fix.altitude_m, 10),
        fix.sequence,
        fix.monotonic_ms,
        fix.mocked,
    )


def _is_possible(fix: _Fix) -> bool:
    counters = (fix.at_ms, fix.sequence, fix.monotonic_ms)
    return (
        -90 <= fix.lat <= 90
        and -180 <= fix.lon <= 180
        and (fix.accuracy_m is None or fix.accuracy_m >= 0)
        and all(number is None or abs(number) <= _GREATEST for number in (fix.speed_mps, fix.heading_deg, fix.altitude_m))
        and all(number is None or 0 <= number < 2**53 for number in counters)
    )


def _whole(value: float | None, times: int) -> int | None:
    return None if value is None else round(value * times)
