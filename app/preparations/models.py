"""What to bring when something changed."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue
from app.core.tracked import Tracked

CHANGES = ("asset_added", "asset_edited", "alarm_stands", "customer_edited", "site_edited")


class BringRule(Tracked):
    """Where so many changes of one kind were found, a text tells the rep what to bring.

    Attributes:
        change: of which kind.
        any_of: models of assets, metrics of alarms, or fields that were edited; empty: whatever it is.
        least: how many at least.
    """

    __tablename__ = "bring_rules"
    __table_args__ = (CheckConstraint(f"change IN {CHANGES}", name="change"), CheckConstraint("least >= 1", name="least"))
    name: Mapped[str] = mapped_column(String(100))
    change: Mapped[str] = mapped_column(String(20))
    any_of: Mapped[list[str]] = mapped_column(JsonValue)
    least: Mapped[int]
    advice_zh: Mapped[str] = mapped_column(String(500))
    advice_en: Mapped[str] = mapped_column(String(500))
    active: Mapped[bool] = mapped_column(default=True)
