"""Looks up the addresses of sites without a position: at a geocoder if there is one, else no nearer than the district.

No transaction is open while somebody is asked.
"""

from __future__ import annotations

from collections.abc import Callable

from app.core.db import Database
from app.core.logs import get_log
from app.core.settings import Settings
from app.customers.places import Answer, Unplaced, settle, unplaced
from app.positions.districts import district_of
from app.positions.geocoding import Found, GeocoderSilent

log = get_log(__name__)

RUN_S = 5
_MOST_DISTRICTS = 500


def place_sites(database: Database, settings: Settings) -> int:
    """Look up what waits, as many a run as the settings' rate allows; return how many sites have a position by it."""
    ask = _geocoder_of(settings)
    most = _MOST_DISTRICTS if ask is None else max(1, settings.geocoder_per_minute * RUN_S // 60)
    with database.reading() as session:
        waiting = unplaced(session, most, again=ask is not None)
    done = 0
    for asked in waiting:
        answer = _answer(settings, ask, asked)
        with database.transaction() as session:
            done += settle(session, asked, answer)
        if answer.outcome == "unavailable":
            break  # the others need not wait for it in vain, one after the other
    return done


def _geocoder_of(settings: Settings) -> Callable[[str], Found | None] | None:
    if settings.geocoder == "none":
        return None
    from app.positions.geocoders import geocoder_of  # every process has this module, and few deployments a geocoder

    return geocoder_of(settings)


def _answer(settings: Settings, ask: Callable[[str], Found | None] | None, asked: Unplaced) -> Answer:
    outcome = "district"
    if ask is not None:
        try:
            found = ask(asked.address)
        except GeocoderSilent as fault:
            log.warning("geocoder did not answer", problem=str(fault), site=asked.site_id)
            outcome = "unavailable"
        else:
            if found is not None:
                return Answer("found", settings.geocoder, found.position, found.name, exact=True)
            outcome = "nothing"
    place = district_of(asked.address)
    if place is None:
        return Answer("nothing" if outcome == "district" else outcome, "geonames")
    return Answer(outcome, "geonames", place.position, place.name)
