"""Wire names of visits and check-ins."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.positions.datum import Datum
from app.positions.plausibility import Grade
from app.positions.verdicts import Nearness
from app.visit_types.models import STEP_KINDS
from app.visit_types.schemas import MOST_QUESTIONS, MOST_STEPS, Code
from app.visits.figures import FIGURES
from app.visits.models import CHECK_IN_STATES, SITE_FIXES, VISIT_SOURCES, VISIT_STATES

MOST_LINES = 200
MOST_LACKS = MOST_STEPS * MOST_QUESTIONS


class LackSchema(fields.Schema):
    """What a required step lacks: a code, the question of a form, and a sentence in the reader's language."""

    step = fields.Text(40)
    code = fields.Text(40)
    question = fields.Text(40, allow_none=True)
    text = fields.Text(500)


class VisitSchema(fields.TrackedSchema):
    """A rep at a customer's site."""

    id = fields.Id()
    number = fields.Text(20, dump_only=True)
    customer_id = fields.Id(dump_only=True)
    site_id = fields.Id(required=True)
    user_id = fields.Id()
    purpose = fields.Text(200, load_default="")
    planned_from = fields.Instant(required=True)
    planned_until = fields.Instant(required=True)
    length_minutes = fields.Int(5, 720, allow_none=True)
    state = fields.OneOf(*VISIT_STATES, dump_only=True)
    began_at = fields.Instant(allow_none=True, dump_only=True)
    ended_at = fields.Instant(allow_none=True, dump_only=True)
    outcome = fields.Lines(2000, allow_none=True, dump_only=True)
    next_step = fields.Lines(500, allow_none=True, dump_only=True)
    cancel_reason = fields.Lines(200, allow_none=True, dump_only=True)
    type_id = fields.Id(allow_none=True)
    kit_id = fields.Id(allow_none=True, dump_only=True)
    plan_id = fields.Id(allow_none=True, dump_only=True)
    period = fields.Text(20, allow_none=True, dump_only=True)
    moved_count = fields.Int(dump_only=True)
    move_reason = fields.Lines(200, allow_none=True, dump_only=True)
    absence = fields.Lines(200, allow_none=True, dump_only=True)
    incomplete = fields.Flag(dump_only=True)
    lacking = fields.Listing(fields.Nested(LackSchema), most=MOST_LACKS, dump_only=True)
    incomplete_reason = fields.Lines(500, allow_none=True, dump_only=True)
    source = fields.OneOf(*VISIT_SOURCES, dump_only=True)


class VisitLinksSchema(fields.Schema):
    """Where the rest of a visit is read, below ``/api/v1``."""

    check_ins = fields.Text(200)
    steps = fields.Text(200)
    participants = fields.Text(200)
    follow_ups = fields.Text(200)
    attachments = fields.Text(200)
    new_information = fields.Text(200)
    history = fields.Text(200)


class OneVisitSchema(VisitSchema):
    """A visit by itself, with where the rest of it is read."""

    links = fields.Nested(VisitLinksSchema, dump_only=True)


class VisitEditSchema(fields.Schema):
    """What may change of a planned visit; another time also of a missed one."""

    purpose = fields.Text(200)
    planned_from = fields.Instant()
    planned_until = fields.Instant()
    length_minutes = fields.Int(5, 720, allow_none=True)
    reason = fields.Lines(200)


class MoveSchema(fields.Schema):
    """To what time a visit is put, and why."""

    planned_from = fields.Instant(required=True)
    planned_until = fields.Instant(required=True)
    reason = fields.Lines(200, 1, required=True)


class VisitQuery(PageQuery):
    """A page of visits: of one state, rep, team or type, at one customer or in one territory, planned to begin within a span.

    ``day``: of the organisation's day, in the order of their plan; else the newest first. ``from_day``, ``until_day``: planned
    for one of these days, both among them. ``figure``: those that a figure of field work counts.
    """

    state = fields.OneOf(*VISIT_STATES)
    user_id = fields.Id()
    team_id = fields.IdOrNone()
    territory_id = fields.IdOrNone()
    type_id = fields.Id()
    from_day = fields.Day()
    until_day = fields.Day()
    figure = fields.OneOf(*FIGURES)
    customer_id = fields.Id()
    day = fields.Day()
    since = fields.Instant()
    until = fields.Instant()


class FixSchema(fields.Schema):
    """Where and when a phone says it is, as it has it: degrees in ``datum``, metres, Unix ms by its own clock."""

    lat = fields.Real(-90, 90, required=True)
    lon = fields.Real(-180, 180, required=True)
    datum = fields.OneOf(*Datum, load_default=Datum.UNKNOWN.value)
    accuracy_m = fields.Real(0, 1e7, allow_none=True)
    provider = fields.Text(20, allow_none=True)
    mocked = fields.Flag(allow_none=True)
    speed_mps = fields.Real(allow_none=True)
    heading_deg = fields.Real(allow_none=True)
    altitude_m = fields.Real(allow_none=True)
    sequence = fields.Int(allow_none=True)
    monotonic_ms = fields.Int(allow_none=True)
    at_ms = fields.Int(required=True)
    sent_ms = fields.Int(allow_none=True)
    photo_id = fields.Id(allow_none=True)
    note = fields.Lines(500, allow_none=True)


class BeginSchema(FixSchema):
    """The same at the beginning, with the kit the phone had of the visit's type."""

    kit_id = fields.Id(allow_none=True)


