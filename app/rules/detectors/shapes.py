"""What detectors compare where it is not the reading itself: slopes, counts, aggregates, usage, conditions over several metrics.

A shape is a question to a memory. What a memory holds depends on the readings alone, so shapes that remember the same share
one. Each remembers little: a window is kept in at most ``_BUCKETS`` buckets of equal length on the clock, so its edges are
exact to that fraction of its length, and the same whatever the order of arrival.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

from typing_extensions import override

from app.rules.detectors.episodes import Reading
from app.rules.detectors.levels import Level, Shape

Aggregate = Literal["avg", "min", "max", "sum", "count", "range", "stddev"]
_BUCKETS = 60
_HOUR_MS = 3_600_000


class Moments:
    """Sums over weighted points (t, v): of the weights, t, v, t² and t·v. Taken together they make a straight line."""

    __slots__ = ("n", "t", "tt", "tv", "v")

    def __init__(self, n: float = 0.0, t: float = 0.0, v: float = 0.0, tt: float = 0.0, tv: float = 0.0) -> None:
        self.n, self.t, self.v, self.tt, self.tv = n, t, v, tt, tv

    def less(self, other: Moments) -> Moments:
        """Return the sums over the points that are not among the other's."""
        return Moments(self.n - other.n, self.t - other.t, self.v - other.v, self.tt - other.tt, self.tv - other.tv)

    def and_one(self, t: float, v: float, n: float) -> Moments:
        """Return the sums with one point more."""
        return Moments(self.n + n, self.t + t * n, self.v + v * n, self.tt + t * t * n, self.tv + t * v * n)

    @property
    def slope(self) -> float | None:
        """The slope of the straight line by least squares; None: all points stand at one instant."""
        square = self.tt - self.t * self.t / self.n
        return (self.tv - self.t * self.v / self.n) / square if square > 0 else None


