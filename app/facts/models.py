"""Codes of other systems, and those nobody has mapped yet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Moment
from app.core.tracked import Tracked


class CodeMapping(Tracked):
    """One code of another system and the choice it stands for.

    ``list_name``: the key of the company's own field whose choices our codes are. ``ours`` is empty while nobody has said what
    it stands for (state ``open``): that is the task to map it.
    """

    __tablename__ = "code_mappings"
    __table_args__ = (
        UniqueConstraint("list_name", "system", "theirs"),
        CheckConstraint("state IN ('open', 'mapped', 'ignored')", name="state"),
        CheckConstraint("(state = 'mapped' AND ours IS NOT NULL) OR (state <> 'mapped' AND ours IS NULL)", name="ours"),
        Index(None, "state", "settled_at"),
    )
    STATES = {
        "open": frozenset({"mapped", "ignored"}),
        "mapped": frozenset({"mapped", "ignored"}),
        "ignored": frozenset({"mapped"}),
    }
    list_name: Mapped[str] = mapped_column(String(30))
    system: Mapped[str] = mapped_column(String(40))
    theirs: Mapped[str] = mapped_column(String(60))
    ours: Mapped[str | None] = mapped_column(String(60))
    state: Mapped[str] = mapped_column(String(20), default="open")
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    # When the facts with this code followed what was decided last; empty while some wait.
    settled_at: Mapped[datetime | None] = mapped_column(Moment)
