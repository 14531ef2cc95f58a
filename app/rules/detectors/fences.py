"""Fences: how far a position is outside of an area, in metres; negative inside. The only shapely import.

Measured on a plane that touches the ellipsoid in the middle of the area: sides are straight in latitude and longitude, and a
distance is wrong by less than 1 % as far as 50 km from there up to 60 degrees of latitude.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

LARGEST_M = 50_000.0
MOST_CORNERS = 200
# WGS-84: half the greater axis in metres, and the square of the eccentricity.
_AXIS_M, _ECCENTRICITY = 6_378_137.0, 0.00669437999014


class _Plane:
    """A plane that touches the earth at a position; x to the east, y to the north, in metres.

    Source: radii of curvature of the meridian and of the prime vertical, EPSG Guidance Note 7-2, section 4.1.
    """

    def __init__(self, lat: float, lon: float) -> None:
        self._lat, self._lon = lat, lon
        flat = 1 - _ECCENTRICITY * math.sin(math.radians(lat)) ** 2
        self._north_m = math.radians(_AXIS_M * (1 - _ECCENTRICITY) / flat**1.5)
        self._east_m = math.radians(_AXIS_M / math.sqrt(flat) * math.cos(math.radians(lat)))

    def place(self, lat: float, lon: float) -> tuple[float, float]:
        return (lon - self._lon) * self._east_m, (lat - self._lat) * self._north_m


class Circle:
    """All that is at most so far from a position."""

    def __init__(self, lat: float, lon: float, radius_m: float) -> None:
        """Prepare it.

        Raises:
            ValueError: a radius of less than 1 m or more than 50 km.
        """
        if not 1 <= radius_m <= LARGEST_M:
            raise ValueError("radius_m: 1 to 50000")
        self._plane, self._radius_m = _Plane(lat, lon), radius_m

    def outside_m(self, lat: float, lon: float) -> float:
        """Return how far a position is outside, in metres; negative inside."""
        return math.hypot(*self._plane.place(lat, lon)) - self._radius_m


class Polygon:
    """An area with straight sides."""

    def __init__(self, corners: Sequence[tuple[float, float]]) -> None:
        """Prepare it.

        Args:
            corners: (lat, lon) in degrees, in order; the last side leads back to the first.

        Raises:
            ValueError: fewer than 3 corners or more than 200, sides that cross, or more than 50 km across.
        """
        import shapely  # with its numpy a sixth of a second and 20 MB: only where a rule has a polygon

        if not 3 <= len(corners) <= MOST_CORNERS:
            raise ValueError(f"polygon: 3 to {MOST_CORNERS} corners")
        lats, lons = [lat for lat, _ in corners], [lon for _, lon in corners]
        self._plane = _Plane((min(lats) + max(lats)) / 2, (min(lons) + max(lons)) / 2)
        self._area = shapely.Polygon([self._plane.place(lat, lon) for lat, lon in corners])
        if not self._area.is_valid or not self._area.area:
            raise ValueError("polygon: its sides cross, or it has no area")
        west, south, east, north = self._area.bounds
        if max(east - west, north - south) > LARGEST_M:
            raise ValueError("polygon: at most 50 km across")
        shapely.prepare(self._area)
        self._point = shapely.Point

    def outside_m(self, lat: float, lon: float) -> float:
        """Return how far a position is outside, in metres; negative inside."""
        point = self._point(*self._plane.place(lat, lon))
        edge = float(self._area.exterior.distance(point))
        return -edge if self._area.covers(point) else edge


Fence = Circle | Polygon


@lru_cache(maxsize=500)
def circle(lat: float, lon: float, radius_m: float) -> Circle:
    """Return a circle, prepared once."""
    return Circle(lat, lon, radius_m)


@lru_cache(maxsize=500)
def polygon(corners: tuple[tuple[float, float], ...]) -> Polygon:
    """Return a polygon, prepared once."""
    return Polygon(corners)


def certainly_outside_m(fence: Fence, lat: float, lon: float, accuracy_m: float) -> float | None:
    """Return how far a position is outside; None where its accuracy leaves open on which side of the edge it is."""
    if not (-90 <= lat <= 90 and -180 <= lon <= 180 and accuracy_m >= 0):
        return None
    distance = fence.outside_m(lat, lon)
    return distance if abs(distance) > accuracy_m else None
