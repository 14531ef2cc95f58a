"""Wire names of visit types: an ordered kit of steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from app.core import fields
from app.visit_types.models import QUESTION_KINDS, STEP_KINDS

MOST_STEPS, MOST_QUESTIONS, MOST_CHOICES = 20, 30, 30
_CODE = re.compile(r"[a-z][a-z0-9_]{0,39}")


class Code(fields.Text):
    """A short name that programs use: lower-case letters, digits and underscores."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(40, 1, metadata={"pattern": f"^{_CODE.pattern}$"}, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> str:
        code = super()._deserialize(value, attr, data, **kwargs)
        if not _CODE.fullmatch(code):
            raise ValidationError("code_invalid")
        return code


class QuestionSchema(fields.Schema):
    """One question of a form. ``choices``: the answers there are, of the kind ``choice`` only."""

    code = Code(required=True)
    kind = fields.OneOf(*QUESTION_KINDS, required=True)
    label_zh = fields.Text(100, 1, required=True)
    label_en = fields.Text(100, 1, required=True)
    required = fields.Flag(load_default=False)
    choices = fields.Listing(fields.Text(100, 1), most=MOST_CHOICES)


class StepSchema(fields.Schema):
    """One step. ``least``: so many photos, of the kind ``photo`` only; ``questions``: of the kind ``form`` only."""

    code = Code(required=True)
    kind = fields.OneOf(*STEP_KINDS, required=True)
    label_zh = fields.Text(100, 1, required=True)
    label_en = fields.Text(100, 1, required=True)
    required = fields.Flag(load_default=False)
    least = fields.Int(1, 20)
    questions = fields.Listing(fields.Nested(QuestionSchema), most=MOST_QUESTIONS)


class VisitTypeSchema(fields.TrackedSchema):
    """A type of visits. ``steps``: of its newest kit, in the order they are done."""

    id = fields.Id()
    code = Code(required=True)
    name_zh = fields.Text(100, 1, required=True)
    name_en = fields.Text(100, 1, required=True)
    active = fields.Flag(load_default=True)
    number = fields.Int(1, dump_only=True)
    kit_id = fields.Id(dump_only=True)
    steps = fields.Listing(fields.Nested(StepSchema), most=MOST_STEPS, load_default=list)


class VisitTypeEditSchema(fields.Schema):
    """What may change of a visit type; other steps are a new kit."""

    name_zh = fields.Text(100, 1)
    name_en = fields.Text(100, 1)
    active = fields.Flag()
    steps = fields.Listing(fields.Nested(StepSchema), most=MOST_STEPS)
