"""Wire names of suggestions."""

from __future__ import annotations

from app.core import fields
from app.suggestions.queries import LONGEST, MOST_SHOWN

_LONGEST_FIELD = 60
_MOST_FIELDS = 300


class SuggestionQuery(fields.Schema):
    """Of which field, beginning with what, and for which customer; without a field: which fields there are."""

    field = fields.Text(_LONGEST_FIELD)
    prefix = fields.Text(LONGEST, load_default="")
    customer_id = fields.Id()


class SuggestionSchema(fields.Schema):
    """A value that was entered before. ``label``: what a code is called; ``own``: one has used it oneself."""

    value = fields.Text(LONGEST)
    label = fields.Text(100, allow_none=True)
    own = fields.Flag()


class SuggestionsSchema(fields.Schema):
    """Values of a field, the likeliest first; or the fields there are."""

    field = fields.Text(_LONGEST_FIELD, allow_none=True)
    items = fields.Listing(fields.Nested(SuggestionSchema), most=MOST_SHOWN)
    known = fields.Listing(fields.Text(_LONGEST_FIELD), most=_MOST_FIELDS, data_key="fields")
