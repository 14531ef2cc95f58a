"""Signals in how positions follow each other: speeds that no transport has, digits that stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from app.positions.fixes import Fix
from app.positions.reach import Point, between, follow, is_null
from app.positions.signals.trace import Signal, Trace

_STOOD_FIXES = 3
_STOOD_MS = 900_000
_RUN_FIXES = 10
_RUN_MS = 300_000
_LONG_MS = 1_800_000


def speeds(trace: Trace) -> Iterator[Signal]:
    """Yield ``too_fast``: places too far apart for the time between them, and no return that shows one of them to be noise.

    From how fast the phone was, and how much faster a vehicle can have become and slower again, follows how far it can be. So
    a tunnel, a flight with the phone switched off, and a train are no jumps, and a walk that goes on in the next city is one.
    """
    points, first = trace.points, trace.fixes[0].at_ms
    jumps = [jump for jump in follow(points).jumps if points[jump].at_ms >= first]
    if not jumps:
        return
    # A cold start begins with the last place known, of yesterday; and where a batch ends after a jump, the return is not seen.
    bounds = [0, *jumps, len(points)]
    sure = 0.0
    for start, jump, end in zip(bounds[:-2], jumps, bounds[2:], strict=True):
        before = _stood(points[max(start, jump - _STOOD_FIXES) : jump])
        sure += (1.0 if _stood(points[jump : min(end, jump + _STOOD_FIXES)]) else 0.5) if before else 0.2
    away_m, dt_s = max(between(points[jump - 1], points[jump]) for jump in jumps)
    facts = {"jumps": len(jumps), "distance_m": round(away_m), "seconds": round(dt_s, 1)}
    yield Signal("too_fast", min(1.0, 0.2 + 0.45 * sure), facts | {"kmh": round(away_m / max(dt_s, 1.0) * 3.6)})


def _stood(side: Sequence[Point]) -> bool:
    """Tell whether there were enough fixes on one side of a jump, soon after each other: the last place of yesterday is none."""
    return len(side) == _STOOD_FIXES and side[-1].at_ms - side[0].at_ms <= _STOOD_MS


def standstills(trace: Trace) -> Iterator[Signal]:
    """Yield ``frozen`` and ``frozen_moving``: digits that stay, all of them, at rest or while the phone says it moves."""
    longest: tuple[int, int, Fix] | None = None
    moving = 0
    for _, run in groupby(trace.fixes, key=_digits):
        same = list(run)
        lasted_ms = same[-1].at_ms - same[0].at_ms
        if len(same) < _RUN_FIXES or is_null(same[0].given) or same[0].provider == "network":
            continue
        if (same[0].speed_mps or 0.0) >= 1:
            moving += len(same)
        elif lasted_ms >= _RUN_MS and (longest is None or lasted_ms > longest[1]):
            longest = (len(same), lasted_ms, same[0])
    if moving:
        yield Signal("frozen_moving", 1.0, {"fixes": moving, "of": len(trace.fixes)})
    if longest is not None:
        long = longest[1] >= _LONG_MS
        yield Signal("frozen", 1.0 if long else 0.6, {"fixes": longest[0], "minutes": round(longest[1] / 60_000)})


def _digits(fix: Fix) -> tuple[object, ...]:
    return (fix.given, fix.accuracy_m, fix.altitude_m, fix.speed_mps, fix.heading_deg)
