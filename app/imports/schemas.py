"""Wire names of imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from app.core import fields
from app.imports.files import MOST_BYTES


class FileText(fields.Lines):
    """A file as a text of at most 900,000 bytes; not trimmed, so that its rows keep their numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(MOST_BYTES, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        super()._deserialize(value, attr, data, **kwargs)
        if len(value.encode()) > MOST_BYTES:
            raise ValidationError("too_long")
        return str(value)


class FileSchema(fields.Schema):
    """A CSV file, and whether only to tell what would come of it."""

    csv = FileText(required=True)
    dry_run = fields.Flag(required=True)


class RowErrorSchema(fields.Schema):
    """What is wrong with one cell. Rows are counted as a spreadsheet does: the header is row 1."""

    row = fields.Int()
    field = fields.Text()
    code = fields.Text()
    text = fields.Text()


class OutcomeSchema(fields.Schema):
    """What came of a file. At most 1,000 errors are listed; ``cut`` tells whether there are more."""

    dry_run = fields.Flag()
    rows = fields.Int()
    created = fields.Int()
    unchanged = fields.Int()
    errors = fields.Listing(fields.Nested(RowErrorSchema))
    cut = fields.Flag()
