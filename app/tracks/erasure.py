"""Deleting fixes, each time with a proof: when their time is over, when consent is withdrawn, and beyond the end of a shift."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import Database, now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.scopes import send_away
from app.core.settings import Settings
from app.core.tracked import add, touch
from app.tracks.chunks import Kept, pack, unpack
from app.tracks.models import Shift, TrackBatch, TrackChunk, TrackDeletion, VisitProposal
from app.users.rights import Actor

# So many shifts, or answers to batches, are deleted in one transaction.
_PAGE = 20
_MOST_BATCHES = 1000


class _Gone:
    """What was deleted so far, for the proof."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.shifts: set[str] = set()
        self.chunks = self.fixes = 0
        self.first_ms: int | None = None
        self.last_ms: int | None = None

    def count(self, shift_id: str, hour: int, fixes: Kept, content: bytes) -> None:
        """Count what goes of a chunk: these fixes, which are packed in ``content``."""
        self.shifts.add(shift_id)
        self.chunks += 1
        self.fixes += len(fixes)
        times = [told.told_ms + skew_ms for told, skew_ms in fixes.items()]
        self.first_ms = min([*times, *([] if self.first_ms is None else [self.first_ms])])
        self.last_ms = max([*times, *([] if self.last_ms is None else [self.last_ms])])
        self.hash.update(f"{shift_id}:{hour}:".encode() + content)

    def proof(self, user_id: str, cause: str, setting: str | None) -> TrackDeletion | None:
        """Return the proof, None where nothing was deleted."""
        if self.first_ms is None or self.last_ms is None:
            return None
        return TrackDeletion(
            user_id=user_id,
            cause=cause,
            setting=setting,
            from_at=from_ms(self.first_ms),
            to_at=from_ms(self.last_ms),
            shifts=len(self.shifts),
            chunks=self.chunks,
            fixes=self.fixes,
            digest=self.hash.hexdigest(),
        )


def trim(session: Session, shift: Shift, until: datetime, actor_id: str, causes: Sequence[HistoryEntry | None]) -> None:
    """Delete the fixes of a shift after an instant: it turned out that it had ended by then."""
    gone = _Gone()
    for hour, over in take_out(session, shift, to_ms(until)).items():
        gone.count(shift.id, hour, over, pack(over))
    _prove(session, gone.proof(shift.user_id, "after_the_end", None), actor_id, causes)


def take_out(session: Session, shift: Shift, until_ms: int) -> dict[int, Kept]:
    """Take the fixes of a shift after an instant out of it; return them by hour of the phone's clock."""
    taken: dict[int, Kept] = {}
    mine = select(TrackChunk).where(TrackChunk.shift_id == shift.id).order_by(TrackChunk.hour)
    for chunk in session.scalars(mine.with_for_update()).all():
        fixes = unpack(chunk.content)
        over = {told: skew_ms for told, skew_ms in fixes.items() if told.told_ms + skew_ms > until_ms}
        if not over:
            continue
        taken[chunk.hour] = over
        left = {told: skew_ms for told, skew_ms in fixes.items() if told not in over}
        if left:
            chunk.fixes, chunk.content = len(left), pack(left)
        else:
            session.delete(chunk)
    if taken:
        shift.fixes -= sum(map(len, taken.values()))
        shift.revision += 1
        touch(session, shift)
    return taken


def erase_all(session: Session, actor: Actor, causes: Sequence[HistoryEntry | None]) -> None:
    """Delete every fix of the actor's own: they withdrew their consent and asked for it."""
    left = select(Shift).where(Shift.user_id == actor.id, Shift.erased_at.is_(None)).order_by(Shift.began_at, Shift.id)
    page = left.limit(_PAGE).with_for_update(key_share=True).execution_options(populate_existing=True)
    while shifts := session.scalars(page).all():
        _erase(session, shifts, "consent_withdrawn", None, actor.id, causes)


