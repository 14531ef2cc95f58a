"""One struct for each kind of rule: what its document says beside what all say, and what its detector takes from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal

import msgspec
from typing_extensions import override

from app.rules.base import Base, OneMetric, TwoLevels
from app.rules.conditions import compile_condition
from app.rules.detectors import fences
from app.rules.detectors.levels import Level, LevelSettings
from app.rules.detectors.shapes import Aggregate, Aggregated, Hits, Joined, Slope, Usage
from app.rules.detectors.silence import SilenceSettings
from app.rules.detectors.trend import NEVER_DAYS, Prediction, Trend
from app.rules.parts import LONGEST_H, Beyond, Condition, Context, Standing, check_minutes, check_window, told_of

_HOUR_MS, _MINUTE_MS, _DAY_MS = 3_600_000, 60_000, 86_400_000


class Threshold(TwoLevels[Condition], frozen=True, kw_only=True, tag="threshold"):
    """Readings in a row beyond a level."""


class Duration(TwoLevels[Standing], frozen=True, kw_only=True, tag="duration"):
    """A value beyond a level without a break; a value stands until the next one, at most ``stale_after_min``."""

    stale_after_min: float = 0

    @override
    def compared(self, context: Context) -> dict[str, Any]:
        return {"value_holds": True, "stale_ms": round(self.stale_after_min * _MINUTE_MS)}

    @override
    def check(self) -> None:
        super().check()
        check_minutes("stale_after_min", self.stale_after_min)


class Rate(TwoLevels[Condition], frozen=True, kw_only=True, tag="rate"):
    """How fast a value changes, per hour, over a window."""

    over_h: float
    least: int = 3

    @override
    def compared(self, context: Context) -> dict[str, Any]:
        return {"shape": partial(Slope, over_ms=round(self.over_h * _HOUR_MS), least=self.least)}

    @override
    def told(self) -> dict[str, Any]:
        return {"per_h_over_h": self.over_h}

    @override
    def check(self) -> None:
        super().check()
        check_window(self.over_h, self.least, 2)


class MOfN(OneMetric, frozen=True, kw_only=True, tag="m_of_n"):
    """At least ``m`` of the last ``n`` readings beyond a level; clears when at most ``clear_at`` are."""

    hit_if: Beyond
    m: int
    n: int
    clear_at: int = 0

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition; see ``TwoLevels.condition``."""
        return told_of(self.hit_if) | {"m_of_n": f"{self.m}/{self.n}"}

    def settings(self, context: Context) -> LevelSettings:
        """Return what the detector takes."""
        shape = partial(Hits, level=self.hit_if.level(context.limits), of=self.n)
        return self._levels(context, Level("at_least", self.m, 1, 0), Level("at_most", self.clear_at, 1, 0), shape=shape)

    @override
    def check(self) -> None:
        super().check()
        self.hit_if.check("hit_if")
        if not 1 <= self.m <= self.n <= 100 or not 0 <= self.clear_at < self.m:
            raise ValueError("m_of_n: 1 <= m <= n <= 100, 0 <= clear_at < m")


class Window(TwoLevels[Condition], frozen=True, kw_only=True, tag="window"):
    """An aggregate of the readings of the last while, beyond a level."""

    aggregate: Aggregate
    over_h: float
    least: int = 1

    @override
    def compared(self, context: Context) -> dict[str, Any]:
        return {"shape": partial(Aggregated, kind=self.aggregate, over_ms=round(self.over_h * _HOUR_MS), least=self.least)}

    @override
    def told(self) -> dict[str, Any]:
        return {f"{self.aggregate}_over_h": self.over_h}

    @override
    def check(self) -> None:
        super().check()
        check_window(self.over_h, self.least, 1)


