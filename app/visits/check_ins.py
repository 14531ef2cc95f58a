"""Check-ins: what a phone tells is kept as told, placed, measured against the site, and judged with its reasons.

Nothing that happened is refused: what is not plain is recorded all the same, and a person looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import Base, now
from app.core.errors import Conflict
from app.core.geo import Position
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, touch, transition
from app.customers.models import Site
from app.positions.datum import Datum, to_wgs84
from app.positions.regions import Region
from app.positions.verdicts import Nearness, judge
from app.users.rights import Actor
from app.visits.models import CheckIn, Visit

# A phone's clock may be a little ahead of ours; a check-in that comes later than this was forgotten, not offline.
_AHEAD = timedelta(minutes=5)
_OLDEST = timedelta(days=30)


def check_in(
    session: Session, settings: Settings, actor: Actor, visit: Visit, told: Mapping[str, Any], *, leaving: bool
) -> tuple[CheckIn, HistoryEntry]:
    """Record where the rep is at the beginning or the end of a visit.

    Args:
        told: ``lat``, ``lon``, ``datum``, ``at_ms``; where known ``accuracy_m``, ``provider``, ``mocked``, ``sent_ms``;
            off the fence ``photo_id`` and ``note``.

    Returns:
        The check-in and its entry in the causal log.
    """
    site = session.get_one(Site, visit.site_id)
    placed = to_wgs84(Position(told["lat"], told["lon"]), Datum(told["datum"]), frozenset(map(Region, settings.shifted_regions)))
    verdict = judge(placed, told.get("accuracy_m"), site.position, settings.fence_m)
    at, skew_ms, when = _when(now(session), told["at_ms"], told.get("sent_ms"))
    reasons = [*verdict.reasons, *when]
    if verdict.nearness is Nearness.OUTSIDE:
        reasons += [] if _is_photo(session, actor, told.get("photo_id")) else ["photo_missing"]
        reasons += [] if told.get("note") else ["note_missing"]
    if told.get("mocked"):
        reasons.append("mock_location")
    row = CheckIn(
        visit_id=visit.id,
        user_id=actor.id,
        leaving=leaving,
        told_lat=told["lat"],
        told_lon=told["lon"],
        datum=told["datum"],
        accuracy_m=told.get("accuracy_m"),
        provider=told.get("provider"),
        mocked=told.get("mocked"),
        told_ms=told["at_ms"],
        sent_ms=told.get("sent_ms"),
        skew_ms=skew_ms,
        at=at,
        lat=placed.position.lat,
        lon=placed.position.lon,
        distance_m=round(verdict.distance_m, 1),
        nearness=verdict.nearness,
        reasons=reasons,
        photo_id=told.get("photo_id"),
        note=told.get("note"),
        state="needs_review" if reasons else "accepted",
    )
    add(session, row)
    entry = record(
        session,
        "check_in.recorded",
        Subject("check_in", row.id),
        causes=[last_entry(session, Subject("visit", visit.id))],
        actor_id=actor.id,
        occurred_at=at,
        where=f"fence_{row.nearness}",
        distance_m=row.distance_m,
        reasons=reasons,
    )
    return row, entry


def _is_photo(session: Session, actor: Actor, attachment_id: str | None) -> bool:
    """Tell whether an attachment is a picture of the rep's own whose bytes have arrived: an id alone shows nothing."""
    files = Base.metadata.tables["attachments"].c  # by name: attachments lie in a room above
    own = (files.id == attachment_id, files.user_id == actor.id, files.deleted_at.is_(None))
    return session.execute(select(files.id).where(*own, files.state == "stored", files.mime.like("image/%"))).first() is not None


def _when(present: datetime, told_ms: int, sent_ms: int | None) -> tuple[datetime, int | None, list[str]]:
    """Return when it was by our clock, how far the phone's is behind it, and what is odd about that."""
    skew_ms = to_ms(present) - sent_ms if sent_ms is not None else None
    at = from_ms(told_ms + (skew_ms or 0))
    if at > present + _AHEAD:
        return present, skew_ms, ["time_ahead"]
    if at < present - _OLDEST:
        return at, skew_ms, ["time_old"]
    return min(at, present), skew_ms, []


def appeal(session: Session, actor: Actor, row: CheckIn, text: str) -> CheckIn:
    """Say why a check-in is right all the same; a manager reads it.

    Raises:
        Conflict: ``state_conflict`` when it is accepted.
    """
    if row.state == "accepted":
        raise Conflict("state_conflict", state=row.state, wanted="needs_review")
    row.appeal = text
    touch(session, row)
    about = Subject("check_in", row.id)
    record(session, "check_in.appealed", about, causes=[last_entry(session, about)], actor_id=actor.id, reason=text)
    return row


def decide(session: Session, actor: Actor, row: CheckIn, *, accepted: bool, reason: str) -> CheckIn:
    """Decide as a manager whether a check-in counts.

    Raises:
        Conflict: ``state_conflict`` when it is accepted, or was refused and is not to be accepted now.
    """
    about = Subject("check_in", row.id)
    before = last_entry(session, about)
    transition(session, row, "accepted" if accepted else "refused", decided_by=actor.id, decision=reason)
    if accepted:
        record(session, "check_in.accepted", about, causes=[before], actor_id=actor.id, reason=reason)
    else:
        record(session, "check_in.refused", about, causes=[before], actor_id=actor.id, reason=reason)
    return row
