"""One customer at one glance: people, equipment, what stands open, what was done last. Read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from app.assets.models import Asset, FaultCode
from app.contacts.models import Contact
from app.core.db import now
from app.customers.models import Customer, Site
from app.pages.codes import coded
from app.pages.owed import last_spends, owed
from app.service_offers.models import ServiceOffer
from app.stations.models import Station
from app.users.models import User
from app.users.rights import Actor
from app.visits.models import Visit
from app.work_orders.models import StationTask, WorkOrder
from iot.models import OPEN_STATES, Alarm

MOST_SHOWN = 50
_LAST_FAULTS, _LAST_SERVICES = 10, 3
_OPEN_OFFERS = ("issued", "viewed", "accepted")


def page_of_customer(session: Session, actor: Actor, customer: Customer, time_zone: tzinfo) -> dict[str, Any]:
    """Return what a rep in charge or the office sees of a customer at one glance.

    Args:
        customer: one that the actor may see.
        time_zone: of the organisation; its day decides how long a warranty lasts.
    """
    present = now(session)
    mine = Asset.customer_id == customer.id
    of_assets = Alarm.asset_id.in_(select(Asset.id).where(mine, Asset.deleted_at.is_(None)))
    sites = _listed(session, Site, Site.customer_id == customer.id)
    contacts = _listed(session, Contact, Contact.customer_id == customer.id, Contact.state.in_(("confirmed", "proposed")))
    assets = _listed(session, Asset, mine)
    alarms = _listed(session, Alarm, of_assets, Alarm.state.in_(OPEN_STATES), newest=Alarm.raised_at)
    offers = _listed(session, ServiceOffer, ServiceOffer.customer_id == customer.id, ServiceOffer.state.in_(_OPEN_OFFERS))
    return {
        "customer": customer,
        "sites": sites,
        "contacts": contacts | {"items": [_contact(row) for row in contacts["items"]]},
        "assets": assets | {"items": [_asset(row, present.astimezone(time_zone).date()) for row in assets["items"]]},
        "open_alarms": alarms | {"items": [_alarm(row, actor, time_zone) for row in alarms["items"]]},
        "faults": _faults(session, actor, customer.id, of_assets, time_zone),
        "last_services": _services(session, actor, customer.id, time_zone),
        "open_offers": offers,
        "entitlements": owed(session, customer.id, actor.locale),
        "last_spends": last_spends(session, customer.id, actor.locale),
        "next_visit": _next_visit(session, customer.id, present),
    }


def _listed(session: Session, model: Any, *where: ColumnElement[bool], newest: Any = None) -> dict[str, Any]:
    """Return the first rows and how many there are, in one query."""
    total = func.count().over()
    order = model.id if newest is None else newest.desc()
    query: Select[Any, Any] = select(model, total).where(model.deleted_at.is_(None), *where).order_by(order, model.id)
    rows = session.execute(query.limit(MOST_SHOWN)).all()
    return {"total": rows[0][1] if rows else 0, "items": [row[0] for row in rows]}


def _names(row: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _contact(row: Contact) -> dict[str, Any]:
    """Return a contact; of whoever is not to be called the numbers are no more than recognised."""
    shown = _names(row, "id", "name", "job_title", "role", "locale", "do_not_call", "left_at", "state")
    return shown | {
        name: masked(value) if row.do_not_call else value
        for name, value in (("phone", row.phone), ("office_phone", row.office_phone))
    }


def masked(phone: str | None) -> str | None:
    """Return a phone number by its last two digits."""
    return None if phone is None else f"…{phone[-2:]}"


def _asset(row: Asset, today: date) -> dict[str, Any]:
    shown = _names(row, "id", "serial", "model", "site_id", "warranty_until")
    if row.warranty_until is None:
        return shown | {"warranty": "unknown", "warranty_days_left": None}
    left = (row.warranty_until - today).days
    return shown | {"warranty": "running" if left >= 0 else "over", "warranty_days_left": max(left, 0)}


def _alarm(row: Alarm, actor: Actor, time_zone: tzinfo) -> dict[str, Any]:
    shown = _names(
        row, "id", "asset_id", "state", "severity", "metric", "raised_at", "last_at", "last_value", "cleared_at", "end_reason"
    )
    return shown | {"ended": str(coded(row.end_reason, actor.locale, time_zone)) if row.end_reason else None}


def _faults(
    session: Session, actor: Actor, customer_id: str, of_assets: ColumnElement[bool], time_zone: tzinfo
) -> dict[str, Any]:
    """Return the last alarms that are over, with why they ended, and the last fault codes that devices reported."""
    over = select(Alarm).where(Alarm.deleted_at.is_(None), of_assets, Alarm.state.in_(("cleared", "closed")))
    reported = (
        select(FaultCode)
        .join(Asset, Asset.id == FaultCode.asset_id)
        .where(Asset.customer_id == customer_id, Asset.deleted_at.is_(None), FaultCode.deleted_at.is_(None))
    )
    alarms = session.scalars(over.order_by(Alarm.raised_at.desc(), Alarm.id).limit(_LAST_FAULTS))
    codes = session.scalars(reported.order_by(FaultCode.occurred_at.desc(), FaultCode.id).limit(_LAST_FAULTS))
    return {
        "alarms": [_alarm(row, actor, time_zone) for row in alarms],
        "codes": [_names(row, "id", "asset_id", "code", "severity", "description", "occurred_at") for row in codes],
    }


def _services(session: Session, actor: Actor, customer_id: str, time_zone: tzinfo) -> list[dict[str, Any]]:
    """Return the last work orders with the station that had each last, and what came of it."""
    last = (
        select(WorkOrder)
        .where(WorkOrder.customer_id == customer_id, WorkOrder.deleted_at.is_(None))
        .order_by(WorkOrder.updated_at.desc(), WorkOrder.id)
        .limit(_LAST_SERVICES)
    )
    orders = session.scalars(last).all()
    tasks = (
        select(StationTask, Station.name)
        .join(Station, Station.id == StationTask.station_id)
        .where(StationTask.work_order_id.in_([order.id for order in orders]))
        .order_by(StationTask.id)
    )
    by_order = {task.work_order_id: (task, station) for task, station in session.execute(tasks)}
    return [_service(order, by_order.get(order.id), actor, time_zone) for order in orders]


def _service(order: WorkOrder, held: tuple[StationTask, str] | None, actor: Actor, time_zone: tzinfo) -> dict[str, Any]:
    task, station = held if held is not None else (None, None)
    reason = order.cancel_reason or (task.reason if task is not None and order.state != "finished" else None)
    shown = _names(order, "id", "number", "asset_id", "part_no", "state", "slot_at", "finished_at", "updated_at")
    return shown | {
        "job": str(coded(order.job, actor.locale, time_zone)),
        "station": station,
        "task_state": task.state if task is not None else None,
        "reason": str(coded(reason, actor.locale, time_zone)) if reason else None,
    }


def _next_visit(session: Session, customer_id: str, present: datetime) -> dict[str, Any] | None:
    """Return the visit that is going on, else the next one that is planned; who goes, and when."""
    coming = (
        select(Visit, User.name)
        .join(User, User.id == Visit.user_id)
        .where(
            Visit.customer_id == customer_id,
            Visit.deleted_at.is_(None),
            (Visit.state == "in_progress") | ((Visit.state == "planned") & (Visit.planned_until >= present)),
        )
        .order_by(Visit.state, Visit.planned_from, Visit.id)
    )
    found: Iterable[Any] = session.execute(coming.limit(1))
    for visit, name in found:
        return _names(visit, "id", "number", "site_id", "user_id", "purpose", "planned_from", "planned_until", "state") | {
            "rep": name
        }
    return None
