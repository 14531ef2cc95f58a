"""How complete each customer is, and the open tasks to fill gaps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.tracked import Tracked

_OPEN = text("state = 'open'")


class CompletenessRule(Base):
    """Which fields count, and how much, from one version on: ``fields`` holds ``{"field", "weight"}``."""

    __tablename__ = "completeness_rules"
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    fields: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    least: Mapped[int]
    made_by: Mapped[str] = mapped_column(String(36))
    made_at: Mapped[datetime] = mapped_column(Moment)


class CompletenessScan(Base):
    """What the last scan of a customer found. ``seen_no``: the change number it saw; ``rule_version``: what it counted by."""

    __tablename__ = "completeness_scans"
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), primary_key=True)
    score: Mapped[int] = mapped_column(index=True)
    missing: Mapped[list[str]] = mapped_column(JsonValue)
    rule_version: Mapped[int]
    seen_no: Mapped[int] = mapped_column(BigInteger)


class RepairTask(Tracked):
    """What is missing of a customer, for the rep in charge. It closes itself when it is there; one is open at a time."""

    __tablename__ = "repair_tasks"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'done', 'dropped')", name="state"),
        Index("uq_repair_tasks_open", "customer_id", unique=True, postgresql_where=_OPEN, sqlite_where=_OPEN),
        Index(None, "user_id", "state"),
    )
    STATES = {"open": frozenset({"done", "dropped"})}
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    missing: Mapped[list[str]] = mapped_column(JsonValue)
    score: Mapped[int]
    state: Mapped[str] = mapped_column(String(20), default="open")
    closed_at: Mapped[datetime | None] = mapped_column(Moment)
