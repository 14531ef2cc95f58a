"""Which station is asked: able stations first to last, and why each stands where it does, or is left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.calendar.days import Calendar
from app.calendar.queries import calendar_of
from app.core.db import now
from app.core.geo import Position, distance_m
from app.customers.models import Site
from app.stations import hours
from app.stations import queries as stations
from app.stations.models import Station
from app.work_orders.models import LIVE_TASK_STATES, StationTask, WorkOrder


@dataclass(frozen=True)
class Candidate:
    """One station judged for one order. ``lacks`` names why it cannot; empty means able.

    ``distance_m`` is None where nobody knows where the order's site is; ``doubt``: why the distance says little.
    """

    station: Station
    lacks: tuple[str, ...]
    is_open: bool
    load: float
    distance_m: int | None
    doubt: str | None = None

    @property
    def order_key(self) -> tuple[bool, bool, float, int, str]:
        """Sort: able, open now, least loaded (in steps of a half), nearest where the way is known, id."""
        return (bool(self.lacks), not self.is_open, int(self.load * 2) / 2, self.distance_m or 0, self.station.id)

    def facts(self) -> dict[str, Any]:
        """Return what the causal log keeps of this judgement."""
        return {
            "station_id": self.station.id,
            "station": self.station.name,
            "lacks": list(self.lacks),
            "open_now": self.is_open,
            "load": round(self.load, 2),
            "distance_m": self.distance_m,
        } | ({"doubt": self.doubt} if self.doubt else {})


class Place(NamedTuple):
    """Where an order's site is, and why a distance to it says little."""

    position: Position | None
    doubt: str | None


def rank_stations(session: Session, order: WorkOrder) -> list[Candidate]:
    """Judge every active station for an order, the best first.

    Able: authorised for the order's territory, holds its certificates, has a free unit of the part,
    and has not refused this order before. Then: open now, load per bay, distance.
    """
    site = session.get_one(Site, order.site_id)
    place = Place(site.position, site.doubt)
    territories = stations.territories_of(session)
    free = stations.free_units(session, order.part_no)
    loads = _loads(session)
    refused = _refused(session, order.id)
    calendar = calendar_of(session)
    judged = []
    for station in stations.all_active(session):
        lacks = []
        if order.territory_id not in territories.get(station.id, set()):
            lacks.append("territory")
        if set(order.certificates) - set(station.certificates):
            lacks.append("certificate")
        if free.get(station.id, 0) < 1:
            lacks.append("part")
        if station.id in refused:
            lacks.append(refused[station.id])
        judged.append(_judge(session, station, tuple(lacks), loads.get(station.id, 0), place, calendar))
    return sorted(judged, key=lambda candidate: candidate.order_key)


def _judge(session: Session, station: Station, lacks: tuple[str, ...], tasks: int, place: Place, calendar: Calendar) -> Candidate:
    try:
        open_now = hours.is_open(hours.parse(station.opening_hours, station.time_zone, calendar), now(session))
    except ValueError:
        open_now = False
    away_m = None if place.position is None else round(distance_m(place.position, station.position))
    return Candidate(station, lacks, open_now, tasks / station.bays, away_m, place.doubt)


def _loads(session: Session) -> dict[str, int]:
    rows = session.execute(
        select(StationTask.station_id, func.count())
        .where(StationTask.state.in_(LIVE_TASK_STATES))
        .group_by(StationTask.station_id)
    )
    return dict(rows.all())


def _refused(session: Session, order_id: str) -> dict[str, str]:
    rows = session.execute(
        select(StationTask.station_id, StationTask.state).where(
            StationTask.work_order_id == order_id, StationTask.state.in_(("rejected", "lapsed"))
        )
    )
    return {station_id: f"{state}_before" for station_id, state in rows}
