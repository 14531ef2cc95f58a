"""What a day costs in a given order: when a rep arrives, waits, begins and leaves. Pure; the one measure for all orders.

Times are whole seconds since the day began. An order is walked as a rep would walk it: each stop begins as early as it may, and
one that cannot be had any more where its turn comes is left out. In a break nobody drives, and no visit lies across one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

LATE_WEIGHT = 3
"""A second late is as bad as so many of driving or waiting."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Stop:
    """One visit to be made.

    Attributes:
        length_s: how long it takes.
        spans: within which it may begin, in order, both ends included: open, inside its window, whole before a break or after.
        due_s: beginning later than this is late.
    """

    length_s: int
    spans: tuple[Span, ...]
    due_s: int

    @cached_property
    def _ends(self) -> list[int]:
        return [until for _, until in self.spans]

    def begins(self, arrives_s: int) -> int | None:
        """Return when it begins for who arrives then; None: it is too late for it."""
        at = bisect_left(self._ends, arrives_s)
        return max(arrives_s, self.spans[at][0]) if at < len(self.spans) else None


@dataclass(frozen=True)
class Day:
    """What is to be ordered.

    Attributes:
        stops: the visits.
        travel_s: from each to each; a square of the stops, then where the day starts, then where it ends.
        end_s: when the rep must be where the day ends.
        breaks: in order, apart.
    """

    stops: tuple[Stop, ...]
    travel_s: tuple[tuple[int, ...], ...]
    end_s: int
    breaks: tuple[Span, ...] = ()

    @property
    def start(self) -> int:
        """The index of the place where the day starts."""
        return len(self.stops)

    @property
    def end(self) -> int:
        """The index of the place where it ends."""
        return len(self.stops) + 1


class Step(NamedTuple):
    """One stop of a walk: which, on the way for how long, and when."""

    stop: int
    travel_s: int
    arrives_s: int
    begins_s: int
    leaves_s: int


class Cost(NamedTuple):
    """What an order costs; the smaller one is better. ``left_out``: how many visits; ``seconds``: see ``Walk.seconds``."""

    left_out: int
    seconds: int


@dataclass(frozen=True)
class Walk:
    """A day in one order.

    Attributes:
        steps: the visits that are made.
        left_out: those that are not.
        travel_s, waiting_s, late_s: how long in all. Who leaves later to wait less at the first stop waits where the day starts.
        back_s: how long the way to where the day ends takes.
        ends_s: when the rep is there.
    """

    steps: tuple[Step, ...]
    left_out: tuple[int, ...]
    travel_s: int
    waiting_s: int
    late_s: int
    back_s: int
    ends_s: int

    @property
    def seconds(self) -> int:
        """Travel and waiting, and lateness by its weight."""
        return self.travel_s + self.waiting_s + LATE_WEIGHT * self.late_s

    @property
    def cost(self) -> Cost:
        """What it costs."""
        return Cost(len(self.left_out), self.seconds)


def arrival(breaks: Sequence[Span], at_s: int, travel_s: int) -> int:
    """Return when somebody arrives who sets out then; who meets a break rests first."""
    if travel_s == 0:
        return at_s
    for since, until in breaks:
        if until <= at_s:
            continue
        if at_s + travel_s <= since:
            break
        travel_s -= max(0, since - at_s)
        at_s = until
    return at_s + travel_s


def departure(breaks: Sequence[Span], arrives_s: int, travel_s: int) -> int:
    """Return when somebody must set out at the latest to arrive then."""
    for since, until in reversed(breaks):
        if since >= arrives_s:
            continue
        if arrives_s - travel_s >= until:
            break
        travel_s -= max(0, arrives_s - until)
        arrives_s = since
    return arrives_s - travel_s


def resting(breaks: Sequence[Span], since_s: int, until_s: int) -> int:
    """Return how much of a time is break."""
    return sum(max(0, min(until_s, until) - max(since_s, since)) for since, until in breaks)


def walk(day: Day, order: Sequence[int]) -> Walk:
    """Walk the stops in an order.

    Args:
        order: each stop at most once; those that are missing are left out.
    """
    here, now_s, breaks = day.start, 0, day.breaks
    steps: list[Step] = []
    travel = waiting = late = 0
    for index in order:
        stop, way = day.stops[index], day.travel_s[here][index]
        arrives = arrival(breaks, now_s, way) if breaks else now_s + way
        begins = stop.begins(arrives)
        if begins is None:
            continue
        leaves = begins + stop.length_s
        if arrival(breaks, leaves, day.travel_s[index][day.end]) > day.end_s:
            continue
        waiting += begins - arrives - (resting(breaks, arrives, begins) if breaks else 0)
        travel += way
        late += max(0, begins - stop.due_s)
        steps.append(Step(index, way, arrives, begins, leaves))
        here, now_s = index, leaves
    back = day.travel_s[here][day.end] if steps else 0
    made = {step.stop for step in steps}
    left_out = tuple(index for index in range(len(day.stops)) if index not in made)
    return Walk(tuple(steps), left_out, travel + back, waiting, late, back, arrival(breaks, now_s, back))
