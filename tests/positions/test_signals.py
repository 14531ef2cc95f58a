"""Each signal against plausibility: seen where it is planted, and not in what only looks like it."""

from __future__ import annotations

import random
from math import cos, pi, sin

import pytest

from app.core.geo import Position
from app.positions.datum import Datum, from_wgs84
from app.positions.fixes import Fix
from app.positions.plausibility import Grade, assess
from app.positions.signals.trace import Known, Sighting, Target
from evaluation.phones import Moment, measure, place
from tests.positions.streams import BEIJING, NOON_MS, SHIFTED, SIGNALS, codes, far_off, stood, told_again, walked


@pytest.mark.parametrize("code", SIGNALS)
def test_a_signal_is_seen_where_it_is_planted_and_only_there(code: str) -> None:
    genuine, plant = SIGNALS[code]

    assert code not in codes(genuine())
    found = assess(plant(genuine()))

    assert code in {finding.code for finding in found.findings}
    assert all(finding.facts for finding in found.findings)


def test_a_train_at_345_kmh_and_a_flight_with_the_phone_off_are_no_jumps() -> None:
    train = [Moment(10.0 * i, 958.0 * i, 0.0, speed_mps=95.8, heading_deg=90.0) for i in range(60)]
    gate = [Moment(10.0 * i, 0.0, 0.0) for i in range(30)]
    landed = [Moment(8_000.0 + 10 * i, 1_600_000.0, 0.0) for i in range(30)]
    too_soon = [one._replace(at_s=one.at_s - 7_000) for one in landed]

    assert "too_fast" not in codes(measure(random.Random(1), BEIJING, train, "android"))
    assert "too_fast" not in codes(measure(random.Random(1), BEIJING, [*gate, *landed], "android"))
    assert "too_fast" in codes(measure(random.Random(1), BEIJING, [*gate, *too_soon], "android"))


@pytest.mark.parametrize(("mps", "is_seen"), [(280.0, False), (800.0, True)])
def test_an_airliner_in_a_jet_stream_is_genuine_and_nothing_civil_is_faster(mps: float, is_seen: bool) -> None:
    way = [Moment(10.0 * i, 10.0 * mps * i, 0.0, altitude_m=10_000.0, speed_mps=mps, heading_deg=90.0) for i in range(40)]

    assert ("too_fast" in codes(measure(random.Random(1), BEIJING, way, "android"))) is is_seen


def test_a_fix_far_off_that_comes_back_is_noise_and_a_check_in_far_from_where_it_was_is_not() -> None:
    way = walked()
    astray = [fix._replace(given=place(fix.given, 8_000.0, 0.0)) if i in {50, 51} else fix for i, fix in enumerate(way)]
    last = way[-1]
    check_in = last._replace(at_ms=last.at_ms + 60_000, given=place(last.given, 20_000.0, 0.0), sequence=None, monotonic_ms=None)

    assert "too_fast" not in codes(astray)
    assert "too_fast" in codes([check_in], before=way)
    assert "too_fast" not in codes([check_in._replace(at_ms=last.at_ms + 1_200_000)], before=way)
    assert "too_fast" not in codes([check_in._replace(provider="network")], before=way)


@pytest.mark.parametrize("field", ["speed_mps", "heading_deg"])
def test_motion_that_is_told_is_that_of_the_positions(field: str) -> None:
    ride = [Moment(5.0 * i, 60.0 * i, 0.0, speed_mps=12.0, heading_deg=90.0) for i in range(60)]
    fixes = measure(random.Random(3), BEIJING, ride, "android")
    code = f"{field.partition('_')[0]}_contradicts"

    assert code not in codes(fixes)
    assert code in codes([fix._replace(**{field: 260.0}) for fix in fixes])
    assert code not in codes([fix._replace(**{field: -1.0}) for fix in fixes])  # phones' word for "not known"


def test_some_noisy_hops_of_a_walk_contradict_no_speed() -> None:
    way = [Moment(1.0 * i, 1.2 * i + (30.0 if i % 25 == 7 else 0.0), 0.0, speed_mps=1.2, heading_deg=90.0) for i in range(400)]

    assert "speed_contradicts" not in codes(measure(random.Random(2), BEIJING, way, "android"))


