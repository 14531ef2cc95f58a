"""How far anybody can have come: hops that no transport makes, and fixes that are noise because the next ones come back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from app.core.geo import Position, rough_distance_m
from app.positions.datum import to_wgs84
from app.positions.fixes import Fix, by_instant
from app.positions.regions import Region

# Airliners do 300 m/s over the ground in a strong jet stream; one hop of a track is never faster.
FASTEST_MPS = 350.0
# The fastest trains, 345 km/h, with some room. Who stands may be on one when next seen.
_TRAIN_MPS = 100.0
# On the runway an airliner gains so much, for no longer than so long; then it climbs, and gains less.
_GAIN_MPS2 = 1.5
_GAIN_S = 120.0
# Nobody goes to a runway, flies, and leaves the aircraft in less.
_FLIGHT_S = 1_200.0
_BLUR_M = 300.0
_LEGS = 3
_EXCURSION_FIXES = 8
_EXCURSION_MS = 180_000
_NULL_DEG = 0.01


class Point(NamedTuple):
    """A fix at its true place, WGS-84."""

    at_ms: int
    position: Position
    fix: Fix


class Followed(NamedTuple):
    """Points as they can have followed each other.

    Attributes:
        kept: without the noise, in order.
        jumps: places in the given points before which nothing can have come from the one before.
    """

    kept: list[Point]
    jumps: list[int]


def is_null(given: Position) -> bool:
    """Tell whether a position is the zero of a program that found none: within about 1 km of 0 N, 0 E."""
    return abs(given.lat) < _NULL_DEG and abs(given.lon) < _NULL_DEG


def to_points(fixes: Iterable[Fix], shifted: Collection[Region], coarse_m: float) -> list[Point]:
    """Return fixes that are in order at their true places, one an instant; without those less accurate than so many metres."""
    return [
        Point(fix.at_ms, to_wgs84(fix.given, fix.datum, shifted).position, fix)
        for fix in by_instant(fixes)
        if (fix.accuracy_m or 0.0) <= coarse_m and not is_null(fix.given)
    ]


def follow(points: Sequence[Point]) -> Followed:
    """Go along points that are in order: an excursion of a few fixes that comes back is noise, one that does not is a jump.

    Each point is looked at with at most eight after it, so the work is linear.
    """
    found = Followed(list(points[:1]), [])
    legs: list[float] = []
    i = 0
    while i + 1 < len(points):
        after = _within_reach(points, i, legs)
        if after is None:
            after = i + 1
            found.jumps.append(after)
            legs.clear()
        else:
            away_m, dt_s = between(points[i], points[after])
            legs.append(min(FASTEST_MPS, away_m / dt_s) if dt_s > 0 else 0.0)
            del legs[:-_LEGS]
        found.kept.append(points[after])
        i = after
    return found


def between(a: Point, b: Point) -> tuple[float, float]:
    """Return metres and seconds from one point to another."""
    return rough_distance_m(a.position, b.position), (b.at_ms - a.at_ms) / 1000


def _within_reach(points: Sequence[Point], i: int, legs: Sequence[float]) -> int | None:
    """Return the next point that can be reached: the next one, or the one after a short excursion; None after a jump."""
    speed = max(*legs, _TRAIN_MPS) if legs else FASTEST_MPS
    for j in range(i + 1, min(i + 2 + _EXCURSION_FIXES, len(points))):
        if j > i + 1 and points[j].at_ms - points[i + 1].at_ms > _EXCURSION_MS:
            return None
        away_m, dt_s = between(points[i], points[j])
        blur_m = max(_BLUR_M, 3 * ((points[i].fix.accuracy_m or 0.0) + (points[j].fix.accuracy_m or 0.0)))
        gained_m = _GAIN_MPS2 / 2 * min(dt_s, _GAIN_S) ** 2 + FASTEST_MPS * max(0.0, dt_s - _FLIGHT_S)
        # Where a clock was set back, nothing is known of the time between.
        if dt_s < 0 or away_m - blur_m <= min(FASTEST_MPS * dt_s, 1.2 * speed * dt_s + gained_m):
            return j
    return None
