"""Wire names of consents, shifts, tracks, proposed visits, looks and deletions."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery
from app.positions.plausibility import Grade
from app.tracks.looks import MOST_SHOWN
from app.tracks.models import CONSENT_STATES, DELETION_CAUSES, PROPOSAL_STATES, PURPOSES, SHIFT_ENDS, SHIFT_STATES
from app.visits.schemas import FindingSchema, FixSchema

# Whatever the setting says: what ``FIELDLOOP_TRACK_BATCH_FIXES`` may be at most.
LARGEST_BATCH = 20_000


class NoticeSchema(fields.Schema):
    """What a rep is told before they agree, in both languages. ``digest``: of both texts."""

    text_version = fields.Int()
    english = fields.Lines(10_000)
    chinese = fields.Lines(10_000)
    digest = fields.Text(64)


class WhenSchema(fields.Schema):
    """When it was by the phone's clock, in Unix ms; left away for now. ``sent_ms``: the same clock when this was sent."""

    at_ms = fields.Int(allow_none=True)
    sent_ms = fields.Int(allow_none=True)


class ConsentSchema(fields.TrackedSchema):
    """Consent to tracks, and to nothing else."""

    user_id = fields.Id()
    text_version = fields.Int()
    digest = fields.Text(64)
    given_at = fields.Instant()
    ended_at = fields.Instant(allow_none=True)
    erased = fields.Flag()
    state = fields.OneOf(*CONSENT_STATES)


class GiveConsentSchema(WhenSchema):
    """Which text was read and agreed to."""

    id = fields.Id()
    text_version = fields.Int(1, 1_000_000, required=True)
    digest = fields.Text(64, 64, required=True)


class WithdrawConsentSchema(WhenSchema):
    """Whether the tracks recorded so far are deleted; nothing is taken for granted."""

    erase = fields.Flag(required=True)


class BeginShiftSchema(WhenSchema):
    """When a shift begins."""

    id = fields.Id()


class ShiftSchema(fields.TrackedSchema):
    """A shift and what its fixes amount to; where they were taken is not in it."""

    user_id = fields.Id()
    began_at = fields.Instant()
    latest_end_at = fields.Instant()
    ended_at = fields.Instant(allow_none=True)
    end_reason = fields.OneOf(*SHIFT_ENDS, allow_none=True)
    state = fields.OneOf(*SHIFT_STATES)
    fixes = fields.Int()
    distance_m = fields.Real(allow_none=True)
    unseen_m = fields.Real(allow_none=True)
    score = fields.Int(0, 100, allow_none=True)
    grade = fields.OneOf(*Grade, allow_none=True)
    findings = fields.Listing(fields.Nested(FindingSchema))
    keep_until = fields.Instant()
    erased_at = fields.Instant(allow_none=True)


class ShiftQuery(PageQuery):
    """A page of shifts: of one rep, in one state, begun within a span."""

    user_id = fields.Id()
    state = fields.OneOf(*SHIFT_STATES)
    since = fields.Instant()
    until = fields.Instant()


class RefusedSchema(fields.Schema):
    """How many fixes were not kept, by reason."""

    malformed = fields.Int()
    impossible = fields.Int()
    null_island = fields.Int()
    accuracy_too_coarse = fields.Int()
    time_ahead = fields.Int()
    time_old = fields.Int()
    no_consent = fields.Int()
    no_shift = fields.Int()
    erased = fields.Int()
    shift_full = fields.Int()


class TrackFixSchema(FixSchema):
    """A fix of a track: what a check-in tells, without what belongs to one."""

    class Meta:
        exclude = ("sent_ms", "photo_id", "note")


class BatchSchema(fields.Schema):
    """Fixes that a phone sends at once. ``id`` is made by the phone; ``now_ms`` is its clock when it sends, Unix ms."""

    id = fields.Id(required=True)
    now_ms = fields.Int(0, 2**53 - 1, required=True)
    fixes = fields.Listing(fields.Nested(TrackFixSchema), most=LARGEST_BATCH, required=True)


