"""How time is cut into periods of which each asks for one visit, and on which day of it. Pure."""

from __future__ import annotations

import hashlib
from calendar import monthrange
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import NamedTuple

_DAY = timedelta(days=1)


class Period(NamedTuple):
    """Days from ``first`` to ``last``, both of them in it. ``key`` names it for ever."""

    key: str
    first: date
    last: date

    def holds(self, day: date) -> bool:
        """Tell whether a day is in it."""
        return self.first <= day <= self.last


def periods(every_days: int | None, times_per_month: int | None, starts_on: date, since: date, until: date) -> list[Period]:
    """Return the periods that have a day from ``since`` to ``until``, in order; none before ``starts_on``.

    Args:
        every_days: length of a period in days, counted from ``starts_on``.
        times_per_month: into so many parts each month is cut, as equal as whole days can be; instead of ``every_days``.
    """
    if every_days is not None:
        found = _by_days(every_days, starts_on, since, until)
    else:
        found = _by_months(times_per_month or 1, starts_on, since, until)
    return [period for period in found if period.last >= since and period.first <= until]


def _by_days(length: int, starts_on: date, since: date, until: date) -> Iterator[Period]:
    first = starts_on + timedelta(days=max(0, (since - starts_on).days // length) * length)
    while first <= until:
        yield Period(first.isoformat(), first, first + timedelta(days=length - 1))
        first += timedelta(days=length)


def _by_months(parts: int, starts_on: date, since: date, until: date) -> Iterator[Period]:
    month = max(since, starts_on).replace(day=1)
    while month <= until:
        days = monthrange(month.year, month.month)[1]
        for part in range(parts):
            first, last = month + part * days // parts * _DAY, month + ((part + 1) * days // parts - 1) * _DAY
            if last >= starts_on:
                yield Period(f"{month:%Y-%m}-{part + 1}of{parts}", max(first, starts_on), last)
        month += days * _DAY


def spread_of(plan_id: str, site_id: str) -> int:
    """Return a number that is a site's own: by it a plan's visits lie on all days of a period, each always on the same."""
    return int.from_bytes(hashlib.sha256(f"{plan_id} {site_id}".encode()).digest()[:4], "big")


def day_in(period: Period, is_worked: Callable[[date], bool], spread: int, not_before: date) -> date | None:
    """Return the day of a period on which a site is visited; None where no day that is worked is left.

    Args:
        spread: see ``spread_of``; where that day has passed it is the next one that is worked.
    """
    length = (period.last - period.first).days + 1
    days = [day for n in range(length) if is_worked(day := period.first + n * _DAY)]
    if not days:
        return None
    wanted = days[spread % len(days)]
    return wanted if wanted >= not_before else next((day for day in days if day >= not_before), None)
