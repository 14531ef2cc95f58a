"""Verbs on work orders and station tasks: open, dispatch, accept, reject, lapse, assign, book, finish, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets import operations as assets
from app.assets.models import Asset, Component
from app.assets.queries import is_fitted
from app.calendar.queries import calendar_of
from app.core.db import database_now, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.numbers import next_number
from app.core.settings import Settings
from app.core.tracked import add, hold, touch, transition, try_transition
from app.customers.models import Customer, StationGrant
from app.stations import hours
from app.stations import operations as stock
from app.stations.models import Station
from app.users import queries as users
from app.users.models import User
from app.users.rights import Actor
from app.work_orders import queries, slots
from app.work_orders.dispatch import Candidate, rank_stations
from app.work_orders.models import StationTask, WorkOrder
from push.outbox import enqueue

Causes = Sequence[HistoryEntry | None]


def open_order(
    session: Session,
    asset: Asset,
    component: Component,
    *,
    job: str,
    certificates: Sequence[str],
    coupon_required: bool,
    causes: Causes = (),
    actor_id: str | None = None,
) -> WorkOrder:
    """Open a work order, ``proposed`` and given to nobody yet; ``dispatch`` asks a station.

    Raises:
        Conflict: ``conflict`` when this job on this component is open already.
    """
    if queries.open_order(session, component.id, job) is not None:
        raise Conflict("conflict")
    customer = session.get_one(Customer, asset.customer_id)
    order = add(
        session,
        WorkOrder(
            number=next_number(session, "WO"),
            job=job,
            asset_id=asset.id,
            component_id=component.id,
            customer_id=customer.id,
            site_id=asset.site_id,
            territory_id=customer.territory_id,
            part_no=component.part_no,
            certificates=list(certificates),
            state="proposed",
            coupon_required=coupon_required,
        ),
    )
    record(
        session,
        "work_order.opened",
        Subject("work_order", order.id),
        causes=causes,
        actor_id=actor_id,
        number=order.number,
        job=job,
    )
    return order


def dispatch(session: Session, settings: Settings, order: WorkOrder, causes: Causes = ()) -> StationTask | None:
    """Ask the best able station that has not refused, with the part reserved; without one tell the managers.

    Returns:
        The task that was offered, or None: then the order is ``unassigned``.
    """
    ranking = rank_stations(session, order)
    judged = record(
        session,
        "work_order.stations_ranked",
        Subject("work_order", order.id),
        causes=causes or [last_entry(session, Subject("work_order", order.id))],
        ranking=[candidate.facts() for candidate in ranking],
    )
    for candidate in ranking:
        # Another order may have taken the last unit since the ranking was read.
        if not candidate.lacks and stock.reserve_part(session, candidate.station.id, order.part_no):
            return _offer_task(session, settings, order, candidate.station, judged)
    _leave_unassigned(session, order, judged, ranking)
    return None


def _offer_task(
    session: Session, settings: Settings, order: WorkOrder, station: Station, cause: HistoryEntry, actor_id: str | None = None
) -> StationTask:
    opening = hours.parse(station.opening_hours, station.time_zone, calendar_of(session))
    answer_by = hours.after_open_time(opening, database_now(session), settings.station_lease_s)
    task = add(
        session,
        StationTask(work_order_id=order.id, station_id=station.id, state="offered", part_no=order.part_no, answer_by=answer_by),
    )
    add(session, StationGrant(station_id=station.id, customer_id=order.customer_id, asset_id=order.asset_id, task_id=task.id))
    if order.state == "unassigned":
        transition(session, order, "proposed")
    offered = record(
        session,
        "station_task.offered",
        Subject("station_task", task.id),
        causes=[cause],
        actor_id=actor_id,
        station_id=station.id,
        station=station.name,
        part_no=order.part_no,
        answer_by=answer_by.isoformat(),
    )
    asset = session.get_one(Asset, order.asset_id)
    enqueue(
        session,
        users.staff_of(session, station.id),
        "task_offered",
        Subject("station_task", task.id),
        dedupe=f"task:{task.id}:offered",
        causes=[offered],
        job=order.job,
        asset_model=asset.model,
        part_no=order.part_no,
        answer_by=answer_by.isoformat(),
    )
    return task


def _leave_unassigned(session: Session, order: WorkOrder, cause: HistoryEntry, ranking: list[Candidate]) -> None:
    reason = "no_station" if not ranking else "no_station_able"
    if order.state != "unassigned":
        transition(session, order, "unassigned")
    left = record(session, "work_order.unassigned", Subject("work_order", order.id), causes=[cause], reason=reason)
    enqueue(
        session,
        users.managers_of(session, order.territory_id),
        "order_unassigned",
        Subject("work_order", order.id),
        dedupe=f"order:{order.id}:unassigned:{left.id}",
        causes=[left],
        order_number=order.number,
        reason=reason,
        **_names(session, order),
    )


def _names(session: Session, order: WorkOrder) -> dict[str, Any]:
    return {
        "asset_model": session.get_one(Asset, order.asset_id).model,
        "customer_name": session.get_one(Customer, order.customer_id).name,
    }


def accept_task(session: Session, actor: Actor, task: StationTask) -> StationTask:
    """A station takes the task; the owner may now choose a slot there.

    Raises:
        Conflict: ``lease_lapsed`` after its time to answer, ``state_conflict`` when it is not offered any more.
    """
    if task.state == "offered" and task.answer_by <= database_now(session):
        raise Conflict("lease_lapsed")
    transition(session, task, "accepted", answered_at=now(session))
    accepted = record(
        session,
        "station_task.accepted",
        Subject("station_task", task.id),
        actor_id=actor.id,
        causes=[last_entry(session, Subject("station_task", task.id), "station_task.offered")],
        station_id=task.station_id,
    )
    order = session.get_one(WorkOrder, task.work_order_id)
    station = session.get_one(Station, task.station_id)
    asset = session.get_one(Asset, order.asset_id)
    enqueue(
        session,
        users.people_of_customer(session, order.customer_id),
        "offer_slots_ready",
        Subject("work_order", order.id),
        dedupe=f"task:{task.id}:slots",
        causes=[accepted],
        station_name=station.name,
        asset_model=asset.model,
    )
    return task


def reject_task(session: Session, settings: Settings, actor: Actor, task: StationTask, reason: str) -> StationTask:
    """A station gives the task back, before, after accepting it or amid the work; the next station is asked.

    Raises:
        Conflict: ``state_conflict`` when it is not theirs any more, or finished.
    """
    hold(session, WorkOrder, task.work_order_id)
    transition(session, task, "rejected", reason=reason, answered_at=now(session))
    rejected = record(
        session,
        "station_task.rejected",
        Subject("station_task", task.id),
        actor_id=actor.id,
        causes=[last_entry(session, Subject("station_task", task.id))],
        station_id=task.station_id,
        reason=reason,
    )
    _hand_on(session, settings, task, rejected)
    return task


def lapse_tasks(session: Session, settings: Settings) -> int:
    """Take the task from every station that did not answer in time and ask the next; return how many."""
    due = session.scalars(
        select(StationTask)
        .where(StationTask.state == "offered", StationTask.answer_by <= database_now(session))
        .order_by(StationTask.id)
        .limit(100)
    ).all()
    for order_id in sorted(task.work_order_id for task in due):
        hold(session, WorkOrder, order_id)
    lapsed = 0
    for task in due:
        if not try_transition(session, task, "lapsed"):
            continue
        lapsed += 1
        entry = record(
            session,
            "station_task.lapsed",
            Subject("station_task", task.id),
            causes=[last_entry(session, Subject("station_task", task.id))],
            station_id=task.station_id,
        )
        order = session.get_one(WorkOrder, task.work_order_id)
        enqueue(
            session,
            users.staff_of(session, task.station_id),
            "task_lapsed",
            Subject("station_task", task.id),
            dedupe=f"task:{task.id}:lapsed",
            causes=[entry],
            asset_model=session.get_one(Asset, order.asset_id).model,
        )
        _hand_on(session, settings, task, entry)
    return lapsed


def _hand_on(session: Session, settings: Settings, task: StationTask, cause: HistoryEntry) -> None:
    """Undo what the lost task held and ask the next station; an owner who had a slot must choose anew."""
    _let_go(session, task)
    order = session.get_one(WorkOrder, task.work_order_id)
    had_slot = slots.cancel_booking(session, order.id)
    if order.state in {"scheduled", "in_progress"}:
        transition(session, order, "proposed", slot_at=None)
    if had_slot:
        station = session.get_one(Station, task.station_id)
        lost = record(
            session, "work_order.slot_lost", Subject("work_order", order.id), causes=[cause], station_id=task.station_id
        )
        enqueue(
            session,
            users.people_of_customer(session, order.customer_id),
            "offer_new_slot_needed",
            Subject("work_order", order.id),
            dedupe=f"task:{task.id}:slot-lost",
            causes=[lost],
            station_name=station.name,
            asset_model=session.get_one(Asset, order.asset_id).model,
        )
    dispatch(session, settings, order, [cause])


def _let_go(session: Session, task: StationTask) -> None:
    """Release the part and end what the station may see."""
    if stock.release_part(session, task.station_id, task.part_no):
        record(
            session,
            "part.released",
            Subject("station_task", task.id),
            causes=[last_entry(session, Subject("station_task", task.id))],
            part_no=task.part_no,
        )
    grant = session.scalar(select(StationGrant).where(StationGrant.task_id == task.id, StationGrant.ended_at.is_(None)))
    if grant is not None:
        grant.ended_at = now(session)
        touch(session, grant)


def assign(session: Session, settings: Settings, actor: Actor, order: WorkOrder, station: Station) -> StationTask:
    """A manager gives an unassigned order to a station by hand; territory and earlier refusals do not bind them.

    Raises:
        Conflict: ``state_conflict`` unless unassigned; ``station_not_able`` without the certificate or the part.
    """
    hold(session, WorkOrder, order.id)
    if order.state != "unassigned":
        raise Conflict("state_conflict", state=order.state, wanted="proposed")
    lacks = ["certificate"] if set(order.certificates) - set(station.certificates) else []
    if not lacks and not stock.reserve_part(session, station.id, order.part_no):
        lacks = ["part"]
    if lacks:
        raise Conflict("station_not_able", lacks=lacks)
    chosen = record(
        session,
        "work_order.assigned_by_hand",
        Subject("work_order", order.id),
        actor_id=actor.id,
        causes=[last_entry(session, Subject("work_order", order.id))],
        station_id=station.id,
        station=station.name,
    )
    return _offer_task(session, settings, order, station, chosen, actor.id)


def slots_of(session: Session, settings: Settings, order: WorkOrder) -> tuple[Station | None, list[datetime]]:
    """Return the station that has accepted the order and its free slots; (None, []) while none has."""
    task = queries.live_task(session, order.id)
    if task is None or task.state != "accepted":
        return None, []
    station = session.get_one(Station, task.station_id)
    return station, slots.free_slots(session, settings, station)


def book_slot(
    session: Session, settings: Settings, order: WorkOrder, at: datetime, causes: Causes, actor_id: str
) -> HistoryEntry:
    """Take the slot the owner chose at the station that holds the task; staff and rep are told.

    Raises:
        Conflict: ``slot_unavailable`` when no station has accepted, or the slot is not free; ``state_conflict``.
    """
    hold(session, WorkOrder, order.id)
    task = queries.live_task(session, order.id)
    if task is None or task.state != "accepted":
        raise Conflict("slot_unavailable")
    slots.cancel_booking(session, order.id)
    station = session.get_one(Station, task.station_id)
    if not slots.book(session, settings, station, order.id, at):
        raise Conflict("slot_unavailable")
    transition(session, order, "scheduled", expect={"proposed", "scheduled"}, slot_at=at)
    booked = record(
        session,
        "work_order.scheduled",
        Subject("work_order", order.id),
        causes=[*causes, last_entry(session, Subject("station_task", task.id), "station_task.accepted")],
        actor_id=actor_id,
        station_id=station.id,
        station=station.name,
        slot_at=at.isoformat(),
    )
    names = _names(session, order)
    enqueue(
        session,
        users.staff_of(session, station.id),
        "task_booked",
        Subject("station_task", task.id),
        dedupe=f"order:{order.id}:booked:{at.isoformat()}",
        causes=[booked],
        asset_model=names["asset_model"],
        slot_at=at.isoformat(),
        part_no=order.part_no,
    )
    enqueue(
        session,
        rep_of(session, order.customer_id),
        "order_scheduled",
        Subject("work_order", order.id),
        dedupe=f"order:{order.id}:scheduled:{at.isoformat()}",
        causes=[booked],
        customer_name=names["customer_name"],
        station_name=station.name,
        slot_at=at.isoformat(),
    )
    return booked


def rep_of(session: Session, customer_id: str) -> list[User]:
    """Return the rep in charge of a customer, as a list of at most one."""
    return users.still_there(session, session.get_one(Customer, customer_id).owner_id)


def note_redeemed(session: Session, order: WorkOrder) -> None:
    """Note that the owner's coupon was redeemed; from now on the work may be finished."""
    order.coupon_redeemed_at = now(session)
    touch(session, order)


