"""Visit types and their kits."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue
from app.core.scopes import declare_rows
from app.core.tracked import Tracked

STEP_KINDS = ("photo", "stock", "form", "order")
QUESTION_KINDS = ("text", "number", "flag", "day", "choice")

# Who was told to have stayed longer forgot to check out, or their clock was wrong: no length is made of it.
LONGEST_VISIT_H = 24


class VisitType(Tracked):
    """A kind of visit. ``number``: of its newest kit. ``active``: new visits may be of it."""

    __tablename__ = "visit_types"
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name_zh: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    active: Mapped[bool] = mapped_column(default=True)
    number: Mapped[int] = mapped_column(default=1)


class VisitKit(Tracked):
    """The steps of one version of a visit type, in order; see ``schemas.StepSchema``. Never changed."""

    __tablename__ = "visit_kits"
    __table_args__ = (UniqueConstraint("type_id", "number"),)
    type_id: Mapped[str] = mapped_column(ForeignKey("visit_types.id"))
    number: Mapped[int]
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)


for _table in ("visit_types", "visit_kits"):
    declare_rows(_table, (f"SELECT r.id, 'visits:all' FROM {_table} r WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL",))
