"""Threshold with hysteresis: N consecutive readings over a minimum span raise, as many beyond another level clear."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from app.rules.detectors.episodes import Episode, Folded, Reading, Removal, State

Comparison = Literal["below", "at_most", "above", "at_least"]


class Level(msgspec.Struct, frozen=True):
    """A comparison and how long it must hold: ``readings`` in a row that span at least ``span_ms``."""

    comparison: Comparison
    value: float
    readings: int
    span_ms: int

    def holds(self, value: float) -> bool:
        """Tell whether one value satisfies the comparison."""
        if self.comparison == "below":
            return value < self.value
        if self.comparison == "at_most":
            return value <= self.value
        if self.comparison == "above":
            return value > self.value
        return value >= self.value


class ThresholdSettings(msgspec.Struct, frozen=True):
    """When to raise and when to clear.

    ``value_holds``: the source sends only changes, so a value stands until the next one, and a run
    is long enough as soon as it has stood for the span, however few readings it has.
    """

    raising: Level
    clearing: Level
    value_holds: bool = False


def fold(state: State, items: Iterable[Reading | Removal], settings: ThresholdSettings, until_ms: int) -> Folded:
    """Fold items in event-time order, each later than ``state.last``.

    Args:
        state: where the last fold ended.
        items: readings and removals of one component.
        settings: of the rule.
        until_ms: the present; matters only where values hold.

    Returns:
        The new state and the episodes that ended or go on, the open one last.
    """
    done: list[Episode] = []
    for item in items:
        if settings.value_holds:
            state = _mature(state, settings, item.at_ms, done)
        state = _remove(state, item, done) if isinstance(item, Removal) else _step(state, item, settings, done)
    due = None
    if settings.value_holds:
        state = _mature(state, settings, until_ms, done)
        due = _matures_at(state, settings)
    return Folded(state, (*done, state.open) if state.open else tuple(done), due)


def _step(state: State, reading: Reading, settings: ThresholdSettings, done: list[Episode]) -> State:
    episode = state.open
    level = settings.clearing if episode else settings.raising
    if episode is not None and settings.raising.holds(reading.value):
        episode = msgspec.structs.replace(episode, last=reading, count=episode.count + 1)
    if not level.holds(reading.value):
        return State(last=reading, open=episode)
    run = _grow(state.run, reading, level.readings)
    state = State(last=reading, run=run, run_count=state.run_count + 1, open=episode)
    if not settings.value_holds and state.run_count >= level.readings and reading.at_ms - run[0].at_ms >= level.span_ms:
        return _turn(state, reading.at_ms, done)
    return state


def _grow(run: tuple[Reading, ...], reading: Reading, readings: int) -> tuple[Reading, ...]:
    """Append to a run, keeping its first reading and the last ``readings``: what a person needs to see."""
    grown = (*run, reading)
    return grown if len(grown) <= readings + 1 else (grown[0], *grown[-readings:])


def _turn(state: State, at_ms: int, done: list[Episode]) -> State:
    """Raise, or clear the open episode, at an instant."""
    if state.open is None:
        raised = Episode(raised_at_ms=at_ms, causes=state.run, last=state.run[-1], count=state.run_count)
        return State(last=state.last, open=raised)
    done.append(
        msgspec.structs.replace(state.open, cleared_at_ms=at_ms, clear_reason="readings_recovered", clear_causes=state.run)
    )
    return State(last=state.last)


def _remove(state: State, removal: Removal, done: list[Episode]) -> State:
    if state.open is not None:
        done.append(msgspec.structs.replace(state.open, cleared_at_ms=removal.at_ms, clear_reason="component_replaced"))
    return State(last=state.last)


def _matures_at(state: State, settings: ThresholdSettings) -> int | None:
    if not state.run:
        return None
    level = settings.clearing if state.open else settings.raising
    return state.run[0].at_ms + level.span_ms


def _mature(state: State, settings: ThresholdSettings, at_ms: int, done: list[Episode]) -> State:
    """Turn where a held run has stood long enough by ``at_ms``. The turn is dated when it matured."""
    due = _matures_at(state, settings)
    if due is None or due > at_ms:
        return state
    return msgspec.structs.replace(_turn(state, due, done), assumed_ms=due)
