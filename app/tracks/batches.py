"""Batches of fixes: of each fix it is decided by its own time whether it may be kept; of the others only their number is."""

from __future__ import annotations

import hmac
import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import now
from app.core.errors import Conflict
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import hold, touch
from app.tracks import erasure, queries
from app.tracks.chunks import Kept, Told, pack, rank, union, unpack
from app.tracks.models import Shift, TrackBatch, TrackChunk, TrackConsent
from app.tracks.moments import AHEAD, OLDEST, hold_rep
from app.tracks.told import Batch, read_fix
from app.users.rights import Actor

MOST_OF_SHIFT = 100_000
"""So many fixes of one shift are kept: more than one a second for a day."""


class _Sorter:
    """Decides by the time of a fix, by our clock, to which shift it belongs, or why to none."""

    def __init__(self, present: datetime, shifts: Sequence[Shift], consents: Sequence[TrackConsent]) -> None:
        self.shifts = shifts
        self.begins = [to_ms(shift.began_at) for shift in shifts]
        self.consents = [(to_ms(one.given_at), None if one.ended_at is None else to_ms(one.ended_at)) for one in consents]
        self.earliest_ms, self.latest_ms = to_ms(present - OLDEST), to_ms(present + AHEAD)

    def shift_of(self, at_ms: int) -> Shift | str:
        """Return the shift, or the code of the refusal."""
        if at_ms > self.latest_ms:
            return "time_ahead"
        if at_ms < self.earliest_ms:
            return "time_old"
        if not any(given <= at_ms and (ended is None or at_ms < ended) for given, ended in self.consents):
            return "no_consent"
        found = bisect_right(self.begins, at_ms) - 1
        if found < 0 or at_ms > to_ms(self.shifts[found].covers_until):
            return "no_shift"
        return "erased" if self.shifts[found].erased_at is not None else self.shifts[found]


def take_batch(session: Session, settings: Settings, actor: Actor, batch: Batch) -> dict[str, Any]:
    """Keep what may be kept of a batch, and count the rest by reason.

    The clock of the phone is set right by the batch's ``now_ms``. A batch that is sent again gets the same answer.

    Returns:
        ``id``, ``fixes``, ``stored``, ``known`` (were here already), ``refused`` (reason -> number), ``shift_ids``.

    Raises:
        Conflict: ``batch_differs`` when another batch of this id was taken.
    """
    hold_rep(session, actor)
    # With a key: of a batch whose fixes were all refused nothing may be left that could be guessed.
    digest = hmac.new(settings.secret_key.encode(), json.dumps(batch, sort_keys=True).encode(), sha256).hexdigest()
    before = session.get(TrackBatch, (actor.id, batch.id))
    if before is not None:
        if before.digest != digest:
            raise Conflict("batch_differs")
        return before.answer
    new, refused = _sort(session, actor, batch)
    stored = 0
    for found, fixes in new:
        shift = hold(session, Shift, found.id)
        if shift.erased_at is not None:  # by the job, since it was looked at
            refused["erased"] += len(fixes)
            continue
        n, full = _keep(session, shift, fixes)
        stored += n
        refused.update({"shift_full": full} if full else {})
        about = Subject("track_shift", shift.id)
        if n:
            causes = [last_entry(session, about, "track_shift.began")]
            record(session, "track.received", about, causes=causes, actor_id=actor.id, stored=n)
    answer = {
        "id": batch.id,
        "fixes": len(batch.fixes),
        "stored": stored,
        "known": len(batch.fixes) - stored - sum(refused.values()),  # those that are twice in one batch, too
        "refused": dict(sorted(refused.items())),
        "shift_ids": [shift.id for shift, _ in new],
    }
    session.add(TrackBatch(user_id=actor.id, id=batch.id, digest=digest, answer=answer, at=now(session)))
    session.flush()
    return answer


def _sort(session: Session, actor: Actor, batch: Batch) -> tuple[list[tuple[Shift, Kept]], Counter[str]]:
    """Return which fixes are of which shift, and why how many are of none."""
    present = now(session)
    skew_ms = to_ms(present) - batch.now_ms
    shifts = queries.shifts_since(session, actor.id, present - OLDEST)
    sorter = _Sorter(present, shifts, queries.consents_of(session, actor.id))
    found: dict[str, Kept] = defaultdict(dict)
    refused: Counter[str] = Counter()
    for value in batch.fixes:
        told = read_fix(value)
        shift = sorter.shift_of(told.told_ms + skew_ms) if isinstance(told, Told) else told
        if isinstance(told, str) or isinstance(shift, str):
            refused[str(shift)] += 1
        else:
            found[shift.id][told] = skew_ms
    return [(shift, found[shift.id]) for shift in shifts if shift.id in found], refused


def hand_on(session: Session, shift: Shift, later: Shift) -> None:
    """Give the fixes of a shift from the beginning of the next one on to that one: they were sent before it was told of."""
    for fixes in erasure.take_out(session, shift, to_ms(later.began_at) - 1).values():
        _keep(session, later, fixes)


def _keep(session: Session, shift: Shift, fixes: Kept) -> tuple[int, int]:
    """Add fixes to the chunks of a shift; return how many were new, and for how many there was no room."""
    by_hour: dict[int, Kept] = defaultdict(dict)
    for told, skew_ms in fixes.items():
        by_hour[told.hour][told] = skew_ms
    hours = select(TrackChunk).where(TrackChunk.shift_id == shift.id, TrackChunk.hour.in_(sorted(by_hour)))
    chunks = {chunk.hour: chunk for chunk in session.scalars(hours.execution_options(populate_existing=True))}
    stored = full = 0
    changed = False
    for hour, new in sorted(by_hour.items()):
        chunk = chunks.get(hour)
        kept = unpack(chunk.content) if chunk is not None else {}
        fresh = sorted((told for told in new if told not in kept), key=rank)
        room = MOST_OF_SHIFT - shift.fixes - stored
        for told in fresh[max(0, room) :]:
            del new[told]
            full += 1
        both = union(kept, new)
        if both == kept:
            continue
        changed = True
        stored += len(both) - len(kept)
        if chunk is None:
            session.add(TrackChunk(shift_id=shift.id, hour=hour, fixes=len(both), content=pack(both)))
        else:
            chunk.fixes, chunk.content = len(both), pack(both)
    if changed:
        shift.fixes += stored
        shift.revision += 1
        touch(session, shift)
    return stored, full
