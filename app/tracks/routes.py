"""Consents, shifts, tracks, proposed visits, looks and deletions over HTTP."""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import wire
from app.core.edge import edge_database, edge_settings
from app.core.errors import FieldsInvalid
from app.core.http import LARGEST_BODY, Routes, past_deadlocks
from app.core.paging import PageQuery, page, page_of
from app.core.problems import Malformed
from app.core.tracked import one_of
from app.positions.signals.words import sentence
from app.tracks import batches, consents, looks, proposals, queries, schemas, shifts
from app.tracks.models import Shift, TrackConsent, TrackDeletion, TrackLook, VisitProposal
from app.tracks.notice import notice_of
from app.tracks.told import read_batch
from app.users.models import User
from app.users.rights import Actor

routes = Routes("tracks", __name__, description="Tracks of reps: consents, shifts, fixes, and who looked")
_LIMITS = wire.Limits(size=LARGEST_BODY)
_SHIFT = tuple(schemas.ShiftSchema().fields)
_LOOK = tuple(schemas.LookEntrySchema().fields)


def _shown(actor: Actor, row: Shift) -> dict[str, Any]:
    told = [finding | {"text": sentence(finding["code"], finding["facts"], actor.locale)} for finding in row.findings]
    return {name: getattr(row, name) for name in _SHIFT} | {"findings": told}


@routes.door("GET", "/track-notice", policy="tracks.read", answer=schemas.NoticeSchema)
def read_notice(session: Session, actor: Actor) -> dict[str, Any]:
    """Read what reps are told before they agree to tracks."""
    return notice_of(edge_settings())._asdict()


