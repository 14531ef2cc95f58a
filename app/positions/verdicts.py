"""How near a site a fix is, with its reasons. The server measures; phones are not asked."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from app.core.geo import Position, distance_m
from app.positions.datum import Placed

FENCE_M = 200.0
_NEAR_M = 100.0


class Nearness(StrEnum):
    """How near a site a fix is."""

    INSIDE = "inside"
    NEAR = "near"
    OUTSIDE = "outside"
    UNSURE = "unsure"


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        nearness: of the fix.
        distance_m: geodesic, from the fix to the site; of an unknown datum what it would be in WGS-84.
        reasons: codes of why it is not simply inside or outside, in a fixed order.
    """

    nearness: Nearness
    distance_m: float
    reasons: tuple[str, ...] = ()


def judge(placed: Placed, accuracy_m: float | None, site: Position, fence_m: float = FENCE_M) -> Verdict:
    """Judge a fix against a site's fence.

    Args:
        placed: where the fix is.
        accuracy_m: radius in metres within which the phone says it is; None or 0 where it says nothing.
        site: centre of the fence, WGS-84.
        fence_m: its radius in metres.
    """
    away_m = distance_m(placed.position, site)
    reasons: list[str] = []
    if not placed.is_known:
        reasons.append("datum_unknown")
    if not accuracy_m or accuracy_m < 0:
        reasons.append("accuracy_missing")
    elif accuracy_m > fence_m and away_m <= fence_m + accuracy_m:
        reasons.append("accuracy_too_coarse")
    if reasons:
        return Verdict(Nearness.UNSURE, away_m, tuple(reasons))
    assert accuracy_m is not None  # noqa: S101 - it would be a reason
    found = _compare(away_m, accuracy_m, fence_m)
    if placed.otherwise is not None and found is not _compare(distance_m(placed.otherwise, site), accuracy_m, fence_m):
        return Verdict(Nearness.UNSURE, away_m, ("datum_at_border",))
    return Verdict(found, away_m)


def _compare(away_m: float, accuracy_m: float, fence_m: float) -> Nearness:
    if away_m <= fence_m:
        return Nearness.INSIDE
    return Nearness.NEAR if away_m <= fence_m + max(accuracy_m, _NEAR_M) else Nearness.OUTSIDE
