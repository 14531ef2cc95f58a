"""Plans of a day."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Date, Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment
from app.core.scopes import declare_rows
from app.core.tracked import Tracked

DAY_PLAN_STATES = ("queued", "running", "ready", "failed", "applied")


class DayPlan(Tracked):
    """In what order a rep's visits of a day are best made: what was asked, and once it is ``ready`` the answer.

    Attributes:
        user_id: the rep.
        day: in the organisation's time zone.
        start_lat, start_lon, end_lat, end_lon: WGS-84 degrees; without an end the day ends at the last visit.
        breaks: ``{"from_ms", "until_ms"}`` each, in order.
        whole_day: nobody named the visits, so it is about all of the day.
        keep_windows: the visits' planned windows hold; else they may begin at any time of the day.
        grace_minutes: how late a visit may begin.
        given: the visits as they were, in the order given, and what the answer goes by besides.
        answer: see ``planning.plan``.
        tries, leased_until: who works on it, how often it was begun.
    """

    __tablename__ = "day_plans"
    __table_args__ = (
        CheckConstraint(f"state IN {DAY_PLAN_STATES}", name="state"),
        CheckConstraint("starts_at < ends_at", name="span"),
        Index(None, "state", "created_at"),
        Index(None, "user_id", "day"),
    )
    STATES = {
        "queued": frozenset({"running"}),
        "running": frozenset({"running", "ready", "failed"}),
        "ready": frozenset({"applied"}),
    }
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    day: Mapped[date] = mapped_column(Date)
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    start_lat: Mapped[float] = mapped_column(Float)
    start_lon: Mapped[float] = mapped_column(Float)
    end_lat: Mapped[float | None] = mapped_column(Float)
    end_lon: Mapped[float | None] = mapped_column(Float)
    breaks: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    whole_day: Mapped[bool]
    keep_windows: Mapped[bool]
    grace_minutes: Mapped[int]
    given: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    state: Mapped[str] = mapped_column(String(20), default="queued")
    answer: Mapped[dict[str, Any] | None] = mapped_column(JsonValue)
    tries: Mapped[int] = mapped_column(default=0)
    leased_until: Mapped[datetime | None] = mapped_column(Moment)


declare_rows(
    "day_plans",
    ("SELECT r.id, 'user:' || r.user_id FROM day_plans r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",),
)
