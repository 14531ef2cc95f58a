"""Verbs on stations and their stock."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.tracked import add, touch
from app.stations import hours
from app.stations.models import PartStock, Station, StationTerritory
from app.territories import queries as territories
from app.territories.models import Territory
from app.users.models import Partner
from app.users.rights import Actor


def create_station(session: Session, actor: Actor, values: dict[str, Any]) -> Station:
    """Add a station.

    Args:
        values: the columns of ``Station`` and ``territory_ids``, those it is authorised to serve.

    Raises:
        FieldsInvalid: ``already_exists``, ``unknown_reference`` or ``hours_invalid``.
    """
    values = dict(values)
    territory_ids = values.pop("territory_ids", [])
    _check(session, actor, values, territory_ids)
    if session.scalar(select(Station).where(Station.code == values["code"])):
        raise FieldsInvalid({"code": ["already_exists"]})
    if values.get("id") and session.get(Station, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    station = add(session, Station(**values))
    _authorise(session, station, territory_ids)
    history.record(session, "station.created", history.Subject("station", station.id), actor_id=actor.id)
    return station


def edit_station(session: Session, actor: Actor, station: Station, changes: dict[str, Any]) -> Station:
    """Change a station.

    Raises:
        FieldsInvalid: ``unknown_reference`` or ``hours_invalid``.
    """
    changes = dict(changes)
    territory_ids = changes.pop("territory_ids", None)
    present = {"opening_hours": station.opening_hours, "time_zone": station.time_zone}
    _check(session, actor, present | changes, territory_ids or [])
    for name, value in changes.items():
        setattr(station, name, value)
    if territory_ids is not None:
        _authorise(session, station, territory_ids)
    touch(session, station)
    history.record(session, "station.edited", history.Subject("station", station.id), actor_id=actor.id, fields=sorted(changes))
    return station


def _check(session: Session, actor: Actor, values: dict[str, Any], territory_ids: list[str]) -> None:
    faults: dict[str, list[str]] = {}
    try:
        hours.parse(values["opening_hours"], values["time_zone"])
    except ValueError:
        faults["opening_hours"] = ["hours_invalid"]
    seen = territories.visible_to(actor).with_only_columns(Territory.id)
    known = set(session.scalars(seen.where(Territory.id.in_(territory_ids))))
    if set(territory_ids) - known:
        faults["territory_ids"] = ["unknown_reference"]
    if values.get("partner_id") and session.get(Partner, values["partner_id"]) is None:
        faults["partner_id"] = ["unknown_reference"]
    if faults:
        raise FieldsInvalid(faults)


def _authorise(session: Session, station: Station, territory_ids: list[str]) -> None:
    session.execute(delete(StationTerritory).where(StationTerritory.station_id == station.id))
    for territory_id in sorted(set(territory_ids)):
        session.add(StationTerritory(station_id=station.id, territory_id=territory_id))
    session.flush()


def set_stock(session: Session, actor: Actor, station: Station, part_no: str, on_hand: int) -> PartStock:
    """Set how many units of a part a station holds.

    Raises:
        Conflict: ``part_unavailable`` when more than that are promised to tasks.
    """
    stock = session.scalar(
        select(PartStock).where(PartStock.station_id == station.id, PartStock.part_no == part_no).with_for_update()
    )
    if stock is None:
        stock = add(session, PartStock(station_id=station.id, part_no=part_no, on_hand=on_hand, reserved=0))
    else:
        if on_hand < stock.reserved:
            raise Conflict("part_unavailable", part_no=part_no)
        stock.on_hand = on_hand
        touch(session, stock)
    history.record(
        session, "stock.counted", history.Subject("station", station.id), actor_id=actor.id, part_no=part_no, on_hand=on_hand
    )
    return stock


def reserve_part(session: Session, station_id: str, part_no: str) -> bool:
    """Promise one free unit, guarded in SQL; tell whether there was one."""
    return _move_units(session, station_id, part_no, PartStock.on_hand - PartStock.reserved >= 1, reserved=PartStock.reserved + 1)


def release_part(session: Session, station_id: str, part_no: str) -> bool:
    """Give a promised unit back; tell whether one was promised."""
    return _move_units(session, station_id, part_no, PartStock.reserved >= 1, reserved=PartStock.reserved - 1)


def consume_part(session: Session, station_id: str, part_no: str) -> bool:
    """Take a promised unit out of the stock; tell whether one was promised."""
    return _move_units(
        session, station_id, part_no, PartStock.reserved >= 1, reserved=PartStock.reserved - 1, on_hand=PartStock.on_hand - 1
    )


def _move_units(session: Session, station_id: str, part_no: str, guard: Any, **values: Any) -> bool:
    session.flush()
    moved = session.execute(
        update(PartStock)
        .where(PartStock.station_id == station_id, PartStock.part_no == part_no, PartStock.deleted_at.is_(None), guard)
        .values(version=PartStock.version + 1, updated_at=now(session), **values)
        .execution_options(synchronize_session=False)
    )
    for stock in session.identity_map.values():
        if isinstance(stock, PartStock) and stock.station_id == station_id:
            session.expire(stock)
    return bool(moved.rowcount == 1)  # type: ignore[attr-defined]
