"""What lists and figures are narrowed to, in the same words for both: days of the organisation, rows of a group or of none."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, and_, case

from app.core.clock import to_ms
from app.core.db import in_ms

# In place of an id: rows that have none.
NONE = "none"
_DAY = timedelta(days=1)
_DAY_MS = 86_400_000
_EPOCH = date(1970, 1, 1)


def same_or_none(column: Any, wanted: str) -> ColumnElement[bool]:
    """Return the condition that a column holds an id, or for ``none`` that it holds nothing."""
    return column.is_(None) if wanted == NONE else column == wanted  # type: ignore[no-any-return]


def day_begins(zone: tzinfo, day: date) -> datetime:
    """Return when a day of a time zone begins, aware UTC."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def within_days(column: Any, zone: tzinfo, wanted: Mapping[str, Any]) -> ColumnElement[bool]:
    """Return the condition that an instant lies in the days from ``from_day`` to ``until_day``, as far as they are given."""
    conditions = []
    if "from_day" in wanted:
        conditions.append(column >= day_begins(zone, wanted["from_day"]))
    if "until_day" in wanted:
        conditions.append(column < day_begins(zone, wanted["until_day"] + _DAY))
    return and_(True, *conditions)


def day_number(column: Any, zone: tzinfo, first: date, last: date) -> ColumnElement[int]:
    """Return SQL that numbers the days of a time zone by instants that lie from ``first`` to ``last``; see ``day_of_number``.

    No database needs a table of time zones for it: an offset changes a few times a year, at instants that are looked for here.
    """
    changes = list(_offsets(zone, first, last))
    ms = in_ms(column)
    offset_ms: Any = changes[-1][1]
    if len(changes) > 1:
        nexts = [(ms < following, offset) for (_, offset), (following, _) in itertools.pairwise(changes)]
        offset_ms = case(*nexts, else_=changes[-1][1])
    return (ms + offset_ms) // _DAY_MS  # type: ignore[no-any-return]


def day_of_number(number: int) -> date:
    """Return the day that ``day_number`` numbers so."""
    return _EPOCH + timedelta(days=number)


def _offsets(zone: tzinfo, first: date, last: date) -> Iterator[tuple[int, int]]:
    """Yield from which instant on (Unix ms) which offset (ms) holds in a zone, within some days."""
    at_ms, end_ms = to_ms(day_begins(zone, first)), to_ms(day_begins(zone, last + _DAY))
    offset = _offset_ms(zone, at_ms)
    yield at_ms, offset
    while at_ms < end_ms:
        following = at_ms + _DAY_MS // 4  # no zone changes its clock twice within so little
        changed = _offset_ms(zone, following)
        if changed != offset:
            low, high = at_ms, following
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if _offset_ms(zone, middle) == offset else (low, middle)
            yield high, changed
            offset = changed
        at_ms = following


def _offset_ms(zone: tzinfo, at_ms: int) -> int:
    found = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(zone).utcoffset() or timedelta()
    return found // timedelta(milliseconds=1)
