"""Wire names of the pages."""

from __future__ import annotations

from app.core import fields
from app.pages.sections import PARTS
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


class HomeQuery(fields.Schema):
    """Of which time on news are told."""

    since = fields.Instant()


class HomeRowSchema(fields.Schema):
    """One row: the noun that a tap opens, and two lines. News say what they are about, and how many further ones there are."""

    kind = fields.Text(30)
    id = fields.Id()
    title = fields.Text(60)
    line = fields.Text(160)
    at = fields.Instant()
    source = fields.Nested(SubjectSchema)
    further = fields.Int()


class HomeSectionSchema(fields.Schema):
    """One list: how many rows there are in all, and the first of them."""

    name = fields.Text(30)
    part = fields.OneOf(*PARTS)
    title = fields.Text(60)
    total = fields.Int()
    rows = fields.Listing(fields.Nested(HomeRowSchema))


class HomeSchema(fields.Schema):
    """The home page of a phone. ``at``: what the phone gives as ``since`` when it looks again."""

    day = fields.Day()
    at = fields.Instant()
    since = fields.Instant()
    sections = fields.Listing(fields.Nested(HomeSectionSchema))


class ChainSchema(fields.Schema):
    """Everything that led to a subject and everything that followed; ``cut``: there is more than was shown."""

    subject = fields.Nested(SubjectSchema)
    about = fields.Listing(fields.Nested(EntrySchema))
    causes = fields.Listing(fields.Nested(EntrySchema))
    effects = fields.Listing(fields.Nested(EntrySchema))
    cut = fields.Flag()


class SearchQuery(fields.Schema):
    """What is looked for; kinds with commas between them, all by default."""

    q = fields.Text(100, 1, required=True)
    kinds = fields.Text(200)
    cursor = fields.Text(200)
    limit = fields.Int(1, 50, from_text=True, load_default=20)


class MatchSchema(fields.Schema):
    """What of a row was met: the field, its text, and whether all of it, its beginning or an inner part."""

    field = fields.Text()
    text = fields.Text()
    place = fields.OneOf("whole", "start", "inside")


class HitSchema(fields.Schema):
    """One row that was found: its title, and what tells it from others of that title."""

    kind = fields.Text()
    id = fields.Id()
    title = fields.Text()
    detail = fields.Text()
    customer_id = fields.Id(allow_none=True)
    matched = fields.Nested(MatchSchema)


class HitsSchema(fields.Schema):
    """What was found, the best first."""

    items = fields.Listing(fields.Nested(HitSchema))
    next = fields.Text(allow_none=True)