class BatchAnswerSchema(fields.Schema):
    """What became of a batch: ``fixes`` = ``stored`` + ``known`` + those refused."""

    id = fields.Id()
    fixes = fields.Int()
    stored = fields.Int()
    known = fields.Int()
    refused = fields.Nested(RefusedSchema)
    shift_ids = fields.Listing(fields.Id())


class TrackQuery(fields.Schema):
    """A page of a track: so many fixes, after so many."""

    after = fields.Int(0, 10_000_000, from_text=True, load_default=0)
    limit = fields.Int(1, MOST_SHOWN, from_text=True, load_default=MOST_SHOWN)


class LookSchema(fields.Schema):
    """What a manager looks for, and why."""

    purpose = fields.OneOf(*PURPOSES, required=True)
    reason = fields.Lines(500, 3, required=True)


class PlaceInTimeSchema(fields.Schema):
    """Where, in WGS-84 degrees, and when by our clock."""

    at = fields.Instant()
    lat = fields.Real()
    lon = fields.Real()
    accuracy_m = fields.Real(allow_none=True)


class StaySchema(fields.Schema):
    """Some time at one place."""

    since = fields.Instant()
    until = fields.Instant()
    lat = fields.Real()
    lon = fields.Real()


class TripSchema(fields.Schema):
    """The way between two stays. ``unseen_m``: across gaps, where the way is not known."""

    since = fields.Instant()
    until = fields.Instant()
    distance_m = fields.Real()
    unseen_m = fields.Real()


class TrackSchema(fields.Schema):
    """A track: some of ``total`` fixes, and on the first page all stays and trips. ``next``: ``after`` of the next page."""

    shift_id = fields.Id()
    total = fields.Int()
    next = fields.Int(allow_none=True)
    fixes = fields.Listing(fields.Nested(PlaceInTimeSchema))
    stays = fields.Listing(fields.Nested(StaySchema))
    trips = fields.Listing(fields.Nested(TripSchema))


class VisitProposalSchema(fields.TrackedSchema):
    """A stay at a known site, where no visit was checked in."""

    user_id = fields.Id()
    shift_id = fields.Id()
    customer_id = fields.Id()
    site_id = fields.Id()
    came_at = fields.Instant()
    left_at = fields.Instant()
    distance_m = fields.Real()
    state = fields.OneOf(*PROPOSAL_STATES)
    visit_id = fields.Id(allow_none=True)
    reason = fields.Lines(200, allow_none=True)


class ProposalQuery(PageQuery):
    """A page of proposed visits in one state."""

    state = fields.OneOf(*PROPOSAL_STATES)


class ConfirmSchema(fields.Schema):
    """What the visit was for, what came of it and what comes next."""

    purpose = fields.Text(200, load_default="")
    outcome = fields.Lines(2000, load_default="")
    next_step = fields.Lines(500, load_default="")


class RejectSchema(fields.Schema):
    """Why it was no visit; nobody has to say."""

    reason = fields.Lines(200, load_default="")


class LookEntrySchema(fields.TrackedSchema):
    """Who looked at whose track, when, what for and why."""

    shift_id = fields.Id()
    user_id = fields.Id()
    looked_by = fields.Id()
    looked_by_name = fields.Text(200)
    purpose = fields.OneOf(*PURPOSES)
    reason = fields.Lines(500)
    fixes = fields.Int()


class DeletionSchema(fields.TrackedSchema):
    """Proof of a deletion: of which time, how much, why, by which setting, and a digest of what it was."""

    user_id = fields.Id()
    cause = fields.OneOf(*DELETION_CAUSES)
    setting = fields.Text(60, allow_none=True)
    from_at = fields.Instant()
    to_at = fields.Instant()
    shifts = fields.Int()
    chunks = fields.Int()
    fixes = fields.Int()
    digest = fields.Text(64)
