"""Signals in what a fix says of itself: flags, accuracies, altitudes, speeds, and the numbers of a position."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import atan2, cos, degrees, radians
from statistics import median

from app.core.geo import Position, rough_distance_m
from app.positions.reach import Point, is_null
from app.positions.signals.trace import Signal, Trace

_COARSE_M = 1_000.0
_FASTEST_MPS = 400.0
_MOVED_M = 500.0
_SLOW_MPS = 5.0
_NOISE_MPS = 100.0
_ENOUGH = 10
_GRID_DECIMALS = 4
_PLACES = 5
_DEGREE_M = 111_195.0


def flags(trace: Trace) -> Iterator[Signal]:
    """Yield ``mock_flag``: the phone itself says that a program made positions up."""
    mocked = sum(fix.is_mock is True for fix in trace.fixes)
    if mocked:
        share = mocked / len(trace.fixes)
        yield Signal("mock_flag", min(1.0, 0.5 + share), {"fixes": mocked, "of": len(trace.fixes)})


def accuracies(trace: Trace) -> Iterator[Signal]:
    """Yield ``accuracy_zero`` and ``accuracy_coarse``; a phone that gives no accuracy says nothing."""
    told = [fix.accuracy_m for fix in trace.fixes if fix.accuracy_m is not None]
    for code, wrong in (
        ("accuracy_zero", [one for one in told if one <= 0]),
        ("accuracy_coarse", [one for one in told if one > _COARSE_M]),
    ):
        if 2 * len(wrong) >= len(told) > 0:
            yield Signal(code, len(wrong) / len(told), {"fixes": len(wrong), "of": len(told), "accuracy_m": median(wrong)})


def altitudes(trace: Trace) -> Iterator[Signal]:
    """Yield ``altitude_zero``: exactly 0 all along a way of more than 500 m."""
    told = [fix.altitude_m for fix in trace.fixes if fix.altitude_m is not None]
    zero = sum(one == 0 for one in told)
    if len(told) < _ENOUGH or zero < 0.9 * len(told):
        return
    extent_m = _extent_m([point.position for point in trace.here])
    if extent_m > _MOVED_M:
        yield Signal("altitude_zero", 1.0, {"fixes": zero, "of": len(told), "extent_m": round(extent_m)})


def fields(trace: Trace) -> Iterator[Signal]:
    """Yield ``speed_impossible`` and ``heading_impossible``; negative numbers mean "not known" and say nothing."""
    fast = [fix.speed_mps for fix in trace.fixes if fix.speed_mps is not None and fix.speed_mps > _FASTEST_MPS]
    if fast:
        yield Signal("speed_impossible", 1.0, {"fixes": len(fast), "of": len(trace.fixes), "speed_mps": max(fast)})
    turned = [fix.heading_deg for fix in trace.fixes if fix.heading_deg is not None and fix.heading_deg > 360]
    if turned:
        yield Signal("heading_impossible", 1.0, {"fixes": len(turned), "of": len(trace.fixes), "heading_deg": max(turned)})


def motion(trace: Trace) -> Iterator[Signal]:
    """Yield ``speed_contradicts`` and ``heading_contradicts``: the told motion is not that of the positions."""
    legs = [leg for leg in pairwise(trace.here) if 500 <= leg[1].at_ms - leg[0].at_ms <= 15_000]
    moving = [(leg, moved) for leg in legs if _SLOW_MPS < (moved := _speed_mps(*leg)) < _NOISE_MPS]
    # Where only some hops are that long, they are noise.
    if len(moving) < max(_ENOUGH, len(legs) / 3):
        return
    speeds = [(fix.speed_mps, moved) for (_, (_, _, fix)), moved in moving if fix.speed_mps is not None and fix.speed_mps >= 0]
    wrong = sum(abs(told - moved) > max(5.0, 0.5 * moved) for told, moved in speeds)
    if len(speeds) >= _ENOUGH and wrong > 0.7 * len(speeds):
        facts = {"fixes": wrong, "of": len(speeds), "told_mps": median(told for told, _ in speeds)}
        yield Signal("speed_contradicts", 1.0, facts | {"moved_mps": round(median(moved for _, moved in speeds), 1)})
    turns = [
        abs((fix.heading_deg - _course_deg(a.position, b.position) + 180) % 360 - 180)
        for (a, b), _ in moving
        if (fix := b.fix).heading_deg is not None and 0 <= fix.heading_deg <= 360
    ]
    if len(turns) >= _ENOUGH and median(turns) > 60:
        yield Signal("heading_contradicts", 1.0, {"fixes": len(turns), "off_deg": round(median(turns))})


def numbers(trace: Trace) -> Iterator[Signal]:
    """Yield ``null_island`` and ``grid_rounded``: numbers that no receiver found."""
    null = sum(is_null(fix.given) for fix in trace.fixes)
    if null and 2 * null >= len(trace.fixes):
        yield Signal("null_island", 1.0, {"fixes": null, "of": len(trace.fixes)})
    fine = [fix for fix in trace.fixes if not is_null(fix.given)]
    decimals = max((_decimals(one) for fix in fine for one in fix.given), default=9)
    if decimals > _GRID_DECIMALS:
        return
    step_m = _DEGREE_M * 10.0**-decimals
    # Who says that a position is only roughly so may round it.
    if median(fix.accuracy_m or 0.0 for fix in fine) < 1.5 * step_m:
        places = len({fix.given for fix in fine})
        # By chance one position in ten thousand has four decimals, one in a million three.
        sure = decimals < _GRID_DECIMALS or places >= _PLACES
        yield Signal("grid_rounded", 1.0 if sure else 0.5, {"decimals": decimals, "step_m": round(step_m), "places": places})


def _decimals(degrees_: float) -> int:
    for count in range(_GRID_DECIMALS + 1):
        if abs(degrees_ * 10**count - round(degrees_ * 10**count)) < 1e-6:
            return count
    return 9


def _extent_m(places: list[Position]) -> float:
    lats, lons = [one.lat for one in places] or [0.0], [one.lon for one in places] or [0.0]
    return rough_distance_m(Position(min(lats), min(lons)), Position(max(lats), max(lons)))


def _speed_mps(a: Point, b: Point) -> float:
    return rough_distance_m(a.position, b.position) / (b.at_ms - a.at_ms) * 1000


def _course_deg(a: Position, b: Position) -> float:
    return degrees(atan2((b.lon - a.lon) * cos(radians(a.lat)), b.lat - a.lat)) % 360
