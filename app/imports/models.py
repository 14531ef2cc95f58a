"""Imports of spreadsheets: the file's rows, what became of each, and mappings of columns that are kept by name."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.tracked import Tracked

IMPORT_STATES = ("draft", "checked", "running", "done", "failed", "undoing", "undone")
ROW_STATES = ("new", "ready", "faulty", "created", "updated", "unchanged", "refused", "undone", "kept")
_LIVE = text("deleted_at IS NULL")
_UNDER_WAY = text("state IN ('running', 'undoing')")


class Import(Tracked):
    """One file. ``header``: its columns; ``columns``: header -> field; ``defaults``: what a field
    has where no column gives it; ``key``: the field that knows a customer, or a lead, again.

    Attributes:
        system: whose codes the cells of code lists hold; None: they hold ours.
        unmapped: codes of that system nobody has mapped, as the last check met them: ``list_name``, ``code``, ``rows``.
        done: rows that were seen to by the run, or by undoing.
        reason: why it failed.
    """

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint(f"state IN {IMPORT_STATES}", name="state"),
        Index("ix_imports_under_way", "id", postgresql_where=_UNDER_WAY, sqlite_where=_UNDER_WAY),
    )
    STATES = {
        "draft": frozenset({"draft", "checked"}),
        "checked": frozenset({"draft", "checked", "running"}),
        "running": frozenset({"done", "failed"}),
        "done": frozenset({"undoing"}),
        "failed": frozenset({"running", "undoing"}),
        "undoing": frozenset({"undone", "failed"}),
    }
    number: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[str] = mapped_column(String(20))
    file_name: Mapped[str] = mapped_column(String(200))
    encoding: Mapped[str] = mapped_column(String(12))
    header: Mapped[list[str]] = mapped_column(JsonValue)
    columns: Mapped[dict[str, str]] = mapped_column(JsonValue)
    defaults: Mapped[dict[str, str]] = mapped_column(JsonValue)
    key: Mapped[str] = mapped_column(String(20))
    system: Mapped[str | None] = mapped_column(String(40))
    unmapped: Mapped[list[dict[str, Any]] | None] = mapped_column(JsonValue)
    rows: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(12), default="draft")
    reason: Mapped[str | None] = mapped_column(String(60))
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    run_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    undone_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    started_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class ImportRow(Base):
    """One row of a file; ``number`` as a spreadsheet counts it, the header is 1.

    Attributes:
        cells: by header; texts, and numbers where the spreadsheet holds numbers.
        plan: what a run would do: create, update or leave unchanged.
        faults: codes by header, or by field where no column gives it.
        effects: what was written: ``kind``, ``id``, ``before`` (None for a row that was made), ``after`` and
            ``outranked``, each by field, and what the kind needs to take it back.
        outranked: the fields of which a better source's value stays, or would stay; None where there are none.
        waiting: the fields whose code stands for nothing of ours yet; None where there are none.
        follows: the number of the row above that is of the same customer, for another site.
    """

    __tablename__ = "import_rows"
    __table_args__ = (
        CheckConstraint(f"state IN {ROW_STATES}", name="state"),
        Index(None, "import_id", "state", "number"),
        {"sqlite_with_rowid": False},
    )
    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    cells: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    state: Mapped[str] = mapped_column(String(12))
    plan: Mapped[str | None] = mapped_column(String(12))
    faults: Mapped[dict[str, list[str]]] = mapped_column(JsonValue)
    effects: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    outranked: Mapped[list[str] | None] = mapped_column(JsonValue)
    waiting: Mapped[list[str] | None] = mapped_column(JsonValue)
    follows: Mapped[int | None]


class ImportMapping(Tracked):
    """Which column goes to which field, kept by name for the next file of its sort."""

    __tablename__ = "import_mappings"
    __table_args__ = (
        Index("uq_import_mappings_name", "kind", "name_key", unique=True, postgresql_where=_LIVE, sqlite_where=_LIVE),
    )
    kind: Mapped[str] = mapped_column(String(20))
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(100))
    columns: Mapped[dict[str, str]] = mapped_column(JsonValue)
    defaults: Mapped[dict[str, str]] = mapped_column(JsonValue)
    key: Mapped[str] = mapped_column(String(20))
    system: Mapped[str | None] = mapped_column(String(40))
    made_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
