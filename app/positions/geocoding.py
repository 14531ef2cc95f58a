"""What asking a geocoder may end in. Who asks one imports ``geocoders``, which brings geopy and all that it needs."""

from __future__ import annotations

from typing import NamedTuple

from app.core.geo import Position


class GeocoderSilent(Exception):
    """The geocoder did not answer, or not with what it should."""


class Found(NamedTuple):
    """What a geocoder knows, in WGS-84; ``name`` as it calls the place."""

    position: Position
    name: str