def begin_task(session: Session, actor: Actor, task: StationTask) -> StationTask:
    """The station begins to work.

    Raises:
        Conflict: ``state_conflict`` unless the task is accepted.
    """
    order = hold(session, WorkOrder, task.work_order_id)
    transition(session, task, "in_progress")
    transition(session, order, "in_progress", expect={"proposed", "scheduled"})
    record(
        session,
        "station_task.begun",
        Subject("station_task", task.id),
        actor_id=actor.id,
        causes=[
            last_entry(session, Subject("station_task", task.id)),
            last_entry(session, Subject("work_order", order.id), "work_order.scheduled"),
        ],
    )
    return task


def finish_task(session: Session, actor: Actor, task: StationTask, serial: str, warranty_until: Any = None) -> StationTask:
    """Finish the work by fitting a new component of the same kind; the part leaves the stock.

    The old component's alarm ends with the fitting: the ingest reads that fact.

    Args:
        serial: of the new component.

    Raises:
        Conflict: ``not_redeemed`` while the owner's coupon is open; ``state_conflict``.
        FieldsInvalid: ``already_exists`` for a serial that is known, unless it is that of a spare component
            of the same kind and part number.
    """
    order = hold(session, WorkOrder, task.work_order_id)
    if order.coupon_required and order.coupon_redeemed_at is None:
        raise Conflict("not_redeemed")
    old = session.get_one(Component, order.component_id)
    fresh = _spare(session, serial, old)
    if task.state == "accepted":
        begin_task(session, actor, task)
    transition(session, task, "finished", answered_at=now(session))
    if not stock.consume_part(session, task.station_id, task.part_no):
        raise Conflict("part_unavailable", part_no=task.part_no)
    done = record(
        session,
        "station_task.finished",
        Subject("station_task", task.id),
        actor_id=actor.id,
        causes=[
            last_entry(session, Subject("station_task", task.id)),
            last_entry(session, Subject("work_order", order.id), "work_order.coupon_redeemed"),
        ],
        station_id=task.station_id,
        part_no=task.part_no,
        serial=serial,
    )
    asset = session.get_one(Asset, order.asset_id)
    if fresh is None:
        fresh = assets.create_component(
            session, actor, {"serial": serial, "kind": old.kind, "part_no": old.part_no, "warranty_until": warranty_until}
        )
    elif warranty_until is not None:
        fresh.warranty_until = warranty_until
        touch(session, fresh)
    assets.fit_component(session, actor, asset, fresh, now(session), (done,))
    transition(session, order, "finished", finished_at=now(session))
    finished = record(
        session, "work_order.finished", Subject("work_order", order.id), causes=[done], actor_id=actor.id, number=order.number
    )
    station = session.get_one(Station, task.station_id)
    enqueue(
        session,
        [*users.people_of_customer(session, order.customer_id), *rep_of(session, order.customer_id)],
        "order_finished",
        Subject("work_order", order.id),
        dedupe=f"order:{order.id}:finished",
        causes=[finished],
        asset_model=asset.model,
        station_name=station.name,
    )
    return task


