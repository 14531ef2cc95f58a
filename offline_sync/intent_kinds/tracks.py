"""What reps say of their own tracks."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core import fields
from app.core.tracked import one_of
from app.tracks import consents, proposals, shifts
from app.tracks import queries as track_queries
from app.tracks import schemas as track_schemas
from app.tracks.models import TrackConsent, VisitProposal
from app.users.rights import Actor
from offline_sync.intent_kinds.base import IntentKind


class _WithdrawConsent(track_schemas.WithdrawConsentSchema):
    consent_id = fields.Id(required=True)


class _EndShift(track_schemas.WhenSchema):
    shift_id = fields.Id(required=True)


class _ConfirmVisit(track_schemas.ConfirmSchema):
    proposal_id = fields.Id(required=True)


class _RejectVisit(track_schemas.RejectSchema):
    proposal_id = fields.Id(required=True)


def _withdraw_consent(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    consent = one_of(session, track_queries.visible_consents(actor), TrackConsent, body["consent_id"])
    return consents.withdraw_consent(session, actor, consent, body, erase=body["erase"])


def _proposal(session: Session, actor: Actor, body: dict[str, Any]) -> VisitProposal:
    return one_of(session, track_queries.visible_proposals(actor), VisitProposal, body["proposal_id"])


TRACKS: dict[str, IntentKind] = {
    # What a rep says of their own tracks is never the office's to decide: where a rule is against it, it is rejected.
    "track_consent.give": IntentKind(
        "tracks.record", track_schemas.GiveConsentSchema, lambda s, c, a, b: consents.give_consent(s, c, a, b)
    ),
    "track_consent.withdraw": IntentKind("tracks.record", _WithdrawConsent, lambda s, _, a, b: _withdraw_consent(s, a, b)),
    "track_shift.begin": IntentKind(
        "tracks.record",
        track_schemas.BeginShiftSchema,
        lambda s, c, a, b: shifts.begin_shift(s, c, a, b),
        makes="track_shifts",
        in_turn=True,  # after the consent of the same day
    ),
    "track_shift.end": IntentKind(
        "tracks.record",
        _EndShift,
        lambda s, _, a, b: shifts.end_shift(s, a, track_queries.own_shift(s, a, b["shift_id"]), b),
        about=lambda b: ("track_shifts", b["shift_id"]),
    ),
    "visit_proposal.confirm": IntentKind(
        "tracks.record", _ConfirmVisit, lambda s, _, a, b: proposals.confirm(s, a, _proposal(s, a, b), b)
    ),
    "visit_proposal.reject": IntentKind(
        "tracks.record", _RejectVisit, lambda s, _, a, b: proposals.reject(s, a, _proposal(s, a, b), b["reason"])
    ),
}
