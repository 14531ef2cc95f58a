"""Wire names of telemetry, alarms, dead letters and commands."""

from __future__ import annotations

from app.assets.schemas import ProfileSchema
from app.core import fields
from app.core.paging import PageQuery
from iot.models import ALARM_STATES
from iot.pauses import LONGEST_H


class AlarmSchema(fields.TrackedSchema):
    """One episode of one rule on one component or device. Times are event time."""

    rule_id = fields.Id()
    rule_number = fields.Int()
    subject_kind = fields.Text(20)
    subject_id = fields.Id()
    asset_id = fields.Id()
    episode = fields.Int()
    state = fields.OneOf(*ALARM_STATES)
    severity = fields.Text(20)
    metric = fields.Text(60)
    raised_at = fields.Instant()
    first_value = fields.Real()
    last_at = fields.Instant()
    last_value = fields.Real()
    readings = fields.Int()
    cleared_at = fields.Instant(allow_none=True)
    end_reason = fields.Text(60, allow_none=True)
    acknowledged_by = fields.Id(allow_none=True)
    acted_at = fields.Instant(allow_none=True)
    incident_id = fields.Id(allow_none=True)
    closed_at = fields.Instant(allow_none=True)
    closed_by = fields.Id(allow_none=True)
    close_reason = fields.Text(200, allow_none=True)
    snoozed_until = fields.Instant(allow_none=True)
    held_until = fields.Instant(allow_none=True)


class CloseAlarmSchema(fields.Schema):
    """Why a person closes an alarm."""

    reason = fields.Text(200, 1, required=True)


class SnoozeAlarmSchema(fields.Schema):
    """Until when, or for how many hours, an alarm tells nobody anything: one of the two, at most 30 days."""

    until = fields.Instant()
    hours = fields.Real(0.01, LONGEST_H)


class AlarmQuery(PageQuery):
    """A page of alarms, of one state, asset or incident if named."""

    state = fields.OneOf(*ALARM_STATES)
    asset_id = fields.Id()
    incident_id = fields.Id()


class IncidentSchema(fields.TrackedSchema):
    """The alarms of one asset that stand at the same time; ``work_order_id`` is what they led to."""

    asset_id = fields.Id()
    state = fields.OneOf("open", "closed")
    severity = fields.Text(20)
    opened_at = fields.Instant()
    closed_at = fields.Instant(allow_none=True)
    work_order_id = fields.Id(allow_none=True)


class IncidentQuery(PageQuery):
    """A page of incidents, of one state or asset if named."""

    state = fields.OneOf("open", "closed")
    asset_id = fields.Id()


class ReadingSchema(fields.Schema):
    """One reading; ``id`` is how the causal log knows it."""

    id = fields.Text(32)
    device_id = fields.Id()
    metric = fields.Text(60)
    at = fields.Instant()
    received_at = fields.Instant()
    value = fields.Real()
    ahead = fields.Flag()


class DeviceRateSchema(fields.Schema):
    """How often a device may speak, and what it sent beyond that.

    ``room``: so many messages may come now; null without a limit. ``not_taken``: ever; ``storm_not_taken``: in the latest storm.
    """

    messages_per_minute = fields.Int()
    burst = fields.Int()
    room = fields.Int(allow_none=True)
    not_taken = fields.Int()
    storm_not_taken = fields.Int()
    storm_since = fields.Instant(allow_none=True)
    last_not_taken_at = fields.Instant(allow_none=True)


class TelemetryQuery(fields.Schema):
    """Which readings: one metric, in a span of event time, newest first.

    ``step``: sums of at least so many seconds each, at most ``limit`` of them, from ``since`` on, which is then needed.
    """

    metric = fields.Text(60, 1, required=True)
    since = fields.Instant()
    until = fields.Instant()
    limit = fields.Int(1, 1000, from_text=True, load_default=100)
    resolution = fields.OneOf("raw", "hour", "day", load_default="raw")
    step = fields.Int(1, 31_536_000, from_text=True)


class RollupSchema(fields.Schema):
    """The readings of one hour (UTC), local day or step that began at ``since``, added up."""

    since = fields.Instant()
    n = fields.Int()
    sum = fields.Real()
    least = fields.Real()
    greatest = fields.Real()
    first_at = fields.Instant()
    first = fields.Real()
    last_at = fields.Instant()
    last = fields.Real()


class ReadingsSchema(fields.Schema):
    """Readings, newest first."""

    items = fields.Listing(fields.Nested(ReadingSchema), most=1000)


class TelemetrySchema(ReadingsSchema):
    """Readings, or with a ``resolution`` of ``hour`` or ``day`` or a ``step`` their sums; newest first.

    ``step``: how long each sum's time is, in seconds; null for readings.
    """

    rollups = fields.Listing(fields.Nested(RollupSchema), most=1000)
    step = fields.Int(allow_none=True)


