"""Wire names of work orders and station tasks."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.work_orders.models import ORDER_STATES, TASK_STATES


class WorkOrderSchema(fields.TrackedSchema):
    """Work on one asset."""

    number = fields.Text(20)
    job = fields.Text(40)
    asset_id = fields.Id()
    component_id = fields.Id()
    customer_id = fields.Id()
    site_id = fields.Id()
    territory_id = fields.Id()
    part_no = fields.Text(60)
    certificates = fields.Listing(fields.Text(40))
    state = fields.OneOf(*ORDER_STATES)
    slot_at = fields.Instant(allow_none=True)
    coupon_required = fields.Flag()
    coupon_redeemed_at = fields.Instant(allow_none=True)
    finished_at = fields.Instant(allow_none=True)
    cancel_reason = fields.Text(60, allow_none=True)


class NewOrderSchema(fields.Schema):
    """A work order opened by hand."""

    asset_id = fields.Id(required=True)
    component_id = fields.Id(required=True)
    job = fields.Text(40, 1, required=True)
    certificates = fields.Listing(fields.Text(40, 1), load_default=list)


class OrderQuery(PageQuery):
    """A page of orders, of one state if named."""

    state = fields.OneOf(*ORDER_STATES)


class AssignSchema(fields.Schema):
    """The station chosen by hand."""

    station_id = fields.Id(required=True)


class ReasonSchema(fields.Schema):
    """Why."""

    reason = fields.Lines(200, 1, required=True)


class CancelSchema(fields.Schema):
    """Why an order is cancelled."""

    reason = fields.Lines(60, 1, required=True)


class StationTaskSchema(fields.TrackedSchema):
    """One station asked to do a work order."""

    work_order_id = fields.Id()
    station_id = fields.Id()
    state = fields.OneOf(*TASK_STATES)
    part_no = fields.Text(60)
    answer_by = fields.Instant()
    answered_at = fields.Instant(allow_none=True)
    reason = fields.Text(200, allow_none=True)


class TaskQuery(PageQuery):
    """A page of tasks, of one state if named."""

    state = fields.OneOf(*TASK_STATES)


class FinishSchema(fields.Schema):
    """What was fitted: the serial of the new component and its own warranty."""

    serial = fields.Text(60, 1, required=True)
    warranty_until = fields.Day(allow_none=True)


class SlotsSchema(fields.Schema):
    """The station that holds the task, and its free slots; none while no station has accepted."""

    station_id = fields.Id(allow_none=True)
    slots = fields.Listing(fields.Instant())
