"""Positions on the earth and distances between them: the only geopy import."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """WGS-84 degrees, latitude first, as everywhere in the product."""

    lat: float
    lon: float


def distance_m(a: Position, b: Position) -> float:
    """Return the geodesic distance in metres on the WGS-84 ellipsoid (Karney's algorithm, through geopy)."""
    # Here, for geopy brings the HTTP clients of its geocoders along: an eighth of the time each process takes to import.
    from geopy.distance import geodesic

    return float(geodesic((a.lat, a.lon), (b.lat, b.lon)).meters)
