"""What rows are found by."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, SmallInteger, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base

_STALE = text("stale")
# Beginnings are a range of the index only where letters are in the order of their code points.
_IN_ORDER = String(32).with_variant(String(32, collation="C"), "postgresql")
_NUMBER = BigInteger().with_variant(Integer, "sqlite")


class SearchRow(Base):
    """A row that can be found. ``digest``: of the texts its terms were made of; ``stale``: they are to be made anew."""

    __tablename__ = "search_rows"
    __table_args__ = (
        UniqueConstraint("kind", "row_id"),
        Index("ix_search_rows_stale", "no", postgresql_where=_STALE, sqlite_where=_STALE),
    )
    no: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    row_id: Mapped[str] = mapped_column(String(36))
    digest: Mapped[str] = mapped_column(String(32))
    stale: Mapped[bool] = mapped_column(default=False)


class SearchTerm(Base):
    """One term of one row; see ``terms.py``. The key's order is the order of results. ``row_no``: of the ``SearchRow``."""

    __tablename__ = "search_terms"
    __table_args__ = ({"sqlite_with_rowid": False},)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    tier: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    term: Mapped[str] = mapped_column(_IN_ORDER, primary_key=True)
    row_no: Mapped[int] = mapped_column(_NUMBER, primary_key=True, index=True)
    field: Mapped[str] = mapped_column(String(60), primary_key=True)
