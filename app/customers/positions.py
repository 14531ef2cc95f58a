"""Where a site is, once somebody was there."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core.db import now
from app.core.geo import Position, distance_m
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import touch
from app.customers import facts
from app.customers.blocks import rekey
from app.customers.models import Site
from app.customers.sources import Source


def confirm_position(session: Session, site: Site, position: Position, *, actor_id: str, cause: HistoryEntry) -> Site:
    """Write down where a site was found to be; where it was thought to be stays in the causal log.

    Args:
        position: WGS-84 degrees.
        cause: what showed it.
    """
    about = Subject("site", site.id)
    before = last_entry(session, about)
    was, source = site.position, site.position_source
    found = {"lat": position.lat, "lon": position.lon}
    facts.pin(session, site, f"site.{site.id}.position", found, Source("rep", actor_id, actor_id), "on_the_spot")
    site.position_source, site.position_confirmed_at = "surveyed", now(session)
    touch(session, site)
    if was is None:
        record(
            session, "site.position_found", about, causes=[cause, before], actor_id=actor_id, lat=position.lat, lon=position.lon
        )
    else:
        record(
            session,
            "site.position_confirmed",
            about,
            causes=[cause, before],
            actor_id=actor_id,
            lat=position.lat,
            lon=position.lon,
            was_lat=was.lat,
            was_lon=was.lon,
            was_source=f"position_{source}",
            away_m=round(distance_m(was, position), 1),
        )
    rekey(session, [site.customer_id])
    return site
