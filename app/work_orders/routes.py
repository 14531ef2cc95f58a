"""Work orders and station tasks over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset, Component
from app.core.db import now
from app.core.edge import edge_settings
from app.core.errors import FieldsInvalid
from app.core.http import Routes
from app.core.paging import page, page_of
from app.stations import queries as stations
from app.stations.models import Station
from app.users.rights import Actor
from app.work_orders import operations, queries, schemas
from app.work_orders.models import StationTask, WorkOrder

routes = Routes("work_orders", __name__, description="Work orders, station tasks, slots")


@routes.door("GET", "/work-orders", policy="work_orders.read", query=schemas.OrderQuery, answer=page_of(schemas.WorkOrderSchema))
def list_orders(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List work orders."""
    orders = queries.visible_to(actor)
    if "state" in query:
        orders = orders.where(WorkOrder.state == query["state"])
    return page(session, orders, WorkOrder, query)


@routes.door(
    "POST", "/work-orders", policy="work_orders.create", body=schemas.NewOrderSchema, answer=schemas.WorkOrderSchema, status=201
)
def create_order(session: Session, actor: Actor, body: dict[str, Any]) -> WorkOrder:
    """Open a work order by hand and ask the best able station."""
    asset = session.scalar(assets.visible_to(actor).where(Asset.id == body["asset_id"]))
    if asset is None:
        raise FieldsInvalid({"asset_id": ["unknown_reference"]})
    component = session.scalar(assets.visible_components(actor).where(Component.id == body["component_id"]))
    if component is None or assets.fitted_component(session, asset.id, component.kind, now(session)) is not component:
        raise FieldsInvalid({"component_id": ["unknown_reference"]})
    order = operations.open_order(
        session, asset, component, job=body["job"], certificates=body["certificates"], coupon_required=False, actor_id=actor.id
    )
    operations.dispatch(session, edge_settings(), order)
    return order


@routes.door("GET", "/work-orders/<order_id>", policy="work_orders.read", answer=schemas.WorkOrderSchema)
def read_order(session: Session, actor: Actor, order_id: str) -> WorkOrder:
    """Read one work order."""
    return queries.access_order(session, actor, order_id)


@routes.door("GET", "/work-orders/<order_id>/slots", policy="work_orders.read", answer=schemas.SlotsSchema)
def list_slots(session: Session, actor: Actor, order_id: str) -> dict[str, Any]:
    """List the free slots of the station that has accepted the order."""
    order = queries.access_order(session, actor, order_id)
    station, slots = operations.slots_of(session, edge_settings(), order)
    return {"station_id": station.id if station else None, "slots": slots}


@routes.door(
    "POST",
    "/work-orders/<order_id>/assign",
    policy="work_orders.assign",
    body=schemas.AssignSchema,
    answer=schemas.StationTaskSchema,
)
def assign(session: Session, actor: Actor, body: dict[str, Any], order_id: str) -> StationTask:
    """Give an unassigned order to a station by hand."""
    order = queries.access_order(session, actor, order_id)
    station = session.scalar(stations.visible_to(actor).where(Station.id == body["station_id"]))
    if station is None:
        raise FieldsInvalid({"station_id": ["unknown_reference"]})
    return operations.assign(session, edge_settings(), actor, order, station)


@routes.door(
    "POST",
    "/work-orders/<order_id>/cancel",
    policy="work_orders.cancel",
    body=schemas.CancelSchema,
    answer=schemas.WorkOrderSchema,
)
def cancel_order(session: Session, actor: Actor, body: dict[str, Any], order_id: str) -> WorkOrder:
    """Cancel an order that has not begun."""
    order = queries.access_order(session, actor, order_id)
    operations.cancel_order(session, order, body["reason"], [], actor.id)
    return order


@routes.door(
    "GET", "/station-tasks", policy="station_tasks.read", query=schemas.TaskQuery, answer=page_of(schemas.StationTaskSchema)
)
def list_tasks(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List station tasks."""
    tasks = queries.visible_tasks(actor)
    if "state" in query:
        tasks = tasks.where(StationTask.state == query["state"])
    return page(session, tasks, StationTask, query)


@routes.door("GET", "/station-tasks/<task_id>", policy="station_tasks.read", answer=schemas.StationTaskSchema)
def read_task(session: Session, actor: Actor, task_id: str) -> StationTask:
    """Read one station task."""
    return queries.access_task(session, actor, task_id)


@routes.door("POST", "/station-tasks/<task_id>/accept", policy="station_tasks.answer", answer=schemas.StationTaskSchema)
def accept_task(session: Session, actor: Actor, task_id: str) -> StationTask:
    """Take the task, within its time to answer."""
    return operations.accept_task(session, actor, queries.access_task(session, actor, task_id))


@routes.door(
    "POST",
    "/station-tasks/<task_id>/reject",
    policy="station_tasks.answer",
    body=schemas.ReasonSchema,
    answer=schemas.StationTaskSchema,
)
def reject_task(session: Session, actor: Actor, body: dict[str, Any], task_id: str) -> StationTask:
    """Give the task back; the next station is asked."""
    task = queries.access_task(session, actor, task_id)
    return operations.reject_task(session, edge_settings(), actor, task, body["reason"])


@routes.door("POST", "/station-tasks/<task_id>/begin", policy="station_tasks.answer", answer=schemas.StationTaskSchema)
def begin_task(session: Session, actor: Actor, task_id: str) -> StationTask:
    """Begin to work."""
    return operations.begin_task(session, actor, queries.access_task(session, actor, task_id))


@routes.door(
    "POST",
    "/station-tasks/<task_id>/finish",
    policy="station_tasks.answer",
    body=schemas.FinishSchema,
    answer=schemas.StationTaskSchema,
)
def finish_task(session: Session, actor: Actor, body: dict[str, Any], task_id: str) -> StationTask:
    """Finish the work by fitting a new component; the owner's coupon must be redeemed before."""
    task = queries.access_task(session, actor, task_id)
    return operations.finish_task(session, actor, task, body["serial"], body.get("warranty_until"))
