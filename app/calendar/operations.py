"""Verbs on the calendar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.calendar.models import CalendarDay
from app.core.db import insert_many
from app.core.errors import FieldsInvalid, NotFound
from app.core.history import Subject, record
from app.users.rights import Actor

_ABOUT = Subject("calendar", "calendar")


def set_days(session: Session, actor: Actor, days: Sequence[dict[str, Any]]) -> None:
    """Write down what some days are; a day that is there already is replaced.

    Args:
        days: each with ``day``, ``kind``, ``name_zh``, ``name_en``.

    Raises:
        FieldsInvalid: ``not_each_once`` when a day is named twice, or none is.
    """
    named = sorted(one["day"] for one in days)
    if len(set(named)) != len(named) or not named:
        raise FieldsInvalid({"days": ["not_each_once"]})
    insert_many(session, CalendarDay, list(days), replacing=("day",))
    since, until = named[0].isoformat(), named[-1].isoformat()
    record(session, "calendar.days_set", _ABOUT, actor_id=actor.id, n=len(named), since=since, until=until)


def remove_day(session: Session, actor: Actor, day: date) -> None:
    """Make a day what its weekday says again.

    Raises:
        NotFound: when it is that already.
    """
    found = session.get(CalendarDay, day)
    if found is None:
        raise NotFound
    session.delete(found)
    record(session, "calendar.day_removed", _ABOUT, actor_id=actor.id, day=day.isoformat(), was=found.kind)
