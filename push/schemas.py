"""Wire names of notifications, channels, phones and the outbox."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, validates_schema

from app.core import fields
from app.core.paging import PageQuery
from push.models import CHANNELS, OUTBOX_STATES


class NotificationSchema(fields.TrackedSchema):
    """One message to oneself, in one's own language."""

    kind = fields.Text(40)
    title = fields.Text()
    body = fields.Text(4000)
    subject_kind = fields.Text(30)
    subject_id = fields.Id()
    delivered_at = fields.Instant(allow_none=True)
    opened_at = fields.Instant(allow_none=True)


class ChannelSchema(fields.Schema):
    """One way to oneself: wanted, configured on this server, with an address, and shown to reach one there."""

    channel = fields.OneOf(*CHANNELS)
    enabled = fields.Flag()
    configured = fields.Flag()
    reachable = fields.Flag()
    verified = fields.Flag()


class ChannelsSchema(fields.Schema):
    """Every way to oneself."""

    channels = fields.Listing(fields.Nested(ChannelSchema))


class ChannelCodeSchema(fields.Schema):
    """The code that came through the channel."""

    code = fields.Text(20, 1, required=True)


class ChannelChoiceSchema(fields.Schema):
    """A channel, switched on or off."""

    channel = fields.OneOf(*CHANNELS, required=True)
    enabled = fields.Flag(required=True)


class QuietHoursSchema(fields.Schema):
    """From when to when somebody wants to be left alone, by the clocks of a time zone; over midnight where they must be."""

    begins = fields.Minute(required=True)
    ends = fields.Minute(required=True)
    time_zone = fields.Zone(required=True)

    @validates_schema(skip_on_field_errors=True)
    def _check_span(self, given: dict[str, Any], **_: Any) -> None:
        if given["begins"] == given["ends"]:
            raise ValidationError({"ends": ["span_empty"]})


class QuietAnswerSchema(fields.Schema):
    """One's quiet hours; null without any."""

    quiet_hours = fields.Nested(QuietHoursSchema, allow_none=True)


class FallbackOrderSchema(fields.Schema):
    """Channels in the order they are tried, and after how many minutes unopened the next one is."""

    channels = fields.Listing(fields.OneOf(*CHANNELS), most=len(CHANNELS), required=True)
    after_min = fields.Int(1, 1440, required=True)

    @validates_schema(skip_on_field_errors=True)
    def _check_order(self, given: dict[str, Any], **_: Any) -> None:
        if not given["channels"] or len(set(given["channels"])) != len(given["channels"]):
            raise ValidationError({"channels": ["not_each_once"]})


class FallbackAnswerSchema(fields.Schema):
    """One's order of channels; null when all carry everything at once."""

    fallback_order = fields.Nested(FallbackOrderSchema, allow_none=True)


class RegistrationSchema(fields.Schema):
    """Where FCM reaches this phone: a Firebase installation id, or an older registration token."""

    address_kind = fields.OneOf("fid", "token", required=True)
    address = fields.Text(500, 1, required=True)


class RegistrationTokenSchema(fields.Schema):
    """A registered phone. The address itself is not repeated."""

    id = fields.Id()
    address_kind = fields.OneOf("fid", "token")
    registered_at = fields.Instant()
    seen_at = fields.Instant()


class BrowserKeysSchema(fields.Schema):
    """The keys of a subscription, in base64url as the browser gives them."""

    p256dh = fields.Text(100, 1, required=True)
    auth = fields.Text(40, 1, required=True)


class SubscriptionSchema(fields.Schema):
    """A subscription as ``PushSubscription.toJSON()`` gives it."""

    endpoint = fields.Text(1000, 1, required=True)
    expirationTime = fields.Real(allow_none=True)  # noqa: N815 - the browser's own name
    keys = fields.Nested(BrowserKeysSchema, required=True)


class BrowserSubscriptionSchema(fields.Schema):
    """A browser that is registered. Endpoint and keys are not repeated."""

    id = fields.Id()
    registered_at = fields.Instant()
    seen_at = fields.Instant()


class UnsubscribeSchema(fields.Schema):
    """The endpoint of the browser that is signed out on."""

    endpoint = fields.Text(1000, 1, required=True)


class ApplicationKeySchema(fields.Schema):
    """The ``applicationServerKey`` a browser subscribes with; null when this server has no Web Push."""

    public_key = fields.Text(100, allow_none=True)


class ForgetSchema(fields.Schema):
    """The address of the phone that is signed out on."""

    address = fields.Text(500, 1, required=True)


class OutboxQuery(PageQuery):
    """Page of the outbox, narrowed by state and channel."""

    state = fields.OneOf(*OUTBOX_STATES)
    channel = fields.OneOf(*CHANNELS)


class OutboxMessageSchema(fields.Schema):
    """How far one message got through one channel; no address and no words."""

    id = fields.Id()
    notification_id = fields.Id()
    user_id = fields.Id()
    channel = fields.OneOf(*CHANNELS)
    state = fields.OneOf(*OUTBOX_STATES)
    attempts = fields.Int()
    next_at = fields.Instant()
    quiet_until = fields.Instant(allow_none=True)
    expires_at = fields.Instant()
    queued_at = fields.Instant()
    settled_at = fields.Instant(allow_none=True)
    last_error = fields.Text(allow_none=True)
