"""Wire names of offers and coupons."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.service_offers.models import OFFER_STATES


class OfferSchema(fields.TrackedSchema):
    """A personal offer."""

    kind = fields.Text(40)
    state = fields.OneOf(*OFFER_STATES)
    alarm_id = fields.Id()
    component_id = fields.Id()
    asset_id = fields.Id()
    customer_id = fields.Id()
    work_order_id = fields.Id()
    price = fields.Amount()
    discount = fields.Amount()
    amount_due = fields.Amount()
    currency = fields.Text(3)
    under_warranty = fields.Flag()
    valid_until = fields.Instant()
    closed_at = fields.Instant(allow_none=True)
    close_reason = fields.Text(200, allow_none=True)


class OfferQuery(PageQuery):
    """A page of offers, of one state if named."""

    state = fields.OneOf(*OFFER_STATES)


class AcceptSchema(fields.Schema):
    """The slot chosen."""

    slot_at = fields.Instant(required=True)


class DeclineSchema(fields.Schema):
    """Why it is declined; may be empty."""

    reason = fields.Lines(200, load_default="")


class ShownCouponSchema(fields.Schema):
    """What the owner shows at the station."""

    coupon_id = fields.Id()
    state = fields.Text()
    code = fields.Text()
    token = fields.Text(allow_none=True)
    qr = fields.Text()


class RedeemSchema(fields.Schema):
    """The code, or the whole content of the QR code."""

    code = fields.Secret(2000, required=True)


class CouponSchema(fields.TrackedSchema):
    """A coupon, without its code."""

    offer_id = fields.Id()
    state = fields.Text()
    redeemed_at = fields.Instant(allow_none=True)
    redeemed_by = fields.Id(allow_none=True)
    station_id = fields.Id(allow_none=True)


class CouponKeySchema(fields.Schema):
    """The public key (JWK) that verifies coupon tokens offline."""

    key = fields.Facts()
