"""Customers and sites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Moment
from app.core.geo import Position
from app.core.scopes import declare_rows
from app.core.tracked import Tracked


class Customer(Tracked):
    """A person or company that owns equipment. ``owner_id`` is the rep in charge; ``code`` is unique."""

    __tablename__ = "customers"
    MERGED = frozenset({"name", "phone", "email"})
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(200))
    territory_id: Mapped[str] = mapped_column(ForeignKey("territories.id"), index=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)


class Site(Tracked):
    """A place where a customer's equipment stands, in WGS-84 degrees."""

    __tablename__ = "sites"
    MERGED = frozenset({"name", "address", "lat", "lon"})
    __table_args__ = (CheckConstraint("lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180", name="place"),)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(300), default="")
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)

    @property
    def position(self) -> Position:
        """Where it is."""
        return Position(self.lat, self.lon)


class StationGrant(Tracked):
    """A station may see one customer and one asset because it was given a task on it; ended when it loses the task."""

    __tablename__ = "station_grants"
    __table_args__ = (Index(None, "station_id", "ended_at"),)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    task_id: Mapped[str] = mapped_column(String(36), unique=True)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


def ways_by_customer(table: str, path: str = "", *, live: bool = True) -> tuple[str, ...]:
    """Return the ways by which rows that belong to a customer lie in scopes: its territory, its rep, the customer itself.

    Args:
        table: whose rows ``r`` they are.
        path: joins from ``r`` to ``customers c``; by default over ``r.customer_id``.
        live: only while the customer is not deleted.
    """
    joined = path or "JOIN customers c ON c.id = r.customer_id"
    where = "WHERE r.id IN ({ids}) AND r.deleted_at IS NULL" + (" AND c.deleted_at IS NULL" if live else "")
    return (
        f"SELECT r.id, 'territory:' || c.territory_id FROM {table} r {joined} {where}",
        f"SELECT r.id, 'owner:' || c.owner_id FROM {table} r {joined} {where} AND c.owner_id IS NOT NULL",
        f"SELECT r.id, 'customer:' || c.id FROM {table} r {joined} {where}",
    )


declare_rows(
    "customers",
    (
        *ways_by_customer("customers", "JOIN customers c ON c.id = r.id"),
        "SELECT r.id, 'station:' || g.station_id FROM customers r JOIN station_grants g ON g.customer_id = r.id"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND g.ended_at IS NULL",
    ),
    {"station_grants": "SELECT customer_id FROM station_grants WHERE change_no = :n"},
)
declare_rows(
    "sites",
    (
        *ways_by_customer("sites"),
        "SELECT r.id, 'station:' || g.station_id FROM sites r JOIN customers c ON c.id = r.customer_id"
        " JOIN station_grants g ON g.customer_id = c.id"
        " WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND c.deleted_at IS NULL AND g.ended_at IS NULL",
    ),
    {
        "customers": "SELECT r.id FROM sites r JOIN customers c ON c.id = r.customer_id WHERE c.change_no = :n",
        "station_grants": "SELECT r.id FROM sites r JOIN station_grants g ON g.customer_id = r.customer_id"
        " WHERE g.change_no = :n",
    },
)
