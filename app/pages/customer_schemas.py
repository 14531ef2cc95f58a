"""Wire names of a customer's page, digest and timeline."""

from __future__ import annotations

from app.contacts.models import CONTACT_STATES
from app.core import fields
from app.core.locales import LOCALES
from app.core.paging import PageQuery
from app.customers.schemas import CustomerSchema, SiteSchema
from app.entitlements.models import SPEND_STATES
from app.entitlements.schemas import Quantity
from app.pages.schemas import SubjectSchema
from app.pages.story import NOUNS
from app.service_offers.schemas import OfferSchema
from app.visits.models import VISIT_STATES
from app.work_orders.models import ORDER_STATES, TASK_STATES
from iot.models import ALARM_STATES


class WhoSchema(fields.Schema):
    """Who did something; of people of other companies not the name but what they are."""

    id = fields.Id()
    name = fields.Text(100)


class LineSchema(fields.Schema):
    """One thing that happened: its entry in the causal log, a sentence, and where to read on."""

    id = fields.Id()
    kind = fields.Text(60)
    subject = fields.Nested(SubjectSchema)
    occurred_at = fields.Instant()
    recorded_at = fields.Instant()
    who = fields.Nested(WhoSchema, allow_none=True)
    text = fields.Text(500)
    link = fields.Text(200, allow_none=True)
    why = fields.Text(200)


class TimelineQuery(PageQuery):
    """A page of a timeline: of one kind of subject, recorded after ``since`` and not after ``until``."""

    kind = fields.OneOf(*NOUNS)
    since = fields.Instant()
    until = fields.Instant()


class TimelineSchema(fields.Schema):
    """A page of a timeline."""

    items = fields.Listing(fields.Nested(LineSchema))
    next = fields.Text(allow_none=True)


class CustomerDigestQuery(fields.Schema):
    """Since when; by default since the reader's last visit."""

    since = fields.Instant()


class CustomerNewsSchema(LineSchema):
    """A line of a digest."""

    group = fields.Text(20)


class NewsGroupSchema(fields.Schema):
    """News of one group: how many lines, and the last of them."""

    group = fields.Text(20)
    name = fields.Text(60)
    count = fields.Int()
    lines = fields.Listing(fields.Nested(CustomerNewsSchema))


class NextStepSchema(fields.Schema):
    """A next step that was agreed and is not done: who agreed it, and until when it is to be done."""

    id = fields.Id()
    next_step = fields.Text(500)
    next_due = fields.Day(allow_none=True)
    overdue = fields.Flag()
    who = fields.Nested(WhoSchema)
    link = fields.Text(200)


class OwedSchema(fields.Schema):
    """What is left of one kind, in words, too; ``entry_id``: the entry of the causal log that the figures follow from."""

    id = fields.Id()
    kind_id = fields.Id()
    granted = Quantity()
    spent = Quantity()
    left = Quantity()
    beyond = Quantity()
    next_end = fields.Day(allow_none=True)
    entry_id = fields.Id(allow_none=True)
    text = fields.Text(500)


class _StepsShown(fields.Schema):
    total = fields.Int()
    items = fields.Listing(fields.Nested(NextStepSchema))


class CustomerDigestSchema(fields.Schema):
    """What is new with a customer, and the next steps that stand open; ``cut``: more happened than was counted."""

    since = fields.Instant()
    until = fields.Instant()
    last_visit_id = fields.Id(allow_none=True)
    groups = fields.Listing(fields.Nested(NewsGroupSchema))
    entitlements = fields.Listing(fields.Nested(OwedSchema))
    next_steps = fields.Nested(_StepsShown)
    cut = fields.Flag()


class _SitesShown(fields.Schema):
    total = fields.Int()
    items = fields.Listing(fields.Nested(SiteSchema))


class ContactShownSchema(fields.Schema):
    """A contact; where they are not to be called, the last two digits of their numbers."""

    id = fields.Id()
    name = fields.Text(100)
    phone = fields.Text(20, allow_none=True)
    office_phone = fields.Text(20, allow_none=True)
    job_title = fields.Text(100, allow_none=True)
    role = fields.Text(40, allow_none=True)
    locale = fields.OneOf(*LOCALES, allow_none=True)
    do_not_call = fields.Flag()
    left_at = fields.Instant(allow_none=True)
    state = fields.OneOf(*CONTACT_STATES)


