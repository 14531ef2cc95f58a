"""Quiet hours: when a person wants to be left alone, and when that ends."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from push.models import QuietHours


def quiet_end(begins: time, ends: time, zone: ZoneInfo, at: datetime) -> datetime | None:
    """Return when the quiet time that ``at`` lies in ends, or None when it lies in none.

    Args:
        begins: on the clocks of ``zone``; included. Later than ``ends`` when the night lies between.
        ends: on the same clocks; not included.
        at: an aware instant.

    Returns:
        The first instant after ``at`` at which those clocks show ``ends``; where they skip it, the instant that
        would have been it. An hour that the clocks show twice is quiet both times.
    """
    local = at.astimezone(zone)
    shown = local.time()
    inside = begins <= shown < ends if begins <= ends else shown >= begins or shown < ends
    if not inside:
        return None
    days = (local.date() + timedelta(days=number) for number in range(2))
    candidates = [datetime.combine(day, ends, zone).replace(fold=fold) for day in days for fold in (0, 1)]
    # Compared in UTC: between two local times of one zone Python compares what the clocks show.
    return min(end for candidate in candidates if (end := candidate.astimezone(at.tzinfo)) > at)


def rest_until(session: Session, user_id: str, at: datetime) -> datetime | None:
    """Return when the quiet time a person is in ends, or None when they are in none."""
    return end_of(session.get(QuietHours, user_id), at)


def end_of(chosen: QuietHours | None, at: datetime) -> datetime | None:
    """Return when the quiet time that ``at`` lies in ends, or None when it lies in none."""
    if chosen is None:
        return None
    return quiet_end(time.fromisoformat(chosen.begins), time.fromisoformat(chosen.ends), ZoneInfo(chosen.time_zone), at)
