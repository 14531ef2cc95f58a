"""Territories: named areas that customers, reps and stations belong to."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.tracked import Tracked


class Territory(Tracked):
    """A named area of responsibility. ``code`` is what files and people refer to."""

    __tablename__ = "territories"
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100))
