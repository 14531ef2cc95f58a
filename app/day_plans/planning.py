"""One day, from what was asked to the answer: windows and opening hours, the best order, times, and why what is left out is.

Pure: everything it goes by is in ``Request``, so the same request has the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from app.calendar.days import Calendar
from app.core.clock import to_ms
from app.core.geo import Position, distance_m
from app.day_plans import words
from app.day_plans.measure import Day, Span, Step, Stop, Walk, departure, walk
from app.day_plans.routing import solved_order
from app.day_plans.search import MOST_EXACT, best_order
from app.stations import hours

DETOUR = 1.3
"""How much longer a way is on the road than as the crow flies."""

_MINUTE_S = 60


@dataclass(frozen=True)
class Wish:
    """One visit as it was when the plan was asked for.

    Attributes:
        from_ms, until_ms: within which it is to begin; Unix ms.
        is_bound: whether that holds; else it may begin at any time of the day.
        grace_s: how much later than ``until_ms`` it may begin.
        lacks: the code of what keeps it from being planned at all; see ``words.LEFT_OUT``.
    """

    visit_id: str
    number: str
    place: Position
    opening_hours: str | None
    from_ms: int
    until_ms: int
    length_s: int
    is_bound: bool
    grace_s: int
    lacks: str | None


@dataclass(frozen=True)
class Request:
    """A day to be planned. ``wishes`` are in the order given; ``back``: where the day ends, None: wherever the last visit was."""

    starts_at: datetime
    ends_at: datetime
    start: Position
    back: Position | None
    breaks: tuple[tuple[datetime, datetime], ...]
    wishes: tuple[Wish, ...]
    km_h: int
    time_zone: str
    calendar: Calendar

    @property
    def length_s(self) -> int:
        """How long the day is."""
        return int((self.ends_at - self.starts_at).total_seconds())


def plan(request: Request) -> dict[str, Any]:
    """Return the answer.

    Returns:
        ``stops`` in order with their times, ``left_out`` with a code and facts each, ``leaves_ms`` and ``back_ms``, and the
        measures of this order (``cost``) and of the order given (``given_cost``); instants in Unix ms.
    """
    left: list[dict[str, Any]] = []
    fitting: list[tuple[Wish, Stop]] = []
    for wish in request.wishes:
        stop, code = _stop_of(request, wish)
        if stop is None:
            left.append(_left(wish, code, {"length_min": wish.length_s // _MINUTE_S}))
        else:
            fitting.append((wish, stop))
    wishes = [wish for wish, _ in fitting]
    ways = _ways(request, wishes)
    day = Day(tuple(stop for _, stop in fitting), _times(ways, request.km_h), request.length_s, _breaks(request))
    given = tuple(range(len(wishes)))
    order = best_order(day, given, [solved_order(day)] if len(wishes) > MOST_EXACT else [])
    found, as_given = walk(day, order), walk(day, given)
    left += [_squeezed_out(day, found, wishes, index) for index in found.left_out]
    return {
        "stops": _stops(request, day, found, wishes, ways),
        "left_out": left,
        "leaves_ms": _leaves_ms(request, day, found),
        "back_ms": _ms(request, found.ends_s) if found.steps else None,
        "cost": _cost(found, len(left)),
        "given_cost": _cost(as_given, len(request.wishes) - len(as_given.steps)),
    }


def _stop_of(request: Request, wish: Wish) -> tuple[Stop | None, str]:
    """Return when a visit may begin, or the code of why at no time of the day."""
    if wish.lacks is not None:
        return None, wish.lacks
    start_ms, end_s = to_ms(request.starts_at), request.length_s
    first, due = ((wish.from_ms - start_ms) // 1000, (wish.until_ms - start_ms) // 1000) if wish.is_bound else (0, end_s)
    last = due + wish.grace_s if wish.is_bound else end_s
    if last < 0:
        return None, "window_over"
    if first > end_s:
        return None, "window_after"
    opened = _open_spans(request, wish)
    if not opened:
        return None, "closed_all_day"
    whole = [(since, until - wish.length_s) for since, until in _without(opened, _breaks(request))]
    if not (whole := [(since, until) for since, until in whole if since <= until]):
        return None, "open_too_short"
    spans = [(max(since, first), min(until, last)) for since, until in whole]
    if not (spans := [(since, until) for since, until in spans if since <= until]):
        return None, "closed_then"
    return Stop(wish.length_s, tuple(spans), due), ""


def _open_spans(request: Request, wish: Wish) -> list[Span]:
    if wish.opening_hours is None:
        return [(0, request.length_s)]
    opening = hours.parse(wish.opening_hours, request.time_zone, request.calendar)
    found = hours.open_spans(opening, request.starts_at, request.ends_at)
    return [(_second(request, since), _second(request, until)) for since, until in found]


def _second(request: Request, at: datetime) -> int:
    return int((at - request.starts_at).total_seconds())


def _breaks(request: Request) -> tuple[Span, ...]:
    return tuple((_second(request, since), _second(request, until)) for since, until in request.breaks)


def _without(spans: Sequence[Span], breaks: Sequence[Span]) -> list[Span]:
    """Return what of some spans is no break."""
    left = list(spans)
    for begins, ends in breaks:
        pieces = [piece for since, until in left for piece in ((since, min(until, begins)), (max(since, ends), until))]
        left = [(since, until) for since, until in pieces if since < until]
    return left


def _ways(request: Request, wishes: Sequence[Wish]) -> list[list[float]]:
    """Return how many metres it is from each stop to each, to where the day starts and to where it ends, on the road."""
    places: list[Position | None] = [*(wish.place for wish in wishes), request.start, request.back]
    ways = [[0.0] * len(places) for _ in places]
    for a, here in enumerate(places):
        for b, there in enumerate(places[:a]):
            if here is not None and there is not None:
                ways[a][b] = ways[b][a] = distance_m(here, there) * DETOUR
    return ways


def _times(ways: Sequence[Sequence[float]], km_h: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(round(metres * 3.6 / km_h) for metres in row) for row in ways)


def _ms(request: Request, second: int) -> int:
    return to_ms(request.starts_at) + second * 1000


def _leaves_ms(request: Request, day: Day, found: Walk) -> int | None:
    if not found.steps:
        return None
    first = found.steps[0]
    return _ms(request, departure(day.breaks, first.begins_s, first.travel_s))


def _stops(
    request: Request, day: Day, found: Walk, wishes: Sequence[Wish], ways: Sequence[Sequence[float]]
) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = []
    here = day.start
    for step in found.steps:
        shown.append(
            {
                "visit_id": wishes[step.stop].visit_id,
                "number": wishes[step.stop].number,
                "arrives_ms": _ms(request, step.arrives_s if shown else step.begins_s),
                "begins_ms": _ms(request, step.begins_s),
                "leaves_ms": _ms(request, step.leaves_s),
                "travel_m": round(ways[here][step.stop]),
                "travel_s": step.travel_s,
                "late_s": max(0, step.begins_s - day.stops[step.stop].due_s),
            }
        )
        here = step.stop
    return shown


def _cost(found: Walk, left_out: int) -> dict[str, int]:
    return {
        "left_out": left_out,
        "travel_s": found.travel_s,
        "waiting_s": found.waiting_s,
        "late_s": found.late_s,
        "seconds": found.seconds,
    }


def _left(wish: Wish, code: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    needed = {name: value for name, value in facts.items() if "{" + name + "}" in words.LEFT_OUT[code][0]}
    return {"visit_id": wish.visit_id, "number": wish.number, "code": code, "facts": needed}


def _squeezed_out(day: Day, found: Walk, wishes: Sequence[Wish], index: int) -> dict[str, Any]:
    """Say of a visit that could have been made by itself where it comes nearest to fitting, and how much is missing."""
    wish, way = wishes[index], day.travel_s
    if not walk(day, [index]).steps:
        around = way[day.start][index] + day.stops[index].length_s + way[index][day.end]
        return _left(wish, "too_far", {"needed_min": _up(around)})
    edges = [Step(day.start, 0, 0, 0, 0), *found.steps, Step(day.end, 0, day.end_s, day.end_s, day.end_s)]
    gaps = []
    for before, after in pairwise(edges):
        free = _free_s(day, before.leaves_s, after.begins_s)
        needed = way[before.stop][index] + day.stops[index].length_s + way[index][after.stop]
        reachable = any(since <= after.begins_s and until >= before.leaves_s for since, until in day.stops[index].spans)
        gaps.append((not reachable, needed - free, needed, free, before, after))
    _, _, needed, free, before, after = min(gaps, key=lambda gap: gap[:2])
    names = {day.start: words.START, day.end: words.END} | {step.stop: wishes[step.stop].number for step in found.steps}
    facts = {"after": names[before.stop], "before": names[after.stop], "needed_min": _up(needed), "free_min": free // _MINUTE_S}
    return _left(wish, "no_time_left", facts)


def _free_s(day: Day, since_s: int, until_s: int) -> int:
    return until_s - since_s - sum(max(0, min(until_s, until) - max(since_s, since)) for since, until in day.breaks)


def _up(seconds: int) -> int:
    return -(-seconds // _MINUTE_S)
