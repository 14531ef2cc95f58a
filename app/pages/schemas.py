"""Wire names of the pages."""

from __future__ import annotations

from app.core import fields
from push.models import CHANNELS, OUTBOX_STATES


class SubjectSchema(fields.Schema):
    """What an entry is about."""

    kind = fields.Text(30)
    id = fields.Text(36)


class EntrySchema(fields.Schema):
    """One thing that happened, why, and which shown entries it followed from."""

    id = fields.Id()
    kind = fields.Text(60)
    subject = fields.Nested(SubjectSchema)
    occurred_at = fields.Instant()
    recorded_at = fields.Instant()
    actor_id = fields.Id(allow_none=True)
    reason = fields.Text(500)
    facts = fields.Facts()
    because_of = fields.Listing(fields.Id())
    hops = fields.Int()


class RuleBehindSchema(fields.Schema):
    """The rule behind a message, the number of its version then, and what it said."""

    code = fields.Text(60, allow_none=True)
    number = fields.Int(allow_none=True)
    reason = fields.Text(500)


class ChannelReasonSchema(fields.Schema):
    """Whether a channel carried a message, and why."""

    channel = fields.OneOf(*CHANNELS)
    chosen = fields.Flag()
    reason = fields.Text(300)


class AttemptSchema(fields.Schema):
    """How far a message got on one way; a channel with several addresses has one of these for each."""

    channel = fields.OneOf(*CHANNELS)
    state = fields.OneOf(*OUTBOX_STATES)
    attempts = fields.Int()
    queued_at = fields.Instant()
    next_at = fields.Instant()
    quiet_until = fields.Instant(allow_none=True)
    settled_at = fields.Instant(allow_none=True)
    last_error = fields.Text(200, allow_none=True)
    outcome = fields.Text(500, allow_none=True)


class WhySchema(fields.Schema):
    """Why a person got a message, and how it fared."""

    notification_id = fields.Id()
    user_id = fields.Id()
    kind = fields.Text(40)
    state = fields.OneOf("inbox", *OUTBOX_STATES)
    recipient = fields.Text(300)
    rule = fields.Nested(RuleBehindSchema, allow_none=True)
    channels = fields.Listing(fields.Nested(ChannelReasonSchema))
    attempts = fields.Listing(fields.Nested(AttemptSchema))
    steps = fields.Listing(fields.Nested(EntrySchema))
    causes = fields.Listing(fields.Nested(EntrySchema))


class ChainSchema(fields.Schema):
    """Everything that led to a subject and everything that followed; ``cut``: there is more than was shown."""

    subject = fields.Nested(SubjectSchema)
    about = fields.Listing(fields.Nested(EntrySchema))
    causes = fields.Listing(fields.Nested(EntrySchema))
    effects = fields.Listing(fields.Nested(EntrySchema))
    cut = fields.Flag()
