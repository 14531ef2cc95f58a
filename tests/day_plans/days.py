"""Random days, as tight as a rep's are: windows, opening hours with a noon, breaks, more visits than fit now and then."""

from __future__ import annotations

import random

from app.day_plans.measure import Day, Span, Stop

HOUR = 3600
_END = 9 * HOUR
_GRACE = 900


def random_day(rng: random.Random, count: int) -> Day:
    """Return a day of 9 hours with so many visits within 20 km by 20 km."""
    places = [(rng.random() * 20_000, rng.random() * 20_000) for _ in range(count + 2)]
    ways = [[((a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2) ** 0.5 * 1.3 for b in places] for a in places]
    breaks: tuple[Span, ...] = ((3 * HOUR, 4 * HOUR),) if rng.random() < 0.5 else ()
    stops = tuple(_random_stop(rng, breaks) for _ in range(count))
    return Day(stops, tuple(tuple(round(metres * 3.6 / 30) for metres in row) for row in ways), _END, breaks)


def _random_stop(rng: random.Random, breaks: tuple[Span, ...]) -> Stop:
    length = rng.choice([900, 1800, 3600])
    first = rng.choice([0, rng.randrange(_END - HOUR)])
    due = min(_END, first + rng.choice([1800, 2 * HOUR, 6 * HOUR]))
    opened = [(0, _END)] if rng.random() < 0.5 else [(HOUR, 3 * HOUR), (4 * HOUR, 8 * HOUR)]
    for since, until in breaks:
        opened = [piece for a, b in opened for piece in ((a, min(b, since)), (max(a, until), b)) if piece[0] < piece[1]]
    spans = [(max(since, first), min(until - length, due + _GRACE)) for since, until in opened]
    return Stop(length, tuple(span for span in spans if span[0] <= span[1]), due)
