"""Wire names of follow-ups."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from app.core import fields
from app.core.paging import PageQuery
from app.follow_ups.figures import FIGURES
from app.follow_ups.models import FOLLOW_UP_KINDS, FOLLOW_UP_STATES

_DAY_S = 86_400


class FollowUpSchema(fields.TrackedSchema):
    """What was done with a customer or a lead, and what comes next."""

    id = fields.Id()
    customer_id = fields.Id(allow_none=True)
    lead_id = fields.Id(allow_none=True)
    user_id = fields.Id(dump_only=True)
    kind = fields.OneOf(*FOLLOW_UP_KINDS, required=True)
    happened_at = fields.Instant()
    summary = fields.Lines(2000, load_default="")
    duration_s = fields.Int(0, _DAY_S, allow_none=True)
    next_step = fields.Lines(500, allow_none=True)
    next_due = fields.Day(allow_none=True)
    contact_id = fields.Id(allow_none=True)
    visit_id = fields.Id(allow_none=True)
    state = fields.OneOf(*FOLLOW_UP_STATES, dump_only=True)
    overdue = fields.Flag(dump_only=True)
    done_at = fields.Instant(allow_none=True, dump_only=True)
    done_by = fields.Id(allow_none=True, dump_only=True)

    @validates_schema
    def _about_one(self, values: dict[str, Any], **_: Any) -> None:
        if bool(values.get("customer_id")) == bool(values.get("lead_id")):
            raise ValidationError({"lead_id": ["one_of_two"]})


class StepDoneSchema(fields.Schema):
    """When a next step was done; by default now."""

    done_at = fields.Instant()


class FollowUpQuery(PageQuery):
    """A page of follow-ups: with one customer or lead, of one person, team or state, with a next step due up to a day.

    ``from_day``, ``until_day``: they happened on one of these days. ``figure``: those that a figure of field work counts.
    """

    customer_id = fields.Id()
    lead_id = fields.Id()
    user_id = fields.Id()
    visit_id = fields.Id()
    state = fields.OneOf(*FOLLOW_UP_STATES)
    due_until = fields.Day()
    team_id = fields.IdOrNone()
    territory_id = fields.IdOrNone()
    from_day = fields.Day()
    until_day = fields.Day()
    figure = fields.OneOf(*FIGURES)


class RateSchema(fields.Schema):
    """Of a territory's live leads that somebody has, how many were followed up; ``percent`` is rounded to one decimal."""

    territory_id = fields.Id(allow_none=True)
    leads = fields.Int()
    followed = fields.Int()
    percent = fields.Real(0, 100)


class RatesSchema(fields.Schema):
    """Follow-up rates since an instant. A territory without such leads has none, and is not listed."""

    since = fields.Instant()
    items = fields.Listing(fields.Nested(RateSchema))
