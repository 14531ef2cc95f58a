"""Signals in where a phone says it is, beside what the network says, and beside the site it wants to be at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from statistics import median

from app.core.geo import distance_m, rough_distance_m
from app.positions.datum import Datum, from_wgs84, to_wgs84
from app.positions.fixes import Fix
from app.positions.reach import Point, is_null
from app.positions.signals.trace import Signal, Trace

_TOGETHER_MS = 120_000
_APART_M = 3_000.0
_FAR_M = 100_000.0
_COPIED_M = 15.0
_SHIFT_M = 60.0
_CHECK_IN_FIXES = 20
_LABELS = (Datum.WGS84, Datum.GCJ02, Datum.BD09)


def network(trace: Trace) -> Iterator[Signal]:
    """Yield ``network_far`` and ``address_far``: cells and Wi-Fi, or the network address, are elsewhere than the receiver."""
    known = trace.known
    batch = trace.here
    apart = list(_apart_m(batch, [fix for fix in trace.fixes if fix.provider == "network" and not is_null(fix.given)], trace))
    far = [one for one in apart if one > _APART_M]
    # A base station that was moved, or a Wi-Fi that travels on a train, is one place of several.
    if len(far) >= 2 and len(far) > 0.7 * len(apart):
        yield Signal("network_far", 1.0, {"fixes": len(far), "of": len(apart), "distance_m": round(median(far))})
    if known.network is not None and batch:
        away_m = rough_distance_m(batch[-1].position, known.network.position) - known.network.accuracy_m
        if away_m > _FAR_M:
            yield Signal("address_far", 1.0, {"distance_m": round(away_m)})


def datums(trace: Trace) -> Iterator[Signal]:
    """Yield ``datum_switched`` and ``copied_from_map``: a shift between datums that just leads to the site.

    The first: another datum than this phone tells otherwise, with which it is inside the fence, and not without. The second:
    the numbers, in the datum they are told in, are off the site by exactly what a map in another datum is off. For check-ins.
    """
    target, batch = trace.known.target, [fix for fix in trace.fixes if not is_null(fix.given)]
    if target is None or not 0 < len(batch) <= _CHECK_IN_FIXES:
        return
    shifted = trace.known.shifted
    fix = batch[-1]
    away_m = distance_m(to_wgs84(fix.given, fix.datum, shifted).position, target.site)
    usual = Counter(other.datum for other in trace.before).most_common(1)
    if usual and fix.datum is not usual[0][0] and Datum.UNKNOWN not in {fix.datum, usual[0][0]} and away_m <= target.fence_m:
        otherwise_m = distance_m(to_wgs84(fix.given, usual[0][0], shifted).position, target.site)
        if otherwise_m > target.fence_m:
            labels = {"told": fix.datum.value, "usual": usual[0][0].value}
            yield Signal("datum_switched", 1.0, {**labels, "distance_m": round(away_m), "otherwise_m": round(otherwise_m)})
    if fix.datum is Datum.UNKNOWN or away_m < _SHIFT_M:
        return
    for label in _LABELS:
        off_m = distance_m(from_wgs84(target.site, label, shifted), fix.given)
        if label is not fix.datum and off_m <= _COPIED_M:
            facts: dict[str, float | str] = {
                "told": fix.datum.value,
                "map": label.value,
                "distance_m": round(away_m),
                "off_m": round(off_m, 1),
            }
            yield Signal("copied_from_map", 1.0, facts)


def _apart_m(batch: list[Point], coarse: list[Fix], trace: Trace) -> Iterator[float]:
    """Yield how far each network fix is from the receiver's fix nearest in time, beyond what both say of their accuracy."""
    i = 0
    for fix in coarse:
        while i + 1 < len(batch) and abs(batch[i + 1].at_ms - fix.at_ms) <= abs(batch[i].at_ms - fix.at_ms):
            i += 1
        if batch and abs(batch[i].at_ms - fix.at_ms) <= _TOGETHER_MS:
            place = to_wgs84(fix.given, fix.datum, trace.known.shifted).position
            blur_m = 2 * ((fix.accuracy_m or 0.0) + (batch[i].fix.accuracy_m or 0.0))
            yield rough_distance_m(place, batch[i].position) - blur_m
