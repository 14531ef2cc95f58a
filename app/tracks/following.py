"""What follows from new fixes: figures of the shift, and proposed visits. Reckoned outside of the writing transaction."""

from __future__ import annotations

from sqlalchemy import select

from app.core.db import Database
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import hold, touch
from app.positions.regions import Region
from app.tracks import queries
from app.tracks.chunks import to_fixes
from app.tracks.figures import figure
from app.tracks.models import Shift
from app.tracks.proposals import propose

# So many shifts at a run; one of 10,000 fixes takes about a second.
_MOST = 50


def follow_tracks(database: Database, settings: Settings) -> int:
    """Reckon anew the shifts whose fixes changed; return how many.

    Where more fixes come while one is reckoned, nothing is written of it: the next run does it again.
    """
    with database.reading() as session:
        changed = select(Shift.id).where(Shift.revision != Shift.figured, Shift.erased_at.is_(None), Shift.deleted_at.is_(None))
        found = session.scalars(changed.order_by(Shift.updated_at, Shift.id).limit(_MOST)).all()
    return sum(_follow(database, settings, shift_id) for shift_id in found)


def _follow(database: Database, settings: Settings, shift_id: str) -> int:
    with database.reading() as session:
        revision = session.get_one(Shift, shift_id).revision
        fixes = to_fixes(queries.fixes_of(session, shift_id))
    found = figure(fixes, frozenset(map(Region, settings.shifted_regions)))
    with database.transaction() as session:
        shift = hold(session, Shift, shift_id)
        if shift.revision != revision or shift.erased_at is not None:
            return 0
        shift.figured = revision
        shift.distance_m, shift.unseen_m = found.distance_m, found.unseen_m
        shift.score, shift.grade, shift.findings = found.score, found.grade, found.findings
        touch(session, shift)
        about = Subject("track_shift", shift.id)
        entry = record(
            session,
            "track_shift.figured",
            about,
            causes=[last_entry(session, about, "track.received", "track_shift.ended")],
            distance_m=found.distance_m,
            unseen_m=found.unseen_m,
            score=found.score,
        )
        propose(session, settings, shift, found.movement.stays, entry)
    return 1