class _ContactsShown(fields.Schema):
    total = fields.Int()
    items = fields.Listing(fields.Nested(ContactShownSchema))


class AssetShownSchema(fields.Schema):
    """An asset, and whether its warranty still runs."""

    id = fields.Id()
    serial = fields.Text(60)
    model = fields.Text(100)
    site_id = fields.Id()
    warranty_until = fields.Day(allow_none=True)
    warranty = fields.OneOf("running", "over", "unknown")
    warranty_days_left = fields.Int(allow_none=True)


class _AssetsShown(fields.Schema):
    total = fields.Int()
    items = fields.Listing(fields.Nested(AssetShownSchema))


class AlarmShownSchema(fields.Schema):
    """An alarm; ``ended``: why it ended, in words."""

    id = fields.Id()
    asset_id = fields.Id()
    state = fields.OneOf(*ALARM_STATES)
    severity = fields.Text(20)
    metric = fields.Text(60)
    raised_at = fields.Instant()
    last_at = fields.Instant()
    last_value = fields.Real()
    cleared_at = fields.Instant(allow_none=True)
    end_reason = fields.Text(60, allow_none=True)
    ended = fields.Text(200, allow_none=True)


class _AlarmsShown(fields.Schema):
    total = fields.Int()
    items = fields.Listing(fields.Nested(AlarmShownSchema))


class FaultCodeShownSchema(fields.Schema):
    """A fault code that a device reported."""

    id = fields.Id()
    asset_id = fields.Id()
    code = fields.Text(40)
    severity = fields.Text(20)
    description = fields.Text(300)
    occurred_at = fields.Instant()


class FaultsSchema(fields.Schema):
    """The last alarms that are over, and the last fault codes."""

    alarms = fields.Listing(fields.Nested(AlarmShownSchema))
    codes = fields.Listing(fields.Nested(FaultCodeShownSchema))


class ServiceSchema(fields.Schema):
    """A work order as sales sees it: what, where, how it ended. Read-only."""

    id = fields.Id()
    number = fields.Text(20)
    job = fields.Text(60)
    asset_id = fields.Id()
    part_no = fields.Text(60)
    state = fields.OneOf(*ORDER_STATES)
    slot_at = fields.Instant(allow_none=True)
    finished_at = fields.Instant(allow_none=True)
    updated_at = fields.Instant(dump_only=True)
    station = fields.Text(200, allow_none=True)
    task_state = fields.OneOf(*TASK_STATES, allow_none=True)
    reason = fields.Text(200, allow_none=True)


class _OffersShown(fields.Schema):
    total = fields.Int()
    items = fields.Listing(fields.Nested(OfferSchema))


class SpendShownSchema(fields.Schema):
    """What was used, by whom, and how it stands in words."""

    id = fields.Id()
    kind_id = fields.Id()
    amount = Quantity()
    covered = Quantity()
    happened_at = fields.Instant()
    state = fields.OneOf(*SPEND_STATES)
    visit_id = fields.Id(allow_none=True)
    by = fields.Text(100)
    text = fields.Text(500)


class NextVisitSchema(fields.Schema):
    """The visit that goes on, or the next one."""

    id = fields.Id()
    number = fields.Text(20)
    site_id = fields.Id()
    user_id = fields.Id()
    rep = fields.Text(100)
    purpose = fields.Text(200)
    planned_from = fields.Instant()
    planned_until = fields.Instant()
    state = fields.OneOf(*VISIT_STATES)


class CustomerOverviewSchema(fields.Schema):
    """A customer at one glance: of each list how many there are, and the first 50."""

    customer = fields.Nested(CustomerSchema)
    sites = fields.Nested(_SitesShown)
    contacts = fields.Nested(_ContactsShown)
    assets = fields.Nested(_AssetsShown)
    open_alarms = fields.Nested(_AlarmsShown)
    faults = fields.Nested(FaultsSchema)
    last_services = fields.Listing(fields.Nested(ServiceSchema))
    open_offers = fields.Nested(_OffersShown)
    entitlements = fields.Listing(fields.Nested(OwedSchema))
    last_spends = fields.Listing(fields.Nested(SpendShownSchema))
    next_visit = fields.Nested(NextVisitSchema, allow_none=True)
