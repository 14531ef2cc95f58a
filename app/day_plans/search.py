"""Looking for the best order of a day, held against the one measure. Pure, and repeatable.

Of few stops every order is tried. Of many, small changes are made to several beginnings, one of them the order that was given;
no change for the worse is taken, so the answer is never worse than it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import permutations

from app.day_plans.measure import Cost, Day, walk

MOST_EXACT = 7
"""Up to so many stops every order is tried: 5,040 of them."""

MOST_TRIES = 12_000
"""So many orders are held against the measure for each beginning: less than a second for 60 visits."""


def best_order(day: Day, given: Sequence[int], others: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return the best order found, without the stops that do not fit.

    Args:
        given: the order the rep had in mind.
        others: further orders to begin from, such as a solver's; stops they leave out are tried last.
    """
    if len(given) <= MOST_EXACT:
        orders = [tuple(given), *permutations(sorted(given))]
        return _made(day, min(orders, key=lambda order: walk(day, order).cost))
    beginnings = [tuple(given), _nearest_first(day), *(_whole(day, order) for order in others)]
    found = [_improve(day, order) for order in dict.fromkeys(beginnings)]
    _, order = min(found, key=lambda pair: pair[0])
    return _made(day, order)


def _made(day: Day, order: Sequence[int]) -> tuple[int, ...]:
    return tuple(step.stop for step in walk(day, order).steps)


def _whole(day: Day, order: Sequence[int]) -> tuple[int, ...]:
    made = set(order)
    return (*order, *(index for index in range(len(day.stops)) if index not in made))


def _nearest_first(day: Day) -> tuple[int, ...]:
    """Return the order that always goes on to the nearest stop; of two as near to the one that is due first."""
    here, left, order = day.start, set(range(len(day.stops))), []
    while left:
        here = min(left, key=lambda index: (day.travel_s[here][index], day.stops[index].due_s, index))
        left.remove(here)
        order.append(here)
    return tuple(order)


def _improve(day: Day, order: tuple[int, ...]) -> tuple[Cost, tuple[int, ...]]:
    """Change an order for the better until no small change does, or ``MOST_TRIES`` were tried."""
    cost, tries, better = walk(day, order).cost, 0, True
    while better:
        better = False
        for changed in _changes(order):
            tries += 1
            if tries > MOST_TRIES:
                return cost, order
            if (found := walk(day, changed).cost) < cost:
                cost, order, better = found, changed, True
                break
    return cost, order


def _changes(order: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Yield the orders one small change away: up to three neighbours go elsewhere, two change places, a stretch turns round."""
    n = len(order)
    for length in (1, 2, 3):
        for since in range(n - length + 1):
            moved, rest = order[since : since + length], order[:since] + order[since + length :]
            for to in range(len(rest) + 1):
                if to != since:
                    yield rest[:to] + moved + rest[to:]
    for a in range(n - 1):
        for b in range(a + 2, n):
            yield (*order[:a], order[b], *order[a + 1 : b], order[a], *order[b + 1 :])
            yield order[:a] + order[a : b + 1][::-1] + order[b + 1 :]
