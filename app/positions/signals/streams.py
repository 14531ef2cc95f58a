"""Signals in streams that were there before: a way that is told again, or by another phone as well."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from app.core.geo import rough_distance_m
from app.positions.fixes import Fix, in_order
from app.positions.reach import is_null
from app.positions.signals.trace import Signal, Trace, is_coarse

_STEPS = 3
_SHARE = 0.25
_UNIT_DEG = 1e-7
_LEFT_M = 100.0
_DECIMALS = 5

_Shingle = tuple[tuple[int, int], ...]


def streams(trace: Trace) -> Iterator[Signal]:
    """Yield ``replayed`` and ``shared``: the same steps to the last digit, of this phone before, or of another one.

    Three steps in a row are compared, each as the difference of two positions, so that a way that was moved elsewhere is found
    as well. Two people side by side, and one who goes the same way each day, do not share digits: receivers have noise.
    """
    mine = _shingles(trace.fixes)
    for code, known in (("replayed", trace.before), ("shared", in_order(trace.known.others))):
        if mine and (both := mine & _shingles(known)):
            share = len(both) / len(mine)
            if share >= _SHARE:
                yield Signal(code, min(1.0, 0.5 + share), {"steps": len(both), "of": len(mine)})


def returns(trace: Trace) -> Iterator[Signal]:
    """Yield ``same_digits``: back at a place it had left, or at one of another phone, to the last digit.

    For batches of a few fixes, as check-ins are: in long ones digits meet by chance.
    """
    fine = [fix for fix in trace.fixes if _is_fine(fix)]
    places = {fix.given for fix in fine}
    if not 0 < len(places) <= _STEPS:
        return
    left: set[tuple[float, float]] = set()
    seen: dict[tuple[float, float], Fix] = {}
    last: Fix | None = None
    for fix in trace.before:
        if not _is_fine(fix) or fix.at_ms >= fine[0].at_ms:
            continue
        if last is not None and rough_distance_m(last.given, fix.given) > _LEFT_M:
            left |= seen.keys()
        seen[fix.given] = last = fix
        left.discard(fix.given)
    if last is not None and rough_distance_m(last.given, fine[0].given) > _LEFT_M:
        left |= seen.keys()
    again = places & left
    others = places & {fix.given for fix in trace.known.others if _is_fine(fix)}
    both = again | others
    if both:
        yield Signal("same_digits", len(both) / len(places), {"places": len(both), "of": len(places), "others": len(others)})


def _is_fine(fix: Fix) -> bool:
    exact = any(abs(one * 10 ** (_DECIMALS - 1) - round(one * 10 ** (_DECIMALS - 1))) > 1e-6 for one in fix.given)
    return exact and not is_coarse(fix) and not is_null(fix.given)


def _shingles(fixes: Collection[Fix]) -> set[_Shingle]:
    """Return every three steps in a row, in ten-millionths of a degree, without rest; none for positions on a coarse grid."""
    way: list[Fix] = []
    for fix in fixes:
        if _is_fine(fix) and (not way or way[-1].given != fix.given):
            way.append(fix)
    steps = [_step(a, b) for a, b in pairwise(way)]
    found = {tuple(steps[i : i + _STEPS]) for i in range(len(steps) - _STEPS + 1)}
    # The same step again and again is a drawn line: its steps say nothing of where they come from.
    return {one for one in found if len(set(one)) == _STEPS}


def _step(a: Fix, b: Fix) -> tuple[int, int]:
    return round((b.given.lat - a.given.lat) / _UNIT_DEG), round((b.given.lon - a.given.lon) / _UNIT_DEG)