class Buckets:
    """The readings of the last ``over_ms`` in buckets: [number, n, sum of values, sum of squares, least, greatest, sum of ms].

    All but the youngest bucket change only when another one begins: what is asked of them is kept until then.
    """

    __slots__ = ("_elder", "_summed", "buckets", "over_ms", "width_ms")

    def __init__(self, kept: Any, over_ms: int) -> None:
        self.over_ms, self.width_ms = over_ms, max(1, over_ms // _BUCKETS)
        # Shared with the state it came from: a bucket is replaced, never changed.
        self.buckets: list[Sequence[float]] = list(kept or ())
        self._elder: tuple[list[float], list[Moments]] | None = None
        self._summed: tuple[float, float, float, float, float] | None = None

    def keep(self) -> Any:
        """Return the buckets."""
        return self.buckets

    def add(self, reading: Reading, whole: bool) -> None:
        """Add a reading, and forget what is older than the window."""
        number, value = reading.at_ms // self.width_ms, reading.value
        buckets = self.buckets
        inside = float(reading.at_ms - number * self.width_ms)
        if buckets and buckets[-1][0] == number:
            _, n, total, squares, least, greatest, ms = buckets[-1]
            if value > greatest:
                greatest = value
            if value < least:
                least = value
            buckets[-1] = (number, n + 1, total + value, squares + value * value, least, greatest, ms + inside)
            return
        oldest = (reading.at_ms - self.over_ms) // self.width_ms
        while buckets and buckets[0][0] <= oldest:
            del buckets[0]
        buckets.append((number, 1, value, value * value, value, value, inside))
        self._elder = self._summed = None

    @property
    def count(self) -> int:
        """How many readings are in the window."""
        return int(self.summed()[0] + self.buckets[-1][1]) if self.buckets else 0

    @property
    def span_ms(self) -> float:
        """How far the first and the last bucket are apart."""
        return (self.buckets[-1][0] - self.buckets[0][0]) * self.width_ms if self.buckets else 0.0

    def points(self) -> list[tuple[float, float, float]]:
        """Return the buckets as (mean instant in ms, mean value, number of readings)."""
        width = self.width_ms
        return [(bucket[0] * width + bucket[6] / bucket[1], bucket[2] / bucket[1], bucket[1]) for bucket in self.buckets]

    def summed(self) -> tuple[float, float, float, float, float]:
        """Return n, sum, sum of squares, least and greatest over all but the youngest bucket."""
        if self._summed is None:
            elder = self.buckets[:-1]
            self._summed = (
                sum(bucket[1] for bucket in elder),
                math.fsum(bucket[2] for bucket in elder),
                math.fsum(bucket[3] for bucket in elder),
                min((bucket[4] for bucket in elder), default=math.inf),
                max((bucket[5] for bucket in elder), default=-math.inf),
            )
        return self._summed

    def moments(self, younger_half: bool = False) -> tuple[Moments, float]:
        """Return the moments of the buckets, and the youngest one's instant.

        Each bucket stands at the mean instant of its readings, in hours since the first bucket began.

        Args:
            younger_half: only of the buckets in the younger half of the time from the first to the last one.
        """
        if self._elder is None:
            origin, instants, sums = self.buckets[0][0], [], [Moments()]
            for number, n, total, _, _, _, ms in self.buckets[:-1]:
                instants.append(t := ((number - origin) * self.width_ms + ms / n) / _HOUR_MS)
                sums.append(sums[-1].and_one(t, total / n, n))
            self._elder = instants, sums
        instants, sums = self._elder
        number, n, total, _, _, _, ms = self.buckets[-1]
        last = ((number - self.buckets[0][0]) * self.width_ms + ms / n) / _HOUR_MS
        found = sums[-1]
        if younger_half and instants and (first := bisect_left(instants, (instants[0] + last) / 2)):
            found = found.less(sums[first])
        return found.and_one(last, total / n, n), last


class Windowed(Shape):
    """A question to the readings of the last while."""

    __slots__ = ("_least", "memory")

    def __init__(self, kept: Any, over_ms: int, least: int) -> None:
        """Go on from what was kept; ``least``: so many readings must be in the window, ``over_ms`` long."""
        self.memory: Buckets = Buckets(kept, over_ms)
        self._least = least

    @property
    @override
    def remembers(self) -> str:
        return f"window {self.memory.over_ms}"

    @property
    def _spans_half(self) -> bool:
        memory = self.memory
        return memory.count >= self._least and memory.span_ms >= memory.over_ms / 2


class Aggregated(Windowed):
    """An aggregate of the readings of the last while."""

    __slots__ = ("_kind",)

    def __init__(self, kept: Any, kind: Aggregate, over_ms: int, least: int) -> None:
        """Go on from what was kept; see ``Windowed``.

        Args:
            kind: which aggregate; ``range`` is greatest less least, ``stddev`` that of the population.
        """
        super().__init__(kept, over_ms, least)
        self._kind = kind

    @override
    def value(self, reading: Reading) -> float | None:
        count, total, squares, least, greatest = self.memory.summed()
        young = self.memory.buckets[-1]
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


class Slope(Windowed):
    """How fast the value changes: least squares over the buckets of the last while, in units per hour.

    The readings must span half of the window.
    """

    __slots__ = ()

    @override
    def value(self, reading: Reading) -> float | None:
        return self.memory.moments()[0].slope if self._spans_half else None


class Hits(Shape):
    """How many of the last ``of`` readings are beyond a level."""

    __slots__ = ("memory",)

    def __init__(self, kept: Any, level: Level, of: int) -> None:
        """Go on from what was kept."""
        self.memory: _Hits = _Hits(kept, level, of)

    @property
    @override
    def remembers(self) -> str:
        memory = self.memory
        return f"hits {memory.level.comparison} {memory.level.value!r} {memory.of}"

    @override
    def value(self, reading: Reading) -> float | None:
        return float(sum(self.memory.hits))


class _Hits:
    """Which of the last readings were beyond a level: 1, those that were not: 0."""

    __slots__ = ("hits", "level", "of")

    def __init__(self, kept: Any, level: Level, of: int) -> None:
        self.hits: list[int] = list(kept or ())
        self.level, self.of = level, of

    def add(self, reading: Reading, whole: bool) -> None:
        self.hits.append(int(self.level.holds(reading.value)))
        if len(self.hits) > self.of:
            del self.hits[0]

    def keep(self) -> Any:
        return self.hits


class Usage(Shape):
    """How much a counter grew since the component was fitted. A counter that falls was reset and goes on from there."""

    __slots__ = ("memory",)
    remembers = "usage"

    def __init__(self, kept: Any) -> None:
        """Go on from what was kept."""
        self.memory: _Counter = _Counter(kept)

    @override
    def value(self, reading: Reading) -> float | None:
        return self.memory.kept[3]


class _Counter:
    """``[first at_ms, last at_ms, last reading of the counter, used]``."""

    __slots__ = ("kept",)

    def __init__(self, kept: Any) -> None:
        self.kept: list[float] = list(kept or ())

    def add(self, reading: Reading, whole: bool) -> None:
        if not self.kept:
            self.kept = [reading.at_ms, reading.at_ms, reading.value, 0.0]
            return
        before = self.kept[2]
        self.kept[3] += reading.value - before if reading.value >= before else max(0.0, reading.value)
        self.kept[1], self.kept[2] = reading.at_ms, reading.value

    def keep(self) -> Any:
        return self.kept


class Joined(Shape):
    """What is so of several metrics at once: each has the value it had last.

    ``judge`` gets the values by metric; it is asked as soon as all have one. A value older than ``stale_ms`` counts as
    missing; 0: values do not age. Those of ``beside`` may be missing, and count only in the message that brought them.
    """

    __slots__ = ("_judge", "_metrics", "_stale_ms", "memory")
    joins = True

    def __init__(
        self,
        kept: Any,
        metrics: Sequence[str],
        judge: Callable[[Mapping[str, float]], float | None],
        stale_ms: int = 0,
        beside: Collection[str] = (),
    ) -> None:
        """Go on from what was kept."""
        self.memory: _Values = _Values(kept, beside)
        self._judge, self._metrics, self._stale_ms = judge, metrics, stale_ms

    @property
    @override
    def remembers(self) -> str:
        return " ".join(["values", *sorted(self.memory.beside)])

    @override
    def value(self, reading: Reading) -> float | None:
        values = dict(self.memory.now)
        for name in self._metrics:
            held = self.memory.held.get(name)
            if held is None or (self._stale_ms and reading.at_ms - held[1] > self._stale_ms):
                return None
            values[name] = held[0]
        return self._judge(values)

    @override
    def leave(self, device_id: str) -> bool:
        return self.memory.forget(device_id)


class _Values:
    """The value each metric had last, when, and which device gave it; and what counts only in its own message."""

    __slots__ = ("_done", "beside", "held", "now")

    def __init__(self, kept: Any, beside: Collection[str]) -> None:
        self.beside = beside
        self.held: dict[str, Sequence[Any]] = dict(kept or {})
        self.now: dict[str, float] = {}
        self._done = False

    def add(self, reading: Reading, whole: bool) -> None:
        if self._done:
            self.now = {}
        self._done = whole
        if reading.metric in self.beside:
            self.now[reading.metric] = reading.value
        else:
            self.held[reading.metric] = (reading.value, reading.at_ms, reading.device_id)

    def forget(self, device_id: str) -> bool:
        gone = [name for name, held in self.held.items() if held[2:] and held[2] == device_id]
        for name in gone:
            del self.held[name]
        return bool(gone)

    def keep(self) -> Any:
        return self.held
