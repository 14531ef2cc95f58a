"""What detectors compare where it is not the reading itself: slopes, counts, aggregates, usage, conditions over several metrics.

Each shape remembers little: a window is kept in at most ``_BUCKETS`` buckets of equal length on the clock, so its edges are
exact to that fraction of its length, and the same whatever the order of arrival.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from app.rules.detectors.episodes import Reading
from app.rules.detectors.levels import Level

Aggregate = Literal["avg", "min", "max", "sum", "count", "range", "stddev"]
_BUCKETS = 60
_HOUR_MS = 3_600_000


class Window:
    """The readings of the last ``over_ms`` in buckets: [number, n, sum of values, sum of squares, least, greatest, sum of ms].

    All but the youngest bucket change only when another one begins: what is asked of them is kept until then.
    """

    joins = False
    __slots__ = ("_buckets", "_elder", "_width_ms", "over_ms")

    def __init__(self, memory: Any, over_ms: int) -> None:
        self.over_ms, self._width_ms = over_ms, max(1, over_ms // _BUCKETS)
        # Shared with the state it came from: a bucket is replaced, never changed.
        self._buckets: list[Sequence[float]] = list(memory or ())
        self._elder: Any = None

    def keep(self) -> Any:
        """Return the buckets."""
        return self._buckets

    def add(self, reading: Reading) -> None:
        """Add a reading, and forget what is older than the window."""
        number, value = reading.at_ms // self._width_ms, reading.value
        buckets = self._buckets
        inside = float(reading.at_ms - number * self._width_ms)
        if buckets and buckets[-1][0] == number:
            _, n, total, squares, least, greatest, ms = buckets[-1]
            greatest, least = max(value, greatest), min(value, least)
            buckets[-1] = (number, n + 1, total + value, squares + value * value, least, greatest, ms + inside)
            return
        oldest = (reading.at_ms - self.over_ms) // self._width_ms
        while buckets and buckets[0][0] <= oldest:
            del buckets[0]
        buckets.append((number, 1, value, value * value, value, value, inside))
        self._elder = None

    @property
    def count(self) -> int:
        """How many readings are in the window."""
        return int(sum(bucket[1] for bucket in self._buckets))

    @property
    def span_ms(self) -> float:
        """How far the first and the last bucket are apart."""
        return (self._buckets[-1][0] - self._buckets[0][0]) * self._width_ms if self._buckets else 0.0

    def points(self) -> list[tuple[float, float, float]]:
        """Return the buckets as (mean instant in ms, mean value, number of readings)."""
        width = self._width_ms
        return [(bucket[0] * width + bucket[6] / bucket[1], bucket[2] / bucket[1], bucket[1]) for bucket in self._buckets]


class Aggregated(Window):
    """An aggregate of the readings of the last while."""

    __slots__ = ("_kind", "_least")

    def __init__(self, memory: Any, kind: Aggregate, over_ms: int, least: int) -> None:
        """Go on from what was remembered.

        Args:
            kind: which aggregate; ``range`` is greatest less least, ``stddev`` that of the population.
            over_ms: length of the window, ms.
            least: so many readings must be in it.
        """
        super().__init__(memory, over_ms)
        self._kind, self._least = kind, least

    def take(self, reading: Reading, whole: bool) -> float | None:
        """Take the next reading."""
        self.add(reading)
        if self._elder is None:
            self._elder = _summed(self._buckets[:-1])
        young = self._buckets[-1]
        count, total, squares, least, greatest = self._elder
        count += young[1]
        if count < self._least:
            return None
        if self._kind == "count":
            return float(count)
        if self._kind in {"min", "max", "range"}:
            least, greatest = min(least, young[4]), max(greatest, young[5])
            return float({"min": least, "max": greatest, "range": greatest - least}[self._kind])
        total += young[2]
        if self._kind == "sum":
            return float(total)
        mean = total / count
        return float(mean if self._kind == "avg" else math.sqrt(max(0.0, (squares + young[3]) / count - mean * mean)))


def _summed(buckets: Sequence[Sequence[float]]) -> tuple[float, float, float, float, float]:
    return (
        sum(bucket[1] for bucket in buckets),
        math.fsum(bucket[2] for bucket in buckets),
        math.fsum(bucket[3] for bucket in buckets),
        min((bucket[4] for bucket in buckets), default=math.inf),
        max((bucket[5] for bucket in buckets), default=-math.inf),
    )


class Slope(Window):
    """How fast the value changes: least squares over the buckets of the last while, in units per hour."""

    __slots__ = ("_least",)

    def __init__(self, memory: Any, over_ms: int, least: int) -> None:
        """Go on from what was remembered; ``least``: so many readings must be in the window, over half of its length."""
        super().__init__(memory, over_ms)
        self._least = least

    def take(self, reading: Reading, whole: bool) -> float | None:
        """Take the next reading."""
        self.add(reading)
        origin = self._buckets[0][0] * self._width_ms
        if self._elder is None:
            self._elder = _moments(self._buckets[:-1], self._width_ms, origin)
        n, t, v, tt, tv = (
            old + new for old, new in zip(self._elder, _moments(self._buckets[-1:], self._width_ms, origin), strict=True)
        )
        if n < self._least or self.span_ms < self.over_ms / 2:
            return None
        square = tt - t * t / n
        return (tv - t * v / n) / square if square > 0 else None


def _moments(buckets: Sequence[Sequence[float]], width_ms: int, origin_ms: float) -> tuple[float, float, float, float, float]:
    """Return n and the sums of t, v, t² and t·v; each bucket stands at its mean instant, t in hours since the first one."""
    points = [((b[0] * width_ms - origin_ms + b[6] / b[1]) / _HOUR_MS, b[2], b[1]) for b in buckets]
    return (
        sum(n for _, _, n in points),
        math.fsum(t * n for t, _, n in points),
        math.fsum(v for _, v, _ in points),
        math.fsum(t * t * n for t, _, n in points),
        math.fsum(t * v for t, v, _ in points),
    )


class Hits:
    """How many of the last ``of`` readings are beyond a level."""

    joins = False
    __slots__ = ("_hits", "_level", "_of")

    def __init__(self, memory: Any, level: Level, of: int) -> None:
        """Go on from what was remembered."""
        self._level, self._of = level, of
        self._hits: list[int] = list(memory or ())

    def take(self, reading: Reading, whole: bool) -> float | None:
        """Take the next reading."""
        self._hits.append(int(self._level.holds(reading.value)))
        if len(self._hits) > self._of:
            del self._hits[0]
        return float(sum(self._hits))

    def keep(self) -> Any:
        """Return which of the last readings were beyond the level."""
        return self._hits


class Usage:
    """How much a counter grew since the component was fitted. A counter that falls was reset and goes on from there.

    ``[first at_ms, last at_ms, last reading of the counter, used]``.
    """

    joins = False
    __slots__ = ("_kept",)

    def __init__(self, memory: Any) -> None:
        """Go on from what was remembered."""
        self._kept: list[float] = list(memory or ())

    def take(self, reading: Reading, whole: bool) -> float | None:
        """Take the next reading of the counter."""
        if not self._kept:
            self._kept = [reading.at_ms, reading.at_ms, reading.value, 0.0]
            return 0.0
        before = self._kept[2]
        self._kept[3] += reading.value - before if reading.value >= before else max(0.0, reading.value)
        self._kept[1], self._kept[2] = reading.at_ms, reading.value
        return self._kept[3]

    def keep(self) -> Any:
        """Return the counter and what was used."""
        return self._kept


class Joined:
    """What is so of several metrics at once: each has the value it had last.

    ``judge`` gets the values by metric; it is asked as soon as all have one. A value older than ``stale_ms`` counts as
    missing; 0: values do not age. Those of ``beside`` may be missing, and count only in the message that brought them.
    """

    joins = True
    __slots__ = ("_beside", "_judge", "_metrics", "_now", "_stale_ms", "_values")

    def __init__(
        self,
        memory: Any,
        metrics: Sequence[str],
        judge: Callable[[Mapping[str, float]], float | None],
        stale_ms: int = 0,
        beside: Collection[str] = (),
    ) -> None:
        """Go on from what was remembered."""
        self._judge, self._metrics, self._stale_ms, self._beside = judge, metrics, stale_ms, beside
        self._values: dict[str, list[float]] = {name: list(value) for name, value in (memory or {}).items()}
        self._now: dict[str, float] = {}

    def take(self, reading: Reading, whole: bool) -> float | None:
        """Take the next reading; ``whole``: it is the last of its message."""
        if reading.metric in self._beside:
            self._now[reading.metric] = reading.value
        else:
            self._values[reading.metric] = [reading.value, reading.at_ms]
        if not whole:
            return None
        values, self._now = self._now, {}
        for name in self._metrics:
            held = self._values.get(name)
            if held is None or (self._stale_ms and reading.at_ms - held[1] > self._stale_ms):
                return None
            values[name] = held[0]
        return self._judge(values)

    def keep(self) -> Any:
        """Return the value each metric had last, and when."""
        return self._values
