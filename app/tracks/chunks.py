"""How fixes are kept: as whole numbers, column by column, packed by the hour. Pure.

A fix is known by what the phone told of it. Only ``skew_ms`` is ours: how far the phone's clock was behind, as the batch
showed it. The same fix in two batches keeps the smaller one, as that message was under way for less long. So the union of
batches does not depend on their order.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import msgspec

from app.core.geo import Position
from app.positions.datum import Datum
from app.positions.fixes import Fix

HOUR_MS = 3_600_000
_DEGREE = 10_000_000  # 1e-7 degrees are at most 1.1 cm
_LEVEL = 9


class Told(NamedTuple):
    """A fix as a phone told it, in whole numbers: degrees by 1e-7, decimetres, cm/s, tenths of a degree, ms."""

    told_ms: int
    lat_e7: int
    lon_e7: int
    datum: str
    accuracy_dm: int | None = None
    provider: str | None = None
    speed_cmps: int | None = None
    heading_ddeg: int | None = None
    altitude_dm: int | None = None
    sequence: int | None = None
    monotonic_ms: int | None = None
    mocked: bool | None = None

    @property
    def hour(self) -> int:
        """The hour of the phone's clock, since 1970."""
        return self.told_ms // HOUR_MS


Kept = dict[Told, int]
"""Fixes with the skew of the phone's clock in ms."""

_NUMBERS = frozenset({0, 1, 2, 6, 7, 8, 9, 10})


def to_e7(degrees: float) -> int:
    """Return degrees as whole numbers of 1e-7."""
    return round(degrees * _DEGREE)


def union(kept: Mapping[Told, int], new: Mapping[Told, int]) -> Kept:
    """Return the fixes of both, each with the smaller skew."""
    found = dict(kept)
    for told, skew_ms in new.items():
        found[told] = min(skew_ms, found.get(told, skew_ms))
    return found


def pack(kept: Mapping[Told, int]) -> bytes:
    """Pack fixes; equal sets make equal bytes."""
    ordered = sorted(kept, key=rank)
    columns = [*zip(*ordered, strict=True), tuple(kept[told] for told in ordered)] if ordered else []
    return zlib.compress(msgspec.msgpack.encode([_shorter(i, column) for i, column in enumerate(columns)]), _LEVEL)


def unpack(content: bytes) -> Kept:
    """Return what was packed."""
    columns = msgspec.msgpack.decode(zlib.decompress(content))
    if not columns:
        return {}
    count = len(columns[0])
    rows = zip(*(_longer(i, column, count) for i, column in enumerate(columns)), strict=True)
    return {Told(*row[:-1]): row[-1] for row in rows}


def to_fix(told: Told, skew_ms: int) -> Fix:
    """Return a kept fix as ``app.positions`` takes it, dated by our clock."""
    return Fix(
        told.told_ms + skew_ms,
        Position(told.lat_e7 / _DEGREE, told.lon_e7 / _DEGREE),
        Datum(told.datum),
        _scaled(told.accuracy_dm, 10),
        told.provider,
        _scaled(told.speed_cmps, 100),
        _scaled(told.heading_ddeg, 10),
        _scaled(told.altitude_dm, 10),
        told.sequence,
        told.monotonic_ms,
        told.mocked,
    )


def to_fixes(kept: Mapping[Told, int]) -> list[Fix]:
    """Return kept fixes as ``app.positions`` takes them, in their order."""
    return [to_fix(told, kept[told]) for told in sorted(kept, key=rank)]


def _scaled(value: int | None, by: int) -> float | None:
    return None if value is None else value / by


def rank(told: Told) -> tuple[Any, ...]:
    """A total order; what was not told comes first."""
    return tuple((value is not None, value) if value is not None else (False, 0) for value in told)


def _shorter(i: int, column: Sequence[Any]) -> Any:
    """Say one value once; say of numbers what each is more than the one before."""
    if all(value == column[0] and type(value) is type(column[0]) for value in column) and i:
        return {"all": column[0]}
    if i in _NUMBERS or i == len(Told._fields):
        if None not in column:
            return [column[0], *(b - a for a, b in pairwise(column))]
        return {"some": list(column)}
    return list(column)


def _longer(i: int, column: Any, count: int) -> Iterable[Any]:
    if isinstance(column, dict):
        return [column["all"]] * count if "all" in column else column["some"]
    return accumulate(column) if i in _NUMBERS or i == len(Told._fields) else column
