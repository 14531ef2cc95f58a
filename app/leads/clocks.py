"""Until when a lead is to be touched: by the settings, in natural hours or in working hours of the organisation's calendar."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.calendar.queries import calendar_of
from app.core.settings import Settings
from app.stations.hours import after_open_time, parse


class Due(NamedTuple):
    """When the rep is reminded, when the managers hear of it, and when the lead goes back to the pool."""

    first_touch_at: datetime
    escalate_at: datetime
    recycle_at: datetime


def due_of(session: Session, settings: Settings, start: datetime) -> Due:
    """Return until when a lead that somebody got at ``start`` is to be touched.

    In working hours a day of ``lead_recycle_days`` is a working day.
    """
    first, later = settings.lead_first_touch_hours, settings.lead_escalation_hours
    if settings.lead_clock == "natural":
        due = start + timedelta(hours=first)
        return Due(due, due + timedelta(hours=later), start + timedelta(days=settings.lead_recycle_days))
    opens, _, closes = settings.working_hours.partition("-")
    hours = parse(f"Mo-Fr {settings.working_hours}; PH off", str(settings.time_zone), calendar_of(session))
    day_s = _seconds(closes) - _seconds(opens)
    return Due(
        after_open_time(hours, start, first * 3600),
        after_open_time(hours, start, (first + later) * 3600),
        after_open_time(hours, start, settings.lead_recycle_days * day_s),
    )


def _seconds(minute: str) -> int:
    found = time.fromisoformat(minute)
    return found.hour * 3600 + found.minute * 60
