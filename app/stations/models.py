"""Stations, what they may do, and their parts."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Float, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue
from app.core.geo import Position
from app.core.scopes import declare_rows
from app.core.tracked import Tracked


class Station(Tracked):
    """A service station. ``opening_hours`` in OpenStreetMap's syntax, read in ``time_zone``; ``bays`` work at once."""

    __tablename__ = "stations"
    __table_args__ = (
        CheckConstraint("lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180", name="place"),
        CheckConstraint("bays BETWEEN 1 AND 50", name="bays"),
    )
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(300), default="")
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    opening_hours: Mapped[str] = mapped_column(String(300))
    time_zone: Mapped[str] = mapped_column(String(60))
    bays: Mapped[int]
    active: Mapped[bool] = mapped_column(default=True)
    partner_id: Mapped[str | None] = mapped_column(ForeignKey("partners.id"), index=True)
    certificates: Mapped[list[str]] = mapped_column(JsonValue)

    @property
    def position(self) -> Position:
        """Where it is."""
        return Position(self.lat, self.lon)


class StationTerritory(Base):
    """A territory this station is authorised to serve."""

    __tablename__ = "station_territories"
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), primary_key=True)
    territory_id: Mapped[str] = mapped_column(ForeignKey("territories.id"), primary_key=True, index=True)


class PartStock(Tracked):
    """How many units of a part a station holds, and how many of them are promised to tasks."""

    __tablename__ = "part_stocks"
    __table_args__ = (
        UniqueConstraint("station_id", "part_no"),
        CheckConstraint("on_hand >= 0 AND reserved >= 0 AND reserved <= on_hand", name="units"),
    )
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    part_no: Mapped[str] = mapped_column(String(60))
    on_hand: Mapped[int]
    reserved: Mapped[int] = mapped_column(default=0)


declare_rows(
    "stations",
    (
        "SELECT r.id, 'station:' || r.id FROM stations r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
        "SELECT r.id, 'stations:all' FROM stations r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
    ),
)
