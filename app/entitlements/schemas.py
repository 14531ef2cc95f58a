"""Wire names of entitlements."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError

from app.core import fields
from app.core.paging import PageQuery
from app.entitlements.models import BALANCE_STATES, GRANT_STATES, LENGTH, SPEND_SOURCES, SPEND_STATES, STEPS_MIN, UNITS
from app.entitlements.why import MOST_EARLIER
from app.visit_types.schemas import Code

_QUANTITY = re.compile(r"[0-9]{1,5}(\.[0-9]{1,2})?")


class Quantity(fields.Amount):
    """So many hours, visits or pieces, as a text with at most two decimals, below 100,000."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.metadata = {"type": "string", "pattern": f"^{_QUANTITY.pattern}$"}

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise ValidationError("quantity_invalid")
        return super()._deserialize(value, attr, data, **kwargs)


class PerVisit(fields.Text):
    """What each visit spends: a quantity, or "length"."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(20, 1, metadata={"pattern": f"^({LENGTH}|{_QUANTITY.pattern})$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        told = super()._deserialize(value, attr, data, **kwargs)
        if told == LENGTH:
            return told
        if not _QUANTITY.fullmatch(told):
            raise ValidationError("quantity_invalid")
        return f"{Decimal(told):.2f}"


class EntitlementKindSchema(fields.TrackedSchema):
    """What customers can be owed. With a visit type and ``per_visit``, finished visits of that type spend of it themselves.

    ``step_minutes``: a length is rounded up to so many.
    """

    id = fields.Id()
    code = Code(required=True)
    name_zh = fields.Text(100, 1, required=True)
    name_en = fields.Text(100, 1, required=True)
    unit = fields.OneOf(*UNITS, required=True)
    active = fields.Flag(load_default=True)
    visit_type_id = fields.Id(allow_none=True)
    per_visit = PerVisit(allow_none=True)
    step_minutes = fields.Int(STEPS_MIN[0], STEPS_MIN[-1], load_default=15)


class EntitlementKindEditSchema(fields.Schema):
    """What may change of a kind; its unit does not."""

    name_zh = fields.Text(100, 1)
    name_en = fields.Text(100, 1)
    active = fields.Flag()
    visit_type_id = fields.Id(allow_none=True)
    per_visit = PerVisit(allow_none=True)
    step_minutes = fields.Int(STEPS_MIN[0], STEPS_MIN[-1])


class EntitlementGrantSchema(fields.TrackedSchema):
    """So much of a kind, from one day to another; both count. Without ``valid_until`` it does not end."""

    id = fields.Id()
    customer_id = fields.Id(required=True)
    kind_id = fields.Id(required=True)
    amount = Quantity(required=True)
    valid_from = fields.Day(required=True)
    valid_until = fields.Day(allow_none=True)
    reference = fields.Text(100, load_default="")
    state = fields.OneOf(*GRANT_STATES, dump_only=True)
    given_by = fields.Id(dump_only=True)
    withdrawn_reason = fields.Text(200, allow_none=True, dump_only=True)


class GrantQuery(PageQuery):
    """A page of grants: of one customer, of one kind."""

    customer_id = fields.Id()
    kind_id = fields.Id()


class EntitlementReasonSchema(fields.Schema):
    """Why."""

    reason = fields.Text(200, 1, required=True)


class TellSpendSchema(fields.Schema):
    """What was used. The id is the phone's own; ``happened_at`` is by default now."""

    id = fields.Id(required=True)
    customer_id = fields.Id(required=True)
    kind_id = fields.Id(required=True)
    amount = Quantity(required=True)
    happened_at = fields.Instant()
    visit_id = fields.Id(allow_none=True)
    note = fields.Lines(500, allow_none=True)


class CoverSchema(fields.Schema):
    """So much of a spend comes from a grant."""

    grant_id = fields.Id()
    amount = fields.Text(20)


class EntitlementSpendSchema(fields.TrackedSchema):
    """What was used, how much of it is covered and by which grants, and a sentence that says how it stands."""

    customer_id = fields.Id()
    kind_id = fields.Id()
    amount = Quantity()
    happened_at = fields.Instant()
    day = fields.Day()
    user_id = fields.Id()
    visit_id = fields.Id(allow_none=True)
    note = fields.Lines(500, allow_none=True)
    source = fields.OneOf(*SPEND_SOURCES)
    state = fields.OneOf(*SPEND_STATES)
    covered = Quantity()
    cover = fields.Listing(fields.Nested(CoverSchema), most=200)
    lack = fields.OneOf("no_grant", "used_up", allow_none=True)
    settled_reason = fields.Text(200, allow_none=True)
    settled_by = fields.Id(allow_none=True)
    text = fields.Text(500)


class SpendQuery(PageQuery):
    """A page of spends: of one customer, kind or person, of one state, of days of the organisation."""

    customer_id = fields.Id()
    kind_id = fields.Id()
    user_id = fields.Id()
    state = fields.OneOf(*SPEND_STATES)
    since = fields.Day()
    until = fields.Day()


class EntitlementSchema(fields.TrackedSchema):
    """A balance: what is left of one kind for one customer.

    ``granted``, ``spent`` and ``left``: of the grants that hold today; ``beyond``: what no grant covers, of all times;
    ``next_end``: the last day of what ends first.
    """

    customer_id = fields.Id()
    kind_id = fields.Id()
    kind_code = fields.Text(40)
    granted = Quantity()
    spent = Quantity()
    left = Quantity()
    beyond = Quantity()
    next_end = fields.Day(allow_none=True)
    state = fields.OneOf(*BALANCE_STATES)
    entry_id = fields.Id(allow_none=True)
    text = fields.Text(500)


class BalanceQuery(PageQuery):
    """A page of balances: of one customer, of one kind."""

    customer_id = fields.Id()
    kind_id = fields.Id()


class _WhyGrantSchema(fields.Schema):
    """A grant that holds on the day: what was left of it before this spend, and what this one took."""

    grant_id = fields.Id()
    amount = Quantity()
    valid_from = fields.Day()
    valid_until = fields.Day(allow_none=True)
    reference = fields.Text(100, allow_none=True)
    left_then = Quantity()
    taken = fields.Text(20)


class _WhyEarlierSchema(fields.Schema):
    """A spend before this one that took of the same grants."""

    id = fields.Id()
    happened_at = fields.Instant()
    amount = Quantity()
    covered = Quantity()
    by = fields.Text(100)


class SpendWhySchema(fields.Schema):
    """Why a spend stands as it does: what was left on its day, what it took, and who took the rest before."""

    id = fields.Id()
    state = fields.OneOf(*SPEND_STATES)
    amount = Quantity()
    covered = Quantity()
    left_then = Quantity(allow_none=True)
    text = fields.Text(500)
    entry_id = fields.Id(allow_none=True)
    grants = fields.Listing(fields.Nested(_WhyGrantSchema), most=1000)
    earlier = fields.Listing(fields.Nested(_WhyEarlierSchema), most=MOST_EARLIER)
