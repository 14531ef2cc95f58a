"""Wire names of lead forms and what was sent through them."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.core.problems import FieldProblemSchema
from app.lead_forms.bodies import LONGEST_NAME, LONGEST_TEXT, MOST_FIELDS
from app.lead_forms.budgets import RULES
from app.lead_forms.models import FORM_STATES, SUBMISSION_STATES


class FieldMapSchema(fields.Schema):
    """One field of the form, and what of the lead it becomes.

    ``to``: name, phone, interest, company, email, address, territory_id, source, budget, note or ``custom.<key>``.
    ``codes``: by a choice's text, what the lead gets for it. ``else``: what happens to a choice without a code or a text that
    cannot be read. ``range``: which amount of a budget's range counts.
    """

    source = fields.Text(LONGEST_NAME, 1, data_key="from", attribute="from", required=True)
    to = fields.Text(60, 1, required=True)
    required = fields.Flag(load_default=False)
    codes = fields.Table(fields.Text(200, 1), fields.Text(500, 1), most=200, allow_none=True, load_default=None)
    otherwise = fields.OneOf("refuse", "note", "read", data_key="else", attribute="else", load_default="refuse")
    range = fields.OneOf(*RULES, load_default="lower")


class FormDocumentSchema(fields.Schema):
    """How a form's fields become a lead's. ``defaults``: by the lead's field, what it gets where the form gives nothing.

    ``origins``: the pages whose browsers may send, such as ``https://www.example.com``; ``trap``: a field people do not see.
    """

    fields_ = fields.Listing(
        fields.Nested(FieldMapSchema), most=MOST_FIELDS, data_key="fields", attribute="fields", required=True
    )
    defaults = fields.Table(fields.Text(60, 1), fields.Text(500, 1), most=20, load_default=dict)
    origins = fields.Listing(fields.Text(200, 1), most=20, load_default=list)
    trap = fields.Text(LONGEST_NAME, 1, allow_none=True, load_default=None)


class FormCountsSchema(fields.Schema):
    """How many submissions are in which state, and how many the trap caught."""

    accepted = fields.Int()
    repeated = fields.Int()
    faulty = fields.Int()
    dismissed = fields.Int()
    trapped = fields.Int()


class LeadFormSchema(fields.TrackedSchema):
    """A form of somebody's page."""

    name = fields.Text(100, 1, required=True)
    document = fields.Nested(FormDocumentSchema, required=True)
    state = fields.OneOf(*FORM_STATES, dump_only=True)
    counts = fields.Nested(FormCountsSchema, dump_only=True)


class LeadFormWithTokenSchema(LeadFormSchema):
    """A form with its token, which is shown this once, and the path that takes submissions."""

    token = fields.Text(60, dump_only=True)
    path = fields.Text(200, dump_only=True)


class LeadFormEditSchema(fields.Schema):
    """What may change of a form; the document is replaced whole."""

    name = fields.Text(100, 1)
    document = fields.Nested(FormDocumentSchema)


class LeadFormQuery(PageQuery):
    """A page of forms, of one state."""

    state = fields.OneOf(*FORM_STATES)


class SubmissionQuery(PageQuery):
    """A page of submissions, of one state."""

    state = fields.OneOf(*SUBMISSION_STATES[1:])


class SubmissionSchema(fields.TrackedSchema):
    """What was sent through a form. ``errors``: what keeps it from becoming a lead, in the reader's language."""

    form_id = fields.Id()
    submission_id = fields.Text(100, allow_none=True)
    state = fields.OneOf(*SUBMISSION_STATES)
    sent = fields.Table(fields.Text(), fields.Lines())
    mended = fields.Table(fields.Text(), fields.Lines())
    errors = fields.Listing(fields.Nested(FieldProblemSchema))
    lead_id = fields.Id(allow_none=True)


class MendSchema(fields.Schema):
    """Texts by form field that take the place of what was sent."""

    values = fields.Table(fields.Text(LONGEST_NAME, 1), fields.Lines(LONGEST_TEXT), most=MOST_FIELDS, required=True)


class DismissSchema(fields.Schema):
    """Why nothing is to come of a submission."""

    reason = fields.Lines(200, 1, required=True)


class RetrySchema(fields.Schema):
    """Behind which submission to go on."""

    after = fields.Id()


class RetriedSchema(fields.Schema):
    """What became of the faulty submissions that were tried; ``next``: where to go on, null when that were all."""

    accepted = fields.Int()
    repeated = fields.Int()
    faulty = fields.Int()
    next = fields.Id(allow_none=True)


class FormTrialSchema(fields.Schema):
    """A draft, and what somebody would send."""

    document = fields.Nested(FormDocumentSchema, required=True)
    sample = fields.Table(fields.Text(LONGEST_NAME, 1), fields.Lines(LONGEST_TEXT), most=MOST_FIELDS, required=True)


class FormTrialAnswerSchema(fields.Schema):
    """The lead that would come of it, null where something is wrong; ``trapped``: it would be dropped as a robot's."""

    lead = fields.Facts(allow_none=True)
    errors = fields.Listing(fields.Nested(FieldProblemSchema))
    trapped = fields.Flag()


class TakenSchema(fields.Schema):
    """That something was taken in; what came of it is not told."""

    status = fields.OneOf("accepted")
