"""Wire names of visits and check-ins."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.positions.datum import Datum
from app.positions.verdicts import Nearness
from app.visits.models import CHECK_IN_STATES, VISIT_STATES


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
    state = fields.OneOf(*VISIT_STATES, dump_only=True)
    began_at = fields.Instant(allow_none=True, dump_only=True)
    ended_at = fields.Instant(allow_none=True, dump_only=True)
    outcome = fields.Lines(2000, allow_none=True, dump_only=True)
    next_step = fields.Lines(500, allow_none=True, dump_only=True)
    cancel_reason = fields.Lines(200, allow_none=True, dump_only=True)


class VisitEditSchema(fields.Schema):
    """What may change of a planned visit."""

    purpose = fields.Text(200)
    planned_from = fields.Instant()
    planned_until = fields.Instant()


class VisitQuery(PageQuery):
    """A page of visits: of one state, of one rep, planned to begin within a span."""

    state = fields.OneOf(*VISIT_STATES)
    user_id = fields.Id()
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
    at_ms = fields.Int(required=True)
    sent_ms = fields.Int(allow_none=True)
    photo_id = fields.Id(allow_none=True)
    note = fields.Lines(500, allow_none=True)


class EndSchema(FixSchema):
    """The same at the end, with what came of the visit."""

    outcome = fields.Lines(2000, load_default="")
    next_step = fields.Lines(500, load_default="")


class CancelVisitSchema(fields.Schema):
    """Why a visit is cancelled."""

    reason = fields.Lines(200, 1, required=True)


class AppealSchema(fields.Schema):
    """Why a check-in is right all the same."""

    text = fields.Lines(500, 1, required=True)


class DecisionSchema(fields.Schema):
    """Whether a check-in counts, and why."""

    accepted = fields.Flag(required=True)
    reason = fields.Lines(500, 1, required=True)


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
    told_ms = fields.Int()
    sent_ms = fields.Int(allow_none=True)
    skew_ms = fields.Int(-(2**53), allow_none=True)
    at = fields.Instant()
    lat = fields.Real()
    lon = fields.Real()
    distance_m = fields.Real()
    nearness = fields.OneOf(*Nearness)
    reasons = fields.Listing(fields.Text(40))
    photo_id = fields.Id(allow_none=True)
    note = fields.Lines(500, allow_none=True)
    state = fields.OneOf(*CHECK_IN_STATES)
    appeal = fields.Lines(500, allow_none=True)
    decided_by = fields.Id(allow_none=True)
    decision = fields.Lines(500, allow_none=True)


class CheckInQuery(PageQuery):
    """A page of check-ins: of one visit, of one state."""

    visit_id = fields.Id()
    state = fields.OneOf(*CHECK_IN_STATES)
