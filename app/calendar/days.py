"""Which days are not what their weekday says. Pure.

In China some weekends are worked so that public holidays are longer (调休); the State Council names both each year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Literal

DayKind = Literal["holiday", "school_holiday", "workday"]
_SATURDAY = 5
DAY_KINDS: tuple[DayKind, ...] = ("holiday", "school_holiday", "workday")


@dataclass(frozen=True)
class Calendar:
    """Days with their kind, in order."""

    days: tuple[tuple[date, DayKind], ...] = ()

    @cached_property
    def kinds(self) -> Mapping[date, DayKind]:
        """The kind of each day that has one."""
        return dict(self.days)

    def is_worked(self, day: date) -> bool:
        """Tell whether the organisation works on a day: Monday to Friday but for holidays, and weekends that are worked."""
        kind = self.kinds.get(day)
        return kind == "workday" or (kind != "holiday" and day.weekday() < _SATURDAY)


ORDINARY = Calendar()
"""A calendar in which every day is what its weekday says."""
