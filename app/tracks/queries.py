"""The only readers of tracks. A rep reads their own; the office reads that there are shifts, and a track only by a look."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from app.core.tracked import Tracked, one_of
from app.tracks.chunks import Kept, unpack
from app.tracks.models import Shift, TrackChunk, TrackConsent, TrackDeletion, TrackLook, VisitProposal
from app.users.rights import REP, Actor

T = TypeVar("T", bound=Tracked)


def _own_or_office(model: type[T], actor: Actor) -> Select[T]:
    found = select(model).where(model.deleted_at.is_(None))
    return found if actor.sees_all else found.where(_is_own(model, actor))


def _is_own(model: Any, actor: Actor) -> Any:
    return model.user_id == actor.id if actor.role == REP and actor.partner_id is None else false()


def visible_consents(actor: Actor) -> Select[TrackConsent]:
    """Return the consents an actor may see: their own; the office all, as it must be able to show them."""
    return _own_or_office(TrackConsent, actor)


def visible_shifts(actor: Actor) -> Select[Shift]:
    """Return the shifts an actor may see, without their fixes: their own; the office all."""
    return _own_or_office(Shift, actor)


def visible_proposals(actor: Actor) -> Select[VisitProposal]:
    """Return the proposed visits an actor may see: their own, and nobody else's."""
    return select(VisitProposal).where(VisitProposal.deleted_at.is_(None), _is_own(VisitProposal, actor))


def visible_looks(actor: Actor) -> Select[TrackLook]:
    """Return the looks an actor may see: those at their own track; the office all."""
    return _own_or_office(TrackLook, actor)


def visible_deletions(actor: Actor) -> Select[TrackDeletion]:
    """Return the proofs of deletion an actor may see: of their own track; the office all."""
    return _own_or_office(TrackDeletion, actor)


def own_shift(session: Session, actor: Actor, shift_id: str) -> Shift:
    """Load one of the actor's own shifts.

    Raises:
        NotFound: when there is none, or it is somebody else's.
    """
    return one_of(session, visible_shifts(actor).where(Shift.user_id == actor.id), Shift, shift_id)


def consents_of(session: Session, user_id: str) -> Sequence[TrackConsent]:
    """Return every consent a rep ever gave, the oldest first."""
    mine = select(TrackConsent).where(TrackConsent.user_id == user_id, TrackConsent.deleted_at.is_(None))
    return session.scalars(mine.order_by(TrackConsent.given_at, TrackConsent.id)).all()


def consent_in_force(session: Session, user_id: str, at: datetime) -> TrackConsent | None:
    """Return the consent that was in force at an instant."""
    for consent in consents_of(session, user_id):
        if consent.given_at <= at and (consent.ended_at is None or at < consent.ended_at):
            return consent
    return None


def shifts_around(session: Session, user_id: str, at: datetime) -> tuple[Shift | None, Shift | None]:
    """Return the last shift of a rep that had begun by an instant, and the first that began after it."""
    mine = select(Shift).where(Shift.user_id == user_id, Shift.deleted_at.is_(None)).limit(1)
    before = mine.where(Shift.began_at <= at).order_by(Shift.began_at.desc(), Shift.id.desc())
    after = mine.where(Shift.began_at > at).order_by(Shift.began_at, Shift.id)
    return session.scalar(before), session.scalar(after)


def shifts_since(session: Session, user_id: str, since: datetime) -> Sequence[Shift]:
    """Return a rep's shifts that may have fixes from an instant on, the oldest first."""
    mine = select(Shift).where(Shift.user_id == user_id, Shift.deleted_at.is_(None), Shift.latest_end_at >= since)
    return session.scalars(mine.order_by(Shift.began_at, Shift.id)).all()


def fixes_of(session: Session, shift_id: str) -> Kept:
    """Return all fixes of a shift."""
    chunks = session.scalars(select(TrackChunk.content).where(TrackChunk.shift_id == shift_id).order_by(TrackChunk.hour))
    found: Kept = {}
    for content in chunks:
        found |= unpack(content)
    return found
