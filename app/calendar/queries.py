"""The only readers of the calendar."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.calendar.days import Calendar
from app.calendar.models import CalendarDay


def calendar_of(session: Session) -> Calendar:
    """Return the organisation's calendar."""
    rows = session.execute(select(CalendarDay.day, CalendarDay.kind).order_by(CalendarDay.day))
    return Calendar(tuple((day, kind) for day, kind in rows))  # type: ignore[misc]  # checked by the table


def days_in(session: Session, since: date, until: date, limit: int) -> list[CalendarDay]:
    """Return the days from ``since`` up to and with ``until``, in order."""
    query = select(CalendarDay).where(CalendarDay.day >= since, CalendarDay.day <= until)
    return list(session.scalars(query.order_by(CalendarDay.day).limit(limit)))
