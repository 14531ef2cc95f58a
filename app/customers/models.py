"""Customers and sites."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Float, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Moment
from app.core.geo import Position
from app.core.tracked import Tracked


class Customer(Tracked):
    """A person or company that owns equipment. ``owner_id`` is the rep in charge; ``code`` is unique."""

    __tablename__ = "customers"
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(200))
    territory_id: Mapped[str] = mapped_column(ForeignKey("territories.id"), index=True)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"), index=True)


class Site(Tracked):
    """A place where a customer's equipment stands, in WGS-84 degrees."""

    __tablename__ = "sites"
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
