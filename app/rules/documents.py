"""What a rule document may say, and what detectors and actions take from it. One struct a detector; unknown fields are refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, Literal

import msgspec

from app.core.settings import amount
from app.rules.conditions import compile_condition
from app.rules.detectors import fences
from app.rules.detectors.levels import Comparison, Level, LevelSettings
from app.rules.detectors.shapes import Aggregate, Aggregated, Hits, Joined, Slope, Usage
from app.rules.detectors.silence import SilenceSettings
from app.rules.detectors.trend import NEVER_DAYS, Trend
from app.rules.hours import RuleHours

_HOUR_MS, _MINUTE_MS, _DAY_MS = 3_600_000, 60_000, 86_400_000
_LONGEST_H = 24 * 90
_COMPARISONS: tuple[Comparison, ...] = ("below", "at_most", "above", "at_least")
Severity = Literal["warning", "minor", "major", "critical"]
SEVERITIES: tuple[Severity, ...] = ("warning", "minor", "major", "critical")


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A level that is not the same everywhere: the asset's limit of that name, else its device profile's, else ``otherwise``."""

    limit: str
    otherwise: float


Number = float | Limit


@dataclass(frozen=True)
class Context:
    """What a rule's settings depend on, beside its document.

    Attributes:
        value_holds: the source sends only changes.
        limits: the levels of the asset and its device profile, by name.
        time_zone: of the organisation; the rule's hours are read in it.
    """

    value_holds: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    time_zone: tzinfo | None = None


