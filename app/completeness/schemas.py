"""Wire names of completeness and repair tasks."""

from __future__ import annotations

import re

from marshmallow import ValidationError

from app.completeness.scores import COUNTED
from app.core import fields
from app.core.paging import PageQuery
from app.custom_fields.values import KEY

_MOST_COUNTED = 50


def _check_field(name: str) -> None:
    if name not in COUNTED and not re.fullmatch(rf"custom\.{KEY.pattern}", name):
        raise ValidationError("not_one_of")


class CountedSchema(fields.Schema):
    """One field that counts: ``name``, ``phone``, ``email``, ``credit_code``, ``owner_id``, ``site`` or ``custom.<key>``."""

    field = fields.Text(40, 1, required=True, validate=_check_field)
    weight = fields.Int(1, 1000, required=True)


class CompletenessRuleSchema(fields.Schema):
    """What counts, and below which score a customer gets a repair task; version 0 is the default."""

    version = fields.Int(dump_only=True)
    counted = fields.Listing(fields.Nested(CountedSchema), most=_MOST_COUNTED, required=True, data_key="fields")
    least = fields.Int(0, 100, required=True)


class CompletenessSchema(fields.Schema):
    """How complete a customer is now."""

    score = fields.Int(0, 100)
    missing = fields.Listing(fields.Text())


class RepairTaskSchema(fields.TrackedSchema):
    """What is missing of a customer, for the rep in charge."""

    customer_id = fields.Id()
    user_id = fields.Id(allow_none=True)
    missing = fields.Listing(fields.Text())
    score = fields.Int(0, 100)
    state = fields.Text()
    closed_at = fields.Instant(allow_none=True)


class RepairTaskFilter(fields.Schema):
    """Which repair tasks."""

    state = fields.OneOf("open", "done", "dropped")
    user_id = fields.Id()


class RepairTaskQuery(PageQuery, RepairTaskFilter):
    """A page of repair tasks."""


class ExportSchema(fields.Schema):
    """A CSV file."""

    csv = fields.Lines()
    rows = fields.Int()
    cut = fields.Flag()
