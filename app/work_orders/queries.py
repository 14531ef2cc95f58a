"""The only readers of work orders and station tasks."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, or_, select, true
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.users.rights import Actor
from app.work_orders.models import LIVE_TASK_STATES, Booking, StationTask, WorkOrder


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``WorkOrder``: own customers', or those the actor's station was given and has not lost."""
    if actor.sees_all:
        return true()
    stations = customers.granted_stations(actor)
    if stations is None:
        return WorkOrder.customer_id.in_(select(Customer.id).where(customers.in_scope(actor)))
    given = select(StationTask.work_order_id).where(
        StationTask.station_id.in_(stations), or_(StationTask.state.in_(LIVE_TASK_STATES), StationTask.state == "finished")
    )
    return WorkOrder.id.in_(given)


def visible_to(actor: Actor) -> Select[WorkOrder]:
    """Return the work orders an actor may see."""
    return select(WorkOrder).where(WorkOrder.deleted_at.is_(None), in_scope(actor))


def access_order(session: Session, actor: Actor, order_id: str) -> WorkOrder:
    """Load one work order the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), WorkOrder, order_id)


def visible_tasks(actor: Actor) -> Select[StationTask]:
    """Return the station tasks an actor may see: a station's own, else those of visible orders."""
    tasks = select(StationTask).where(StationTask.deleted_at.is_(None))
    stations = customers.granted_stations(actor)
    if stations is not None:
        return tasks.where(StationTask.station_id.in_(stations))
    return tasks.where(StationTask.work_order_id.in_(select(WorkOrder.id).where(in_scope(actor))))


def access_task(session: Session, actor: Actor, task_id: str) -> StationTask:
    """Load one station task the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_tasks(actor), StationTask, task_id)


def live_task(session: Session, order_id: str) -> StationTask | None:
    """Return the task by which a station holds an order now."""
    return session.scalar(
        select(StationTask).where(StationTask.work_order_id == order_id, StationTask.state.in_(LIVE_TASK_STATES))
    )


def held_booking(session: Session, order_id: str) -> Booking | None:
    """Return the slot an order holds."""
    return session.scalar(select(Booking).where(Booking.work_order_id == order_id, Booking.state == "held"))


def open_order(session: Session, component_id: str, job: str) -> WorkOrder | None:
    """Return the order of this job on this component that is neither finished nor cancelled."""
    return session.scalar(
        select(WorkOrder).where(
            WorkOrder.component_id == component_id, WorkOrder.job == job, WorkOrder.state.not_in(("finished", "cancelled"))
        )
    )
