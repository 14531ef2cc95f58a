"""Rules and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.tracked import Tracked


class Rule(Tracked):
    """A rule: the number of its present version, and whether it is switched on."""

    __tablename__ = "rules"
    code: Mapped[str] = mapped_column(String(40), unique=True)
    enabled: Mapped[bool] = mapped_column(default=True)
    number: Mapped[int] = mapped_column(default=1)


class RuleVersion(Base):
    """One version of a rule's document. Never changed; decides from ``since`` on."""

    __tablename__ = "rule_versions"
    rule_id: Mapped[str] = mapped_column(ForeignKey("rules.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    since: Mapped[datetime] = mapped_column(Moment)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
