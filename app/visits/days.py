"""Days of the organisation: which visits are of a day, and which of them nobody made."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import hold, try_transition
from app.visits.models import Visit

_MOST_MISSED = 500


def day_of(settings: Settings, at: datetime) -> date:
    """Return the organisation's day of an instant."""
    return at.astimezone(settings.time_zone).date()


def begins(settings: Settings, day: date) -> datetime:
    """Return when a day of the organisation begins, aware UTC."""
    return at_time(settings, day, time())


def at_time(settings: Settings, day: date, clock_time: time) -> datetime:
    """Return when a clock of the organisation shows a time of a day, aware UTC."""
    return datetime.combine(day, clock_time, settings.time_zone).astimezone(UTC)


def of_day(settings: Settings, visits: Select[Visit], day: date) -> Select[Visit]:
    """Narrow visits to those planned to begin on a day of the organisation, or begun on it."""
    since, until = begins(settings, day), begins(settings, day + timedelta(days=1))
    planned = and_(Visit.planned_from >= since, Visit.planned_from < until)
    return visits.where(or_(planned, and_(Visit.began_at >= since, Visit.began_at < until)))


def page_by_time(session: Session, visits: Select[Visit], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of visits in the order of their plan, the earliest first.

    Raises:
        FieldsInvalid: ``invalid`` (cursor) for one we did not make.
    """
    limit = wanted["limit"]
    if wanted.get("cursor"):
        at, row_id = _read(wanted["cursor"])
        visits = visits.where(or_(Visit.planned_from > at, and_(Visit.planned_from == at, Visit.id > row_id)))
    rows = list(session.scalars(visits.order_by(Visit.planned_from, Visit.id).limit(limit + 1)))
    more, rows = len(rows) > limit, rows[:limit]
    last = f"{rows[-1].planned_from.isoformat()} {rows[-1].id}" if more else None
    return {"items": rows, "next": base64.urlsafe_b64encode(last.encode()).decode() if last else None}


def _read(cursor: str) -> tuple[datetime, str]:
    try:
        at, _, row_id = base64.urlsafe_b64decode(cursor.encode()).decode().partition(" ")
        found = datetime.fromisoformat(at)
    except (ValueError, UnicodeError):
        raise FieldsInvalid({"cursor": ["invalid"]}) from None
    if found.tzinfo is None or not row_id.isprintable():
        raise FieldsInvalid({"cursor": ["invalid"]})
    return found, row_id


def passed_by(session: Session, settings: Settings) -> list[str]:
    """Return the planned visits whose day is over, the oldest first."""
    today = begins(settings, day_of(settings, now(session)))
    over = select(Visit.id).where(Visit.state == "planned", Visit.planned_until < today, Visit.deleted_at.is_(None))
    return list(session.scalars(over.order_by(Visit.planned_until, Visit.id).limit(_MOST_MISSED)))


def miss(session: Session, settings: Settings, visit_id: str) -> int:
    """Mark a planned visit whose day is over as missed, unless somebody moved or began it meanwhile; return 1 when it was."""
    visit = hold(session, Visit, visit_id)
    if visit.state != "planned" or visit.planned_until >= begins(settings, day_of(settings, now(session))):
        return 0
    about = Subject("visit", visit.id)
    before = last_entry(session, about)
    if not try_transition(session, visit, "missed", expect=("planned",)):
        return 0
    record(session, "visit.missed", about, causes=[before], until=visit.planned_until.isoformat())
    return 1
