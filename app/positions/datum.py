"""From the datum a phone tells to WGS-84. The only import of geocoordinates_ffi.

Chinese maps shift what they show by 100 to 700 m: GCJ-02, and BD-09 on top of it. A phone says which one its position is in;
nothing is guessed. The shift applies inside the regions a deployment names (``FIELDLOOP_SHIFTED_REGIONS``); elsewhere maps
show true positions whatever they call them.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from app.core.geo import Position
from app.positions.regions import Region, region_of


class Datum(StrEnum):
    """What the numbers of a position are relative to."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"
    UNKNOWN = "unknown"


class Placed(NamedTuple):
    """Where a position is.

    Attributes:
        position: in WGS-84.
        otherwise: where it may be just as well, within the shift from a border: the numbers themselves.
        is_known: False where the datum is not; the position is then the numbers themselves.
    """

    position: Position
    otherwise: Position | None = None
    is_known: bool = True


def to_wgs84(given: Position, datum: Datum, shifted: Collection[Region]) -> Placed:
    """Return where a position in a datum is.

    Args:
        given: latitude and longitude as the phone told them, in degrees.
        datum: as the phone told it.
        shifted: the regions where maps in Chinese datums are shifted.

    Sources:
        The published formula of GCJ-02 and its inverse by iteration, to less than 0.5 m, as geocoordinates-rs has them.
    """
    if datum is Datum.UNKNOWN:
        return Placed(given, is_known=False)
    if datum is Datum.WGS84:
        return Placed(given)
    true = _unshift(given, datum)
    inside = region_of(true) in shifted
    if inside is (region_of(given) in shifted):
        return Placed(true if inside else given)
    return Placed(true, given)


def from_wgs84(position: Position, datum: Datum, shifted: Collection[Region]) -> Position:
    """Return what a map in a datum shows a WGS-84 position at."""
    if datum in {Datum.WGS84, Datum.UNKNOWN} or region_of(position) not in shifted:
        return position
    # Here, as all of it: the library takes 30 ms to load, and most processes never convert.
    import geocoordinates_ffi as ffi

    point = ffi.Wgs84(lat=position.lat, lon=position.lon)
    shown = ffi.wgs84_to_gcj02(point) if datum is Datum.GCJ02 else ffi.wgs84_to_bd09(point)
    return Position(shown.lat, shown.lon)


def _unshift(given: Position, datum: Datum) -> Position:
    import geocoordinates_ffi as ffi

    if datum is Datum.GCJ02:
        true = ffi.gcj02_to_wgs84_refined(ffi.Gcj02(lat=given.lat, lon=given.lon))
    else:
        true = ffi.bd09_to_wgs84_refined(ffi.Bd09(lat=given.lat, lon=given.lon))
    return Position(true.lat, true.lon)
