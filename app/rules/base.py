"""What rule documents have in common: what every rule says, what rules about one metric add, and those of two levels."""

from __future__ import annotations

from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from typing_extensions import override

from app.rules.detectors.levels import Level, LevelSettings
from app.rules.detectors.trend import Prediction
from app.rules.hours import RuleHours
from app.rules.parts import (
    LONGEST_H,
    Condition,
    Context,
    Escalation,
    Remind,
    Service,
    Severity,
    Standing,
    check_escalation,
    check_pair,
    told_of,
)

_HOUR_MS = 3_600_000

Lasting = TypeVar("Lasting", Condition, Standing)


class Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="detector"):
    """What every rule says. ``component``: the kind of components it watches; without it, the asset as a whole."""

    name: dict[str, str]
    severity: Severity
    lateness_h: float = 720
    component: str = ""
    hours: str = ""
    reopens_h: float = 0
    latch: bool = False
    cool_down_h: float = 0
    escalate: tuple[Escalation, ...] = ()
    remind: Remind | None = None
    service: Service | None = None

    _has_levels: ClassVar[bool] = False

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

    def steps(self, context: Context) -> tuple[tuple[Severity, LevelSettings], ...]:
        """Return what makes an alarm more severe, from less to more: the same detector with another level."""
        return ()

    def foresees(self, memory: Any, context: Context) -> Prediction | None:
        """Return what is foreseen from what the detector remembers, where it foresees anything."""
        return None

    @property
    def grows_severe(self) -> tuple[tuple[Severity, int], ...]:
        """After how many ms of standing an alarm becomes how severe, from less to more."""
        return tuple((step.severity, round(step.after_h * _HOUR_MS)) for step in self.escalate if step.after_h)

    def check(self) -> None:
        """Refuse what is out of bounds.

        Raises:
            ValueError: saying what is wrong and where.
        """
        if set(self.name) != {"zh-CN", "en"} or not all(0 < len(name) <= 100 for name in self.name.values()):
            raise ValueError("name: give it in zh-CN and en, at most 100 characters each")
        if not 0 < self.lateness_h <= 24 * 400:
            raise ValueError("lateness_h: more than 0 and at most 9600")
        if not (0 <= self.reopens_h <= LONGEST_H and 0 <= self.cool_down_h <= LONGEST_H):
            raise ValueError(f"reopens_h, cool_down_h: 0 to {LONGEST_H}")
        if not all(1 <= len(name) <= 60 for name in self.metrics) or len(self.component) > 40:
            raise ValueError("a metric's name has 1 to 60 characters, a component's kind at most 40")
        if self.hours:
            RuleHours.of(self.hours, None)
        check_escalation(self.severity, self.escalate, by_level=self._has_levels)
        if self.remind is not None:
            self.remind.check()
        if self.service is not None:
            self.service.check()
            if self.watches != "component":
                raise ValueError("service: needs a component to be about")

    def _levels(self, context: Context, raising: Level, clearing: Level | None, **more: Any) -> LevelSettings:
        hours = RuleHours.of(self.hours, context.time_zone, context.calendar) if self.hours else None
        return LevelSettings(raising, clearing, hours=hours, reopens_ms=round(self.reopens_h * _HOUR_MS), **more)


class OneMetric(Base, frozen=True, kw_only=True):
    """Rules about one metric."""

    metric_: str = msgspec.field(name="metric")

    @property
    @override
    def metrics(self) -> tuple[str, ...]:
        return (self.metric_,)


class TwoLevels(OneMetric, Generic[Lasting], frozen=True, kw_only=True):
    """Rules that compare a value with one level that raises and another that clears, and with levels that are more severe.

    What is compared, a kind says: by ``compared``, further settings of the fold; and in words for people by ``told``.
    """

    raise_if: Lasting
    clear_if: Lasting

    _has_levels: ClassVar[bool] = True

    def compared(self, context: Context) -> dict[str, Any]:
        """Return what the fold takes besides the levels; by default the readings themselves are compared."""
        return {"value_holds": context.value_holds}

    def told(self) -> dict[str, Any]:
        """Return what is told of the value that is compared."""
        return {}

    def condition(self) -> dict[str, Any]:
        """Return what is told of the condition: its parts by name, without those that say nothing."""
        return told_of(self.raise_if) | self.told()

    def settings(self, context: Context) -> LevelSettings:
        """Return what the detector takes."""
        raising, clearing = self.raise_if.lasting(context.limits), self.clear_if.lasting(context.limits)
        return self._levels(context, raising, clearing, **self.compared(context))

    @override
    def steps(self, context: Context) -> tuple[tuple[Severity, LevelSettings], ...]:
        levels = [step for step in self.escalate if not step.after_h]
        if not levels:
            return ()
        main = self.settings(context)
        return tuple((step.severity, msgspec.structs.replace(main, raising=step.lasting(context.limits))) for step in levels)

    @override
    def check(self) -> None:
        super().check()
        check_pair(self.raise_if, self.clear_if)
