"""Wire names of preparations."""

from __future__ import annotations

from app.core import fields
from app.preparations.changes import MOST_LINES
from app.preparations.models import CHANGES


class BringRuleSchema(fields.TrackedSchema):
    """What to bring where at least so many changes of a kind were found; ``any_of``: models, metrics or fields, or nothing."""

    id = fields.Id()
    name = fields.Text(100, 1, required=True)
    change = fields.OneOf(*CHANGES, required=True)
    any_of = fields.Listing(fields.Text(100, 1), most=50, load_default=list)
    least = fields.Int(1, 1000, load_default=1)
    advice_zh = fields.Text(500, 1, required=True)
    advice_en = fields.Text(500, 1, required=True)
    active = fields.Flag(load_default=True)


class BringRuleEditSchema(fields.Schema):
    """What may change of such a rule."""

    name = fields.Text(100, 1)
    any_of = fields.Listing(fields.Text(100, 1), most=50)
    least = fields.Int(1, 1000)
    advice_zh = fields.Text(500, 1)
    advice_en = fields.Text(500, 1)
    active = fields.Flag()


class PreparationLineSchema(fields.Schema):
    """One change, as a sentence in the reader's language, and the entries of the causal log it was read from."""

    change = fields.Text(40)
    subject_kind = fields.Text(30)
    subject_id = fields.Id()
    at = fields.Instant()
    count = fields.Int()
    text = fields.Text(1000)
    entry_ids = fields.Listing(fields.Id(), most=1000)


class BringSchema(fields.Schema):
    """What a rule of the office wants brought, and because of what."""

    rule_id = fields.Id()
    name = fields.Text(100)
    text = fields.Text(500)
    count = fields.Int()
    entry_ids = fields.Listing(fields.Id(), most=1000)


class VisitPreparationSchema(fields.Schema):
    """What changed since ``since``, the end of the last visit to the site; what that left comes first, then the newest."""

    visit_id = fields.Id()
    last_visit_id = fields.Id(allow_none=True)
    since = fields.Instant()
    items = fields.Listing(fields.Nested(PreparationLineSchema), most=MOST_LINES)
    bring = fields.Listing(fields.Nested(BringSchema), most=200)
    cut = fields.Flag()


class NewFactSchema(fields.Schema):
    """One thing a visit brought to light."""

    code = fields.Text(40)
    at = fields.Instant()
    text = fields.Text(500)


class NewsSchema(fields.Schema):
    """What a visit brought to light; ``hint``: where the last three to the customer brought nothing."""

    visit_id = fields.Id()
    items = fields.Listing(fields.Nested(NewFactSchema), most=1000)
    hint = fields.Text(500, allow_none=True)