def test_an_altitude_of_zero_says_nothing_at_rest_at_the_sea_nor_where_it_changes() -> None:
    walk = walked()

    assert "altitude_zero" not in codes(stood(altitude_m=0.0))
    assert "altitude_zero" not in codes([fix._replace(altitude_m=0.0 if i % 2 else 1.5) for i, fix in enumerate(walk)])
    assert "altitude_zero" not in codes([fix._replace(altitude_m=None) for fix in walk])


def test_who_says_that_a_position_is_rough_may_round_it() -> None:
    rough = [
        fix._replace(given=Position(round(fix.given.lat, 2), round(fix.given.lon, 2)), accuracy_m=2_000.0) for fix in walked()
    ]

    assert codes(rough) == {"accuracy_coarse"}
    assert "grid_rounded" in codes([fix._replace(accuracy_m=10.0) for fix in rough])


@pytest.mark.parametrize(("steps", "shape"), [(24, "circle"), (120, "curve")])
def test_a_drawn_round_is_free_of_noise_and_five_decimals_hide_it(steps: int, shape: str) -> None:
    turns = [2 * pi * i / steps for i in range(120)]
    ring = [place(BEIJING, 40 * sin(turn), 40 * cos(turn)) for turn in turns]
    fixes = [fix._replace(given=where) for fix, where in zip(walked(), ring, strict=True)]
    hidden = [fix._replace(given=Position(round(fix.given.lat, 5), round(fix.given.lon, 5))) for fix in fixes]

    assert [one.facts["shape"] for one in assess(fixes).findings if one.code == "noise_free"] == [shape]
    assert "noise_free" not in codes(hidden)


