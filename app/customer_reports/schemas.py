"""Wire names of report forms and reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from app.core import fields
from app.core.paging import PageQuery
from app.customer_reports.models import ORGANISATION, OWNER, REPORT_STATES, REPORT_STEP_KINDS
from app.visit_types.models import QUESTION_KINDS
from app.visit_types.schemas import MOST_QUESTIONS, MOST_STEPS, Code, QuestionSchema, StepSchema
from app.visits.schemas import MOST_LINES, StockLineSchema


class ReportQuestionSchema(QuestionSchema):
    """One question. ``field``: of the customer, the answer is a fact of it; ``suggests_*``: what a greater number speaks for.

    Owners are shown neither.
    """

    field = fields.Text(40, 1)
    suggests_zh = fields.Text(100, 1)
    suggests_en = fields.Text(100, 1)


class ReportStepSchema(StepSchema):
    """One step; see visit types. Owners take no orders."""

    kind = fields.OneOf(*REPORT_STEP_KINDS, required=True)
    questions = fields.Listing(fields.Nested(ReportQuestionSchema), most=MOST_QUESTIONS)


class ReportFormSchema(fields.TrackedSchema):
    """What owners are asked. ``steps``: of the newest version, in their order; ``active`` false: retired."""

    id = fields.Id()
    code = Code(required=True)
    name_zh = fields.Text(100, 1, required=True)
    name_en = fields.Text(100, 1, required=True)
    active = fields.Flag(load_default=True)
    number = fields.Int(1, dump_only=True)
    version_id = fields.Id(dump_only=True)
    steps = fields.Listing(fields.Nested(ReportStepSchema), most=MOST_STEPS, required=True)


class ReportFormEditSchema(fields.Schema):
    """What may change of a report form; other steps are a new version."""

    name_zh = fields.Text(100, 1)
    name_en = fields.Text(100, 1)
    active = fields.Flag()
    steps = fields.Listing(fields.Nested(ReportStepSchema), most=MOST_STEPS)


class ByCode(fields.Table):
    """An object by code; a fault is told by the code alone, as the faults of the verb are."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs)
        except ValidationError as fault:
            if not isinstance(fault.messages, dict):
                raise
            found = {str(code): parts.get("key") or parts["value"] for code, parts in fault.messages.items()}
            raise ValidationError(found) from None


class StepToldSchema(fields.Schema):
    """What is told of one step: one of ``photo_ids``, ``stock`` and ``answers``, by its kind."""

    photo_ids = fields.Listing(fields.Id(), most=20)
    stock = fields.Listing(fields.Nested(StockLineSchema), most=MOST_LINES)
    answers = ByCode(Code(), fields.Scalar(500, allow_none=True), most=MOST_QUESTIONS)


class ReportToldSchema(fields.Schema):
    """A report: its id, the version of the form that was read, and by the step's code what is told."""

    id = fields.Id(required=True)
    version_id = fields.Id(required=True)
    steps = ByCode(Code(), fields.Nested(StepToldSchema), most=MOST_STEPS, required=True)


class SendReportSchema(ReportToldSchema):
    """The same, and when it was filled in by the phone's clock; ``sent_ms``, the same clock now, sets that right. Unix ms."""

    made_ms = fields.Int(1)
    sent_ms = fields.Int(1)


class FileReportSchema(ReportToldSchema):
    """A report that was filled in where there may be no network, and when, by the phone's clock; Unix ms."""

    made_ms = fields.Int(1, required=True)


class ReportedAnswerSchema(fields.Schema):
    """A question as the owner read it, and their answer."""

    code = fields.Text(40)
    kind = fields.OneOf(*QUESTION_KINDS)
    label_zh = fields.Text(100)
    label_en = fields.Text(100)
    value = fields.Anything()


class ReportedStepSchema(fields.Schema):
    """A step as the owner read it, and what they told: ``photo_ids``, ``lines`` or ``answers``."""

    code = fields.Text(40)
    kind = fields.OneOf(*REPORT_STEP_KINDS)
    label_zh = fields.Text(100)
    label_en = fields.Text(100)
    photo_ids = fields.Listing(fields.Id(), most=20)
    lines = fields.Listing(fields.Nested(StockLineSchema), most=MOST_LINES)
    answers = fields.Listing(fields.Nested(ReportedAnswerSchema), most=MOST_QUESTIONS)


class GrownSchema(fields.Schema):
    """A number that is greater than before; for reps and the office also what that suggests.

    Owners read only what is greater than what they had said themselves.
    """

    step = fields.Text(40)
    question = fields.Text(40)
    label_zh = fields.Text(100)
    label_en = fields.Text(100)
    before = fields.Real()
    before_by = fields.OneOf(OWNER, ORGANISATION)
    after = fields.Real()
    suggests_zh = fields.Text(100)
    suggests_en = fields.Text(100)


class CustomerReportSchema(fields.TrackedSchema):
    """What an owner reported, and what became of it."""

    customer_id = fields.Id()
    form_id = fields.Id()
    version_id = fields.Id()
    user_id = fields.Id()
    form_zh = fields.Text(100)
    form_en = fields.Text(100)
    content = fields.Listing(fields.Nested(ReportedStepSchema), most=MOST_STEPS)
    grown = fields.Listing(fields.Nested(GrownSchema), most=MOST_STEPS * MOST_QUESTIONS)
    happened_at = fields.Instant()
    awaiting = fields.Listing(fields.Id(), most=20 * MOST_STEPS)
    state = fields.OneOf(*REPORT_STATES)
    seen_by = fields.Id(allow_none=True)
    seen_at = fields.Instant(allow_none=True)
    answer = fields.Lines(500, allow_none=True)
    answered_by = fields.Id(allow_none=True)
    answered_at = fields.Instant(allow_none=True)


class ReportQuery(PageQuery):
    """A page of reports: of one customer, of one state."""

    customer_id = fields.Id()
    state = fields.OneOf(*REPORT_STATES)


class ReportAnswerSchema(fields.Schema):
    """A short note that the owner reads."""

    text = fields.Lines(500, 1, required=True)
