"""In which region a position lies, as far as it matters for datums. The only import of timezonefinder.

Its polygons are those of the time zones of OpenStreetMap (timezone-boundary-builder, ODbL), at the full resolution of the
borders there: mainland China, Hong Kong, Macao and Taiwan each have zones of their own.
"""

from __future__ import annotations

import atexit
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING

from app.core.geo import Position

if TYPE_CHECKING:
    from timezonefinder import TimezoneFinder


class Region(StrEnum):
    """Where a position lies."""

    MAINLAND = "mainland"
    HONG_KONG = "hong_kong"
    MACAO = "macao"
    TAIWAN = "taiwan"
    ELSEWHERE = "elsewhere"


_REGIONS = {
    "Asia/Shanghai": Region.MAINLAND,
    "Asia/Urumqi": Region.MAINLAND,
    "Asia/Hong_Kong": Region.HONG_KONG,
    "Asia/Macau": Region.MACAO,
    "Asia/Taipei": Region.TAIWAN,
}


def region_of(position: Position) -> Region:
    """Return the region a WGS-84 position lies in; at sea beyond the coastal waters it is elsewhere. Takes about 2 us."""
    return _REGIONS.get(_finder().timezone_at(lat=position.lat, lng=position.lon) or "", Region.ELSEWHERE)


@cache
def _finder() -> TimezoneFinder:
    # Here, for its 32 MB of polygons are mapped when it is made.
    from timezonefinder import TimezoneFinder

    finder = TimezoneFinder()
    atexit.register(finder.cleanup)
    return finder
