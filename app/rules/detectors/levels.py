"""Levels with hysteresis: a value beyond one level for long enough raises, beyond another one for long enough clears.

Every detector but silence ends here: what differs between them is the value that is compared (``shapes``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from app.rules.detectors.episodes import Departure, Episode, Folded, Item, Reading, Removal, State

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


class Memory(Protocol):
    """What must be remembered of readings to answer a shape's question."""

    def add(self, reading: Reading, whole: bool) -> None:
        """Add the next reading; ``whole``: it is the last of its message."""

    def keep(self) -> Any:
        """Return it as JSON takes it."""


class Shape(ABC):
    """Makes of readings the values that are compared. ``joins``: what was measured at once is compared at once."""

    __slots__ = ()
    joins = False
    memory: Any

    @property
    @abstractmethod
    def remembers(self) -> str:
        """What the memory depends on, beside the readings: shapes over the same metrics with the same may share one."""

    @abstractmethod
    def value(self, reading: Reading) -> float | None:
        """Return the value to compare after this reading, the last of its message; None as long as there is none."""

    def leave(self, device_id: str) -> bool:
        """Forget the values that stood because a device gave them, which is gone; tell whether there were any."""
        return False


class Hours(Protocol):
    """When a rule looks."""

    def is_open(self, at_ms: int) -> bool:
        """Tell whether it looks at an instant."""

    def closes_after(self, at_ms: int) -> int | None:
        """Return when it stops looking next; None: not soon."""


class LevelSettings(msgspec.Struct, frozen=True):
    """When to raise and when to clear.

    Attributes:
        raising, clearing: the two levels; without a second one only a removal clears.
        value_holds: a value stands until the next one, and a run is long enough as soon as it has stood for the span,
            however few readings it has.
        stale_ms: a value stands no longer than this; 0: as long as nothing else comes.
        shape: makes the values that are compared, from what it remembered; None: the readings themselves.
        hours: when the rule looks; None: always.
        reopens_ms: an episode that begins so soon after the last one ended is that one, gone on.
    """

    raising: Level
    clearing: Level | None
    value_holds: bool = False
    stale_ms: int = 0
    shape: Callable[[Any], Shape] | None = None
    hours: Hours | None = None
    reopens_ms: int = 0


def fold(state: State, items: Iterable[Item], settings: LevelSettings, until_ms: int) -> Folded:
    """Fold items in event-time order, each later than ``state.last``.

    Args:
        state: where the last fold ended.
        items: readings of one subject, its removals, and devices that left it.
        settings: of the rule.
        until_ms: the present; matters only where values hold.

    Returns:
        The new state and the episodes that ended or go on, the open one last.
    """
    make, holds, hours = settings.shape, settings.value_holds, settings.hours
    if make is None and hours is None and state.open is None and not state.run:
        items = items if isinstance(items, Sequence) else list(items)
        last, raises = items[-1] if items else None, settings.raising.holds
        if isinstance(last, Reading) and not any(not isinstance(item, Reading) or raises(item.value) for item in items):
            # What most folds are: nothing stood, and nothing rises.
            return Folded(State(last=last, shown=last, closed=state.closed), ())
    machine = _Machine(state, settings)
    shape = make(state.memory) if make is not None else None
    for item, whole in in_messages(items) if shape is not None and shape.joins else ((item, True) for item in items):
        if holds:
            machine.mature(item.at_ms)
        if not isinstance(item, Reading):
            shape = machine.end(item, shape)
            continue
        machine.last = item
        if shape is not None:
            shape.memory.add(item, whole)
            value = shape.value(item) if whole else None
            if value is None:
                continue
            item = Reading(item.at_ms, item.key, value, item.device_id, item.metric)
        if hours is not None and not hours.is_open(item.at_ms):
            continue
        machine.step(item)
    due = None
    if holds:
        machine.mature(until_ms)
        due = machine.matures_at()
    return machine.result(shape.memory.keep() if shape is not None else None, due)


def in_messages(items: Iterable[Item]) -> Iterator[tuple[Item, bool]]:
    """Yield each item, and whether it is the last of its message: what was measured at once is compared at once."""
    before: Item | None = None
    for item in items:
        if before is not None:
            yield before, not _same_message(before, item)
        before = item
    if before is not None:
        yield before, True


def _same_message(one: Item, other: Item) -> bool:
    return isinstance(one, Reading) and isinstance(other, Reading) and one[:2] == other[:2] and one.device_id == other.device_id


