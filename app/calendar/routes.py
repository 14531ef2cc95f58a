"""The calendar over HTTP."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from app.calendar import operations, queries, schemas
from app.core.errors import NotFound
from app.core.http import Routes
from app.users.rights import Actor

routes = Routes("calendar", __name__, description="Public holidays, and weekends that are worked")


@routes.door("GET", "/calendar-days", policy="calendar.read", query=schemas.CalendarQuery, answer=schemas.CalendarDaysSchema)
def list_days(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List the days that are not what their weekday says, at most 1,000."""
    return {"days": queries.days_in(session, query["since"], query["until"], schemas.MOST_DAYS)}


@routes.door(
    "POST",
    "/calendar-days",
    policy="calendar.manage",
    body=schemas.CalendarDaysSchema,
    answer=schemas.CalendarDaysSchema,
)
def set_days(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Write down what some days are, such as a whole year's; days that are there already are replaced.

    Opening hours of stations and hours of rules follow at once. Safe to repeat.
    """
    operations.set_days(session, actor, body["days"])
    named = [one["day"] for one in body["days"]]
    return {"days": queries.days_in(session, min(named), max(named), schemas.MOST_DAYS)}


@routes.door("POST", "/calendar-days/<day>/remove", policy="calendar.manage", status=204)
def remove_day(session: Session, actor: Actor, day: str) -> None:
    """Make a day, such as 2026-10-01, what its weekday says again."""
    try:
        found = date.fromisoformat(day)
    except ValueError:
        raise NotFound from None
    operations.remove_day(session, actor, found)
