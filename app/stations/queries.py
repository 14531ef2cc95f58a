"""The only readers of stations and stock."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.stations.models import PartStock, Station, StationTerritory
from app.users.rights import ADMIN, MANAGER, STAFF, Actor


def visible_to(actor: Actor) -> Select[Station]:
    """Return the stations an actor may see: staff their own, partners theirs, reps and owners all (they are shops)."""
    stations = select(Station).where(Station.deleted_at.is_(None))
    if actor.role == STAFF:
        return stations.where(Station.id == actor.station_id)
    if actor.partner_id is not None:
        return stations.where(Station.partner_id == actor.partner_id)
    return stations


def access_station(session: Session, actor: Actor, station_id: str) -> Station:
    """Load one station the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Station, station_id)


def visible_stock(actor: Actor, station_id: str) -> Select[PartStock]:
    """Return the stock of a station, for its staff, its partner and the office."""
    stock = select(PartStock).where(PartStock.station_id == station_id, PartStock.deleted_at.is_(None))
    if actor.sees_all or (actor.role == STAFF and actor.station_id == station_id):
        return stock
    own = select(Station.id).where(Station.partner_id == actor.partner_id) if actor.partner_id else None
    if own is None or actor.role not in {ADMIN, MANAGER}:
        return stock.where(PartStock.id.is_(None))
    return stock.where(PartStock.station_id.in_(own))


def all_active(session: Session) -> list[Station]:
    """Return every active station, for dispatch."""
    return list(
        session.scalars(select(Station).where(Station.active.is_(True), Station.deleted_at.is_(None)).order_by(Station.id))
    )


def territories_of(session: Session) -> dict[str, set[str]]:
    """Return the authorised territories of all stations."""
    found: dict[str, set[str]] = {}
    for station_id, territory_id in session.execute(select(StationTerritory.station_id, StationTerritory.territory_id)):
        found.setdefault(station_id, set()).add(territory_id)
    return found


def free_units(session: Session, part_no: str) -> dict[str, int]:
    """Return how many unreserved units of a part each station holds."""
    rows = session.execute(
        select(PartStock.station_id, PartStock.on_hand - PartStock.reserved).where(
            PartStock.part_no == part_no, PartStock.deleted_at.is_(None)
        )
    )
    return dict(rows.all())
