"""Visit plans."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue
from app.core.tracked import Tracked


class VisitPlan(Tracked):
    """How often the sites of some customers are visited. Times of day by the organisation's clock.

    Attributes:
        conditions: which customers; all of them must hold. See ``segments.py``.
        every_days, times_per_month: one of them; how long a period is. See ``periods.py``.
        starts_on: the day from which periods are counted; nothing is planned before it.
        from_time, until_time: within which a visit is to begin, ``HH:MM``.
    """

    __tablename__ = "visit_plans"
    __table_args__ = (
        CheckConstraint("(every_days IS NULL) <> (times_per_month IS NULL)", name="frequency"),
        CheckConstraint("from_time <= until_time", name="span"),
    )
    name: Mapped[str] = mapped_column(String(100))
    conditions: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    type_id: Mapped[str | None] = mapped_column(ForeignKey("visit_types.id"))
    purpose: Mapped[str] = mapped_column(String(200))
    every_days: Mapped[int | None]
    times_per_month: Mapped[int | None]
    starts_on: Mapped[date] = mapped_column(Date)
    from_time: Mapped[str] = mapped_column(String(5))
    until_time: Mapped[str] = mapped_column(String(5))
    active: Mapped[bool] = mapped_column(default=True)
