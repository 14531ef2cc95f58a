"""The days of the calendar."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, Date, String
from sqlalchemy.orm import Mapped, mapped_column

from app.calendar.days import DAY_KINDS
from app.core.db import Base


class CalendarDay(Base):
    """A day that is not what its weekday says: a holiday, or a weekend that is worked."""

    __tablename__ = "calendar_days"
    __table_args__ = (CheckConstraint(f"kind IN {DAY_KINDS}", name="kind"),)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    name_zh: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
