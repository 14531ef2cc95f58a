"""Stations and stock over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.stations import operations, queries, schemas
from app.stations.models import PartStock, Station
from app.users.rights import Actor

routes = Routes("stations", __name__, description="Service stations and their parts")


@routes.door("GET", "/stations", policy="stations.read", query=PageQuery, answer=page_of(schemas.StationSchema))
def list_stations(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List stations."""
    return page(session, queries.visible_to(actor), Station, query)


@routes.door("POST", "/stations", policy="stations.manage", body=schemas.StationSchema, answer=schemas.StationSchema, status=201)
def create_station(session: Session, actor: Actor, body: dict[str, Any]) -> Station:
    """Add a station."""
    return operations.create_station(session, actor, body | {"partner_id": actor.partner_id or body.get("partner_id")})


@routes.door("GET", "/stations/<station_id>", policy="stations.read", answer=schemas.StationSchema)
def read_station(session: Session, actor: Actor, station_id: str) -> Station:
    """Read one station."""
    return queries.access_station(session, actor, station_id)


@routes.door(
    "PATCH", "/stations/<station_id>", policy="stations.manage", body=schemas.StationEditSchema, answer=schemas.StationSchema
)
def edit_station(session: Session, actor: Actor, body: dict[str, Any], station_id: str) -> Station:
    """Change a station."""
    station = queries.access_station(session, actor, station_id)
    check_version(station)
    return operations.edit_station(session, actor, station, body)


@routes.door("GET", "/stations/<station_id>/stock", policy="stations.read", query=PageQuery, answer=page_of(schemas.StockSchema))
def list_stock(session: Session, actor: Actor, query: dict[str, Any], station_id: str) -> dict[str, Any]:
    """List a station's parts; its staff, its partner and the office see them."""
    station = queries.access_station(session, actor, station_id)
    return page(session, queries.visible_stock(actor, station.id), PartStock, query)


@routes.door("POST", "/stations/<station_id>/stock", policy="stock.manage", body=schemas.StockSchema, answer=schemas.StockSchema)
def set_stock(session: Session, actor: Actor, body: dict[str, Any], station_id: str) -> PartStock:
    """Set how many units of a part a station holds."""
    station = queries.access_station(session, actor, station_id)
    return operations.set_stock(session, actor, station, body["part_no"], body["on_hand"])
