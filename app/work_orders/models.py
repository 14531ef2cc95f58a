"""Work orders, station tasks and booked slots."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import follows_customer, ways_by_customer

ORDER_STATES = ("proposed", "unassigned", "scheduled", "in_progress", "finished", "cancelled")
TASK_STATES = ("offered", "accepted", "in_progress", "finished", "rejected", "lapsed", "withdrawn")
LIVE_TASK_STATES = ("offered", "accepted", "in_progress")
_LIVE = text("state IN ('offered', 'accepted', 'in_progress')")


class WorkOrder(Tracked):
    """Work on one asset. ``slot_at``: when the owner comes; None until they chose, or must choose anew.

    ``coupon_required``: it came with an offer, so it is finished only after the coupon was redeemed.
    """

    __tablename__ = "work_orders"
    __table_args__ = (
        CheckConstraint(f"state IN {ORDER_STATES}", name="state"),
        Index(
            "uq_work_orders_open_job",
            "component_id",
            "job",
            unique=True,
            postgresql_where=text("state NOT IN ('finished', 'cancelled')"),
            sqlite_where=text("state NOT IN ('finished', 'cancelled')"),
        ),
    )
    STATES = {
        "proposed": frozenset({"unassigned", "scheduled", "in_progress", "cancelled"}),
        "unassigned": frozenset({"proposed", "cancelled"}),
        "scheduled": frozenset({"proposed", "unassigned", "in_progress", "cancelled"}),
        "in_progress": frozenset({"finished", "proposed", "unassigned"}),
    }

    number: Mapped[str] = mapped_column(String(20), unique=True)
    job: Mapped[str] = mapped_column(String(40))
    asset_id: Mapped[str] = mapped_column(ForeignKey("assets.id"), index=True)
    component_id: Mapped[str] = mapped_column(ForeignKey("components.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"))
    territory_id: Mapped[str] = mapped_column(ForeignKey("territories.id"), index=True)
    part_no: Mapped[str] = mapped_column(String(60))
    certificates: Mapped[list[str]] = mapped_column(JsonValue)
    state: Mapped[str] = mapped_column(String(20), default="proposed", index=True)
    slot_at: Mapped[datetime | None] = mapped_column(Moment)
    coupon_required: Mapped[bool] = mapped_column(default=False)
    coupon_redeemed_at: Mapped[datetime | None] = mapped_column(Moment)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    cancel_reason: Mapped[str | None] = mapped_column(String(60))


class StationTask(Tracked):
    """One station asked to do a work order, with the part reserved. ``answer_by`` ends its lease."""

    __tablename__ = "station_tasks"
    __table_args__ = (
        CheckConstraint(f"state IN {TASK_STATES}", name="state"),
        Index("uq_station_tasks_live", "work_order_id", unique=True, postgresql_where=_LIVE, sqlite_where=_LIVE),
        Index(None, "state", "answer_by"),
    )
    STATES = {
        "offered": frozenset({"accepted", "rejected", "lapsed", "withdrawn"}),
        "accepted": frozenset({"in_progress", "rejected", "withdrawn"}),
        "in_progress": frozenset({"finished", "rejected"}),
    }

    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.id"), index=True)
    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="offered")
    part_no: Mapped[str] = mapped_column(String(60))
    answer_by: Mapped[datetime] = mapped_column(Moment)
    reason: Mapped[str | None] = mapped_column(String(200))
    answered_at: Mapped[datetime | None] = mapped_column(Moment)


class Booking(Tracked):
    """One bay of a station taken for one slot; the unique index refuses a second."""

    __tablename__ = "bookings"
    __table_args__ = (
        CheckConstraint("state IN ('held', 'cancelled')", name="state"),
        Index(
            "uq_bookings_held",
            "station_id",
            "bay",
            "starts_at",
            unique=True,
            postgresql_where=text("state = 'held'"),
            sqlite_where=text("state = 'held'"),
        ),
    )
    STATES = {"held": frozenset({"cancelled"})}

    station_id: Mapped[str] = mapped_column(ForeignKey("stations.id"))
    bay: Mapped[int]
    starts_at: Mapped[datetime] = mapped_column(Moment)
    ends_at: Mapped[datetime] = mapped_column(Moment)
    work_order_id: Mapped[str] = mapped_column(ForeignKey("work_orders.id"), index=True)
    state: Mapped[str] = mapped_column(String(20), default="held")


# A task by which its station may see the order. Written so that no index on the state is used: it would find all such tasks.
GIVEN = "t.state || '' IN ('offered', 'accepted', 'in_progress', 'finished')"
declare_belonging("work_orders", parent=("assets", "asset_id"))
declare_rows(
    "work_orders",
    (
        *ways_by_customer("work_orders", live=False),
        "SELECT r.id, 'station:' || t.station_id FROM work_orders r JOIN station_tasks t ON t.work_order_id = r.id"
        f" WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL AND {GIVEN}",
    ),
    {
        **follows_customer("work_orders"),
        "station_tasks": "SELECT work_order_id FROM station_tasks WHERE change_no = :n",
    },
)
_OF_ORDER = "JOIN work_orders o ON o.id = r.work_order_id JOIN customers c ON c.id = o.customer_id"
declare_rows(
    "station_tasks",
    (
        *ways_by_customer("station_tasks", _OF_ORDER, live=False),
        "SELECT r.id, 'station:' || r.station_id FROM station_tasks r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
    ),
    follows_customer("station_tasks", _OF_ORDER),
)
declare_story("work_order", select(WorkOrder.id, WorkOrder.customer_id))
declare_story(
    "station_task", select(StationTask.id, WorkOrder.customer_id).join(WorkOrder, WorkOrder.id == StationTask.work_order_id)
)