def _spare(session: Session, serial: str, old: Component) -> Component | None:
    """Return the component of this serial when it was registered before and fits; None when the serial is new."""
    found = session.scalar(select(Component).where(Component.serial == serial).with_for_update())
    if found is None:
        return None
    fits = (found.kind, found.part_no, found.deleted_at) == (old.kind, old.part_no, None)
    if not fits or is_fitted(session, found.id):
        raise FieldsInvalid({"serial": ["already_exists"]})
    return found


def cancel_order(session: Session, order: WorkOrder, reason: str, causes: Causes, actor_id: str | None = None) -> None:
    """Cancel an order that has not begun: its task is withdrawn, its part and slot are given back.

    Raises:
        Conflict: ``state_conflict`` when work has begun or it ended already.
    """
    hold(session, WorkOrder, order.id)
    transition(session, order, "cancelled", cancel_reason=reason, slot_at=None)
    cancelled = record(
        session, "work_order.cancelled", Subject("work_order", order.id), causes=causes, actor_id=actor_id, reason=reason
    )
    slots.cancel_booking(session, order.id)
    task = queries.live_task(session, order.id)
    if task is None:
        return
    transition(session, task, "withdrawn", reason=reason)
    withdrawn = record(
        session,
        "station_task.withdrawn",
        Subject("station_task", task.id),
        causes=[cancelled],
        station_id=task.station_id,
        reason=reason,
    )
    _let_go(session, task)
    enqueue(
        session,
        users.staff_of(session, task.station_id),
        "task_withdrawn",
        Subject("station_task", task.id),
        dedupe=f"task:{task.id}:withdrawn",
        causes=[withdrawn],
        asset_model=session.get_one(Asset, order.asset_id).model,
        reason=reason,
    )
