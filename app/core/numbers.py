"""Human numbers such as WO-2026-000042, without gaps or doubles."""

from __future__ import annotations

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.core.db import Base, insert_into, now


class NumberSeries(Base):
    """The last number drawn of one series in one year."""

    __tablename__ = "number_series"
    series: Mapped[str] = mapped_column(String(20), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(BigInteger)


def next_number(session: Session, series: str) -> str:
    """Draw the next number of a series; concurrent callers wait for each other's commit."""
    return next_numbers(session, series, 1)[0]


def next_numbers(session: Session, series: str, count: int) -> list[str]:
    """Draw the next ``count`` numbers of a series."""
    year = now(session).year
    insert = insert_into(session, NumberSeries).values(series=series, year=year, n=count)
    upsert = insert.on_conflict_do_update(index_elements=["series", "year"], set_={"n": NumberSeries.n + insert.excluded.n})
    n = session.execute(upsert.returning(NumberSeries.n)).scalar_one()
    return [f"{series}-{year}-{drawn:06d}" for drawn in range(n - count + 1, n + 1)]
