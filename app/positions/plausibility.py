"""How plausible a batch of positions is: 100 points, less what each signal takes off. Pure; explains itself in codes and numbers.

Nothing is proved by it. A low score asks a person to look, who sees the signals; so does the rep, who may appeal.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from app.positions.fixes import Fix
from app.positions.signals import clocks, moves, places, shapes, streams, told
from app.positions.signals.trace import Known, Signal, Trace


class Grade(StrEnum):
    """What the score amounts to."""

    CLEAR = "clear"
    DOUBTFUL = "doubtful"
    IMPLAUSIBLE = "implausible"


class Finding(NamedTuple):
    """A signal, with the points it takes off; fewer than its weight where it is faint or its kind is used up."""

    code: str
    points: int
    facts: Mapping[str, float | str]


class Plausibility(NamedTuple):
    """What was found.

    Attributes:
        score: 100 if nothing speaks against the batch; 0 if everything does.
        grade: of the score, and of how many kinds of signals there are.
        findings: what took points off, most first.
    """

    score: int
    grade: Grade
    findings: tuple[Finding, ...] = ()


class Weight(NamedTuple):
    """What a signal weighs.

    Attributes:
        kind: signals of one kind may have one innocent cause; together they take off no more than the kind allows.
        points: taken off when it is seen clearly.
    """

    kind: str
    points: int


# The most that signals of one kind take off. None of them reaches the grade "implausible" by itself.
KINDS: Mapping[str, int] = {
    "phone": 40,  # a flag left on, or a receiver outside of the phone, which Android flags as well
    "zeros": 14,  # an app that fills in 0 for what it does not know shows all of these together
    "motion": 35,
    "digits": 35,
    "shape": 40,
    "stream": 45,
    "clock": 35,
    "place": 40,
}

# Points by what else may cause a signal: 30 and more where hardly anything does, 10 and less where whole models of phones do.
WEIGHTS: Mapping[str, Weight] = {
    "mock_flag": Weight("phone", 40),  # said by the phone itself; developers and surveyors have it too
    "accuracy_zero": Weight("zeros", 10),  # Android's 0 for "none"
    "accuracy_coarse": Weight("zeros", 8),  # cells alone, deep in a building
    "altitude_zero": Weight("zeros", 12),  # real loggers do it for whole tracks
    "speed_contradicts": Weight("zeros", 12),  # 0 for "none" once more
    "heading_contradicts": Weight("zeros", 12),
    "speed_impossible": Weight("phone", 20),  # no receiver says so, a faulty app might
    "heading_impossible": Weight("phone", 20),
    "too_fast": Weight("motion", 35),  # a stale first fix, a Wi-Fi that moved house
    "frozen": Weight("digits", 12),  # receivers pin positions at rest
    "frozen_moving": Weight("digits", 30),  # none pins them and says that it moves
    "grid_rounded": Weight("digits", 25),  # apps round too, but always
    "noise_free": Weight("shape", 40),  # no receiver is so good
    "replayed": Weight("stream", 45),  # receivers never repeat their noise
    "shared": Weight("stream", 45),
    "same_digits": Weight("stream", 24),  # a cached place may come back
    "clock_set": Weight("clock", 20),  # networks correct clocks, people travel
    "clock_rushed": Weight("clock", 24),  # an app may note the time of handing over instead
    "from_the_future": Weight("clock", 16),
    "clock_wrong": Weight("clock", 6),  # wrong clocks are common
    "sequence_contradicts": Weight("clock", 14),
    "null_island": Weight("place", 30),  # a position that is none, be it by mistake
    "network_far": Weight("place", 24),  # a Wi-Fi that moved house
    "address_far": Weight("place", 8),  # carriers and VPNs lead the network's traffic through other provinces
    "datum_switched": Weight("place", 24),
    "copied_from_map": Weight("place", 30),
}

_NOTHING = Known()
_CLEAR_FROM = 75
_DOUBTFUL_FROM = 46
_COUNTS_FROM = 8

# What a phone fills in for "not known" it always did, so as much of it speaks against a batch as this.
_HABIT = 0.3
_HABIT_FIXES = 200

_LOOKS: tuple[Callable[[Trace], Iterator[Signal]], ...] = (
    told.flags,
    told.accuracies,
    told.altitudes,
    told.fields,
    told.motion,
    told.numbers,
    moves.speeds,
    moves.standstills,
    shapes.shapes,
    streams.streams,
    streams.returns,
    clocks.clocks,
    clocks.arrival,
    clocks.counters,
    places.network,
    places.datums,
)


def assess(batch: Collection[Fix], known: Known = _NOTHING) -> Plausibility:
    """Judge a batch of fixes; the same whatever order they come in and however often each.

    A batch may be one fix: then flags, fields, digits, datum, clocks, and the way from the last known fix are looked at, and
    what needs a way or a while is not. No signal, and no two of one kind, make a batch implausible.

    Args:
        batch: of one phone; 10,000 fixes take a quarter to half a second of one core, and the work is linear but for sorting.
        known: what is known beside it.
    """
    trace = Trace(batch, known)
    if not trace.fixes:
        return Plausibility(100, Grade.CLEAR)
    habits = _habits(trace)
    seen = [signal for look in _LOOKS for signal in look(trace)]
    findings = _weigh([one._replace(strength=one.strength * _HABIT) if one.code in habits else one for one in seen])
    score = max(0, 100 - sum(finding.points for finding in findings))
    return Plausibility(score, _grade(score, findings), findings)


def _habits(trace: Trace) -> set[str]:
    """Return the signals of fields that this phone's earlier fixes show as well."""
    if not trace.before:
        return set()
    earlier = Trace(trace.before[-_HABIT_FIXES:], Known(shifted=trace.known.shifted))
    looks = (told.accuracies, told.altitudes, told.motion, told.numbers)
    return {signal.code for look in looks for signal in look(earlier)}


def _weigh(signals: Collection[Signal]) -> tuple[Finding, ...]:
    left = dict(KINDS)
    found = []
    for signal in sorted(signals, key=lambda one: (-WEIGHTS[one.code].points * one.strength, one.code)):
        weight = WEIGHTS[signal.code]
        points = min(left[weight.kind], round(weight.points * signal.strength))
        left[weight.kind] -= points
        found.append(Finding(signal.code, points, signal.facts))
    return tuple(found)


def _grade(score: int, findings: Collection[Finding]) -> Grade:
    if score >= _CLEAR_FROM:
        return Grade.CLEAR
    by_kind: dict[str, int] = defaultdict(int)
    for finding in findings:
        by_kind[WEIGHTS[finding.code].kind] += finding.points
    kinds = sum(points >= _COUNTS_FROM for points in by_kind.values())
    return Grade.IMPLAUSIBLE if score < _DOUBTFUL_FROM and kinds >= 2 else Grade.DOUBTFUL
