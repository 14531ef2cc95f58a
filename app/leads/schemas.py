"""Wire names of leads, the pool, scores and routings."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.custom_fields.values import CustomValues
from app.customers.schemas import LikenessSchema
from app.leads.figures import FIGURES
from app.leads.models import LEAD_STATES


class ScoreReasonSchema(fields.Schema):
    """One condition that holds, the points it gives or takes, and both in the reader's language."""

    field = fields.Text(60)
    comparison = fields.Text(20)
    value = fields.Anything(allow_none=True)
    points = fields.Int(-100, 100)
    text = fields.Text(500)


class LeadEditSchema(fields.Schema):
    """What may change of a lead. What it cannot be without may not become empty."""

    name = fields.Text(200, 1)
    phone = fields.Phone()
    interest = fields.Text(500, 1)
    company = fields.Text(200, allow_none=True)
    email = fields.Email(allow_none=True)
    address = fields.Text(300, allow_none=True)
    territory_id = fields.Id(allow_none=True)
    source = fields.Text(60, allow_none=True)
    budget = fields.Amount(allow_none=True)
    custom = CustomValues()


class LeadSchema(fields.TrackedSchema):
    """Somebody who may become a customer. Name, phone and interest are enough; the rest may come later."""

    id = fields.Id()
    number = fields.Text(20, dump_only=True)
    name = fields.Text(200, 1, required=True)
    phone = fields.Phone(required=True)
    interest = fields.Text(500, 1, required=True)
    company = fields.Text(200, allow_none=True)
    email = fields.Email(allow_none=True)
    address = fields.Text(300, allow_none=True)
    territory_id = fields.Id(allow_none=True)
    source = fields.Text(60, allow_none=True)
    budget = fields.Amount(allow_none=True)
    custom = CustomValues()
    state = fields.OneOf(*LEAD_STATES, dump_only=True)
    owner_id = fields.Id(allow_none=True)
    completeness = fields.Int(0, 100, dump_only=True)
    missing = fields.Listing(fields.Text(40), dump_only=True)
    score = fields.Int(0, 100, dump_only=True)
    score_reasons = fields.Listing(fields.Nested(ScoreReasonSchema), dump_only=True)
    assigned_at = fields.Instant(allow_none=True, dump_only=True)
    first_touch_at = fields.Instant(allow_none=True, dump_only=True)
    first_touch_due_at = fields.Instant(allow_none=True, dump_only=True)
    recycle_at = fields.Instant(allow_none=True, dump_only=True)
    customer_id = fields.Id(allow_none=True, dump_only=True)
    lost_reason = fields.Lines(200, allow_none=True, dump_only=True)


class LeadQuery(PageQuery):
    """A page of leads: of one state, of one rep or team, of one territory, nobody's, untouched after its time.

    ``from_day``, ``until_day``: their rep got them on one of these days. ``figure``: those that a figure of field work counts.
    """

    state = fields.OneOf(*LEAD_STATES)
    owner_id = fields.Id()
    team_id = fields.IdOrNone()
    territory_id = fields.IdOrNone()
    from_day = fields.Day()
    until_day = fields.Day()
    figure = fields.OneOf(*FIGURES)
    at_least = fields.Int(0, 100, from_text=True)
    list = fields.OneOf("pool", "overdue")


class PoolLeadSchema(fields.TrackedSchema):
    """What is shown of a lead in the pool: the first character of the name, the last two digits of the number."""

    number = fields.Text(20)
    name_start = fields.Text(4)
    phone_end = fields.Text(2)
    interest = fields.Text(500)
    territory_id = fields.Id(allow_none=True)
    source = fields.Text(60, allow_none=True)
    score = fields.Int(0, 100)
    completeness = fields.Int(0, 100)
    pooled_at = fields.Instant()


class PoolQuery(PageQuery):
    """A page of the pool: of one territory, with at least a score."""

    territory_id = fields.Id()
    at_least = fields.Int(0, 100, from_text=True)


