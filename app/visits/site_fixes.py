"""The first visit tells where a site is, as long as nobody knows it for sure.

A site's place may come from its address or its district only. Then no check-in is inside or outside its fence; and one that
is accurate, plausible and has a photo shows where the site is: at once, or after a manager's yes.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import Conflict
from app.core.geo import Position
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import hold, touch, transition
from app.customers.models import Site
from app.customers.positions import confirm_position
from app.positions.datum import Placed
from app.positions.plausibility import Grade
from app.positions.verdicts import Nearness, Verdict, judge
from app.users.rights import Actor
from app.visits.models import CheckIn, Visit
from app.visits.pictures import is_photo, pictures_of

GOOD_ENOUGH_M = 50.0
_PHOTO_COMES_WITHIN = timedelta(days=30)
_MOST = 500
# Reasons that fall away once the site is found.
_OF_THE_SITE = frozenset({"site_unconfirmed", "site_at_district", "site_unplaced"})


def judged(placed: Placed, accuracy_m: float | None, site: Site, fence_m: float) -> Verdict:
    """Judge a fix against a site; where the site's own place is not sure, a fence whose middle is unknown shows nothing."""
    if site.position is None:
        return Verdict(Nearness.UNSURE, 0.0, ("site_unplaced",))
    found = judge(placed, accuracy_m, site.position, fence_m)
    return (
        found
        if site.is_confirmed
        else Verdict(Nearness.UNSURE, found.distance_m, (*found.reasons, site.doubt or "site_unconfirmed"))
    )


def use_of(session: Session, site: Site, row: CheckIn, *, is_sure: bool) -> str | None:
    """Return what a check-in is of use for in finding its site, or None.

    Args:
        is_sure: its datum is known, and it lies on one side of every border of datums.
    """
    good = is_sure and row.accuracy_m is not None and 0 < row.accuracy_m <= GOOD_ENOUGH_M and row.grade == Grade.CLEAR
    odd_time = {"time_ahead", "time_old"} & set(row.reasons)
    if site.is_confirmed or not good or odd_time or row.photo_id is None:
        return None
    return "proposed" if is_photo(session, row.user_id, row.photo_id) else "waiting"


def set_at_once(session: Session, settings: Settings, site: Site, row: CheckIn, entry: HistoryEntry) -> None:
    """Let a check-in that tells where its site is be believed, where reps are (``FIELDLOOP_SITE_POSITION_BY``)."""
    if settings.site_position_by == "rep" and row.site_fix == "proposed":
        _set(session, hold(session, Site, site.id), row, row.user_id, entry)
        _clear(session, row, entry)


def set_as_decided(session: Session, actor: Actor, row: CheckIn, entry: HistoryEntry) -> None:
    """Let a check-in tell where its site is, as a manager decided.

    Raises:
        Conflict: ``site_not_proposed`` when it is not fit for it, or another one told it first.
    """
    site = hold(session, Site, session.get_one(Visit, row.visit_id).site_id)
    if row.site_fix != "proposed" or site.is_confirmed:
        raise Conflict("site_not_proposed")
    _set(session, site, row, actor.id, entry)


def _set(session: Session, site: Site, row: CheckIn, actor_id: str, entry: HistoryEntry) -> None:
    if site.is_confirmed:
        row.site_fix = "overtaken"
    else:
        confirm_position(session, site, Position(row.lat, row.lon), actor_id=actor_id, cause=entry)
        row.site_fix = "set"
    touch(session, row)


def _clear(session: Session, row: CheckIn, entry: HistoryEntry) -> None:
    """Leave nobody anything to look at where a check-in was doubtful only because its site's place was."""
    if row.site_fix == "set" and set(row.reasons) <= _OF_THE_SITE and row.state == "needs_review":
        transition(session, row, "accepted")
        record(session, "check_in.borne_out", Subject("check_in", row.id), causes=[entry])


def waiting(session: Session) -> list[str]:
    """Return the check-ins that would tell where a site is once their photo has arrived, the oldest first."""
    since = now(session) - _PHOTO_COMES_WITHIN
    found = select(CheckIn).where(CheckIn.site_fix == "waiting", CheckIn.created_at >= since).order_by(CheckIn.id)
    rows = list(session.scalars(found.limit(_MOST)))
    return [row.id for row in rows if pictures_of(session, row.user_id, [row.photo_id or ""]).get(row.photo_id or "")]


def follow_photo(session: Session, settings: Settings, check_in_id: str) -> int:
    """Let a check-in whose photo has arrived tell where its site is, or propose it; return 1 when it did."""
    row = hold(session, CheckIn, check_in_id)
    if row.site_fix != "waiting" or not is_photo(session, row.user_id, row.photo_id):
        return 0
    row.site_fix = "proposed"
    touch(session, row)
    entry = last_entry(session, Subject("check_in", row.id), "check_in.recorded")
    site = hold(session, Site, session.get_one(Visit, row.visit_id).site_id)
    if settings.site_position_by == "rep" and entry is not None:
        _set(session, site, row, row.user_id, entry)
        _clear(session, row, entry)
    return 1
