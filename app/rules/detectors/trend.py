"""When a value that falls or rises will reach a level, and how sure that is.

A straight line by least squares through the readings of the last while; the instant it reaches the level, with an
interval by inverse prediction: where the line less its prediction error, and the line plus it, reach the level.

Source: Draper and Smith, Applied Regression Analysis, 3rd edition, section 3.2 (inverse regression); Student's t by the
expansion of Cornish and Fisher in Abramowitz and Stegun, 26.7.5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

from app.rules.detectors.episodes import Reading
from app.rules.detectors.levels import Level
from app.rules.detectors.shapes import Window

_DAY_MS = 86_400_000
NEVER_DAYS = 36_500.0
CONFIDENCE = 0.9


class Prediction(NamedTuple):
    """When a level will be reached: the expected instant and the ends of its interval, Unix ms; None: not foreseeable."""

    at_ms: int
    earliest_ms: int
    latest_ms: int | None


class Trend(Window):
    """Days until the level is reached; 0 where it is, ``NEVER_DAYS`` where the values do not move towards it."""

    __slots__ = ("_least", "_level")

    def __init__(self, memory: Any, level: Level, over_ms: int, least: int) -> None:
        """Go on from what was remembered.

        Args:
            level: what is reached; ``below`` and ``at_most`` from above, the others from below.
            over_ms: length of the window, ms.
            least: so many readings must be in it, over half of its length.
        """
        super().__init__(memory, over_ms)
        self._level, self._least = level, least

    def take(self, reading: Reading, whole: bool) -> float | None:
        """Take the next reading; return the days from it to the expected instant."""
        self.add(reading)
        if not self._knows:
            return None
        found = self.prediction()
        if found is None:
            return NEVER_DAYS
        return min(NEVER_DAYS, max(0.0, (found.at_ms - reading.at_ms) / _DAY_MS))

    @property
    def _knows(self) -> bool:
        return self.count >= self._least and self.span_ms >= self.over_ms / 2

    def prediction(self) -> Prediction | None:
        """Return when the level will be reached, as far as is foreseeable."""
        return predict(self.points(), self._level) if self._knows else None


def predict(points: Sequence[tuple[float, float, float]], level: Level, confidence: float = CONFIDENCE) -> Prediction | None:
    """Return when a level will be reached, or was.

    Args:
        points: (instant in ms, value, how many readings it stands for), by instant.
        level: what is reached.
        confidence: of the two-sided interval.

    Returns:
        None where the values do not move towards the level.
    """
    if len(points) < 3:
        return None
    weight = math.fsum(n for _, _, n in points)
    mean_t = math.fsum(t * n for t, _, n in points) / weight
    mean_v = math.fsum(v * n for _, v, n in points) / weight
    square = math.fsum(n * (t - mean_t) ** 2 for t, _, n in points)
    if not square:
        return None
    slope = math.fsum(n * (t - mean_t) * (v - mean_v) for t, v, n in points) / square
    falls = level.comparison in {"below", "at_most"}
    if slope == 0 or (slope < 0) != falls:
        return None
    left = math.fsum(n * (v - mean_v - slope * (t - mean_t)) ** 2 for t, v, n in points)
    error = math.sqrt(left / (len(points) - 2))
    quantile = _student(1 - (1 - confidence) / 2, len(points) - 2)
    crossing = mean_t + (level.value - mean_v) / slope
    # Fieller: the ends are the roots of (level - line)² = (t · error)² · (1 + 1/n + (t - mean)²/square).
    g = quantile**2 * error**2 / (slope**2 * square)
    spread = quantile * error / abs(slope) * math.sqrt(max(0.0, (1 - g) * (1 + 1 / weight) + (crossing - mean_t) ** 2 / square))
    if g >= 1:
        return Prediction(round(crossing), round(min(crossing, crossing - spread)), None)
    centre = mean_t + (crossing - mean_t) / (1 - g)
    return Prediction(round(crossing), round(centre - spread / (1 - g)), round(centre + spread / (1 - g)))


def _student(probability: float, freedom: int) -> float:
    z = NormalDist().inv_cdf(probability)
    g1 = (z**3 + z) / 4
    g2 = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    g3 = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + g1 / freedom + g2 / freedom**2 + g3 / freedom**3
