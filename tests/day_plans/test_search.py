"""The order of a day: never worse than the one given, near the best there is, and the same each time."""

from __future__ import annotations

import random
from itertools import permutations

import pytest

from app.day_plans import search
from app.day_plans.measure import Cost, Day, Stop, arrival, departure, walk
from app.day_plans.routing import solved_order
from app.day_plans.search import MOST_EXACT, best_order
from tests.day_plans.days import HOUR, random_day


def found(day: Day, given: list[int]) -> tuple[int, ...]:
    """Return the order as the worker finds it."""
    return best_order(day, given, [solved_order(day)] if len(given) > MOST_EXACT else [])


def test_the_order_found_is_never_worse_than_the_one_given() -> None:
    better = 0
    for seed in range(60):
        rng = random.Random(seed)
        day = random_day(rng, rng.randrange(1, 16))
        given = list(range(len(day.stops)))
        rng.shuffle(given)

        cost, as_given = walk(day, found(day, given)).cost, walk(day, given).cost

        assert cost <= as_given, f"seed {seed}"
        better += cost < as_given
    assert better > 40


def test_an_order_that_is_good_already_is_kept_where_no_other_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nobody improves anything: the order given is one of those that are compared."""
    for seed in range(10):
        day = random_day(random.Random(seed), 12)
        good = found(day, list(range(12)))
        given = [*good, *(index for index in range(12) if index not in good)]
        with monkeypatch.context() as patch:
            patch.setattr(search, "MOST_TRIES", 0)

            assert walk(day, best_order(day, given, [range(12)])).cost <= walk(day, given).cost, f"seed {seed}"


def test_up_to_seven_visits_get_the_best_order_there_is() -> None:
    for seed in range(40):
        rng = random.Random(seed)
        day = random_day(rng, rng.randrange(1, 8))
        best = min(walk(day, order).cost for order in permutations(range(len(day.stops))))

        assert walk(day, found(day, list(range(len(day.stops))))).cost == best, f"seed {seed}"


def test_what_many_visits_get_is_near_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way of large days, tried on small ones of which the best order is known."""
    monkeypatch.setattr(search, "MOST_EXACT", 0)
    best_ones, gaps, days = 0, [], 60
    for seed in range(days):
        rng = random.Random(seed)
        day = random_day(rng, rng.randrange(4, 8))
        best = min(walk(day, order).cost for order in permutations(range(len(day.stops))))

        cost = walk(day, best_order(day, range(len(day.stops)), [solved_order(day)])).cost

        best_ones += cost == best
        assert cost.left_out <= best.left_out + 1, f"seed {seed}"
        if cost.left_out == best.left_out:
            gaps.append(cost.seconds / max(1, best.seconds) - 1)
    print(f"best {best_ones} of {days}; longest by {max(gaps):.1%}, on average {sum(gaps) / len(gaps):.2%}")
    assert best_ones >= 0.95 * days
    assert max(gaps) < 0.1


def test_the_same_day_gets_the_same_order() -> None:
    day = random_day(random.Random(7), 14)

    assert found(day, list(range(14))) == found(day, list(range(14)))


def test_the_solver_begins_better_than_small_changes_alone_on_a_full_day() -> None:
    """What the solver is for: over several days its beginning is worth visits or time."""
    alone, together = Cost(0, 0), Cost(0, 0)
    for seed in range(3):
        day = random_day(random.Random(100 + seed), 26)
        given = list(range(26))
        for orders, name in (([], "alone"), ([solved_order(day)], "together")):
            cost = walk(day, best_order(day, given, orders)).cost
            if name == "alone":
                alone = Cost(alone.left_out + cost.left_out, alone.seconds + cost.seconds)
            else:
                together = Cost(together.left_out + cost.left_out, together.seconds + cost.seconds)

    assert together <= alone


def test_nobody_drives_in_a_break() -> None:
    noon = ((3 * HOUR, 4 * HOUR),)

    assert arrival(noon, 2 * HOUR, HOUR) == 3 * HOUR
    assert arrival(noon, 2 * HOUR, HOUR + 60) == 4 * HOUR + 60
    assert arrival(noon, 3 * HOUR + 600, 60) == 4 * HOUR + 60
    assert arrival(noon, 3 * HOUR + 600, 0) == 3 * HOUR + 600
    for travel in range(1, 3 * HOUR, 731):
        leaves = departure(noon, 5 * HOUR, travel)
        assert arrival(noon, leaves, travel) == 5 * HOUR


def test_waiting_counts_from_the_start_of_the_day() -> None:
    stops = (Stop(600, ((HOUR, 2 * HOUR),), 2 * HOUR), Stop(600, ((3 * HOUR, 4 * HOUR),), 4 * HOUR))
    day = Day(stops, ((0, 600, 300, 0), (600, 0, 300, 0), (300, 300, 0, 0), (0, 0, 0, 0)), 5 * HOUR)

    walked = walk(day, [0, 1])

    assert [(step.arrives_s, step.begins_s) for step in walked.steps] == [(300, HOUR), (HOUR + 1200, 3 * HOUR)]
    assert (walked.travel_s, walked.waiting_s, walked.late_s) == (900, HOUR - 300 + 2 * HOUR - 1200, 0)


def test_a_stop_from_which_the_end_is_out_of_reach_is_left_out() -> None:
    stops = (Stop(600, ((0, HOUR),), HOUR),)
    near, far = (Day(stops, ((0, 300, back), (300, 0, 0), (back, 0, 0)), HOUR) for back in (2700, 2701))

    assert walk(near, [0]).left_out == ()
    assert walk(near, [0]).ends_s == HOUR
    assert walk(far, [0]).left_out == (0,)
