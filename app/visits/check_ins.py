"""Check-ins: what a phone tells is kept as told, placed, measured against the site, and judged with its reasons.

Nothing that happened is refused: what is not plain is recorded all the same, and a person looks at it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import LATEST, from_ms, to_ms
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.geo import Position
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, touch, transition
from app.customers.models import Site
from app.positions.datum import Datum, to_wgs84
from app.positions.fixes import Fix
from app.positions.plausibility import Grade, assess
from app.positions.regions import Region
from app.positions.signals.trace import Known, Target
from app.positions.verdicts import Nearness
from app.users.rights import Actor
from app.visits import site_fixes
from app.visits.days import day_of
from app.visits.models import CheckIn, Visit
from app.visits.pictures import is_photo, was_shown

# A phone's clock may be a little ahead of ours; a check-in that comes later than this was forgotten, not offline.
_AHEAD = timedelta(minutes=5)
_OLDEST = timedelta(days=30)
_FIRST_MS, _LAST_MS = to_ms(datetime(1970, 1, 1, tzinfo=UTC)), to_ms(LATEST)
_ABOUT_THAT_TIME = timedelta(days=1)
_MOST_OWN, _MOST_OTHERS = 200, 500
# Fields of a fix that only its plausibility asks for.
_BESIDE = ("speed_mps", "heading_deg", "altitude_m", "sequence", "monotonic_ms")


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
    present = now(session)
    placed = to_wgs84(Position(told["lat"], told["lon"]), Datum(told["datum"]), frozenset(map(Region, settings.shifted_regions)))
    verdict = site_fixes.judged(placed, told.get("accuracy_m"), site, settings.fence_m)
    at, skew_ms, when = _when(present, told["at_ms"], told.get("sent_ms"))
    reasons = [*verdict.reasons, *when, *_against_the_plan(settings, visit, at, leaving=leaving)]
    if verdict.nearness is Nearness.OUTSIDE:
        reasons += _against_the_photo(session, actor, visit, told.get("photo_id"))
        reasons += [] if told.get("note") else ["note_missing"]
    # A place that is not known well is no target: its centre must not look as if somebody had copied it.
    target = Target(site.position, settings.fence_m) if site.position and not site.doubt else None
    found = assess([_fix_of(told)], _known(session, actor, told, target, settings))
    if found.grade is not Grade.CLEAR:
        reasons.append(f"position_{found.grade}")
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
        **{name: told.get(name) for name in _BESIDE},
        told_ms=told["at_ms"],
        sent_ms=told.get("sent_ms"),
        skew_ms=skew_ms,
        at=at,
        lat=placed.position.lat,
        lon=placed.position.lon,
        distance_m=None if site.position is None else round(verdict.distance_m, 1),
        nearness=verdict.nearness,
        reasons=reasons,
        score=found.score,
        grade=found.grade,
        findings=[{"code": one.code, "points": one.points, "facts": dict(one.facts)} for one in found.findings],
        photo_id=told.get("photo_id"),
        note=told.get("note"),
        state="needs_review" if reasons else "accepted",
    )
    row.site_fix = (
        None if leaving else site_fixes.use_of(session, site, row, is_sure=placed.is_known and placed.otherwise is None)
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
        score=row.score,
        distance_m=row.distance_m,
        reasons=reasons,
    )
    site_fixes.set_at_once(session, settings, site, row, entry)
    return row, entry


def _against_the_plan(settings: Settings, visit: Visit, at: datetime, *, leaving: bool) -> list[str]:
    """Return what is odd about an instant, by the visit's plan and its beginning."""
    if leaving:
        return ["before_check_in"] if visit.began_at is not None and at < visit.began_at else []
    day = day_of(settings, at)
    if day > day_of(settings, visit.planned_until):
        return ["day_passed"]
    return ["day_ahead"] if day < day_of(settings, visit.planned_from) else []


def _fix_of(told: Mapping[str, Any]) -> Fix:
    return Fix(
        told["at_ms"],
        Position(told["lat"], told["lon"]),
        Datum(told["datum"]),
        told.get("accuracy_m"),
        told.get("provider"),
        is_mock=told.get("mocked"),
        **{name: told.get(name) for name in _BESIDE},
    )


def _known(session: Session, actor: Actor, told: Mapping[str, Any], target: Target | None, settings: Settings) -> Known:
    """Return what is known beside a fix: the rep's own check-ins of the last weeks, and those of others about that time."""
    present = now(session)
    recent = select(CheckIn).where(CheckIn.at >= present - _OLDEST).order_by(CheckIn.at.desc())
    own = session.scalars(recent.where(CheckIn.user_id == actor.id).limit(_MOST_OWN))
    others = session.scalars(
        recent.where(CheckIn.user_id != actor.id, CheckIn.at >= present - _ABOUT_THAT_TIME).limit(_MOST_OTHERS)
    )
    return Known(
        before=[_fix_of(_told(row)) for row in own],
        others=[_fix_of(_told(row)) for row in others],
        arrived_ms=to_ms(present) if told.get("sent_ms") is not None else None,
        phone_now_ms=told.get("sent_ms"),
        target=target,
        shifted=frozenset(map(Region, settings.shifted_regions)),
    )


def _told(row: CheckIn) -> dict[str, Any]:
    """Return what a phone told, from what is kept of it."""
    told = {"lat": row.told_lat, "lon": row.told_lon, "at_ms": row.told_ms, "datum": row.datum, "mocked": row.mocked}
    return told | {name: getattr(row, name) for name in ("accuracy_m", "provider", *_BESIDE)}


def _against_the_photo(session: Session, actor: Actor, visit: Visit, photo_id: str | None) -> list[str]:
    if photo_id is None or not is_photo(session, actor.id, photo_id):
        return ["photo_missing"]
    return ["photo_used"] if was_shown(session, visit.id, photo_id) else []


def _when(present: datetime, told_ms: int, sent_ms: int | None) -> tuple[datetime, int | None, list[str]]:
    """Return when it was by our clock, how far the phone's is behind it, and what is odd about that."""
    skew_ms = to_ms(present) - sent_ms if sent_ms is not None else None
    # A phone's clock may say anything: what no calendar has is the end of ours, and said to be odd all the same.
    at = from_ms(min(max(told_ms + (skew_ms or 0), _FIRST_MS), _LAST_MS))
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


def decide(session: Session, actor: Actor, row: CheckIn, *, accepted: bool, reason: str, set_site: bool = False) -> CheckIn:
    """Decide as a manager whether a check-in counts.

    Args:
        set_site: the site is where this check-in was, too.

    Raises:
        Conflict: ``state_conflict`` when it is accepted, or was refused and is not to be accepted now;
            ``site_not_proposed`` where it is not to tell where the site is.
        FieldsInvalid: ``invalid`` (set_site) of a check-in that is not accepted.
    """
    about = Subject("check_in", row.id)
    before = last_entry(session, about)
    if set_site and not accepted:
        raise FieldsInvalid({"set_site": ["invalid"]})
    transition(session, row, "accepted" if accepted else "refused", decided_by=actor.id, decision=reason)
    if accepted:
        entry = record(session, "check_in.accepted", about, causes=[before], actor_id=actor.id, reason=reason)
        if set_site:
            site_fixes.set_as_decided(session, actor, row, entry)
    else:
        record(session, "check_in.refused", about, causes=[before], actor_id=actor.id, reason=reason)
    return row
