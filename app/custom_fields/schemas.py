"""Wire names of the company's own fields."""

from __future__ import annotations

from marshmallow import ValidationError

from app.core import fields
from app.core.paging import PageQuery
from app.custom_fields.models import FIELD_KINDS, LONGEST_KEY, MOST_CHOICES, SUBJECTS
from app.custom_fields.values import KEY


def _check_key(text: str) -> None:
    if not KEY.fullmatch(text):
        raise ValidationError("field_key")


class ChoiceSchema(fields.Schema):
    """One value of a field of the kind ``choice``, with its words."""

    code = fields.Text(60, 1, required=True)
    label_zh = fields.Text(60, 1, required=True)
    label_en = fields.Text(60, 1, required=True)


class CustomFieldSchema(fields.TrackedSchema):
    """A field of a company's own."""

    subject_kind = fields.OneOf(*SUBJECTS, load_default="customer")
    key = fields.Text(LONGEST_KEY, 1, required=True, validate=_check_key)
    kind = fields.OneOf(*FIELD_KINDS, required=True)
    label_zh = fields.Text(60, 1, required=True)
    label_en = fields.Text(60, 1, required=True)
    choices = fields.Listing(fields.Nested(ChoiceSchema), most=MOST_CHOICES, load_default=list)
    territory_id = fields.Id(allow_none=True, load_default=None)
    retired = fields.Flag(dump_only=True)


class CustomFieldEditSchema(fields.Schema):
    """What may change of a field: not its key, and not its kind."""

    label_zh = fields.Text(60, 1)
    label_en = fields.Text(60, 1)
    choices = fields.Listing(fields.Nested(ChoiceSchema), most=MOST_CHOICES)
    territory_id = fields.Id(allow_none=True)
    retired = fields.Flag()


class CustomFieldQuery(PageQuery):
    """A page of fields, of one kind of subject if named."""

    subject_kind = fields.OneOf(*SUBJECTS)