class _Machine:
    """A fold under way: the run that is building up, and the open episode."""

    __slots__ = ("assumed_ms", "closed", "done", "last", "open", "run", "run_count", "settings", "shown")

    def __init__(self, state: State, settings: LevelSettings) -> None:
        self.settings = settings
        self.last, self.shown, self.open, self.closed = state.last, state.shown, state.open, state.closed
        self.run, self.run_count, self.assumed_ms = state.run, state.run_count, state.assumed_ms
        self.done: list[Episode] = []

    def result(self, memory: Any, due_ms: int | None) -> Folded:
        kept = State(self.last, self.run, self.run_count, self.open, self.assumed_ms, self.shown, self.closed, memory)
        return Folded(kept, (*self.done, self.open) if self.open else tuple(self.done), due_ms)

    def step(self, reading: Reading) -> None:
        """Compare the next value."""
        settings, episode = self.settings, self.open
        level = settings.clearing if episode is not None else settings.raising
        if episode is not None and settings.raising.holds(reading.value):
            self.open = msgspec.structs.replace(episode, last=reading, count=episode.count + 1)
        if self.run and settings.value_holds and self._is_interrupted(reading.at_ms):
            self.run, self.run_count = (), 0
        self.shown = reading
        if level is None or not level.holds(reading.value):
            if self.run_count:
                self.run, self.run_count = (), 0
            self.assumed_ms = 0
            return
        self.run = _grow(self.run, reading, level.readings)
        self.run_count += 1
        self.assumed_ms = 0
        if not settings.value_holds and self.run_count >= level.readings and reading.at_ms - self.run[0].at_ms >= level.span_ms:
            self._turn(reading.at_ms)

    def _is_interrupted(self, at_ms: int) -> bool:
        """Tell whether the values that stood were not known to stand until an instant."""
        settings = self.settings
        if settings.stale_ms and self.shown is not None and at_ms - self.shown.at_ms > settings.stale_ms:
            return True
        closes = settings.hours.closes_after(self.run[0].at_ms) if settings.hours is not None else None
        return closes is not None and at_ms > closes

    def _turn(self, at_ms: int) -> None:
        """Raise, or clear the open episode, at an instant."""
        run, self.run = self.run, ()
        count, self.run_count = self.run_count, 0
        if self.open is not None:
            self._close(at_ms, "readings_recovered", run)
        elif self.closed is not None and at_ms - (self.closed.cleared_at_ms or 0) < self.settings.reopens_ms:
            self.open, self.closed = self._gone_on(self.closed, run[-1], count), None
        else:
            self.open = Episode(raised_at_ms=at_ms, causes=run, last=run[-1], count=count)

    def _gone_on(self, closed: Episode, last: Reading, count: int) -> Episode:
        if self.done and self.done[-1] == closed:
            self.done.pop()
        return msgspec.structs.replace(
            closed, cleared_at_ms=None, clear_reason=None, clear_causes=(), last=last, count=closed.count + count
        )

    def _close(self, at_ms: int, reason: str, causes: tuple[Reading, ...] = ()) -> None:
        assert self.open is not None  # noqa: S101 - callers checked it
        ended = msgspec.structs.replace(self.open, cleared_at_ms=at_ms, clear_reason=reason, clear_causes=causes)
        self.done.append(ended)
        self.open = None
        self.closed = ended if self.settings.reopens_ms else None

    def end(self, item: Removal | Departure, shape: Shape | None) -> Shape | None:
        """End what a removal or a departure ends; return the shape to go on with."""
        if isinstance(item, Removal):
            self.remove(item)
            return self.settings.shape(None) if self.settings.shape is not None else None
        self.leave(item.device_id, shape is not None and shape.leave(item.device_id))
        return shape

    def remove(self, removal: Removal) -> None:
        """End what was before: it says nothing of what comes after."""
        if self.open is not None:
            self._close(removal.at_ms, "component_replaced")
        self.run, self.run_count, self.assumed_ms, self.closed, self.shown = (), 0, 0, None, None

    def leave(self, device_id: str, compared: bool) -> None:
        """End what stands because a device gave it, where values hold: it is not known how that went on.

        An open episode stays open, as one whose values are stale does.

        Args:
            compared: the value that was compared was made of this device's as well.
        """
        if self.settings.value_holds and (compared or (self.shown is not None and self.shown.device_id == device_id)):
            self.run, self.run_count, self.assumed_ms, self.shown = (), 0, 0, None

    def matures_at(self) -> int | None:
        """Return when the values that stand will have stood long enough, as far as is known."""
        if not self.run:
            return None
        settings = self.settings
        level = settings.clearing if self.open is not None else settings.raising
        assert level is not None  # noqa: S101 - there is no run without a level
        due = self.run[0].at_ms + level.span_ms
        if settings.stale_ms and self.shown is not None and due > self.shown.at_ms + settings.stale_ms:
            return None
        closes = settings.hours.closes_after(self.run[0].at_ms) if settings.hours is not None else None
        return None if closes is not None and due > closes else due

    def mature(self, at_ms: int) -> None:
        """Turn where a held run has stood long enough by an instant. The turn is dated when it matured."""
        due = self.matures_at()
        if due is not None and due <= at_ms:
            self._turn(due)
            self.assumed_ms = due


def _grow(run: tuple[Reading, ...], reading: Reading, readings: int) -> tuple[Reading, ...]:
    """Append to a run, keeping its first reading and the last ``readings``: what a person needs to see."""
    grown = (*run, reading)
    return grown if len(grown) <= readings + 1 else (grown[0], *grown[-readings:])
