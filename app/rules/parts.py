"""The parts rule documents are made of: comparisons, how long they must hold, the service that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Any, Literal

import msgspec

from app.calendar.days import ORDINARY, Calendar
from app.core.settings import amount
from app.rules.detectors.levels import Comparison, Level

_HOUR_MS, _MINUTE_MS = 3_600_000, 60_000
LONGEST_H = 24 * 90
_LONGEST_MIN = 60 * 24 * 30
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
        calendar: of the organisation; the rule's hours follow it.
    """

    value_holds: bool = False
    limits: Mapping[str, float] = field(default_factory=dict)
    time_zone: tzinfo | None = None
    calendar: Calendar = ORDINARY


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
        if not 1 <= self.readings <= 100 or not 0 <= self.span_h <= LONGEST_H:
            raise ValueError(f"{name}: readings 1 to 100, span_h 0 to {LONGEST_H}")

    def lasting(self, limits: Mapping[str, float]) -> Level:
        """Return it as detectors take it."""
        return self.level(limits, self.readings, round(self.span_h * _HOUR_MS))


class Standing(Beyond, frozen=True, forbid_unknown_fields=True):
    """A comparison that must hold without a break."""

    for_min: float = 0

    def check(self, name: str) -> None:
        """Refuse what is out of bounds; see ``Beyond.check``."""
        super().check(name)
        check_minutes(f"{name}.for_min", self.for_min)

    def lasting(self, limits: Mapping[str, float]) -> Level:
        """Return it as detectors take it."""
        return self.level(limits, 1, round(self.for_min * _MINUTE_MS))


class Escalation(Condition, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """From here on the alarm is more severe: from a level, or when it has stood for ``after_h`` hours of event time."""

    severity: Severity
    after_h: float = 0

    def check(self, name: str) -> None:
        """Refuse what is out of bounds, and what is neither a level nor a time, or both; see ``Beyond.check``."""
        if not self.after_h:
            super().check(name)
        elif not 0 < self.after_h <= LONGEST_H or self != Escalation(severity=self.severity, after_h=self.after_h):
            raise ValueError(f"{name}: after_h stands alone, more than 0 and at most {LONGEST_H}")


Line = Literal["rep", "manager", "admin"]


class Remind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is reminded of an alarm that nobody acknowledges, and when.

    The first reminder goes to the first of ``to`` after ``after_min`` minutes, each further one ``every_min`` minutes later
    to the next of them; the last one stays. There are ``at_most`` so many.
    """

    after_min: float
    every_min: float
    to: tuple[Line, ...]
    at_most: int = 5

    def line(self, step: int) -> tuple[Line, ...]:
        """Return who is asked for at a step, counted from 1: its own place first, then the later ones, then the earlier."""
        place = min(step, len(self.to)) - 1
        return (*self.to[place:], *reversed(self.to[:place]))

    def check(self) -> None:
        """Refuse what is out of bounds.

        Raises:
            ValueError: saying what is wrong.
        """
        if not 1 <= len(self.to) <= 10:
            raise ValueError("remind: to names 1 to 10 roles of rep, manager, admin")
        if not (1 <= self.after_min <= _LONGEST_MIN and 1 <= self.every_min <= _LONGEST_MIN and 1 <= self.at_most <= 100):
            raise ValueError(f"remind: after_min and every_min 1 to {_LONGEST_MIN}, at_most 1 to 100")


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


def told_of(condition: Beyond) -> dict[str, Any]:
    """Return what is told of a condition: its parts by name, without those that say nothing."""
    lasting = {"span_h", "for_min"}
    found = msgspec.structs.asdict(condition).items()
    told = {name: value for name, value in found if value is not None and (value or name not in lasting)}
    return {name: value.otherwise if isinstance(value, Limit) else value for name, value in told.items()}


def check_pair(raise_if: Condition | Standing, clear_if: Condition | Standing) -> None:
    """Refuse a pair of conditions that one value could satisfy both.

    Raises:
        ValueError: saying what is wrong.
    """
    raise_if.check("raise_if")
    clear_if.check("clear_if")
    raising, clearing = raise_if.level({}), clear_if.level({})
    if raising.holds(clearing.value) and clearing.holds(raising.value):
        raise ValueError("clear_if: a value must not raise and clear at once")
    if clearing.holds(clearing.value) and raising.holds(clearing.value):
        raise ValueError("clear_if: its level still raises")


def check_escalation(severity: Severity, steps: Sequence[Escalation], *, by_level: bool) -> None:
    """Refuse steps that do not lead from less to more severe.

    Args:
        severity: of the rule.
        by_level: the kind of rule knows further levels, not only times.

    Raises:
        ValueError: saying what is wrong.
    """
    if len(steps) > 3:
        raise ValueError("escalate: at most 3 steps")
    before = SEVERITIES.index(severity)
    for step in steps:
        step.check("escalate")
        if not (by_level or step.after_h):
            raise ValueError("escalate: this detector knows steps by after_h only")
        if SEVERITIES.index(step.severity) <= before:
            raise ValueError("escalate: each step is more severe than the one before")
        before = SEVERITIES.index(step.severity)


def check_minutes(name: str, minutes: float) -> None:
    """Refuse a length of time that is out of bounds.

    Raises:
        ValueError: saying what is wrong.
    """
    if not 0 <= minutes <= LONGEST_H * 60:
        raise ValueError(f"{name}: 0 to {LONGEST_H * 60} minutes")


def check_window(over_h: float, least: int, fewest: int) -> None:
    """Refuse a window that is out of bounds.

    Raises:
        ValueError: saying what is wrong.
    """
    if not 0.001 <= over_h <= LONGEST_H or not fewest <= least <= 10_000:
        raise ValueError(f"over_h 0.001 to {LONGEST_H}, least {fewest} to 10000")
