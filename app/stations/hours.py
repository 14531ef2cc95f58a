"""Opening hours: OpenStreetMap's syntax, zone-aware, over midnight. The only opening_hours import; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, ParserError, State  # type: ignore[attr-defined]

_HORIZON = timedelta(days=60)
_UTC = ZoneInfo("UTC")  # the library takes zones with a key only


def parse(expression: str, time_zone: str) -> OpeningHours:
    """Read opening hours.

    Args:
        expression: such as ``Mo-Fr 09:00-18:00; Sa 22:00-02:00``; see the OSM key opening_hours.
        time_zone: IANA name.

    Raises:
        ValueError: for anything the syntax or the zone list does not know.
    """
    if len(expression) > 300 or not any(letter.isdigit() for letter in expression):
        raise ValueError("empty, too long, or no hours in it")
    try:
        return OpeningHours(expression, timezone=ZoneInfo(time_zone))
    except (ParserError, SyntaxError, KeyError, OSError, TypeError) as fault:  # TypeError: a zone only Python knows
        raise ValueError(str(fault)) from None


def is_open(hours: OpeningHours, at: datetime) -> bool:
    """Tell whether it is open at an aware instant."""
    return bool(hours.is_open(at.astimezone(_UTC)))


def open_spans(hours: OpeningHours, start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """Return the open spans inside [start, end), aware UTC, in order."""
    spans = []
    for begins, ends, state, _comment in hours.intervals(start.astimezone(_UTC), end.astimezone(_UTC)):
        if state == State.OPEN:
            since = max(begins.astimezone(UTC), start)
            until = min(ends.astimezone(UTC) if ends is not None else end, end)
            if since < until:
                spans.append((since, until))
    return spans


def after_open_time(hours: OpeningHours, start: datetime, seconds: float) -> datetime:
    """Return the instant at which ``seconds`` of opening time have passed since ``start``.

    A station that does not open within 60 days gets plain time, so that no lease lives for ever.
    """
    left = timedelta(seconds=seconds)
    for since, until in open_spans(hours, start, start + _HORIZON):
        if until - since >= left:
            return since + left
        left -= until - since
    return start + timedelta(seconds=seconds)
