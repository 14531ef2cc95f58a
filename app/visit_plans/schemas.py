"""Wire names of visit plans."""

from __future__ import annotations

from marshmallow import ValidationError

from app.core import fields
from app.visit_plans.segments import FIELDS, key_of

MOST_CONDITIONS, MOST_VALUES = 10, 50


def _check_field(name: str) -> None:
    if name not in FIELDS and key_of(name) is None:
        raise ValidationError("not_one_of")


class ConditionSchema(fields.Schema):
    """What must hold for a site: its ``field`` has one of some values. ``custom.<key>``: a field of the customer's."""

    field = fields.Text(40, 1, required=True, validate=_check_field)
    any_of = fields.Listing(fields.Text(100, 1), most=MOST_VALUES, required=True)


class VisitPlanEditSchema(fields.Schema):
    """What may change of a plan."""

    name = fields.Text(100, 1)
    conditions = fields.Listing(fields.Nested(ConditionSchema), most=MOST_CONDITIONS)
    type_id = fields.Id(allow_none=True)
    purpose = fields.Text(200)
    every_days = fields.Int(1, 366, allow_none=True)
    times_per_month = fields.Int(1, 10, allow_none=True)
    starts_on = fields.Day()
    from_time = fields.Minute()
    until_time = fields.Minute()
    active = fields.Flag()


class VisitPlanSchema(fields.TrackedSchema):
    """How often some sites are visited: ``every_days`` or ``times_per_month``, between two times of a working day."""

    id = fields.Id()
    name = fields.Text(100, 1, required=True)
    conditions = fields.Listing(fields.Nested(ConditionSchema), most=MOST_CONDITIONS, required=True)
    type_id = fields.Id(allow_none=True, load_default=None)
    purpose = fields.Text(200, load_default="")
    every_days = fields.Int(1, 366, allow_none=True, load_default=None)
    times_per_month = fields.Int(1, 10, allow_none=True, load_default=None)
    starts_on = fields.Day()
    from_time = fields.Minute(load_default="09:00")
    until_time = fields.Minute(load_default="17:00")
    active = fields.Flag(load_default=True)


class ProposalSchema(fields.Schema):
    """What comes of one site in one period, and why."""

    site_id = fields.Id()
    customer_id = fields.Id()
    user_id = fields.Id(allow_none=True)
    first = fields.Day()
    last = fields.Day()
    day = fields.Day(allow_none=True)
    outcome = fields.Text(40)
    text = fields.Text(300)
    visit_id = fields.Id(allow_none=True)


class PlanPreviewSchema(fields.Schema):
    """What comes of a plan in the next 14 days; a page of its sites."""

    since = fields.Day()
    until = fields.Day()
    sites = fields.Int()
    items = fields.Listing(fields.Nested(ProposalSchema))
    next = fields.Text(allow_none=True)
