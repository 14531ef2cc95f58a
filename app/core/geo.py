"""Positions on the earth and distances between them: the only geopy import."""

from __future__ import annotations

from typing import NamedTuple

from geopy.distance import geodesic


class Position(NamedTuple):
    """WGS-84 degrees, latitude first, as everywhere in the product."""

    lat: float
    lon: float


def distance_m(a: Position, b: Position) -> float:
    """Return the geodesic distance in metres on the WGS-84 ellipsoid (Karney's algorithm, through geopy)."""
    return float(geodesic((a.lat, a.lon), (b.lat, b.lon)).meters)
