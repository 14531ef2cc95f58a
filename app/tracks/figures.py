"""What the fixes of a shift amount to: stays, trips, metres, plausibility. A function of the set of fixes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from app.positions.fixes import Fix
from app.positions.plausibility import assess
from app.positions.regions import Region
from app.positions.signals.trace import Known
from app.positions.stays import RULE, Movement, movement

# Phones record nothing in a building: who is seen at one place before and after a gap of any length stayed there.
STAY_RULE = RULE._replace(gap_ms=None)
# Of a stay that nothing but one or two fixes show, nobody is asked.
LEAST_FIXES = 3


class Figures(NamedTuple):
    """What was found.

    Attributes:
        distance_m: gone on trips, without jitter and jumps; staying adds nothing.
        unseen_m: of it in straight lines across gaps of more than 15 minutes, where the way is not known.
        score, grade, findings: see ``app.positions.plausibility``.
    """

    movement: Movement
    distance_m: float
    unseen_m: float
    score: int
    grade: str
    findings: list[dict[str, Any]]


def figure(fixes: Sequence[Fix], shifted: Collection[Region]) -> Figures:
    """Return what the fixes of one shift amount to, in whatever order they are."""
    found = movement(fixes, STAY_RULE, shifted)
    judged = assess(fixes, Known(shifted=frozenset(shifted)))
    return Figures(
        found,
        round(sum(trip.distance_m for trip in found.trips), 1),
        round(sum(trip.unseen_m for trip in found.trips), 1),
        judged.score,
        str(judged.grade),
        [{"code": one.code, "points": one.points, "facts": dict(one.facts)} for one in judged.findings],
    )