@routes.door("GET", "/track-consents", policy="tracks.read", query=PageQuery, answer=page_of(schemas.ConsentSchema))
def list_consents(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List consents to tracks: a rep their own, the office all."""
    return page(session, queries.visible_consents(actor), TrackConsent, query)


@routes.door(
    "POST",
    "/track-consents",
    policy="tracks.record",
    body=schemas.GiveConsentSchema,
    answer=schemas.ConsentSchema,
    status=201,
)
def give_consent(session: Session, actor: Actor, body: dict[str, Any]) -> TrackConsent:
    """Agree to tracks."""
    return consents.give_consent(session, edge_settings(), actor, body)


@routes.door(
    "POST",
    "/track-consents/<consent_id>/withdraw",
    policy="tracks.record",
    body=schemas.WithdrawConsentSchema,
    answer=schemas.ConsentSchema,
)
def withdraw_consent(session: Session, actor: Actor, body: dict[str, Any], consent_id: str) -> TrackConsent:
    """Take a consent of one's own back, with or without what was recorded."""
    consent = one_of(session, queries.visible_consents(actor), TrackConsent, consent_id)
    return consents.withdraw_consent(session, actor, consent, body, erase=body["erase"])


@routes.door("GET", "/track-shifts", policy="tracks.read", query=schemas.ShiftQuery, answer=page_of(schemas.ShiftSchema))
def list_shifts(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List shifts with their kilometres: a rep their own, the office all."""
    found = queries.visible_shifts(actor)
    for name in ("user_id", "state"):
        if name in query:
            found = found.where(getattr(Shift, name) == query[name])
    if "since" in query:
        found = found.where(Shift.began_at >= query["since"])
    if "until" in query:
        found = found.where(Shift.began_at < query["until"])
    listed = page(session, found, Shift, query)
    return listed | {"items": [_shown(actor, row) for row in listed["items"]]}


@routes.door(
    "POST", "/track-shifts", policy="tracks.record", body=schemas.BeginShiftSchema, answer=schemas.ShiftSchema, status=201
)
def begin_shift(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Begin a shift."""
    return _shown(actor, shifts.begin_shift(session, edge_settings(), actor, body))


@routes.door("GET", "/track-shifts/<shift_id>", policy="tracks.read", answer=schemas.ShiftSchema)
def read_shift(session: Session, actor: Actor, shift_id: str) -> dict[str, Any]:
    """Read one shift, without its track."""
    return _shown(actor, one_of(session, queries.visible_shifts(actor), Shift, shift_id))


@routes.door("POST", "/track-shifts/<shift_id>/end", policy="tracks.record", body=schemas.WhenSchema, answer=schemas.ShiftSchema)
def end_shift(session: Session, actor: Actor, body: dict[str, Any], shift_id: str) -> dict[str, Any]:
    """End a shift of one's own."""
    return _shown(actor, shifts.end_shift(session, actor, queries.own_shift(session, actor, shift_id), body))


@routes.door(
    "GET", "/track-shifts/<shift_id>/track", policy="tracks.record", query=schemas.TrackQuery, answer=schemas.TrackSchema
)
def read_track(session: Session, actor: Actor, query: dict[str, Any], shift_id: str) -> dict[str, Any]:
    """Read the track of a shift of one's own, page by page."""
    shift = queries.own_shift(session, actor, shift_id)
    return looks.own_track(session, edge_settings(), shift, query["after"], query["limit"])


@routes.door(
    "POST",
    "/track-shifts/<shift_id>/look",
    policy="tracks.look",
    body=schemas.LookSchema,
    answer=schemas.TrackSchema,
    idempotent=False,  # the stored answer would be one more copy of the track
)
def look(session: Session, actor: Actor, body: dict[str, Any], shift_id: str) -> dict[str, Any]:
    """Look at the track of a rep's shift: for a purpose, with a reason. It is written down, and the rep is told."""
    shift = one_of(session, queries.visible_shifts(actor), Shift, shift_id)
    return looks.look(session, edge_settings(), actor, shift, body["purpose"], body["reason"])


@routes.door(
    "POST",
    "/tracks",
    policy="tracks.record",
    reads=schemas.BatchSchema,
    answer=schemas.BatchAnswerSchema,
    own_transactions=True,
)
def take_batch(actor: Actor) -> dict[str, Any]:
    """Take a batch of fixes.

    A batch that is sent again gets the same answer. Of each fix that cannot be used the answer says why; the others are kept.
    """
    batch = read_batch(_body(), edge_settings().track_batch_fixes)

    def once() -> dict[str, Any]:
        with edge_database().transaction() as session:
            return batches.take_batch(session, edge_settings(), actor, batch)

    return past_deadlocks(once)  # type: ignore[no-any-return]


def _body() -> Any:
    """Return the JSON body; its fixes are looked at one by one."""
    request.max_content_length = _LIMITS.size
    raw = request.get_data(cache=True)
    if request.mimetype != "application/json":
        raise FieldsInvalid({"Content-Type": ["invalid"]})
    try:
        return wire.parse_rows(raw, _LIMITS)
    except wire.WireError as fault:
        raise Malformed("malformed", reason=fault.reason) from None


@routes.door(
    "GET", "/visit-proposals", policy="tracks.record", query=schemas.ProposalQuery, answer=page_of(schemas.VisitProposalSchema)
)
def list_proposals(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List one's own proposed visits."""
    found = queries.visible_proposals(actor)
    if "state" in query:
        found = found.where(VisitProposal.state == query["state"])
    return page(session, found, VisitProposal, query)


@routes.door(
    "POST",
    "/visit-proposals/<proposal_id>/confirm",
    policy="tracks.record",
    body=schemas.ConfirmSchema,
    answer=schemas.VisitProposalSchema,
)
def confirm(session: Session, actor: Actor, body: dict[str, Any], proposal_id: str) -> VisitProposal:
    """Say that it was a visit: it becomes a finished one."""
    row = one_of(session, queries.visible_proposals(actor), VisitProposal, proposal_id)
    return proposals.confirm(session, actor, row, body)


@routes.door(
    "POST",
    "/visit-proposals/<proposal_id>/reject",
    policy="tracks.record",
    body=schemas.RejectSchema,
    answer=schemas.VisitProposalSchema,
)
def reject(session: Session, actor: Actor, body: dict[str, Any], proposal_id: str) -> VisitProposal:
    """Say that it was no visit."""
    row = one_of(session, queries.visible_proposals(actor), VisitProposal, proposal_id)
    return proposals.reject(session, actor, row, body["reason"])


@routes.door("GET", "/track-looks", policy="tracks.read", query=PageQuery, answer=page_of(schemas.LookEntrySchema))
def list_looks(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List who looked at tracks, when and why: a rep those at their own, the office all."""
    listed = page(session, queries.visible_looks(actor), TrackLook, query)
    people = sorted({row.looked_by for row in listed["items"]})
    told = session.execute(select(User.id, User.name).where(User.id.in_(people)))
    names = {user_id: name for user_id, name in told}  # noqa: C416 - rows are no pairs to the type checker
    fields = [name for name in _LOOK if name != "looked_by_name"]
    shown = [{name: getattr(row, name) for name in fields} | {"looked_by_name": names[row.looked_by]} for row in listed["items"]]
    return listed | {"items": shown}


@routes.door("GET", "/track-deletions", policy="tracks.read", query=PageQuery, answer=page_of(schemas.DeletionSchema))
def list_deletions(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List the proofs of deleted tracks: a rep of their own, the office all."""
    return page(session, queries.visible_deletions(actor), TrackDeletion, query)
