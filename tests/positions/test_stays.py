"""Stays and trips: named cases of the rule, noise that must not count, and properties."""

from __future__ import annotations

import random
from itertools import pairwise
from math import cos, radians

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.core.geo import Position
from app.positions.datum import Datum, from_wgs84
from app.positions.fixes import Fix
from app.positions.stays import RULE, Movement, Stay, movement
from evaluation.phones import KINDS as PHONES
from evaluation.phones import measure, place
from evaluation.ways import walk
from tests.positions.streams import BEIJING, NOON_MS, SHIFTED

MINUTE_MS = 60_000
NO_GAPS = RULE._replace(gap_ms=None)


def at(minute: float, east_m: float = 0.0, north_m: float = 0.0, **told: object) -> Fix:
    return Fix(NOON_MS + round(minute * MINUTE_MS), place(BEIJING, east_m, north_m), Datum.WGS84)._replace(**told)


def minutes(found: Movement) -> list[tuple[float, float]]:
    return [((one.began_ms - NOON_MS) / MINUTE_MS, (one.ended_ms - NOON_MS) / MINUTE_MS) for one in found.stays]


def visit(begin: int, end: int, east_m: float) -> list[Fix]:
    return [at(minute, east_m) for minute in range(begin, end)]


def test_two_visits_and_the_way_between_them() -> None:
    way = [at(30 + i, 500.0 * i) for i in range(1, 10)]
    found = movement([*visit(0, 31, 0.0), *way, *visit(40, 70, 5_000.0)])

    assert minutes(found) == [(0, 31), (40, 69)]
    assert [stay.is_open for stay in found.stays] == [False, True]
    assert [(trip.began_ms, trip.ended_ms) for trip in found.trips] == [(NOON_MS + 30 * MINUTE_MS, NOON_MS + 40 * MINUTE_MS)]
    assert found.trips[0].distance_m == pytest.approx(5_000, rel=0.005)
    assert found.trips[0].unseen_m == 0


@pytest.mark.parametrize(("last", "found"), [(19, []), (20, [(0, 20)])])
def test_a_stay_takes_the_least_time(last: int, found: list[tuple[float, float]]) -> None:
    assert minutes(movement(visit(0, last + 1, 0.0))) == found


@pytest.mark.parametrize(("roamed_m", "count"), [(190.0, 1), (210.0, 0)])
def test_who_roams_farther_does_not_stay(roamed_m: float, count: int) -> None:
    assert len(movement([at(i, roamed_m * (i % 10) / 9 * (1 if i else 0)) for i in range(30)]).stays) == count


def test_a_recording_gap_ends_a_stay_or_counts_as_staying() -> None:
    fixes = [*visit(0, 10, 0.0), *visit(130, 140, 0.0), at(140, 9_000.0)]
    left = [*visit(0, 25, 0.0), at(200, 9_000.0)]

    assert minutes(movement(fixes)) == []
    assert minutes(movement(fixes, NO_GAPS)) == [(0, 140)]
    assert minutes(movement(left)) == [(0, 24)]
    assert movement(left).stays[0].is_open
    assert minutes(movement(left, NO_GAPS)) == [(0, 200)]
    assert movement(left).trips[0].unseen_m == pytest.approx(9_000, rel=0.005)


def test_a_gap_as_long_as_the_rule_says_ends_nothing() -> None:
    assert minutes(movement([at(0), at(15), at(30)])) == [(0, 30)]
    assert minutes(movement([at(0), at(15), at(30.1), at(45)])) == []


def test_noise_and_jitter_divide_no_stay_and_add_no_metres() -> None:
    dice = random.Random(3)
    still = [at(i / 6, dice.gauss(0, 15), dice.gauss(0, 15)) for i in range(360)]
    noisy = [fix if i % 50 != 25 else at(i / 6, 12_000.0) for i, fix in enumerate(still)]
    spiked = [fix if i % 50 != 25 else at(i / 6, 260.0) for i, fix in enumerate(still)]

    lost = [fix if i % 50 not in {25, 26, 27} else at(i / 6, 12_000.0) for i, fix in enumerate(still)]

    for fixes in (still, noisy, spiked, lost):
        found = movement(fixes)
        assert minutes(found) == [(0, 359 / 6)]
        assert found.trips == ()


def test_a_step_over_the_rim_divides_no_stay_and_an_errand_does() -> None:
    rim = [at(i, 230.0 if i in {25, 26} else 0.0) for i in range(60)]
    errand = [at(i, 230.0 if 25 <= i < 40 else 0.0) for i in range(70)]

    assert minutes(movement(rim)) == [(0, 59)]
    assert len(movement(errand).stays) == 2


def test_coarse_fixes_and_those_without_a_place_are_not_looked_at() -> None:
    dirt = [at(10.5, 3_000.0, accuracy_m=2_500.0), at(12.5)._replace(given=Position(0.0, 0.0))]

    assert movement([*visit(0, 30, 0.0), *dirt]) == movement(visit(0, 30, 0.0))


