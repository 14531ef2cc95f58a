"""Wire names of rules."""

from __future__ import annotations

from app.core import fields


class RuleSchema(fields.TrackedSchema):
    """A rule with its present document."""

    code = fields.Text(40, 1, required=True)
    enabled = fields.Flag(load_default=True)
    number = fields.Int(dump_only=True)
    document = fields.Facts(required=True)


class RuleEditSchema(fields.Schema):
    """A switch, or a new version of the document."""

    enabled = fields.Flag()
    document = fields.Facts()


class RuleVersionSchema(fields.Schema):
    """One version of a rule."""

    number = fields.Int()
    document = fields.Facts()
    since = fields.Instant()
    author_id = fields.Id(allow_none=True)


class RuleVersionsSchema(fields.Schema):
    """All versions of a rule, newest first."""

    items = fields.Listing(fields.Nested(RuleVersionSchema))
