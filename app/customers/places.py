"""Where sites are: given by people, or looked up by their address; exactly, or no nearer than the centre of a district."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import now
from app.core.errors import FieldsInvalid
from app.core.geo import Position
from app.core.tracked import touch
from app.customers.blocks import rekey
from app.customers.models import Site, SiteLookup

_RETRY = timedelta(minutes=10)
_MOST_TRIES = 8
# Of a position that was looked up, what nobody has to know better before the address changes.
_LOOKED_UP = frozenset({"geocoded", "district"})
UNPLACED: dict[str, Any] = dict.fromkeys(("lat", "lon", "position_source", "position_confirmed_at"))


class Unplaced(NamedTuple):
    """A site whose address is to be looked up."""

    site_id: str
    address: str


class Answer(NamedTuple):
    """What came of a look-up.

    Attributes:
        outcome: ``found``; ``nothing``, or ``unavailable`` where nobody answered; ``district`` where nobody else was asked.
        by: who knew it.
        position: of the address, or of its district; of neither None.
        name: what the one who knew it calls the place.
        exact: the position is the address's own.
    """

    outcome: str
    by: str
    position: Position | None = None
    name: str = ""
    exact: bool = False


def source_given(values: Mapping[str, Any]) -> str | None:
    """Return the source of a position that somebody gives, None where none is given."""
    return None if values.get("lat") is None else "given"


class After(NamedTuple):
    """Where a site would be after an edit."""

    address: str
    position: Position | None


def after_edit(session: Session, site: Site, changes: Mapping[str, Any]) -> After:
    """Return where a site would be after an edit; another address is looked up anew.

    Raises:
        FieldsInvalid: ``required`` for half a position, ``address_or_position`` where neither would be left.
    """
    after = {name: changes.get(name, getattr(site, name)) for name in ("address", "lat", "lon")}
    if (after["lat"] is None) != (after["lon"] is None):
        raise FieldsInvalid({"lon" if after["lon"] is None else "lat": ["required"]})
    if after["lat"] is None and not after["address"]:
        raise FieldsInvalid({"address": ["address_or_position"]})
    if after["address"] != site.address:
        session.execute(delete(SiteLookup).where(SiteLookup.site_id == site.id))
    return After(after["address"] or "", None if after["lat"] is None else Position(after["lat"], after["lon"]))


def give(site: Site, position: Position) -> None:
    """Write where somebody says that a site is."""
    if (site.lat, site.lon) != position or not site.is_confirmed:
        site.lat, site.lon = position
        site.position_source, site.position_confirmed_at = "given", None


def move(site: Site, address: str) -> None:
    """Write a site's address. A position that was looked up by the one before goes with it."""
    if address != site.address and address and site.position_source in _LOOKED_UP and site.position_confirmed_at is None:
        for name, value in UNPLACED.items():
            setattr(site, name, value)
    site.address = address


def unplaced(session: Session, most: int, *, again: bool) -> list[Unplaced]:
    """Return sites whose address waits to be looked up, oldest first.

    Args:
        most: how many at most.
        again: whether an address of which only the district is known is looked up, too: there is somebody to ask.
    """
    waits = Site.lat.is_(None) if not again else or_(Site.lat.is_(None), Site.position_source == "district")
    due = or_(SiteLookup.site_id.is_(None), SiteLookup.address != Site.address, SiteLookup.due_at <= now(session))
    if again:
        due = or_(due, SiteLookup.outcome == "district")
    rows = session.execute(
        select(Site.id, Site.address)
        .outerjoin(SiteLookup, SiteLookup.site_id == Site.id)
        .where(Site.deleted_at.is_(None), waits, due, Site.address != "")
        .order_by(Site.id)
        .limit(most)
    )
    return [Unplaced(site_id, address) for site_id, address in rows]


def settle(session: Session, asked: Unplaced, answer: Answer) -> bool:
    """Write what came of looking up an address; tell whether the site has a position by it now.

    Somebody may have given a position, or another address, meanwhile: then nothing is written.
    """
    site = session.scalar(select(Site).where(Site.id == asked.site_id, Site.deleted_at.is_(None)).with_for_update())
    if site is None or site.address != asked.address or (site.lat is not None and site.position_source != "district"):
        return False
    _note(session, asked, answer)
    if answer.position is None or (not answer.exact and site.lat is not None):
        return False
    site.lat, site.lon = answer.position
    site.position_source = "geocoded" if answer.exact else "district"
    touch(session, site)
    about = history.Subject("site", site.id)
    facts: dict[str, Any] = {"by": answer.by, "name": answer.name, "address": asked.address}
    if answer.exact:
        history.record(session, "site.placed", about, causes=[history.last_entry(session, about)], **facts)
    else:
        history.record(session, "site.placed_roughly", about, causes=[history.last_entry(session, about)], **facts)
    rekey(session, [site.customer_id])
    return True


def _note(session: Session, asked: Unplaced, answer: Answer) -> None:
    known = session.get(SiteLookup, asked.site_id)
    present = now(session)
    tries = 1 if known is None else known.tries + 1
    row = known or SiteLookup(site_id=asked.site_id)
    row.address, row.outcome, row.tries, row.at = asked.address, answer.outcome, tries, present
    row.due_at = _due(present, tries) if answer.outcome == "unavailable" else None
    session.add(row)
    session.flush()


def _due(present: datetime, tries: int) -> datetime | None:
    """Return when to ask again: ten minutes later, then twice as long each time, eight times in all."""
    return present + _RETRY * 2 ** (tries - 1) if tries < _MOST_TRIES else None