def test_a_phone_in_a_chinese_datum_stays_where_one_in_the_true_one_does() -> None:
    true = visit(0, 30, 0.0)
    shown = [fix._replace(given=from_wgs84(fix.given, Datum.GCJ02, SHIFTED), datum=Datum.GCJ02) for fix in true]
    mixed = [b if i % 2 else a for i, (a, b) in enumerate(zip(true, shown, strict=True))]

    assert len(movement(mixed).stays) == 1
    assert movement(shown).stays[0].position == pytest.approx(movement(true).stays[0].position, abs=1e-5)


@pytest.mark.parametrize("phone", PHONES)
def test_mileage_is_that_of_the_way(phone: str) -> None:
    """A walk through streets, as each kind of phone tells it; a rest of jitter would add more."""
    for number in range(5):
        dice = random.Random(f"mileage-{number}")
        way = [one._replace(blur_m=4.0) for one in walk(dice)]
        true_m = sum(((b.east_m - a.east_m) ** 2 + (b.north_m - a.north_m) ** 2) ** 0.5 for a, b in pairwise(way))
        found = movement(measure(dice, BEIJING, way, phone), RULE._replace(least_ms=10**9))

        assert sum(trip.distance_m for trip in found.trips) == pytest.approx(true_m, rel=0.15, abs=50)


def test_the_middle_of_a_stay_on_the_date_line_is_there() -> None:
    fixes = [Fix(NOON_MS + i * MINUTE_MS, Position(-17.0, 179.9999 if i % 2 else -179.9999), Datum.WGS84) for i in range(30)]

    (stay,) = movement(fixes).stays
    assert abs(abs(stay.position.lon) - 180) < 1e-4


def test_nothing_and_one_fix_are_neither_stay_nor_trip() -> None:
    assert movement([]) == Movement((), ()) == movement([at(0)])


# --- properties ---

steps = some.tuples(some.integers(1, 40), some.sampled_from([0.0, 20.0, 150.0, 900.0, 60_000.0]), some.booleans())


def track(taken: list[tuple[int, float, bool]]) -> list[Fix]:
    fixes, minute, east_m = [], 0, 0.0
    for waited, went_m, back in taken:
        minute += waited
        east_m += -went_m if back else went_m
        fixes.append(at(minute, east_m, accuracy_m=10.0 if back else None))
    return fixes


@settings(max_examples=200)
@given(taken=some.lists(steps, max_size=40), gaps=some.booleans(), dice=some.randoms(use_true_random=False))
def test_any_order_and_doubled_fixes_end_in_the_same_movement(
    taken: list[tuple[int, float, bool]], gaps: bool, dice: random.Random
) -> None:
    fixes = track(taken)
    shuffled = [*fixes, *fixes[::2]]
    dice.shuffle(shuffled)
    rule = RULE if gaps else NO_GAPS

    assert movement(shuffled, rule) == movement(fixes, rule)


@settings(max_examples=200)
@given(taken=some.lists(steps, max_size=40), gaps=some.booleans())
def test_stays_last_long_enough_do_not_overlap_and_trips_lie_between_them(
    taken: list[tuple[int, float, bool]], gaps: bool
) -> None:
    found = movement(track(taken), RULE if gaps else NO_GAPS)

    assert all(stay.ended_ms - stay.began_ms >= RULE.least_ms for stay in found.stays)
    assert all(a.ended_ms <= b.began_ms for a, b in pairwise(found.stays))
    assert all(trip.distance_m >= trip.unseen_m >= 0 for trip in found.trips)
    assert all(not _inside(trip.began_ms, trip.ended_ms, stay) for trip in found.trips for stay in found.stays)


def _inside(began_ms: int, ended_ms: int, stay: Stay) -> bool:
    return stay.began_ms < began_ms and ended_ms < stay.ended_ms


@settings(max_examples=100)
@given(taken=some.lists(steps, max_size=30), north=some.integers(-2_000_000, 1_000_000), hours=some.integers(-1000, 1000))
def test_the_same_way_elsewhere_and_at_another_time_is_the_same_movement(
    taken: list[tuple[int, float, bool]], north: int, hours: int
) -> None:
    """Moved along the meridian, with the degrees of longitude as wide as they are there."""
    fixes = track(taken)
    lat = BEIJING.lat + north * 1e-5
    wider = cos(radians(BEIJING.lat)) / cos(radians(lat))
    moved = [
        fix._replace(
            at_ms=fix.at_ms + hours * 3_600_000,
            given=Position(lat, BEIJING.lon + (fix.given.lon - BEIJING.lon) * wider),
        )
        for fix in fixes
    ]
    here, there = movement(fixes, NO_GAPS), movement(moved, NO_GAPS)

    assert [one.began_ms + hours * 3_600_000 for one in here.stays] == [one.began_ms for one in there.stays]
    assert [one.distance_m for one in there.trips] == pytest.approx([one.distance_m for one in here.trips], rel=0.02, abs=1)
