"""When a value that falls or rises will reach a level, and how sure that is.

The expected instant is where a straight line through the younger half of the window reaches the level. How sure that is, a
line alone does not know: ageing speeds up and slows down. So the slope is taken to wander as it did from one sixth of the
window to the next, and the interval ends where the fastest and the slowest plausible way reach the level. docs/quality.md
shows how often it holds.

Source: the local linear trend, whose slope is a random walk, of Harvey, Forecasting, Structural Time Series Models and the
Kalman Filter (1989), section 2.3.2, with the variances estimated by moments.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Any, NamedTuple

from typing_extensions import override

from app.rules.detectors.episodes import Reading
from app.rules.detectors.levels import Level
from app.rules.detectors.shapes import Windowed

_DAY_MS = 86_400_000
NEVER_DAYS = 36_500.0
_NEVER_MS = NEVER_DAYS * _DAY_MS
_QUANTILE = NormalDist().inv_cdf(0.95)
_PARTS = 6

Point = tuple[float, float, float]


class Prediction(NamedTuple):
    """When a level will be reached: the expected instant and the ends of a 90 % interval, Unix ms; None: not foreseeable."""

    at_ms: int
    earliest_ms: int
    latest_ms: int | None


class Trend(Windowed):
    """Days until the level is reached; 0 where it is, ``NEVER_DAYS`` where the values do not move towards it."""

    __slots__ = ("_level",)

    def __init__(self, kept: Any, level: Level, over_ms: int, least: int) -> None:
        """Go on from what was kept.

        Args:
            level: what is reached; ``below`` and ``at_most`` from above, the others from below.
            over_ms: length of the window, ms.
            least: so many readings must be in it, over half of its length.
        """
        super().__init__(kept, over_ms, least)
        self._level = level

    @override
    def value(self, reading: Reading) -> float | None:
        if not self._spans_half:
            return None
        moments, last_h = self.memory.moments(younger_half=True)
        slope = moments.slope or 0.0  # per hour
        left = self._level.value - (moments.v + slope * (last_h * moments.n - moments.t)) / moments.n
        if left == 0 or (left < 0) != _falls(self._level):
            return 0.0
        if slope == 0 or (slope < 0) != _falls(self._level):
            return NEVER_DAYS
        return min(NEVER_DAYS, left / slope / 24)

    def prediction(self) -> Prediction | None:
        """Return when the level will be reached, as far as is foreseeable."""
        return predict(self.memory.points(), self._level) if self._spans_half else None


class _Line(NamedTuple):
    """A straight line by least squares: its value at the last point, its slope per ms, and the spread around it."""

    value: float
    slope: float
    spread: float


def predict(points: Sequence[Point], level: Level) -> Prediction | None:
    """Return when a level will be reached.

    Args:
        points: (instant in ms, value, how many readings it stands for), by instant.
        level: what is reached.

    Returns:
        None where the values do not move towards the level; the last instant where it is reached already.
    """
    if len(points) < 2 * _PARTS:
        return None
    last_ms, sign = points[-1][0], -1.0 if _falls(level) else 1.0
    line = _line(_younger_half(points))
    left, slope = sign * (level.value - line.value), sign * line.slope
    if slope <= 0:
        return None if left > 0 else Prediction(round(last_ms), round(last_ms), round(last_ms))
    slopes = _slopes(points)
    wander = sum((one - other) ** 2 for one, other in pairwise(slopes)) / max(1, len(slopes) - 1)
    part_ms = (last_ms - points[0][0]) / _PARTS

    def spread(ahead_ms: float) -> float:
        variance = wander * (1 / max(1, len(slopes)) + ahead_ms / (3 * part_ms))
        return _QUANTILE * math.sqrt(line.spread**2 + ahead_ms**2 * variance)

    earliest = _first(lambda ahead_ms: slope * ahead_ms + spread(ahead_ms) >= left, part_ms)
    latest = _first(lambda ahead_ms: slope * ahead_ms - spread(ahead_ms) >= left, part_ms)
    expected = max(0.0, left / slope)
    return Prediction(
        round(last_ms + expected),
        round(last_ms + (expected if earliest is None else min(earliest, expected))),
        None if latest is None else round(last_ms + max(latest, expected)),
    )


def _falls(level: Level) -> bool:
    return level.comparison in {"below", "at_most"}


def _younger_half(points: Sequence[Point]) -> list[Point]:
    middle = (points[0][0] + points[-1][0]) / 2
    return [point for point in points if point[0] >= middle]


def _slopes(points: Sequence[Point]) -> list[float]:
    """Return the slope in each part of the window that holds at least three points."""
    begin, width = points[0][0], (points[-1][0] - points[0][0]) / _PARTS
    parts: list[list[Point]] = [[] for _ in range(_PARTS)]
    for point in points:
        parts[min(_PARTS - 1, int((point[0] - begin) / width))].append(point)
    return [_line(part).slope for part in parts if len(part) >= 3]


def _line(points: Sequence[Point]) -> _Line:
    weight = math.fsum(n for _, _, n in points)
    mean_t = math.fsum(t * n for t, _, n in points) / weight
    mean_v = math.fsum(v * n for _, v, n in points) / weight
    square = math.fsum(n * (t - mean_t) ** 2 for t, _, n in points)
    slope = math.fsum(n * (t - mean_t) * (v - mean_v) for t, v, n in points) / square if square else 0.0
    around = math.fsum((v - mean_v - slope * (t - mean_t)) ** 2 for t, v, _ in points)
    return _Line(mean_v + slope * (points[-1][0] - mean_t), slope, math.sqrt(around / max(1, len(points) - 2)))


def _first(reached: Callable[[float], bool], step_ms: float) -> float | None:
    """Return the first instant at which something is so that stays so for a while, to 0.1 % of the way there."""
    if reached(0.0):
        return 0.0
    ahead_ms = step_ms / 20
    while not reached(ahead_ms):
        ahead_ms *= 1.15
        if ahead_ms > _NEVER_MS:
            return None
    low = ahead_ms / 1.15
    while ahead_ms - low > 0.001 * ahead_ms:
        middle = (low + ahead_ms) / 2
        low, ahead_ms = (low, middle) if reached(middle) else (middle, ahead_ms)
    return ahead_ms
