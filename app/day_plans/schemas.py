"""Wire names of plans of a day."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.day_plans.models import DAY_PLAN_STATES
from app.day_plans.operations import MOST_BREAKS, MOST_VISITS
from app.positions.datum import Datum


class BreakSchema(fields.Schema):
    """When the rep rests."""

    since = fields.Instant(required=True)
    until = fields.Instant(required=True)


class PlanDaySchema(fields.Schema):
    """A day to be planned; without ``visit_ids`` all visits of the day on which it starts, in the order of their windows."""

    id = fields.Id()
    user_id = fields.Id()
    starts_at = fields.Instant(required=True)
    ends_at = fields.Instant(required=True)
    start_lat = fields.Real(-90, 90, required=True)
    start_lon = fields.Real(-180, 180, required=True)
    end_lat = fields.Real(-90, 90, allow_none=True)
    end_lon = fields.Real(-180, 180, allow_none=True)
    datum = fields.OneOf(*Datum, load_default=Datum.UNKNOWN.value)
    breaks = fields.Listing(fields.Nested(BreakSchema), most=MOST_BREAKS)
    visit_ids = fields.Listing(fields.Id(), most=MOST_VISITS)
    locked_ids = fields.Listing(fields.Id(), most=MOST_VISITS)
    keep_windows = fields.Flag(load_default=True)
    grace_minutes = fields.Int(0, 120, load_default=15)


class PlannedStopSchema(fields.Schema):
    """One visit of the order: when the rep arrives, begins and leaves, and the way there."""

    visit_id = fields.Id()
    number = fields.Text(20)
    arrives_ms = fields.Int()
    begins_ms = fields.Int()
    leaves_ms = fields.Int()
    travel_m = fields.Int()
    travel_s = fields.Int()
    late_s = fields.Int()


class LeftOutSchema(fields.Schema):
    """A visit that does not fit, and why: a code, its facts, and a sentence in the reader's language."""

    visit_id = fields.Id()
    number = fields.Text(20)
    code = fields.Text(40)
    facts = fields.Facts()
    text = fields.Text(300)


class CostSchema(fields.Schema):
    """What an order costs. ``seconds``: travel and waiting, and three times the lateness."""

    left_out = fields.Int()
    travel_s = fields.Int()
    waiting_s = fields.Int()
    late_s = fields.Int()
    seconds = fields.Int()


class AnswerSchema(fields.Schema):
    """The order found, what does not fit, and the measures of this order and of the one given; instants in Unix ms."""

    stops = fields.Listing(fields.Nested(PlannedStopSchema))
    left_out = fields.Listing(fields.Nested(LeftOutSchema))
    leaves_ms = fields.Int(allow_none=True)
    back_ms = fields.Int(allow_none=True)
    cost = fields.Nested(CostSchema)
    given_cost = fields.Nested(CostSchema)


class DayPlanSchema(fields.TrackedSchema):
    """A plan of a day; ``answer`` once it is ready."""

    user_id = fields.Id()
    day = fields.Day()
    starts_at = fields.Instant()
    ends_at = fields.Instant()
    keep_windows = fields.Flag()
    grace_minutes = fields.Int()
    state = fields.OneOf(*DAY_PLAN_STATES)
    answer = fields.Nested(AnswerSchema, allow_none=True)


class DayPlanQuery(PageQuery):
    """A page of plans: of one rep, of one day, of one state."""

    user_id = fields.Id()
    day = fields.Day()
    state = fields.OneOf(*DAY_PLAN_STATES)
