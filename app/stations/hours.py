"""Opening hours: OpenStreetMap's syntax, zone-aware, over midnight, by the calendar. The only opening_hours import; pure.

On a day that the calendar names, ``PH`` (or ``SH``) holds; a weekend that is worked has the hours of the weekday next to it.
Such a day is judged by itself from 0:00 to 24:00: what the day before leaves open over midnight does not reach into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]

from app.calendar.days import ORDINARY, Calendar, DayKind

Span = tuple[datetime, datetime]

_HORIZON = timedelta(days=60)
_UTC = ZoneInfo("UTC")  # the library takes zones with a key only
_DAY = timedelta(days=1)
_TOKENS: dict[DayKind, str] = {"holiday": "PH", "school_holiday": "SH"}
_WEEKDAY = "Mo|Tu|We|Th|Fr|Sa|Su|PH|SH"
_STAND_IN = {5: -_DAY, 6: _DAY}  # a Saturday has Friday's hours, a Sunday Monday's


class Hours:
    """Opening hours as they were read, in their zone, with the calendar they follow."""

    def __init__(self, expression: str, time_zone: str, calendar: Calendar) -> None:
        """Read them, also as they are on holidays.

        Raises:
            ParserError, SyntaxError: what the library makes of a wrong expression.
            KeyError, OSError, TypeError: a zone that is not known.
        """
        self.zone = ZoneInfo(time_zone)
        self._days = calendar.kinds
        self._ordinary = OpeningHours(expression, timezone=self.zone)
        self._special = {
            kind: OpeningHours(_on(token, expression), timezone=self.zone) if token in expression else self._ordinary
            for kind, token in _TOKENS.items()
        }

    def day_of(self, at: datetime) -> date:
        """Return the local day of an instant."""
        return at.astimezone(self.zone).date()

    def begins(self, day: date) -> datetime:
        """Return when a local day begins, aware UTC."""
        return datetime.combine(day, time(), self.zone).astimezone(UTC)

    def special_days(self, start: datetime, end: datetime) -> list[date]:
        """Return the days of the calendar between two instants, in order."""
        first, last = self.day_of(start), self.day_of(end)
        return [day for day in self._days if first <= day <= last]

    def by(self, day: date) -> tuple[OpeningHours, timedelta]:
        """Return by what a local day is judged, and how far away the day lies whose hours it has."""
        kind = self._days.get(day)
        if kind == "workday":
            return self._ordinary, _STAND_IN.get(day.weekday(), timedelta())
        return (self._ordinary if kind is None else self._special[kind]), timedelta()

    def moved(self, at: datetime, by: timedelta) -> datetime:
        """Return the instant at which the same time of day is shown so many days away, aware UTC."""
        return (at.astimezone(self.zone) + by).astimezone(UTC)


def parse(expression: str, time_zone: str, calendar: Calendar = ORDINARY) -> Hours:
    """Read opening hours.

    Args:
        expression: such as ``Mo-Fr 09:00-18:00; Sa 22:00-02:00; PH off``; see the OSM key opening_hours.
        time_zone: IANA name.
        calendar: which days are holidays, and which weekends are worked.

    Raises:
        ValueError: for anything the syntax or the zone list does not know.
    """
    if len(expression) > 300 or not any(letter.isdigit() for letter in expression):
        raise ValueError("empty, too long, or no hours in it")
    try:
        return Hours(expression, time_zone, calendar)
    except (ParserError, SyntaxError, KeyError, OSError, TypeError) as fault:  # TypeError: a zone only Python knows
        raise ValueError(str(fault)) from None


def _on(token: str, expression: str) -> str:
    """Return an expression as it reads on a holiday: what it says of such days, it says of every day."""
    listed = re.sub(rf"\b{token}\b[ ,]+(?=({_WEEKDAY})\b)", "Mo-Su,", expression)
    return re.sub(rf"\b{token}\b", "Mo-Su", listed)


def is_open(hours: Hours, at: datetime) -> bool:
    """Tell whether it is open at an aware instant."""
    opening, away = hours.by(hours.day_of(at))
    return bool(opening.is_open(hours.moved(at, away).astimezone(_UTC)))


def open_spans(hours: Hours, start: datetime, end: datetime) -> list[Span]:
    """Return the open spans inside [start, end), aware UTC, in order."""
    spans: list[Span] = []
    for since, until in _pieces(hours, start, end):
        opening, away = hours.by(hours.day_of(since))
        for opens, closes in _spans(opening, hours.moved(since, away), hours.moved(until, away)):
            begins, ends = hours.moved(opens, -away), hours.moved(closes, -away)
            if spans and spans[-1][1] == begins:
                spans[-1] = (spans[-1][0], ends)
            else:
                spans.append((begins, ends))
    return spans


def _pieces(hours: Hours, start: datetime, end: datetime) -> Iterator[Span]:
    """Cut a time at the days of the calendar."""
    at = start.astimezone(UTC)
    for day in hours.special_days(start, end):
        for cut in (hours.begins(day), hours.begins(day + _DAY)):
            if at < cut < end:
                yield at, cut
                at = cut
    if at < end:
        yield at, end.astimezone(UTC)


def _spans(opening: OpeningHours, start: datetime, end: datetime) -> Iterator[Span]:
    for begins, ends, state, _comment in opening.intervals(start.astimezone(_UTC), end.astimezone(_UTC)):
        if state == State.OPEN:
            since = max(begins.astimezone(UTC), start)
            until = min(ends.astimezone(UTC) if ends is not None else end, end)
            if since < until:
                yield since, until


def after_open_time(hours: Hours, start: datetime, seconds: float) -> datetime:
    """Return the instant at which ``seconds`` of opening time have passed since ``start``.

    A station that does not open within 60 days gets plain time, so that no lease lives for ever.
    """
    left = timedelta(seconds=seconds)
    for since, until in open_spans(hours, start, start + _HORIZON):
        if until - since >= left:
            return since + left
        left -= until - since
    return start + timedelta(seconds=seconds)
