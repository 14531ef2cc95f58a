"""Distances: the quick one is as good as it says, near and far, at the poles and across the date line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from app.core.geo import Position, distance_m, rough_distance_m

places = some.builds(Position, some.floats(-90, 90), some.floats(-180, 180))


@given(a=places, b=places)
def test_the_rough_distance_is_within_six_thousandths_of_the_geodesic_one(a: Position, b: Position) -> None:
    assert rough_distance_m(a, b) == pytest.approx(distance_m(a, b), rel=0.006, abs=0.01)


def test_across_the_date_line_it_is_the_short_way() -> None:
    assert rough_distance_m(Position(0, 179.9995), Position(0, -179.9995)) == pytest.approx(111.2, abs=0.5)