class EndSchema(FixSchema):
    """The same at the end, with what came of the visit, and why something its kit asks for was left."""

    outcome = fields.Lines(2000, load_default="")
    next_step = fields.Lines(500, load_default="")
    next_due = fields.Day(allow_none=True)
    incomplete_reason = fields.Lines(500, load_default="")


class AbsenceSchema(FixSchema):
    """Where the rep stood before a closed door, and what they found."""

    reason = fields.Lines(200, 1, required=True)


class ExplainSchema(fields.Schema):
    """Why a visit was left without what its kit asks for."""

    reason = fields.Lines(500, 1, required=True)


class StockLineSchema(fields.Schema):
    """How many of a product are there."""

    product = fields.Text(60, 1, required=True)
    count = fields.Int(0, 10**9, required=True)


class OrderLineSchema(fields.Schema):
    """How many of a product are wanted, at which price for one."""

    product = fields.Text(60, 1, required=True)
    quantity = fields.Int(1, 10**6, required=True)
    unit_price = fields.Amount(required=True)


class StepBodySchema(fields.Schema):
    """What came of a step: one of ``photo_ids``, ``stock``, ``order`` and ``answers``, by its kind. ``made_ms``: Unix ms."""

    id = fields.Id()
    made_ms = fields.Int(1)
    photo_ids = fields.Listing(fields.Id(), most=20)
    stock = fields.Listing(fields.Nested(StockLineSchema), most=MOST_LINES)
    order = fields.Listing(fields.Nested(OrderLineSchema), most=MOST_LINES)
    answers = fields.Table(Code(), fields.Scalar(500, allow_none=True), most=MOST_QUESTIONS)


class StepResultSchema(fields.TrackedSchema):
    """What was recorded for a step. ``standing``: no later one corrects it. ``total``: of an order, in its currency."""

    visit_id = fields.Id()
    user_id = fields.Id()
    step = fields.Text(40)
    kind = fields.OneOf(*STEP_KINDS)
    content = fields.Facts()
    total = fields.Text(30, allow_none=True)
    made_ms = fields.Int()
    standing = fields.Flag()


class StepResultsSchema(fields.Schema):
    """The results of a visit, corrected ones, too, in the order they were made."""

    items = fields.Listing(fields.Nested(StepResultSchema), most=1_000)


class CancelVisitSchema(fields.Schema):
    """Why a visit is cancelled."""

    reason = fields.Lines(200, 1, required=True)


class AppealSchema(fields.Schema):
    """Why a check-in is right all the same."""

    text = fields.Lines(500, 1, required=True)


class DecisionSchema(fields.Schema):
    """Whether a check-in counts, and why. ``set_site``: the site is where it was."""

    accepted = fields.Flag(required=True)
    set_site = fields.Flag(load_default=False)
    reason = fields.Lines(500, 1, required=True)


class FindingSchema(fields.Schema):
    """What speaks against a position: a code, the points it takes off, its numbers, and a sentence in the reader's language."""

    code = fields.Text(40)
    points = fields.Int()
    facts = fields.Facts()
    text = fields.Text(500)


class CheckInSchema(fields.TrackedSchema):
    """Where a rep was, and what the server made of it."""

    visit_id = fields.Id()
    user_id = fields.Id()
    leaving = fields.Flag()
    told_lat = fields.Real()
    told_lon = fields.Real()
    datum = fields.OneOf(*Datum)
    accuracy_m = fields.Real(allow_none=True)
    provider = fields.Text(20, allow_none=True)
    mocked = fields.Flag(allow_none=True)
    speed_mps = fields.Real(allow_none=True)
    heading_deg = fields.Real(allow_none=True)
    altitude_m = fields.Real(allow_none=True)
    sequence = fields.Int(allow_none=True)
    monotonic_ms = fields.Int(allow_none=True)
    told_ms = fields.Int()
    sent_ms = fields.Int(allow_none=True)
    skew_ms = fields.Int(-(2**53), allow_none=True)
    at = fields.Instant()
    lat = fields.Real()
    lon = fields.Real()
    distance_m = fields.Real(allow_none=True)
    nearness = fields.OneOf(*Nearness)
    reasons = fields.Listing(fields.Text(40))
    score = fields.Int(0, 100)
    grade = fields.OneOf(*Grade)
    findings = fields.Listing(fields.Nested(FindingSchema))
    photo_id = fields.Id(allow_none=True)
    note = fields.Lines(500, allow_none=True)
    state = fields.OneOf(*CHECK_IN_STATES)
    appeal = fields.Lines(500, allow_none=True)
    decided_by = fields.Id(allow_none=True)
    decision = fields.Lines(500, allow_none=True)
    site_fix = fields.OneOf(*SITE_FIXES, allow_none=True)


class EndedSchema(CheckInSchema):
    """The check-in at the end, and what the visit's kit still asks for."""

    incomplete = fields.Flag()
    lacking = fields.Listing(fields.Nested(LackSchema), most=MOST_LACKS)


class CheckedInSchema(CheckInSchema):
    """The same as the visit begins. ``shift_offered``: no shift of the rep runs; they may begin one."""

    shift_offered = fields.Flag()


class CheckInQuery(PageQuery):
    """A page of check-ins: of one visit, of one state, of one use for finding their sites."""

    visit_id = fields.Id()
    state = fields.OneOf(*CHECK_IN_STATES)
    site_fix = fields.OneOf(*SITE_FIXES)