class TrialSpanSchema(fields.Schema):
    """Over which time a rule is tried out. ``after``: go on after this subject."""

    since = fields.Instant()
    until = fields.Instant()
    after = fields.Text(36, load_default="")


class TrialBodySchema(TrialSpanSchema):
    """A document, and over which time it is tried out."""

    document = fields.Facts(required=True)


class RaisedSchema(fields.Schema):
    """An alarm that a rule would have raised. Times are event time, but ``closed_at``: our clock.

    ``state``: ``raised`` where it would stand now; ``closed`` where a person closed what the rule had raised.
    """

    subject_kind = fields.Text(20)
    subject_id = fields.Id()
    asset_id = fields.Id()
    severity = fields.Text(20)
    state = fields.OneOf("raised", "cleared", "closed")
    raised_at = fields.Instant()
    cleared_at = fields.Instant(allow_none=True)
    closed_at = fields.Instant(allow_none=True)
    end_reason = fields.Text(60, allow_none=True)
    first_value = fields.Real()
    last_value = fields.Real()
    readings = fields.Int()


class TrialSchema(fields.Schema):
    """What a rule would have raised. ``next``: ask for the rest with it as ``after``; null: all was looked at."""

    items = fields.Listing(fields.Nested(RaisedSchema), most=100_000)
    subjects = fields.Int()
    readings = fields.Int()
    next = fields.Text(36, allow_none=True)


class DeadLetterQuery(PageQuery):
    """A page of dead letters, of one state, reason or source if named."""

    state = fields.OneOf("open", "replayed", "dismissed")
    reason = fields.Text(60, 1)
    source = fields.Text(160, 1)


class DeadLetterSchema(fields.Schema):
    """A message that could not be used. ``source``: the device, node or gateway whose topic it came on."""

    id = fields.Id()
    source = fields.Text(160)
    topic = fields.Text(300)
    head = fields.Text(8000)
    size = fields.Int()
    whole = fields.Flag()
    fingerprint = fields.Text(64)
    reason = fields.Text(60)
    detail = fields.Text(300)
    received_at = fields.Instant()
    last_at = fields.Instant()
    times = fields.Int()
    state = fields.Text(20)


class DismissalSchema(fields.Schema):
    """Which open dead letters are of no use: those of one source, of one reason if named."""

    source = fields.Text(160, 1, required=True)
    reason = fields.Text(60, 1)


class DismissedSchema(fields.Schema):
    """How many were closed."""

    dismissed = fields.Int()


class CommandSchema(fields.TrackedSchema):
    """Something the server asks of a device."""

    device_id = fields.Id(dump_only=True)
    state = fields.Text(dump_only=True)
    body = fields.Facts(required=True)
    timeout_s = fields.Int(1, 86_400, load_only=True, load_default=300)
    expires_at = fields.Instant(dump_only=True)
    answer = fields.Facts(dump_only=True, allow_none=True)


class PollQuery(fields.Schema):
    """How long to wait for a command, in milliseconds."""

    timeout = fields.Int(0, 86_400_000, from_text=True, load_default=20_000)


class AskedSchema(fields.Schema):
    """What a device is asked; ``id`` goes into the answer's address."""

    id = fields.Int()
    method = fields.Text(100)
    params = fields.Anything()


class SignInVerdictSchema(fields.Schema):
    """What EMQX is told of a client: Unix seconds in ``expire_at``, further names as EMQX has them."""

    result = fields.OneOf("allow", "deny")
    is_superuser = fields.Flag()
    client_attrs = fields.Facts()
    expire_at = fields.Int()
    acl = fields.Listing(fields.Facts(), most=1000)


class ReadingTrialBodySchema(fields.Schema):
    """A device profile, and one message to try it on: its payload as a text, or any bytes in Base64."""

    profile = fields.Nested(ProfileSchema, required=True)
    topic = fields.Text(300, 1, required=True)
    payload = fields.Lines(200_000)
    payload_base64 = fields.Text(280_000)
    retained = fields.Flag(load_default=False)


class TriedReadingSchema(fields.Schema):
    """One reading that would be stored; ``address`` is what its device must be registered under."""

    address = fields.Text(120)
    metric = fields.Text(60)
    at = fields.Instant()
    value = fields.Real()
    key = fields.Text(80)


class ReadingTrialSchema(fields.Schema):
    """What would be stored, or the reason why not. ``passed_over``: of a message that is known and carries nothing we use."""

    items = fields.Listing(fields.Nested(TriedReadingSchema))
    reason = fields.Text(60, allow_none=True)
    detail = fields.Text(300)
    passed_over = fields.Text(40, allow_none=True)
