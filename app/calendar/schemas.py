"""Wire names of the calendar."""

from __future__ import annotations

from datetime import date

from app.calendar.days import DAY_KINDS
from app.core import fields

MOST_DAYS = 1_000


class CalendarDaySchema(fields.Schema):
    """A day that is not what its weekday says. ``workday``: a weekend that is worked."""

    day = fields.Day(required=True)
    kind = fields.OneOf(*DAY_KINDS, required=True)
    name_zh = fields.Text(100, 1, required=True)
    name_en = fields.Text(100, 1, required=True)


class CalendarDaysSchema(fields.Schema):
    """Days, in order."""

    days = fields.Listing(fields.Nested(CalendarDaySchema), most=MOST_DAYS, required=True)


class CalendarQuery(fields.Schema):
    """Which days: from ``since`` up to and with ``until``."""

    since = fields.Day(load_default=date(1900, 1, 1))
    until = fields.Day(load_default=date(2199, 12, 31))
