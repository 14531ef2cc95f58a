"""Verdicts of check-ins, one row of the rule after the other."""

from __future__ import annotations

import pytest

from app.core.geo import Position
from app.positions.datum import Datum, Placed, from_wgs84, to_wgs84
from app.positions.regions import Region
from app.positions.verdicts import judge

SITE = Position(39.911954, 116.377817)
DEGREE_M = 111_035.0  # one degree of latitude at 40 degrees north


def at_m(away_m: float) -> Placed:
    return Placed(Position(SITE.lat + away_m / DEGREE_M, SITE.lon))


@pytest.mark.parametrize(
    ("away_m", "accuracy_m", "fence_m", "found"),
    [
        (0, 5, 200, "inside"),
        (199, 5, 200, "inside"),
        (201, 5, 200, "near"),
        (299, 5, 200, "near"),  # a good fix still may be 100 m beyond the fence
        (301, 5, 200, "outside"),
        (301, 150, 200, "near"),  # a poor one as far as it is poor
        (349, 150, 200, "near"),
        (351, 150, 200, "outside"),
        (0, 200, 200, "inside"),  # as poor as the fence is wide is good enough
        (0, 201, 200, "unsure"),
        (399, 201, 200, "unsure"),
        (402, 201, 200, "outside"),  # so poor, and yet nowhere near
        (0, 0, 200, "unsure"),
        (0, None, 200, "unsure"),
        (5_000, None, 200, "unsure"),
        (0, 1_000, 200, "unsure"),
        (5_000, 1_000, 200, "outside"),
        (130, 60, 50, "near"),
        (100, 60, 50, "unsure"),
    ],
)
def test_the_rule(away_m: float, accuracy_m: float | None, fence_m: float, found: str) -> None:
    verdict = judge(at_m(away_m), accuracy_m, SITE, fence_m)

    assert verdict.nearness == found
    assert verdict.distance_m == pytest.approx(away_m, abs=1)
    assert bool(verdict.reasons) is (found == "unsure")


def test_every_reason_to_be_unsure_is_named() -> None:
    assert judge(Placed(SITE, is_known=False), None, SITE).reasons == ("datum_unknown", "accuracy_missing")
    assert judge(Placed(SITE), 900, SITE).reasons == ("accuracy_too_coarse",)
    assert judge(Placed(SITE), 0, SITE).reasons == ("accuracy_missing",)


def test_a_phone_in_a_chinese_datum_is_as_near_as_one_in_the_true_one() -> None:
    shifted = frozenset({Region.MAINLAND})
    for datum in (Datum.GCJ02, Datum.BD09):
        shown = from_wgs84(SITE, datum, shifted)
        assert judge(to_wgs84(shown, datum, shifted), 10, SITE).nearness == "inside"
        assert judge(to_wgs84(shown, Datum.WGS84, shifted), 10, SITE).nearness == "outside"


def test_at_a_border_the_verdict_is_given_where_both_readings_agree_and_unsure_where_they_do_not() -> None:
    beyond = Position(SITE.lat, SITE.lon + 0.006)

    torn = judge(Placed(SITE, beyond), 10, SITE)
    assert (torn.nearness, torn.reasons) == ("unsure", ("datum_at_border",))
    assert judge(Placed(SITE, Position(SITE.lat, SITE.lon + 0.0001)), 10, SITE).nearness == "inside"
