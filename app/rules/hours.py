"""When a rule looks: opening hours in OpenStreetMap's syntax, by the calendar, as stations have them."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from functools import lru_cache

from app.calendar.days import ORDINARY, Calendar
from app.core.clock import from_ms, to_ms
from app.stations import hours

_AHEAD = timedelta(days=8)


class RuleHours:
    """Hours of a rule in the organisation's zone; asked for instants near each other, it remembers the present span."""

    def __init__(self, text: str, time_zone: str, calendar: Calendar) -> None:
        """Read them.

        Raises:
            ValueError: for what the syntax does not know.
        """
        self._hours = hours.parse(text, time_zone, calendar)
        self._open: tuple[int, int] = (0, 0)

    @staticmethod
    def of(text: str, time_zone: tzinfo | None, calendar: Calendar = ORDINARY) -> RuleHours:
        """Return them, read once.

        Raises:
            ValueError: for what the syntax does not know.
        """
        try:
            return _read(text, str(time_zone or "UTC"), calendar)
        except ValueError as fault:
            raise ValueError(f"hours: {fault}") from None

    def is_open(self, at_ms: int) -> bool:
        """Tell whether the rule looks at an instant."""
        if self._open[0] <= at_ms < self._open[1]:
            return True
        at = from_ms(at_ms)
        if not hours.is_open(self._hours, at):
            return False
        spans = hours.open_spans(self._hours, at, at + _AHEAD)
        if spans and spans[0][0] <= at:
            self._open = (at_ms, to_ms(spans[0][1]))
        return True

    def closes_after(self, at_ms: int) -> int | None:
        """Return when the rule stops looking next; None: not within 8 days."""
        if not self.is_open(at_ms):
            return at_ms
        end = self._open[1]
        return None if end >= to_ms(from_ms(at_ms) + _AHEAD) else end


@lru_cache(maxsize=200)
def _read(text: str, time_zone: str, calendar: Calendar) -> RuleHours:
    return RuleHours(text, time_zone, calendar)
