"""Wire names of the pages."""

from __future__ import annotations

from app.core import fields


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


class ChainSchema(fields.Schema):
    """Everything that led to a subject and everything that followed; ``cut``: there is more than was shown."""

    subject = fields.Nested(SubjectSchema)
    about = fields.Listing(fields.Nested(EntrySchema))
    causes = fields.Listing(fields.Nested(EntrySchema))
    effects = fields.Listing(fields.Nested(EntrySchema))
    cut = fields.Flag()