class UsageSinceFitted(OneMetric, frozen=True, kw_only=True, tag="usage"):
    """How much a counter (hours, cycles, km) grew since the component was fitted; a new component begins at none."""

    raise_if: Condition

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition; see ``TwoLevels.condition``."""
        return told_of(self.raise_if) | {"since_fitted": True}

    def settings(self, context: Context) -> LevelSettings:
        """Return what the detector takes."""
        return self._levels(context, self.raise_if.lasting(context.limits), None, shape=Usage)

    @override
    def check(self) -> None:
        super().check()
        self.raise_if.check("raise_if")
        if not self.component:
            raise ValueError("usage: needs a component")


class Trending(OneMetric, frozen=True, kw_only=True, tag="trend"):
    """A value that will reach a level within so many days; clears when that is further off than ``clear_days``."""

    reaches: Beyond
    within_days: float
    clear_days: float
    over_days: float
    least: int = 10
    readings: int = 3

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition; see ``TwoLevels.condition``."""
        return {f"reaches_{name}": value for name, value in told_of(self.reaches).items()} | {"within_days": self.within_days}

    def _shape(self, context: Context) -> Callable[[Any], Trend]:
        level = self.reaches.level(context.limits)
        return partial(Trend, level=level, over_ms=round(self.over_days * _DAY_MS), least=self.least)

    @override
    def foresees(self, memory: Any, context: Context) -> Prediction | None:
        return self._shape(context)(memory).prediction()

    def settings(self, context: Context) -> LevelSettings:
        """Return what the detector takes."""
        soon, far = Level("at_most", self.within_days, self.readings, 0), Level("at_least", self.clear_days, self.readings, 0)
        return self._levels(context, soon, far, shape=self._shape(context))

    @override
    def check(self) -> None:
        super().check()
        self.reaches.check("reaches")
        if not 0 < self.within_days < self.clear_days <= NEVER_DAYS:
            raise ValueError("trend: 0 < within_days < clear_days <= 36500")
        if not 0.01 <= self.over_days <= 3650 or not 3 <= self.least <= 10_000 or not 1 <= self.readings <= 100:
            raise ValueError("trend: over_days 0.01 to 3650, least 3 to 10000, readings 1 to 100")


class Circle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is at most so far from a position, WGS-84."""

    lat: float
    lon: float
    radius_m: float


class Fenced(Base, frozen=True, kw_only=True, tag="fence"):
    """A position inside, or outside, of an area: entering, leaving, and with ``for_min`` staying.

    A position whose accuracy leaves open on which side it is decides nothing. ``margin_m`` beyond the edge, away from what
    raises, clears.
    """

    when: Literal["inside", "outside"]
    circle: Circle | None = None
    polygon: tuple[tuple[float, float], ...] | None = None
    margin_m: float = 30
    readings: int = 2
    for_min: float = 0
    lat_metric: str = "lat_deg"
    lon_metric: str = "lon_deg"
    accuracy_metric: str = "accuracy_m"

    @property
    @override
    def metrics(self) -> tuple[str, ...]:
        return (self.lat_metric, self.lon_metric, self.accuracy_metric)

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition; see ``TwoLevels.condition``."""
        told: dict[str, Any] = {"fence": self.when}
        return told | ({"for_min": self.for_min} if self.for_min else {"readings": self.readings})

    def fence(self) -> fences.Fence:
        """Return the area."""
        if self.circle is not None:
            return fences.circle(self.circle.lat, self.circle.lon, self.circle.radius_m)
        return fences.polygon(self.polygon or ())

    def settings(self, context: Context) -> LevelSettings:
        """Return what the detector takes."""
        fence, (lat, lon, accuracy) = self.fence(), self.metrics

        def outside_m(values: Mapping[str, float]) -> float | None:
            return fences.certainly_outside_m(fence, values[lat], values[lon], values.get(accuracy, 0.0))

        span, readings = round(self.for_min * _MINUTE_MS), self.readings
        if self.when == "inside":
            raising, clearing = Level("at_most", 0, readings, span), Level("above", self.margin_m, readings, 0)
        else:
            raising, clearing = Level("above", 0, readings, span), Level("at_most", -self.margin_m, readings, 0)
        shape = partial(Joined, metrics=(lat, lon), judge=outside_m, beside=(accuracy,))
        return self._levels(context, raising, clearing, shape=shape, value_holds=bool(self.for_min))

    @override
    def check(self) -> None:
        super().check()
        if (self.circle is None) == (self.polygon is None):
            raise ValueError("fence: exactly one of circle and polygon")
        if self.component:
            raise ValueError("fence: is about the asset, not a component")
        if not 0 <= self.margin_m <= 10_000 or not 1 <= self.readings <= 100:
            raise ValueError("fence: margin_m 0 to 10000, readings 1 to 100")
        places = ((self.circle.lat, self.circle.lon),) if self.circle is not None else self.polygon or ()
        if not all(-90 < lat < 90 and -180 <= lon <= 180 for lat, lon in places):
            raise ValueError("fence: (lat, lon) in degrees, WGS-84")
        check_minutes("for_min", self.for_min)
        self.fence()


