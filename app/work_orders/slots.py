"""When a station can take an asset in: slots on a fixed grid inside its opening hours, one per bay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.calendar.queries import calendar_of
from app.core.db import insert_once, now
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import transition
from app.stations import hours
from app.stations.models import Station
from app.work_orders import queries
from app.work_orders.models import Booking

_MOST_SLOTS = 200


def free_slots(session: Session, settings: Settings, station: Station) -> list[datetime]:
    """Return the starts of the free slots of a station within the horizon, soonest first, at most 200."""
    length = timedelta(minutes=settings.slot_minutes)
    start = now(session)
    end = start + timedelta(days=settings.slot_horizon_days)
    taken = dict(
        session.execute(
            select(Booking.starts_at, func.count())
            .where(Booking.station_id == station.id, Booking.state == "held", Booking.starts_at >= start)
            .group_by(Booking.starts_at)
        ).all()
    )
    slots: list[datetime] = []
    opening = hours.parse(station.opening_hours, station.time_zone, calendar_of(session))
    for since, until in hours.open_spans(opening, start, end):
        at = _next_on_grid(since, length)
        while at + length <= until and len(slots) < _MOST_SLOTS:
            if taken.get(at, 0) < station.bays:
                slots.append(at)
            at += length
    return slots


def _next_on_grid(at: datetime, length: timedelta) -> datetime:
    seconds = length.total_seconds()
    return datetime.fromtimestamp(-(-at.timestamp() // seconds) * seconds, UTC)


def book(session: Session, settings: Settings, station: Station, order_id: str, at: datetime) -> bool:
    """Take a bay of a station for a slot; tell whether one was free. The unique index decides between racers."""
    if at not in free_slots(session, settings, station):
        return False
    present = now(session)
    for bay in range(1, station.bays + 1):
        if insert_once(
            session,
            Booking,
            id=new_id(),
            station_id=station.id,
            bay=bay,
            starts_at=at,
            ends_at=at + timedelta(minutes=settings.slot_minutes),
            work_order_id=order_id,
            state="held",
            version=1,
            created_at=present,
            updated_at=present,
        ):
            return True
    return False


def cancel_booking(session: Session, order_id: str) -> bool:
    """Give an order's slot back; tell whether it had one."""
    booking = queries.held_booking(session, order_id)
    if booking is None:
        return False
    transition(session, booking, "cancelled")
    return True