class Beyond(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one comparison."""

    below: Number | None = None
    at_most: Number | None = None
    above: Number | None = None
    at_least: Number | None = None

    def check(self, name: str) -> None:
        """Refuse what is not exactly one comparison with a number.

        Raises:
            ValueError: saying what is wrong with the field ``name``.
        """
        given = [found for found in (getattr(self, each) for each in _COMPARISONS) if found is not None]
        if len(given) != 1:
            raise ValueError(f"{name}: exactly one of below, at_most, above, at_least")
        [number] = given
        if isinstance(number, Limit) and not (1 <= len(number.limit) <= 60 and math.isfinite(number.otherwise)):
            raise ValueError(f"{name}: limit is a name of 1 to 60 characters, otherwise a number")

    def level(self, limits: Mapping[str, float], readings: int = 1, span_ms: int = 0) -> Level:
        """Return it as detectors take it."""
        comparison, number = next((each, found) for each in _COMPARISONS if (found := getattr(self, each)) is not None)
        value = limits.get(number.limit, number.otherwise) if isinstance(number, Limit) else number
        return Level(comparison, value, readings, span_ms)


class Condition(Beyond, frozen=True, forbid_unknown_fields=True):
    """A comparison, and how many readings in a row that span how long must satisfy it."""

    readings: int = 1
    span_h: float = 0

    def check(self, name: str) -> None:
        """Refuse what is out of bounds; see ``Beyond.check``."""
        super().check(name)
        if not 1 <= self.readings <= 100 or not 0 <= self.span_h <= _LONGEST_H:
            raise ValueError(f"{name}: readings 1 to 100, span_h 0 to {_LONGEST_H}")

    def lasting(self, limits: Mapping[str, float]) -> Level:
        """Return it as detectors take it."""
        return self.level(limits, self.readings, round(self.span_h * _HOUR_MS))


class Standing(Beyond, frozen=True, forbid_unknown_fields=True):
    """A comparison that must hold without a break."""

    for_min: float = 0

    def check(self, name: str) -> None:
        """Refuse what is out of bounds; see ``Beyond.check``."""
        super().check(name)
        _check_minutes(f"{name}.for_min", self.for_min)

    def lasting(self, limits: Mapping[str, float]) -> Level:
        """Return it as detectors take it."""
        return self.level(limits, 1, round(self.for_min * _MINUTE_MS))


class Escalation(Condition, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From here on the alarm is more severe."""

    severity: Severity


class Service(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The service an alarm leads to: its kind, price before the coupon, the coupon's discount, certificates needed."""

    kind: str
    price: str
    discount: str
    certificates: tuple[str, ...] = ()

    def amounts(self) -> tuple[Decimal, Decimal]:
        """Return price and discount."""
        return amount(self.price), amount(self.discount)

    def check(self) -> None:
        """Refuse what is out of bounds."""
        if not 1 <= len(self.kind) <= 40 or len(self.certificates) > 10:
            raise ValueError("service: kind of at most 40 characters, at most 10 certificates")
        price, discount = self.amounts()
        if not 0 <= discount <= price < 10**10:
            raise ValueError("service: 0 <= discount <= price")


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="detector"):
    """What every rule says. ``component``: the kind of components it watches; without it, the asset as a whole."""

    subject: ClassVar[Literal["component", "asset", "device"]] = "component"

    name: dict[str, str]
    severity: Severity
    lateness_h: float = 720
    component: str = ""
    hours: str = ""
    reopens_h: float = 0
    service: Service | None = None

    @property
    def detector(self) -> str:
        """The kind of detector."""
        return str(self.__struct_config__.tag)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics it reads."""
        return ()

    @property
    def metric(self) -> str:
        """What its alarms speak of."""
        return self.metrics[0]

    @property
    def watches(self) -> Literal["component", "asset", "device"]:
        """What kind of thing it is about."""
        return "component" if self.component else "asset"

    @property
    def allowance_ms(self) -> int:
        """How old the newest violating reading may be for people to hear of it."""
        return round(self.lateness_h * _HOUR_MS)

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition: its parts by name, without those that say nothing."""
        raise NotImplementedError

    def settings(self, context: Context) -> Any:
        """Return what the detector takes."""
        raise NotImplementedError

    def check(self) -> None:
        """Refuse what is out of bounds.

        Raises:
            ValueError: saying what is wrong and where.
        """
        if set(self.name) != {"zh-CN", "en"} or not all(0 < len(name) <= 100 for name in self.name.values()):
            raise ValueError("name: give it in zh-CN and en, at most 100 characters each")
        if not 0 < self.lateness_h <= 24 * 400:
            raise ValueError("lateness_h: more than 0 and at most 9600")
        if not 0 <= self.reopens_h <= _LONGEST_H:
            raise ValueError(f"reopens_h: 0 to {_LONGEST_H}")
        if not all(1 <= len(name) <= 60 for name in self.metrics) or len(self.component) > 40:
            raise ValueError("a metric's name has 1 to 60 characters, a component's kind at most 40")
        if self.hours:
            RuleHours.of(self.hours, None)
        if self.service is not None:
            self.service.check()
            if self.watches != "component":
                raise ValueError("service: needs a component to be about")

    def _levels(self, context: Context, raising: Level, clearing: Level | None, **more: Any) -> LevelSettings:
        hours = RuleHours.of(self.hours, context.time_zone) if self.hours else None
        return LevelSettings(raising, clearing, hours=hours, reopens_ms=round(self.reopens_h * _HOUR_MS), **more)


class _OneMetric(Document, frozen=True, kw_only=True):
    """Rules about one metric."""

    metric_: str = msgspec.field(name="metric")

    @property
    def metrics(self) -> tuple[str, ...]:
        return (self.metric_,)


class Threshold(_OneMetric, frozen=True, kw_only=True, tag="threshold"):
    """Readings in a row beyond a level."""

    raise_if: Condition
    clear_if: Condition
    escalate: tuple[Escalation, ...] = ()

    def condition(self) -> dict[str, Any]:
        return _parts(self.raise_if)

    def settings(self, context: Context) -> LevelSettings:
        return self._levels(
            context,
            self.raise_if.lasting(context.limits),
            self.clear_if.lasting(context.limits),
            value_holds=context.value_holds,
        )

    def check(self) -> None:
        super().check()
        _check_pair(self.raise_if, self.clear_if)
        _check_escalation(self)


class Duration(_OneMetric, frozen=True, kw_only=True, tag="duration"):
    """A value beyond a level without a break; a value stands until the next one, at most ``stale_after_min``."""

    raise_if: Standing
    clear_if: Standing
    stale_after_min: float = 0

    def condition(self) -> dict[str, Any]:
        return _parts(self.raise_if)

    def settings(self, context: Context) -> LevelSettings:
        return self._levels(
            context,
            self.raise_if.lasting(context.limits),
            self.clear_if.lasting(context.limits),
            value_holds=True,
            stale_ms=round(self.stale_after_min * _MINUTE_MS),
        )

    def check(self) -> None:
        super().check()
        _check_pair(self.raise_if, self.clear_if)
        _check_minutes("stale_after_min", self.stale_after_min)


class Rate(_OneMetric, frozen=True, kw_only=True, tag="rate"):
    """How fast a value changes, per hour, over a window."""

    over_h: float
    least: int = 3
    raise_if: Condition
    clear_if: Condition

    def condition(self) -> dict[str, Any]:
        return _parts(self.raise_if) | {"per_h_over_h": self.over_h}

    def settings(self, context: Context) -> LevelSettings:
        shape = partial(Slope, over_ms=round(self.over_h * _HOUR_MS), least=self.least)
        levels = (self.raise_if.lasting(context.limits), self.clear_if.lasting(context.limits))
        return self._levels(context, *levels, shape=shape)

    def check(self) -> None:
        super().check()
        _check_pair(self.raise_if, self.clear_if)
        _check_window(self.over_h, self.least, 2)


class MOfN(_OneMetric, frozen=True, kw_only=True, tag="m_of_n"):
    """At least ``m`` of the last ``n`` readings beyond a level; clears when at most ``clear_at`` are."""

    hit_if: Beyond
    m: int
    n: int
    clear_at: int = 0

    def condition(self) -> dict[str, Any]:
        return _parts(self.hit_if) | {"m_of_n": f"{self.m}/{self.n}"}

    def settings(self, context: Context) -> LevelSettings:
        shape = partial(Hits, level=self.hit_if.level(context.limits), of=self.n)
        return self._levels(context, Level("at_least", self.m, 1, 0), Level("at_most", self.clear_at, 1, 0), shape=shape)

    def check(self) -> None:
        super().check()
        self.hit_if.check("hit_if")
        if not 1 <= self.m <= self.n <= 100 or not 0 <= self.clear_at < self.m:
            raise ValueError("m_of_n: 1 <= m <= n <= 100, 0 <= clear_at < m")


class Window(_OneMetric, frozen=True, kw_only=True, tag="window"):
    """An aggregate of the readings of the last while, beyond a level."""

    aggregate: Aggregate
    over_h: float
    least: int = 1
    raise_if: Condition
    clear_if: Condition

    def condition(self) -> dict[str, Any]:
        return _parts(self.raise_if) | {f"{self.aggregate}_over_h": self.over_h}

    def settings(self, context: Context) -> LevelSettings:
        shape = partial(Aggregated, kind=self.aggregate, over_ms=round(self.over_h * _HOUR_MS), least=self.least)
        levels = (self.raise_if.lasting(context.limits), self.clear_if.lasting(context.limits))
        return self._levels(context, *levels, shape=shape)

    def check(self) -> None:
        super().check()
        _check_pair(self.raise_if, self.clear_if)
        _check_window(self.over_h, self.least, 1)


class UsageSinceFitted(_OneMetric, frozen=True, kw_only=True, tag="usage"):
    """How much a counter (hours, cycles, km) grew since the component was fitted; a new component begins at none."""

    raise_if: Condition

    def condition(self) -> dict[str, Any]:
        return _parts(self.raise_if) | {"since_fitted": True}

    def settings(self, context: Context) -> LevelSettings:
        return self._levels(context, self.raise_if.lasting(context.limits), None, shape=Usage)

    def check(self) -> None:
        super().check()
        self.raise_if.check("raise_if")
        if not self.component:
            raise ValueError("usage: needs a component")


class Trending(_OneMetric, frozen=True, kw_only=True, tag="trend"):
    """A value that will reach a level within so many days; clears when that is further off than ``clear_days``."""

    reaches: Beyond
    within_days: float
    clear_days: float
    over_days: float
    least: int = 10
    readings: int = 3

    def condition(self) -> dict[str, Any]:
        return {f"reaches_{name}": value for name, value in _parts(self.reaches).items()} | {"within_days": self.within_days}

    def level(self, context: Context) -> Level:
        """Return the level that is reached."""
        return self.reaches.level(context.limits)

    def settings(self, context: Context) -> LevelSettings:
        shape = partial(Trend, level=self.level(context), over_ms=round(self.over_days * _DAY_MS), least=self.least)
        soon, far = Level("at_most", self.within_days, self.readings, 0), Level("at_least", self.clear_days, self.readings, 0)
        return self._levels(context, soon, far, shape=shape)

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


class Fenced(Document, frozen=True, kw_only=True, tag="fence"):
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
    def metrics(self) -> tuple[str, ...]:
        return (self.lat_metric, self.lon_metric, self.accuracy_metric)

    def condition(self) -> dict[str, Any]:
        told: dict[str, Any] = {"fence": self.when}
        return told | ({"for_min": self.for_min} if self.for_min else {"readings": self.readings})

    def fence(self) -> fences.Fence:
        """Return the area."""
        if self.circle is not None:
            return fences.circle(self.circle.lat, self.circle.lon, self.circle.radius_m)
        return fences.polygon(self.polygon or ())

    def settings(self, context: Context) -> LevelSettings:
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

    def check(self) -> None:
        super().check()
        if (self.circle is None) == (self.polygon is None):
            raise ValueError("fence: exactly one of circle and polygon")
        if self.component:
            raise ValueError("fence: is about the asset, not a component")
        if not 0 <= self.margin_m <= 10_000 or not 1 <= self.readings <= 100:
            raise ValueError("fence: margin_m 0 to 10000, readings 1 to 100")
        places = self.polygon or ((self.circle.lat, self.circle.lon),) if self.circle or self.polygon else ()
        if not all(-90 < lat < 90 and -180 <= lon <= 180 for lat, lon in places):
            raise ValueError("fence: (lat, lon) in degrees, WGS-84")
        _check_minutes("for_min", self.for_min)
        self.fence()


class Conditioned(Document, frozen=True, kw_only=True, tag="condition"):
    """A condition over several metrics, in CEL; each has the value it had last."""

    metrics_: tuple[str, ...] = msgspec.field(name="metrics")
    raise_when: str
    clear_when: str = ""
    readings: int = 1
    for_min: float = 0
    stale_after_min: float = 0

    @property
    def metrics(self) -> tuple[str, ...]:
        return self.metrics_

    def condition(self) -> dict[str, Any]:
        told: dict[str, Any] = {"when": self.raise_when}
        return told | ({"for_min": self.for_min} if self.for_min else {"readings": self.readings})

    def settings(self, context: Context) -> LevelSettings:
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

    def check(self) -> None:
        super().check()
        if not 1 <= len(self.metrics_) <= 20 or len(set(self.metrics_)) != len(self.metrics_):
            raise ValueError("condition: 1 to 20 metrics, each once")
        if not 1 <= self.readings <= 100:
            raise ValueError("condition: readings 1 to 100")
        for name in ("for_min", "stale_after_min"):
            _check_minutes(name, getattr(self, name))
        for name in ("raise_when", "clear_when"):
            text = getattr(self, name)
            if text or name == "raise_when":
                try:
                    compile_condition(text, self.metrics_)
                except ValueError as fault:
                    raise ValueError(f"{name}: {fault}") from None


class Silence(Document, frozen=True, kw_only=True, tag="silence"):
    """Nothing heard from a device for a while, by arrival."""

    silent_after_h: float

    @property
    def metric(self) -> str:
        return "heard"

    @property
    def watches(self) -> Literal["component", "asset", "device"]:
        return "device"

    def condition(self) -> dict[str, Any]:
        return {"silent_after_h": self.silent_after_h}

    def settings(self, context: Context) -> SilenceSettings:
        return SilenceSettings(after_ms=round(self.silent_after_h * _HOUR_MS))

    def check(self) -> None:
        super().check()
        if not 0.001 <= self.silent_after_h <= _LONGEST_H:
            raise ValueError(f"silence: needs silent_after_h between 0.001 and {_LONGEST_H}")


AnyDocument = (
    Threshold | Duration | Rate | MOfN | Window | UsageSinceFitted | Trending | Fenced | Conditioned | Silence
)


def read_document(raw: dict[str, Any]) -> Document:
    """Read and check a rule document.

    Raises:
        ValueError: saying what is wrong and where.
    """
    try:
        document: Document = msgspec.convert(raw, AnyDocument)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None
    document.check()
    return document


def _parts(condition: Beyond) -> dict[str, Any]:
    told = {name: value for name, value in msgspec.structs.asdict(condition).items() if value is not None}
    return {name: value.otherwise if isinstance(value, Limit) else value for name, value in told.items()}


def _check_pair(raise_if: Condition | Standing, clear_if: Condition | Standing) -> None:
    raise_if.check("raise_if")
    clear_if.check("clear_if")
    raising, clearing = raise_if.level({}), clear_if.level({})
    if raising.holds(clearing.value) and clearing.holds(raising.value):
        raise ValueError("clear_if: a value must not raise and clear at once")
    if clearing.holds(clearing.value) and raising.holds(clearing.value):
        raise ValueError("clear_if: its level still raises")


def _check_escalation(document: Threshold) -> None:
    if len(document.escalate) > 3:
        raise ValueError("escalate: at most 3 steps")
    before = SEVERITIES.index(document.severity)
    for step in document.escalate:
        step.check("escalate")
        if SEVERITIES.index(step.severity) <= before:
            raise ValueError("escalate: each step is more severe than the one before")
        before = SEVERITIES.index(step.severity)


def _check_minutes(name: str, minutes: float) -> None:
    if not 0 <= minutes <= _LONGEST_H * 60:
        raise ValueError(f"{name}: 0 to {_LONGEST_H * 60} minutes")


def _check_window(over_h: float, least: int, fewest: int) -> None:
    if not 0.001 <= over_h <= _LONGEST_H or not fewest <= least <= 10_000:
        raise ValueError(f"over_h 0.001 to {_LONGEST_H}, least {fewest} to 10000")


DEFAULT_RULES: dict[str, dict[str, Any]] = {
    "battery-health": {
        "name": {"zh-CN": "电池健康度过低", "en": "Battery health is low"},
        "detector": "threshold",
        "severity": "major",
        "lateness_h": 720,
        "metric": "soh_pct",
        "component": "battery_pack",
        "raise_if": {"below": 75.0, "readings": 3, "span_h": 24},
        "clear_if": {"at_least": 78.0, "readings": 3, "span_h": 24},
        "service": {"kind": "battery_replacement", "price": "4800.00", "discount": "500.00", "certificates": ["high_voltage"]},
    },
    "device-silent": {
        "name": {"zh-CN": "设备失联", "en": "Device is silent"},
        "detector": "silence",
        "severity": "warning",
        "silent_after_h": 24,
    },
}
