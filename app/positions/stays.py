"""Stays and the trips between them, from the fixes of one phone; pure, and the same in whatever order the fixes come.

Sources:
    Stays by roaming distance and least time: Li et al., "Mining user similarity based on location history", ACM GIS 2008, in
    the sliding form that looks at each fix once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from app.core.geo import Position, rough_distance_m
from app.positions.fixes import Fix, in_order
from app.positions.reach import Point, between, follow, to_points
from app.positions.regions import Region

_SPIKE_M = 50.0
_SPIKE_S = 30.0
_STEP_M = 15.0
_GAP_MS = 900_000
_DEGREE = 360.0


class StayRule(NamedTuple):
    """What counts as staying.

    Attributes:
        roam_m: who goes no farther than so many metres from where they came to stays.
        least_ms: for at least so long.
        gap_ms: a recording gap of more ends a stay, as nobody knows; None: who is seen at one place before and after a gap of
            any length, or only before, stayed until seen elsewhere. Phones record nothing in a building: None finds more.
        rejoin_ms: two stays at one place with no more between them are one.
        coarse_m: fixes less accurate than this are not looked at.
    """

    roam_m: float = 200.0
    least_ms: int = 1_200_000
    gap_ms: int | None = _GAP_MS
    rejoin_ms: int = 300_000
    coarse_m: float = 500.0


class Stay(NamedTuple):
    """Some time at one place.

    Attributes:
        began_ms: the first fix there, Unix ms.
        ended_ms: the first fix elsewhere; the last one there, before a gap that ends the stay or where the fixes end.
        position: the middle of the fixes there, WGS-84.
        fixes: how many there were.
        is_open: nothing shows that it ended.
    """

    began_ms: int
    ended_ms: int
    position: Position
    fixes: int
    is_open: bool = False


class Trip(NamedTuple):
    """The way between two stays, or before the first or after the last.

    Attributes:
        began_ms: the last fix at the place left, Unix ms.
        ended_ms: the first fix at the place come to.
        distance_m: along the fixes, without jitter and noise.
        unseen_m: of it in straight lines across gaps, where the way is not known.
        fixes: how many there were.
    """

    began_ms: int
    ended_ms: int
    distance_m: float
    unseen_m: float
    fixes: int


class Movement(NamedTuple):
    """Stays and trips, each in order."""

    stays: tuple[Stay, ...]
    trips: tuple[Trip, ...]


class _Span(NamedTuple):
    """A stay as places in the list of points: from the first to the one after the last that was there."""

    start: int
    stop: int
    ended_ms: int
    is_open: bool


RULE = StayRule()
_SHIFTED = frozenset({Region.MAINLAND})


def movement(fixes: Iterable[Fix], rule: StayRule = RULE, shifted: Collection[Region] = _SHIFTED) -> Movement:
    """Return where a phone stayed, and how it went from one stay to the next.

    Args:
        fixes: of one phone, in any order and any number of times; 10,000 take a tenth to half a second of one core.
        rule: what counts as staying.
        shifted: the regions in which maps in Chinese datums are shifted.
    """
    points = _without_spikes(follow(to_points(in_order(fixes), shifted, rule.coarse_m)).kept)
    if not points:
        return Movement((), ())
    spans = _rejoin(points, _spans(points, rule), rule)
    left, come = [0, *(one.stop - 1 for one in spans)], [*(one.start for one in spans), len(points) - 1]
    ways = [points[a : b + 1] for a, b in zip(left, come, strict=True) if b > a]
    trips = [trip for trip in (_trip(way, rule) for way in ways) if trip.distance_m > 0]
    return Movement(tuple(_stay(points, one) for one in spans), tuple(trips))


def _stay(points: Sequence[Point], span: _Span) -> Stay:
    there = points[span.start : span.stop]
    return Stay(there[0].at_ms, span.ended_ms, _middle(there), len(there), span.is_open)


def _spans(points: Sequence[Point], rule: StayRule) -> list[_Span]:
    found = []
    start = 0

    def end(stop: int, ended_ms: int, *, is_open: bool) -> None:
        if ended_ms - points[start].at_ms >= rule.least_ms:
            found.append(_Span(start, stop, ended_ms, is_open))

    for i, point in enumerate(points):
        if i and rule.gap_ms is not None and point.at_ms - points[i - 1].at_ms > rule.gap_ms:
            end(i, points[i - 1].at_ms, is_open=True)
            start = i
        elif rough_distance_m(points[start].position, point.position) >= rule.roam_m:
            end(i, point.at_ms, is_open=False)
            start = i
    if points:
        end(len(points), points[-1].at_ms, is_open=True)
    return found


def _rejoin(points: Sequence[Point], spans: Sequence[_Span], rule: StayRule) -> list[_Span]:
    """Join stays at one place with little between them: jitter at its rim divides a stay."""
    found: list[_Span] = []
    middle = Position(0.0, 0.0)
    for span in spans:
        here = _middle(points[span.start : span.stop])
        if (
            found
            and points[span.start].at_ms - found[-1].ended_ms <= rule.rejoin_ms
            and (rough_distance_m(middle, here) < rule.roam_m / 2)
        ):
            found[-1] = span._replace(start=found[-1].start)
            continue
        found.append(span)
        middle = here
    return found


def _without_spikes(points: Sequence[Point]) -> list[Point]:
    """Return points without single ones that stick out by more than 50 m, there and back within half a minute."""
    kept: list[Point] = []
    for i, point in enumerate(points):
        if kept and i + 1 < len(points):
            (there_m, there_s), (back_m, back_s) = between(kept[-1], point), between(point, points[i + 1])
            least_m = max(_SPIKE_M, 2 * (point.fix.accuracy_m or 0.0))
            if min(there_m, back_m) > least_m and there_s + back_s <= _SPIKE_S:
                straight_m, _ = between(kept[-1], points[i + 1])
                if straight_m < min(there_m, back_m) / 2:
                    continue
        kept.append(point)
    return kept


def _trip(way: Sequence[Point], rule: StayRule) -> Trip:
    """Measure a way from anchor to anchor: the next one is the first point that is farther away than jitter."""
    gap_s = (rule.gap_ms or _GAP_MS) / 1000
    distance_m = unseen_m = 0.0
    anchor = way[0]
    for last, point in pairwise(way):
        away_m, _ = between(anchor, point)
        _, silent_s = between(last, point)
        if away_m > max(_STEP_M, point.fix.accuracy_m or 0.0):
            distance_m += away_m
            unseen_m += away_m if silent_s > gap_s else 0.0
            anchor = point
    return Trip(way[0].at_ms, way[-1].at_ms, distance_m, unseen_m, len(way))


def _middle(points: Sequence[Point]) -> Position:
    """Return the mean place, also across the date line."""
    east = points[0].position.lon
    lon = east + sum((point.position.lon - east + _DEGREE / 2) % _DEGREE - _DEGREE / 2 for point in points) / len(points)
    lat = sum(point.position.lat for point in points) / len(points)
    return Position(lat, (lon + _DEGREE / 2) % _DEGREE - _DEGREE / 2)
