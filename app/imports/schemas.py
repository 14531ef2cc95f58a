"""Wire names of imports."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from app.core import fields
from app.custom_fields.models import LONGEST_KEY
from app.custom_fields.values import KEY
from app.imports.columns import DEFAULTS, FIELDS, FIELDS_OF, KEYS
from app.imports.files import MOST_BYTES
from app.imports.models import IMPORT_STATES, ROW_STATES
from app.imports.own import PREFIX
from app.imports.sheets import LONGEST_NAME, MOST_UPLOADED
from app.imports.spreadsheets import MOST_COLUMNS


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


UPLOAD_KINDS = tuple(FIELDS_OF)
# Of codes that are listed with an import; ``counts`` says how many there are.
MOST_UNMAPPED = 100


class _Bytes(fields.Text):
    """Bytes as Base64 in a text."""

    one_line = False

    def __init__(self, most: int, **kwargs: Any) -> None:
        super().__init__(most * 4 // 3 + 4, 1, metadata={"contentEncoding": "base64"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        try:
            return base64.b64decode(text, validate=True)
        except ValueError:
            raise ValidationError("invalid") from None


class UploadSchema(fields.Schema):
    """A file of at most 3,000,000 bytes: .xlsx, or CSV in UTF-8 or GB18030.

    ``system``: whose codes its code lists hold, such as SAP; without one they hold ours.
    """

    kind = fields.OneOf(*UPLOAD_KINDS, required=True)
    file_name = fields.Text(200, 1, required=True)
    content = _Bytes(MOST_UPLOADED, required=True)
    system = fields.Text(40, 1, allow_none=True, load_default=None)


class _Target(fields.Text):
    """A field of a customer or a lead, or one of the company's own as ``custom.<key>``."""

    def __init__(self, **kwargs: Any) -> None:
        pattern = f"^({'|'.join(FIELDS)}|custom\\.{KEY.pattern})$"
        super().__init__(len(PREFIX) + LONGEST_KEY, 1, metadata={"pattern": pattern}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        if text not in FIELDS and not (text.startswith(PREFIX) and KEY.fullmatch(text.removeprefix(PREFIX))):
            raise ValidationError("not_one_of")
        return text


def _columns(**kwargs: Any) -> fields.Table:
    return fields.Table(fields.Text(LONGEST_NAME, 1), _Target(), most=MOST_COLUMNS, **kwargs)


def _defaults(**kwargs: Any) -> fields.Table:
    return fields.Table(fields.OneOf(*DEFAULTS), fields.Text(200, 1), most=len(DEFAULTS), **kwargs)


class ImportMappingEditSchema(fields.Schema):
    """Which column is which field, what fields have that no column gives, and which field knows a customer again."""

    columns = _columns()
    defaults = _defaults()
    key = fields.OneOf(*KEYS)
    system = fields.Text(40, 1, allow_none=True)


class ImportMappingSchema(fields.TrackedSchema):
    """A mapping that is kept by name."""

    kind = fields.OneOf(*UPLOAD_KINDS, required=True)
    name = fields.Text(100, 1, required=True)
    columns = _columns(required=True)
    defaults = _defaults(load_default=dict)
    key = fields.OneOf(*KEYS, required=True)
    system = fields.Text(40, 1, allow_none=True, load_default=None)


class UnmappedSchema(fields.Schema):
    """A code of another system that stands for nothing yet, and how many rows hold it."""

    list_name = fields.Text()
    code = fields.Text()
    rows = fields.Int()


class ImportSchema(fields.TrackedSchema):
    """An import. ``counts``: rows by state, and of checked ones by what a run would do; ``done``: rows seen to so far.

    ``counts`` also says of how many rows a better source's value stays (``outranked``) or would stay (``to_outrank``), how many
    rows hold codes that stand for nothing yet (``waiting``), and how many such codes the last check met (``unmapped``).
    """

    number = fields.Text()
    kind = fields.Text()
    file_name = fields.Text()
    encoding = fields.Text()
    header = fields.Listing(fields.Text())
    columns = _columns()
    defaults = _defaults()
    key = fields.Text()
    system = fields.Text(allow_none=True)
    unmapped = fields.Listing(fields.Nested(UnmappedSchema))
    state = fields.OneOf(*IMPORT_STATES)
    rows = fields.Int()
    done = fields.Int()
    counts = fields.Facts()
    reason = fields.Text(allow_none=True)
    made_by = fields.Id()
    run_by = fields.Id(allow_none=True)
    undone_by = fields.Id(allow_none=True)
    started_at = fields.Instant(allow_none=True)
    ended_at = fields.Instant(allow_none=True)


class StartSchema(fields.Schema):
    """Whether rows with errors are left out."""

    skip_faulty = fields.Flag(load_default=False)


class RowQuery(fields.Schema):
    """Rows of one import, those in one state if it is named, behind a row's number."""

    state = fields.OneOf(*ROW_STATES)
    after = fields.Int(0, from_text=True, load_default=0)
    limit = fields.Int(1, 200, from_text=True, load_default=50)


class CellFaultSchema(fields.Schema):
    """What is wrong with one cell, as a code and in words; ``field`` is the column, ``other_row`` the row it contradicts."""

    field = fields.Text()
    code = fields.Text()
    text = fields.Text()
    other_row = fields.Int(allow_none=True)


class ImportRowSchema(fields.Schema):
    """One row of a file, counted as a spreadsheet does: the header is row 1.

    ``outranked``: fields of which a better source's value stays, or would stay; ``waiting``: fields whose code stands for nothing
    yet; ``follows``: the row above that is of the same customer, for another site.
    """

    row = fields.Int()
    state = fields.OneOf(*ROW_STATES)
    plan = fields.Text(allow_none=True)
    cells = fields.Facts()
    errors = fields.Listing(fields.Nested(CellFaultSchema))
    outranked = fields.Listing(fields.Text())
    waiting = fields.Listing(fields.Text())
    follows = fields.Int(allow_none=True)


class ImportRowsSchema(fields.Schema):
    """Rows in their order; ``next`` is what ``after`` takes for those that follow."""

    items = fields.Listing(fields.Nested(ImportRowSchema))
    next = fields.Int(allow_none=True)