def test_a_phone_that_holds_its_position_at_rest_draws_nothing() -> None:
    """Any three places lie on a circle."""
    places = [place(BEIJING, *off) for off in ((0.0, 0.0), (30.0, 5.0), (3.0, 28.0))]
    held = [fix._replace(given=places[i // 4 % 3]) for i, fix in enumerate(stood(60))]

    assert "noise_free" not in codes(held)


def test_a_first_fix_far_off_says_little_also_after_the_track_of_yesterday() -> None:
    yesterday = [fix._replace(sequence=None, monotonic_ms=None) for fix in walked(begin_ms=NOON_MS - 86_400_000)]
    today = stood(60)
    stale = [today[0]._replace(given=place(BEIJING, 90_000.0, 0.0)), *today[1:]]

    assert assess(stale, Known(before=yesterday)).score >= 90
    assert assess([*stood(30), *far_off(told_again(stood(30)))], Known(before=yesterday)).score < 90


def test_a_way_told_again_is_seen_also_where_it_was_moved_or_thinned_and_the_same_way_walked_again_is_not() -> None:
    first = walked()
    again = told_again(first)
    north = [fix._replace(given=Position(fix.given.lat + 0.07, fix.given.lon)) for fix in again]
    thinned = [fix for i, fix in enumerate(again) if i % 10]

    assert "replayed" in codes(again, before=first)
    assert "replayed" in codes(north, before=first)
    assert "replayed" in codes(thinned, before=first)
    assert "replayed" not in codes(walked(begin_ms=NOON_MS + 7_200_000, seed=9), before=first)


def test_another_phones_stream_is_seen_and_two_people_side_by_side_are_not() -> None:
    mine, theirs = walked(), walked(seed=9)

    assert "shared" in codes(told_again(theirs, accuracy_m=3.0), others=theirs)
    assert "shared" in codes(theirs, others=theirs)
    assert "shared" not in codes(mine, others=theirs)


def test_a_batch_that_comes_twice_is_no_replay() -> None:
    fixes = walked()

    assert assess(fixes, Known(before=fixes[:60])).grade is Grade.CLEAR
    assert assess(fixes, Known(before=fixes)) == (100, Grade.CLEAR, ())


def test_a_check_in_with_the_digits_of_an_earlier_one_is_seen_once_the_phone_was_elsewhere() -> None:
    spot = stood(1)[0]
    later = [spot._replace(at_ms=NOON_MS + 86_400_000, sequence=None, monotonic_ms=None)]
    between = [fix._replace(given=place(fix.given, 2_000.0, 0.0)) for fix in told_again(walked(seed=9))]
    moved = [later[0]._replace(given=Position(spot.given.lat + 1e-6, spot.given.lon))]

    near = [fix._replace(at_ms=fix.at_ms + 3_600_000) for fix in told_again(stood(3))[1:]]

    assert "same_digits" in codes(later, before=[spot, *between])
    assert "same_digits" in codes(later, before=[spot, *between, *near])
    assert "same_digits" not in codes(later, before=[spot])  # it may have lain there
    assert "same_digits" not in codes(moved, before=[spot, *between])
    assert "same_digits" in codes(later, others=[spot])


def test_fixes_later_than_now_and_clocks_that_are_not_ours_are_seen() -> None:
    fixes = stood()
    last_ms = fixes[-1].at_ms

    assert codes(fixes, phone_now_ms=last_ms, arrived_ms=last_ms + 1_000) == set()
    assert codes(fixes, phone_now_ms=last_ms - 300_000, arrived_ms=last_ms - 300_000) == {"from_the_future"}
    assert codes(fixes, arrived_ms=last_ms - 300_000) == {"from_the_future"}
    assert codes(fixes, phone_now_ms=last_ms, arrived_ms=last_ms + 900_000) == {"clock_wrong"}


def test_a_clock_that_is_corrected_once_and_one_that_sleeps_are_little_or_nothing() -> None:
    fixes = stood(60)
    corrected = [fix._replace(at_ms=fix.at_ms - 300_000 * (i > 30)) for i, fix in enumerate(fixes)]
    asleep = [fix._replace(monotonic_ms=(fix.monotonic_ms or 0) // 10) for fix in stood(60, every_s=300.0)]
    anew = [fix._replace(monotonic_ms=(fix.monotonic_ms or 0) - 900_000 * (i > 30)) for i, fix in enumerate(fixes)]

    assert assess(corrected).score >= 90
    each_time = [fix._replace(monotonic_ms=60_000 - i) for i, fix in enumerate(stood(10, every_s=3_600.0))]

    assert codes(asleep) == codes(anew) == codes(each_time) == set()


def test_a_network_address_far_away_says_a_little_and_one_in_the_next_town_nothing() -> None:
    far, near = (Sighting(place(BEIJING, away_m, 0.0), 50_000.0) for away_m in (900_000.0, 120_000.0))

    assert codes(stood(), network=far) == {"address_far"}
    assert assess(stood(), Known(network=far)).grade is Grade.CLEAR
    assert codes(stood(), network=near) == set()


@pytest.mark.parametrize("label", [Datum.GCJ02, Datum.BD09])
def test_numbers_copied_from_a_map_in_another_datum_are_seen(label: Datum) -> None:
    target = Target(BEIJING, 200.0)
    shown = from_wgs84(BEIJING, label, SHIFTED)
    copied = Fix(NOON_MS, shown, Datum.WGS84, accuracy_m=10.0)

    assert codes([copied], target=target) == {"copied_from_map"}
    assert codes([copied._replace(datum=label)], target=target) == set()
    assert codes([copied._replace(given=place(shown, 40.0, 0.0))], target=target) == set()
    assert codes([copied], target=target, shifted=frozenset()) == set()


def test_another_datum_than_usual_is_seen_where_it_is_what_reaches_the_fence() -> None:
    target = Target(BEIJING, 200.0)
    usual = walked(begin_ms=NOON_MS - 3_600_000, origin=place(BEIJING, 3_000.0, 0.0))
    told = Fix(NOON_MS, from_wgs84(BEIJING, Datum.GCJ02, SHIFTED), Datum.GCJ02, accuracy_m=10.0)

    assert "datum_switched" in codes([told], target=target, before=usual)
    assert "datum_switched" not in codes([told], target=target, before=[fix._replace(datum=Datum.GCJ02) for fix in usual])
    assert "datum_switched" not in codes([told], target=Target(BEIJING, 2_000.0), before=usual)
    assert "datum_switched" not in codes([told._replace(datum=Datum.UNKNOWN)], target=target, before=usual)
