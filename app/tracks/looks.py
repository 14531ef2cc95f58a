"""Looking at a track: the rep at their own, a manager for a purpose, with a reason, and seen by the rep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.clock import from_ms
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add
from app.positions.datum import to_wgs84
from app.positions.fixes import Fix
from app.positions.regions import Region
from app.positions.stays import movement
from app.tracks import queries
from app.tracks.chunks import to_fixes
from app.tracks.figures import STAY_RULE
from app.tracks.models import Shift, TrackLook
from app.users.models import User
from app.users.rights import Actor
from push import outbox

MOST_SHOWN = 2_000
"""So many fixes are shown to a manager, and on one page to the rep."""


def own_track(session: Session, settings: Settings, shift: Shift, after: int, limit: int) -> dict[str, Any]:
    """Return the track of a shift to its rep: fixes of one page, and on the first one the stays and trips.

    Args:
        after: so many fixes were on the pages before.
    """
    fixes = to_fixes(queries.fixes_of(session, shift.id))
    part = fixes[after : after + limit]
    following = after + len(part)
    return _shown(settings, fixes if after == 0 else [], part) | {
        "shift_id": shift.id,
        "total": len(fixes),
        "next": following if following < len(fixes) else None,
    }


def look(session: Session, settings: Settings, actor: Actor, shift: Shift, purpose: str, reason: str) -> dict[str, Any]:
    """Show a manager the track of a shift, write down that they looked, and tell the rep.

    Of a long track evenly spread fixes are shown, as no purpose needs more.
    """
    fixes = to_fixes(queries.fixes_of(session, shift.id))
    step = -(-len(fixes) // MOST_SHOWN) or 1
    row = TrackLook(
        shift_id=shift.id, user_id=shift.user_id, looked_by=actor.id, purpose=purpose, reason=reason, fixes=len(fixes)
    )
    add(session, row)
    about = Subject("track_shift", shift.id)
    name = session.get_one(User, actor.id).name
    entry = record(
        session,
        "track.looked_at",
        about,
        causes=[last_entry(session, about, "track_shift.began")],
        actor_id=actor.id,
        by=name,
        what_for=f"purpose_{purpose}",
        reason=reason,
    )
    outbox.enqueue(
        session,
        [session.get_one(User, shift.user_id)],
        "track_looked_at",
        Subject("track_look", row.id),
        dedupe=f"track_look:{row.id}",
        causes=[entry],
        by=name,
        purpose=purpose,
        reason=reason,
    )
    return _shown(settings, fixes, fixes[::step]) | {"shift_id": shift.id, "total": len(fixes), "next": None}


def _shown(settings: Settings, whole: Sequence[Fix], part: Sequence[Fix]) -> dict[str, Any]:
    shifted = frozenset(map(Region, settings.shifted_regions))
    found = movement(whole, STAY_RULE, shifted)
    places = [(fix, to_wgs84(fix.given, fix.datum, shifted).position) for fix in part]
    return {
        "fixes": [
            {"at": from_ms(fix.at_ms), "lat": place.lat, "lon": place.lon, "accuracy_m": fix.accuracy_m} for fix, place in places
        ],
        "stays": [
            {"since": from_ms(stay.began_ms), "until": from_ms(stay.ended_ms), "lat": stay.position.lat, "lon": stay.position.lon}
            for stay in found.stays
        ],
        "trips": [
            {
                "since": from_ms(trip.began_ms),
                "until": from_ms(trip.ended_ms),
                "distance_m": round(trip.distance_m, 1),
                "unseen_m": round(trip.unseen_m, 1),
            }
            for trip in found.trips
        ],
    }