def _erase(
    session: Session,
    shifts: Sequence[Shift],
    cause: str,
    setting: str | None,
    actor_id: str | None,
    causes: Sequence[HistoryEntry | None] = (),
) -> int:
    """Delete the fixes of one rep's shifts, and what was proposed by them; return how many."""
    gone = _Gone()
    ids = [shift.id for shift in shifts]
    chunks = select(TrackChunk.shift_id, TrackChunk.hour, TrackChunk.content).where(TrackChunk.shift_id.in_(ids))
    for shift_id, hour, content in session.execute(chunks.order_by(TrackChunk.shift_id, TrackChunk.hour)):
        gone.count(shift_id, hour, unpack(content), content)
    session.execute(delete(TrackChunk).where(TrackChunk.shift_id.in_(ids)).execution_options(synchronize_session=False))
    for shift in shifts:
        shift.erased_at, shift.fixes = now(session), 0
        touch(session, shift)
    entry = None
    if shifts and (proof := gone.proof(shifts[0].user_id, cause, setting)) is not None:
        entry = _prove(session, proof, actor_id, causes)
    _forget_proposals(session, ids, [entry])
    return gone.fixes


def _prove(
    session: Session, proof: TrackDeletion | None, actor_id: str | None, causes: Sequence[HistoryEntry | None]
) -> HistoryEntry | None:
    if proof is None:
        return None
    add(session, proof)
    return record(
        session,
        "track.deleted",
        Subject("track_deletion", proof.id),
        causes=causes,
        actor_id=actor_id,
        reason=f"track_{proof.cause}",
        fixes=proof.fixes,
        since=proof.from_at.isoformat(timespec="milliseconds"),
        until=proof.to_at.isoformat(timespec="milliseconds"),
    )


def _forget_proposals(session: Session, shift_ids: Sequence[str], causes: Sequence[HistoryEntry | None]) -> None:
    """Delete what was proposed and not confirmed, on the phones, too: it says where the rep was as well as the fixes did."""
    found = select(VisitProposal).where(VisitProposal.shift_id.in_(shift_ids), VisitProposal.state != "confirmed")
    for row in session.scalars(found.order_by(VisitProposal.id).with_for_update(key_share=True)).all():
        about = Subject("visit_proposal", row.id)
        before = last_entry(session, about)
        send_away(session, row.user_id, VisitProposal.__tablename__, row.id)
        session.delete(row)
        record(session, "visit_proposal.deleted", about, causes=[before, *causes], reason="track_deleted")


def _over(session: Session, settings: Settings) -> Any:
    """Return the condition on shifts whose fixes have had their time: by the setting, or by what their rep was told."""
    present = now(session)
    by_setting = Shift.ended_at < present - timedelta(days=settings.track_days)
    return (Shift.state == "finished") & (Shift.fixes > 0) & or_(by_setting, Shift.keep_until < present)


def retire_tracks(database: Database, settings: Settings) -> int:
    """Delete the fixes of shifts that ended longer ago than they may be kept; some shifts of one rep in each transaction.

    Returns:
        How many fixes were deleted.
    """
    total = 0
    while True:
        with database.transaction() as session:
            user_id = session.scalar(select(func.min(Shift.user_id)).where(_over(session, settings)))
            if user_id is None:
                break
            some = select(Shift).where(Shift.user_id == user_id, _over(session, settings)).order_by(Shift.began_at, Shift.id)
            shifts = session.scalars(some.limit(_PAGE).with_for_update(key_share=True)).all()
            total += _erase(session, shifts, "retention", f"FIELDLOOP_TRACK_DAYS={settings.track_days}", None)
    _forget_batches(database, settings)
    return total


def _forget_batches(database: Database, settings: Settings) -> None:
    """Forget the answers to batches that no phone repeats any more."""
    more = True
    while more:
        with database.transaction() as session:
            before = now(session) - timedelta(days=settings.track_days)
            old = select(TrackBatch.user_id, TrackBatch.id).where(TrackBatch.at < before).limit(_MOST_BATCHES)
            keys = session.execute(old).all()
            for user_id, batch_id in keys:
                session.execute(delete(TrackBatch).where(TrackBatch.user_id == user_id, TrackBatch.id == batch_id))
            more = len(keys) == _MOST_BATCHES


def overdue(session: Session, settings: Settings) -> int:
    """Return of how many shifts the fixes should have been deleted more than a day ago; the doctor tells."""
    late = settings.track_days + 1
    present = now(session)
    by_setting = Shift.ended_at < present - timedelta(days=late)
    too_long = or_(by_setting, Shift.keep_until < present - timedelta(days=1))
    return (
        session.scalar(select(func.count()).select_from(Shift).where(Shift.state == "finished", Shift.fixes > 0, too_long)) or 0
    )
