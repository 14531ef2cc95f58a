"""How plausible positions are: what is genuine however odd it looks, what signals amount to, and what does not matter."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from string import Formatter

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from app.core.geo import Position
from app.core.locales import EN, ZH
from app.positions.datum import Datum, from_wgs84
from app.positions.fixes import Fix
from app.positions.plausibility import KINDS, WEIGHTS, Grade, assess
from app.positions.signals.trace import Known, Target
from app.positions.signals.words import SENTENCES, sentence
from evaluation.phones import KINDS as PHONES
from evaluation.phones import Moment, measure
from evaluation.ways import WAYS
from tests.positions.streams import BEIJING, NOON_MS, SHIFTED, SIGNALS, codes, stood, walked


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("name", WAYS)
def test_a_genuine_way_is_clear_whatever_phone_tells_it(name: str, phone: str) -> None:
    for number in range(3):
        dice = random.Random(f"{name}-{phone}-{number}")
        fixes = measure(dice, BEIJING, WAYS[name](dice), phone)

        found = assess(fixes, Known(phone_now_ms=fixes[-1].at_ms, arrived_ms=fixes[-1].at_ms))

        assert found.grade is Grade.CLEAR, (number, found)


def test_nothing_at_all_and_a_bare_position_are_clear() -> None:
    assert assess([]) == (100, Grade.CLEAR, ())
    assert assess([Fix(NOON_MS, BEIJING)]) == (100, Grade.CLEAR, ())


def test_what_a_phone_always_fills_in_says_less_than_what_it_never_did() -> None:
    earlier = walked(begin_ms=NOON_MS - 3_600_000)
    zeros = [fix._replace(accuracy_m=0.0) for fix in earlier]

    always, never = (assess(stood(accuracy_m=0.0), Known(before=before)) for before in (zeros, earlier))

    assert [finding.code for finding in always.findings] == ["accuracy_zero"] == [finding.code for finding in never.findings]
    assert always.score > never.score


def test_no_signal_and_no_kind_of_signals_makes_a_batch_implausible() -> None:
    assert all(100 - points > 45 for points in KINDS.values())
    assert all(weight.points <= KINDS[weight.kind] for weight in WEIGHTS.values() if weight.kind != "zeros")
    for code, (genuine, plant) in SIGNALS.items():
        found = assess(plant(genuine()))
        kinds = {WEIGHTS[one.code].kind for one in found.findings if one.points >= 8}
        assert found.grade is not Grade.IMPLAUSIBLE or len(kinds) > 1, code


def test_two_strong_signals_of_two_kinds_are_implausible_also_in_one_fix() -> None:
    shown = from_wgs84(BEIJING, Datum.GCJ02, SHIFTED)
    one = [Fix(NOON_MS, shown, Datum.WGS84, accuracy_m=10.0, is_mock=True)]

    found = assess(one, Known(target=Target(BEIJING, 200.0)))

    assert found.grade is Grade.IMPLAUSIBLE
    assert [(finding.code, finding.points) for finding in found.findings] == [("mock_flag", 40), ("copied_from_map", 30)]
    assert found.score == 30
    assert assess(one).grade is Grade.DOUBTFUL
    assert dict(found.findings[0].facts) == {"fixes": 1, "of": 1}


def test_points_and_score_add_up_whatever_is_seen() -> None:
    for genuine, plant in SIGNALS.values():
        found = assess([fix._replace(is_mock=True) for fix in plant(genuine())])
        assert found.score == 100 - sum(finding.points for finding in found.findings)


def test_every_signal_is_weighed_and_said_in_both_languages_with_all_its_facts() -> None:
    placed = {
        code: [{name for _, name, _, _ in Formatter().parse(one) if name} for one in row] for code, row in SENTENCES.items()
    }

    assert set(WEIGHTS) == set(SENTENCES)
    assert {weight.kind for weight in WEIGHTS.values()} == set(KINDS)
    assert all(english == chinese for english, chinese in placed.values())
    for genuine, plant in SIGNALS.values():
        for finding in assess(plant(genuine())).findings:
            said = [sentence(finding.code, finding.facts, locale) for locale in (EN, ZH)]
            assert placed[finding.code][0] <= set(finding.facts)
            assert said[0] != said[1]
            assert "{" not in "".join(said)


# --- what does not matter ---

coordinates = some.builds(
    Position,
    some.floats(39, 40) | some.sampled_from([0.0, 39.9, 39.9115]),
    some.floats(116, 117) | some.sampled_from([0.0, 116.4]),
)
any_fix = some.builds(
    Fix,
    some.integers(NOON_MS, NOON_MS + 60_000) | some.integers(0, 4_000_000_000_000),
    coordinates,
    some.sampled_from(Datum),
    some.none() | some.floats(-5, 1e7),
    some.sampled_from([None, "gps", "network", "fused", ""]),
    some.none() | some.floats(-1e9, 1e9),
    some.none() | some.floats(-1e3, 1e3),
    some.none() | some.floats(-1e5, 1e5),
    some.none() | some.integers(0, 50),
    some.none() | some.integers(0, 10**9),
    some.none() | some.booleans(),
)
batches = some.lists(any_fix, max_size=25)


@settings(max_examples=200)
@given(batch=batches, before=batches, dice=some.randoms(use_true_random=False))
def test_any_order_and_doubled_fixes_are_judged_the_same(batch: list[Fix], before: list[Fix], dice: random.Random) -> None:
    known = Known(before, before[:3], NOON_MS, NOON_MS, target=Target(BEIJING, 200.0))
    shuffled, earlier = [*batch, *batch[: len(batch) // 2]], [*before, *before]
    dice.shuffle(shuffled)
    dice.shuffle(earlier)

    found = assess(batch, known)

    assert found == assess(shuffled, known._replace(before=earlier))
    assert 0 <= found.score <= 100


@pytest.mark.parametrize("name", SIGNALS)
def test_a_planted_stream_is_judged_the_same_in_any_order(name: str) -> None:
    genuine, plant = SIGNALS[name]
    planted = plant(genuine())

    assert assess(random.Random(4).sample(planted * 2, 2 * len(planted))) == assess(planted)


@hypothesis.seed(20_262)
@settings(max_examples=40)
@given(
    name=some.sampled_from([name for name in SIGNALS if name not in {"null_island", "grid_rounded"}]),
    east=some.integers(-300_000, 300_000),
    north=some.integers(-300_000, 300_000),
)
def test_what_is_seen_does_not_depend_on_where_it_is(name: str, east: int, north: int) -> None:
    genuine, plant = SIGNALS[name]
    planted = plant(genuine())
    moved = [fix._replace(given=Position(fix.given.lat + north * 1e-5, fix.given.lon + east * 1e-5)) for fix in planted]

    assert codes(moved) == codes(planted)


def test_the_work_grows_with_the_number_of_fixes_and_no_faster() -> None:
    """Calls are counted: time says little on a machine that others use too."""
    few, many = (calls(lambda fixes=fixes: assess(fixes)) for fixes in (_walk(2_000), _walk(8_000)))

    assert many < 4.5 * few


def _walk(count: int) -> list[Fix]:
    way = [Moment(1.0 * i, 1.2 * i, 0.4 * i, speed_mps=1.2, heading_deg=71.0) for i in range(count)]
    return measure(random.Random(5), BEIJING, way, "android")


def calls(run: Callable[[], object]) -> int:
    """Return how many functions a call calls in all."""
    count = 0

    def note(_frame: object, event: str, _arg: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count
