"""Wire names of customers and sites."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema

from app.core import fields
from app.core.paging import PageQuery
from app.custom_fields.values import CustomValues
from app.customers.matching import POSSIBLE
from app.customers.models import POSITION_SOURCES
from app.stations import hours


class OpeningHours(fields.Text):
    """Opening hours in OpenStreetMap's syntax."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(300, 1, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        expression = super()._deserialize(value, attr, data, **kwargs)
        try:
            hours.parse(expression, "UTC")  # whatever the zone: it is the syntax that is asked for
        except ValueError:
            raise ValidationError("hours_invalid") from None
        return expression


class CustomerSchema(fields.TrackedSchema):
    """A customer. ``outranked``: fields of an edit where a better source's value stays, and this one is kept as a rival."""

    id = fields.Id()
    code = fields.Text(40, 1)
    name = fields.Text(200, 1, required=True)
    phone = fields.Phone(allow_none=True)
    email = fields.Email(allow_none=True)
    territory_id = fields.Id(required=True)
    owner_id = fields.Id(allow_none=True)
    credit_code = fields.CreditCode(allow_none=True)
    custom = CustomValues()
    outranked = fields.Listing(fields.Text(), dump_only=True)


class CustomerEditSchema(fields.Schema):
    """What may change of a customer."""

    name = fields.Text(200, 1)
    phone = fields.Phone(allow_none=True)
    email = fields.Email(allow_none=True)
    territory_id = fields.Id()
    owner_id = fields.Id(allow_none=True)
    credit_code = fields.CreditCode(allow_none=True)
    custom = CustomValues()


class SiteSchema(fields.TrackedSchema):
    """A place, in WGS-84 degrees; with an address its position may be left away, and is looked up.

    ``outranked``: as of a customer.
    """

    id = fields.Id()
    customer_id = fields.Id(dump_only=True)
    name = fields.Text(200, 1, required=True)
    address = fields.Lines(300, load_default="")
    lat = fields.Real(-90, 90, allow_none=True)
    lon = fields.Real(-180, 180, allow_none=True)
    opening_hours = OpeningHours(allow_none=True)
    position_source = fields.OneOf(*POSITION_SOURCES, dump_only=True, allow_none=True)
    position_confirmed_at = fields.Instant(dump_only=True, allow_none=True)

    outranked = fields.Listing(fields.Text(), dump_only=True)

    @validates_schema(skip_on_field_errors=True)
    def check_place(self, values: dict[str, Any], *, partial: Any = None, **_given: Any) -> None:
        """Refuse half a position, and a site that nobody could find."""
        check_position(values)
        if not partial and values.get("lat") is None and not values["address"]:
            raise ValidationError({"address": ["address_or_position"]})


class SiteEditSchema(fields.Schema):
    """What may change of a site."""

    name = fields.Text(200, 1)
    address = fields.Lines(300)
    lat = fields.Real(-90, 90, allow_none=True)
    lon = fields.Real(-180, 180, allow_none=True)
    opening_hours = OpeningHours(allow_none=True)


def check_position(values: Mapping[str, Any]) -> None:
    """Refuse half a position.

    Raises:
        ValidationError: ``required`` for the other half.
    """
    if (values.get("lat") is None) != (values.get("lon") is None):
        raise ValidationError({"lon" if values.get("lon") is None else "lat": ["required"]})


class SiteQuery(PageQuery):
    """A page of sites, of one customer if named."""

    customer_id = fields.Id()


class OtherSchema(fields.Schema):
    """The other customer of a pair."""

    other_id = fields.Id(required=True)


class SignSchema(fields.Schema):
    """One thing that speaks for a pair or, below 0 bits, against it; with its number and in words."""

    code = fields.Text()
    bits = fields.Real()
    value = fields.Real(allow_none=True)
    text = fields.Text()


class LikenessSchema(fields.Schema):
    """A customer that may be the same, how likely in per cent, and why. ``likely``: little thought is needed."""

    customer = fields.Nested(CustomerSchema)
    score = fields.Int(0, 100)
    likely = fields.Flag()
    signs = fields.Listing(fields.Nested(SignSchema))


class LikenessesSchema(fields.Schema):
    """Who may be the same as one customer, likeliest first."""

    items = fields.Listing(fields.Nested(LikenessSchema))


class PairSchema(fields.TrackedSchema):
    """Two customers that may be one."""

    first_id = fields.Id()
    second_id = fields.Id()
    first_name = fields.Text()
    second_name = fields.Text()
    score = fields.Int(0, 100)
    likely = fields.Flag()
    signs = fields.Listing(fields.Nested(SignSchema))
    state = fields.Text()
    decided_by = fields.Id(allow_none=True)
    decided_at = fields.Instant(allow_none=True)


class PairQuery(PageQuery):
    """A page of open pairs with at least a score."""

    least = fields.Int(0, 100, from_text=True, load_default=POSSIBLE)


class MergeSchema(fields.TrackedSchema):
    """A merge: the other one's values then (``rivals``), what the survivor took over, and how many rows went with it."""

    survivor_id = fields.Id()
    other_id = fields.Id()
    rivals = fields.Facts()
    taken = fields.Facts()
    rows = fields.Int()
    state = fields.Text()
    merged_by = fields.Id()
    undone_by = fields.Id(allow_none=True)


class MergesSchema(fields.Schema):
    """What was merged into one customer, the last one first."""

    items = fields.Listing(fields.Nested(MergeSchema))
