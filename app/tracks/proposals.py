"""Visits that a track shows: stays at known sites where nobody checked in. The rep decides on each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from math import cos, radians
from typing import Any, NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.core.clock import from_ms
from app.core.errors import Conflict
from app.core.geo import distance_m
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, touch, transition
from app.customers import queries as customers
from app.customers.models import Site
from app.positions.stays import Stay
from app.tracks.figures import LEAST_FIXES
from app.tracks.models import Shift, VisitProposal
from app.users import auth
from app.users.models import User
from app.users.rights import Actor
from app.visits import from_tracks
from app.visits.models import Visit

_METRES_A_DEGREE = 110_000.0  # of latitude, at least
# Of a site's surroundings so many sites are compared.
_MOST_SITES = 200


class _Seen(NamedTuple):
    """A stay at a site."""

    site: Site
    came_at: datetime
    left_at: datetime
    distance_m: float


def propose(session: Session, settings: Settings, shift: Shift, stays: Sequence[Stay], cause: HistoryEntry) -> int:
    """Bring the proposals of a shift in line with its stays; what was decided on stays as it was decided.

    Returns:
        How many proposals are new or changed.
    """
    actor = auth.actor_of(session, session.get_one(User, shift.user_id))
    over = [stay for stay in stays if shift.state == "finished" or not stay.is_open]
    seen = [one for stay in over if (one := _seen(session, settings, actor, stay)) is not None]
    mine = select(VisitProposal).where(VisitProposal.shift_id == shift.id).order_by(VisitProposal.came_at)
    rows = session.scalars(mine.with_for_update(key_share=True)).all()
    open_rows = [row for row in rows if row.state in {"proposed", "withdrawn"}]
    decided = [row for row in rows if row.state in {"confirmed", "rejected"}]
    changed = 0
    for one in seen:
        if any(_same(row, one) for row in decided) or _is_known(session, actor.id, one):
            continue
        row = next((row for row in open_rows if _same(row, one)), None)
        if row is not None:
            open_rows.remove(row)
            changed += _move(session, row, one, cause)
        else:
            _make(session, shift, one, cause)
            changed += 1
    for row in open_rows:
        if row.state == "proposed":
            _withdraw(session, row, cause)
            changed += 1
    return changed


def _seen(session: Session, settings: Settings, actor: Actor, stay: Stay) -> _Seen | None:
    """Return the nearest site within whose fence a stay is, of those the rep may see."""
    if stay.fixes < LEAST_FIXES:
        return None
    lat, lon = stay.position
    north = settings.fence_m / _METRES_A_DEGREE
    east = north / max(0.01, cos(radians(lat)))
    near = customers.visible_sites(actor).where(Site.lat.between(lat - north, lat + north))
    near = near.where(Site.lon.between(lon - east, lon + east)).order_by(Site.id).limit(_MOST_SITES)
    # Near the centre of a district, where only that is known of a site, nobody was at the site.
    known = [(site.position, site) for site in session.scalars(near) if site.is_confirmed]
    found = [(distance_m(stay.position, place), site.id, site) for place, site in known if place is not None]
    inside = [one for one in found if one[0] <= settings.fence_m]
    if not inside:
        return None
    away_m, _, site = min(inside, key=lambda one: one[:2])
    return _Seen(site, from_ms(stay.began_ms), from_ms(stay.ended_ms), round(away_m, 1))


def _same(row: VisitProposal, one: _Seen) -> bool:
    return row.site_id == one.site.id and row.came_at <= one.left_at and one.came_at <= row.left_at


def _is_known(session: Session, user_id: str, one: _Seen) -> bool:
    return visit_meanwhile(session, user_id, one.site.id, one.came_at, one.left_at) is not None


def visit_meanwhile(session: Session, user_id: str, site_id: str, came_at: datetime, left_at: datetime) -> Visit | None:
    """Return the visit of a rep at a site that was checked in, or recorded otherwise, about that time."""
    slack = timedelta(minutes=15)
    return session.scalar(
        select(Visit)
        .where(Visit.user_id == user_id, Visit.site_id == site_id, Visit.state.in_(("in_progress", "finished")))
        .where(Visit.began_at <= left_at + slack, or_(Visit.ended_at.is_(None), Visit.ended_at >= came_at - slack))
        .where(Visit.deleted_at.is_(None))
        .order_by(Visit.id)
        .limit(1)
    )


def _make(session: Session, shift: Shift, one: _Seen, cause: HistoryEntry) -> None:
    row = VisitProposal(
        user_id=shift.user_id,
        shift_id=shift.id,
        customer_id=one.site.customer_id,
        site_id=one.site.id,
        came_at=one.came_at,
        left_at=one.left_at,
        distance_m=one.distance_m,
        state="proposed",
    )
    add(session, row)
    _told(session, row, cause)


def _move(session: Session, row: VisitProposal, one: _Seen, cause: HistoryEntry) -> int:
    now_is = (one.came_at, one.left_at, one.distance_m)
    if row.state == "proposed" and (row.came_at, row.left_at, row.distance_m) == now_is:
        return 0
    if row.state == "withdrawn":
        transition(session, row, "proposed")
    row.came_at, row.left_at, row.distance_m = now_is
    touch(session, row)
    _told(session, row, cause)
    return 1


def _told(session: Session, row: VisitProposal, cause: HistoryEntry) -> None:
    """Write it down without where and when: the causal log is never deleted, and tracks are."""
    about = Subject("visit_proposal", row.id)
    causes = [last_entry(session, about), cause]
    minutes = round((row.left_at - row.came_at) / timedelta(minutes=1))
    record(session, "visit_proposal.made", about, causes=causes, minutes=minutes)


def _withdraw(session: Session, row: VisitProposal, cause: HistoryEntry) -> None:
    about = Subject("visit_proposal", row.id)
    before = last_entry(session, about)
    transition(session, row, "withdrawn")
    record(session, "visit_proposal.withdrawn", about, causes=[before, cause], reason="track_changed")


def confirm(session: Session, actor: Actor, row: VisitProposal, values: Mapping[str, Any]) -> VisitProposal:
    """Say that it was a visit: it becomes a finished one, whose source is the track.

    Args:
        values: optionally ``purpose``, ``outcome``, ``next_step``.

    Raises:
        Conflict: ``state_conflict`` unless it is proposed; ``visit_recorded`` when a visit at the site about that time is known;
            ``site_gone`` when the rep may not see the site any more.
    """
    about = Subject("visit_proposal", row.id)
    before = last_entry(session, about)
    transition(session, row, "confirmed")
    site = session.scalar(customers.visible_sites(actor).where(Site.id == row.site_id))
    if site is None:
        raise Conflict("site_gone")
    known = visit_meanwhile(session, actor.id, row.site_id, row.came_at, row.left_at)
    if known is not None:
        raise Conflict("visit_recorded", number=known.number)
    entry = record(session, "visit_proposal.confirmed", about, causes=[before], actor_id=actor.id)
    visit = from_tracks.record_past_visit(session, actor, site, (row.came_at, row.left_at), values, [entry])
    row.visit_id = visit.id
    touch(session, row)
    return row


def reject(session: Session, actor: Actor, row: VisitProposal, reason: str) -> VisitProposal:
    """Say that it was no visit.

    Raises:
        Conflict: ``state_conflict`` unless it is proposed.
    """
    about = Subject("visit_proposal", row.id)
    before = last_entry(session, about)
    transition(session, row, "rejected", reason=reason)
    record(session, "visit_proposal.rejected", about, causes=[before], actor_id=actor.id, reason=reason)
    return row