class Conditioned(Base, frozen=True, kw_only=True, tag="condition"):
    """A condition over several metrics, in CEL; each has the value it had last."""

    metrics_: tuple[str, ...] = msgspec.field(name="metrics")
    raise_when: str
    clear_when: str = ""
    readings: int = 1
    for_min: float = 0
    stale_after_min: float = 0

    @property
    @override
    def metrics(self) -> tuple[str, ...]:
        return self.metrics_

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition; see ``TwoLevels.condition``."""
        told: dict[str, Any] = {"when": self.raise_when}
        return told | ({"for_min": self.for_min} if self.for_min else {"readings": self.readings})

    def settings(self, context: Context) -> LevelSettings:
        """Return what the detector takes."""
        raises = compile_condition(self.raise_when, self.metrics_)
        clears = compile_condition(self.clear_when, self.metrics_) if self.clear_when else None

        def side(values: Mapping[str, float]) -> float | None:
            held = raises(values)
            if held is None:
                return None
            if held:
                return 1.0
            return -1.0 if clears is None or clears(values) else 0.0

        shape = partial(Joined, metrics=self.metrics_, judge=side, stale_ms=round(self.stale_after_min * _MINUTE_MS))
        span = round(self.for_min * _MINUTE_MS)
        raising, clearing = Level("above", 0, self.readings, span), Level("below", 0, self.readings, 0)
        return self._levels(
            context, raising, clearing, shape=shape, value_holds=bool(self.for_min),
            stale_ms=round(self.stale_after_min * _MINUTE_MS),
        )  # fmt: skip

    @override
    def check(self) -> None:
        super().check()
        if not 1 <= len(self.metrics_) <= 20 or len(set(self.metrics_)) != len(self.metrics_):
            raise ValueError("condition: 1 to 20 metrics, each once")
        if not 1 <= self.readings <= 100:
            raise ValueError("condition: readings 1 to 100")
        for name in ("for_min", "stale_after_min"):
            check_minutes(name, getattr(self, name))
        for name in ("raise_when", "clear_when"):
            text = getattr(self, name)
            if text or name == "raise_when":
                try:
                    compile_condition(text, self.metrics_)
                except ValueError as fault:
                    raise ValueError(f"{name}: {fault}") from None


class Silence(Base, frozen=True, kw_only=True, tag="silence"):
    """Nothing heard from a device for a while, by arrival."""

    silent_after_h: float

    @property
    @override
    def metric(self) -> str:
        return "heard"

    @property
    @override
    def watches(self) -> Literal["component", "asset", "device"]:
        return "device"

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition; see ``TwoLevels.condition``."""
        return {"silent_after_h": self.silent_after_h}

    def settings(self, context: Context) -> SilenceSettings:
        """Return what the detector takes."""
        return SilenceSettings(after_ms=round(self.silent_after_h * _HOUR_MS))

    @override
    def check(self) -> None:
        super().check()
        if self.latch or self.cool_down_h:
            raise ValueError("silence: does not latch or cool down; it ends when the device is heard")
        if not 0.001 <= self.silent_after_h <= LONGEST_H:
            raise ValueError(f"silence: needs silent_after_h between 0.001 and {LONGEST_H}")