class LeadBackSchema(fields.Schema):
    """Why a lead is given back or lost."""

    reason = fields.Lines(200, 1, required=True)


class LeadAssignSchema(fields.Schema):
    """Who is to have a lead."""

    user_id = fields.Id(required=True)


class CustomerValuesSchema(fields.Schema):
    """Values of the new customer that are to differ from the lead's."""

    code = fields.Text(40, 1)
    name = fields.Text(200, 1)
    phone = fields.Phone()
    email = fields.Email()
    territory_id = fields.Id()
    credit_code = fields.CreditCode()


class ConvertSchema(fields.Schema):
    """The customer a lead is already, or values of the one that is made of it."""

    customer_id = fields.Id()
    values = fields.Nested(CustomerValuesSchema)


class ConvertedSchema(LeadSchema):
    """A lead that became a customer, and the own fields of leads whose values that customer did not take."""

    left_behind = fields.Listing(fields.Text(40), dump_only=True)


class LeadBriefSchema(fields.Schema):
    """Another lead in short."""

    id = fields.Id()
    number = fields.Text(20)
    name = fields.Text(200)
    state = fields.OneOf(*LEAD_STATES)


class LeadLikenessesSchema(fields.Schema):
    """The customers a lead may be already, likeliest first, and other leads with its phone number."""

    customers = fields.Listing(fields.Nested(LikenessSchema))
    leads = fields.Listing(fields.Nested(LeadBriefSchema))


class HoldingSchema(fields.Schema):
    """A rep who had a lead."""

    user_id = fields.Id()
    number = fields.Int()
    began_at = fields.Instant()
    ended_at = fields.Instant(allow_none=True)
    end_reason = fields.Text(30, allow_none=True)
    touched_at = fields.Instant(allow_none=True)


class HoldingsSchema(fields.Schema):
    """Who had a lead, the last one first."""

    items = fields.Listing(fields.Nested(HoldingSchema))


class ScoreSchema(fields.Schema):
    """A version of a score; ``territory_id`` null: everywhere; ``document`` null: the territory has no own one any more."""

    id = fields.Id(dump_only=True)
    territory_id = fields.Id(allow_none=True, load_default=None)
    number = fields.Int(dump_only=True)
    document = fields.Facts(required=True, allow_none=True)
    since = fields.Instant(dump_only=True)
    author_id = fields.Id(allow_none=True, dump_only=True)
    in_force = fields.Flag(dump_only=True)


class ScoresSchema(fields.Schema):
    """Versions of scores, the newest first."""

    items = fields.Listing(fields.Nested(ScoreSchema))


class ScoreTrialSchema(fields.Schema):
    """A draft to be tried out on the live leads it would score."""

    territory_id = fields.Id(allow_none=True, load_default=None)
    document = fields.Facts(required=True)


class ScoreMoveSchema(fields.Schema):
    """A lead whose score a draft changes."""

    lead_id = fields.Id()
    number = fields.Text(20)
    name = fields.Text(200)
    before = fields.Int(0, 100)
    after = fields.Int(0, 100)


class ScoreTrialAnswerSchema(fields.Schema):
    """What a draft makes of how many leads; ``before`` and ``after``: how many have 0-9, 10-19, … 90-100."""

    leads = fields.Int()
    cut = fields.Flag()
    changed = fields.Int()
    before = fields.Listing(fields.Int())
    after = fields.Listing(fields.Int())
    risers = fields.Listing(fields.Nested(ScoreMoveSchema))
    fallers = fields.Listing(fields.Nested(ScoreMoveSchema))


class RoutingSchema(fields.Schema):
    """A version of the rules by which new leads find their rep."""

    number = fields.Int(dump_only=True)
    document = fields.Facts(required=True)
    since = fields.Instant(dump_only=True)
    author_id = fields.Id(allow_none=True, dump_only=True)


class RoutingsSchema(fields.Schema):
    """Versions of routings, the newest first: it is in force."""

    items = fields.Listing(fields.Nested(RoutingSchema))
