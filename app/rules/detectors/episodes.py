"""The values detectors speak in, and the comparison of what they found with the alarms there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec


class Reading(NamedTuple):
    """One decoded value of one metric. Ordered by event time, then by the message's key."""

    at_ms: int
    key: str
    value: float
    device_id: str = ""
    metric: str = ""


class Removal(NamedTuple):
    """The component was taken out of its asset at this instant; nothing before it speaks of what comes after."""

    at_ms: int
    key: str = ""


class Departure(NamedTuple):
    """A device was taken out of the asset at this instant: the values it gave stand no longer. Nothing it measured is undone."""

    at_ms: int
    key: str = ""
    device_id: str = ""


Item = Reading | Removal | Departure
"""What a detector folds."""


class Episode(msgspec.Struct, frozen=True):
    """One time the condition held.

    ``causes``: the first reading of the run that raised it and the last ones up to the raise.
    ``last``: the newest reading that still violated. ``count``: how many violated, the run included.
    """

    raised_at_ms: int
    causes: tuple[Reading, ...]
    last: Reading
    count: int
    cleared_at_ms: int | None = None
    clear_reason: str | None = None
    clear_causes: tuple[Reading, ...] = ()


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a fold leaves for the next one: the newest reading, the run that is building up, the open episode.

    Attributes:
        assumed_ms: the last turn was made because a value was taken to stand up to this instant; a reading from before it
            disproves that.
        shown: the newest value that was compared, where that is not the reading itself.
        closed: the episode that ended last, where it may go on.
        memory: what the detector's shape remembers.
    """

    last: Reading | None = None
    run: tuple[Reading, ...] = ()
    run_count: int = 0
    open: Episode | None = None
    assumed_ms: int = 0
    shown: Reading | None = None
    closed: Episode | None = None
    memory: Any = None

    def precedes(self, reading: Reading) -> bool:
        """Tell whether a reading can be folded on top of this state: of a later message than the newest one."""
        return (self.last is None or reading[:2] > self.last[:2]) and reading.at_ms >= self.assumed_ms


class Folded(NamedTuple):
    """Result of a fold: the state, the episodes seen (an open one last), when a held run matures (ms) or None."""

    state: State
    episodes: tuple[Episode, ...]
    due_at_ms: int | None = None


class KnownAlarm(NamedTuple):
    """An alarm on record that was not withdrawn, by its span in event time."""

    id: str
    raised_at_ms: int
    cleared_at_ms: int | None


class Raise(NamedTuple):
    """An episode no alarm stands for yet."""

    episode: Episode


class Keep(NamedTuple):
    """An alarm and the episode it stands for, as it is now: raise, clear, counts may have moved."""

    alarm_id: str
    episode: Episode


class Withdraw(NamedTuple):
    """An alarm that no episode stands for any more."""

    alarm_id: str
    reason: str


Step = Raise | Keep | Withdraw


def reconcile(known: Sequence[KnownAlarm], episodes: Sequence[Episode]) -> list[Step]:
    """Compare the alarms on record with the episodes the readings show.

    Each episode, in event-time order, takes the first alarm whose span it overlaps; an alarm left
    over is withdrawn, an episode left over raises. Afterwards the alarms are exactly the episodes.

    Returns:
        Withdrawals first, then clears, then the rest: never two open alarms in between.
    """
    free = sorted(known, key=lambda alarm: alarm.raised_at_ms)
    kept: list[Step] = []
    raised: list[Step] = []
    for episode in episodes:
        match = next((alarm for alarm in free if _overlap(alarm, episode)), None)
        if match is None:
            raised.append(Raise(episode))
        else:
            free.remove(match)
            kept.append(Keep(match.id, episode))
    left = [Withdraw(alarm.id, _why(alarm, episodes)) for alarm in free]
    closing = [step for step in kept if isinstance(step, Keep) and step.episode.cleared_at_ms is not None]
    opening = [step for step in kept if isinstance(step, Keep) and step.episode.cleared_at_ms is None]
    closed_raises = [step for step in raised if isinstance(step, Raise) and step.episode.cleared_at_ms is not None]
    open_raises = [step for step in raised if isinstance(step, Raise) and step.episode.cleared_at_ms is None]
    return [*left, *closing, *closed_raises, *opening, *open_raises]


def _overlap(alarm: KnownAlarm, episode: Episode) -> bool:
    ends = alarm.cleared_at_ms if alarm.cleared_at_ms is not None else float("inf")
    stops = episode.cleared_at_ms if episode.cleared_at_ms is not None else float("inf")
    return alarm.raised_at_ms < stops and episode.raised_at_ms < ends


def _why(alarm: KnownAlarm, episodes: Sequence[Episode]) -> str:
    inside = any(_overlap(alarm, episode) for episode in episodes)
    return "part_of_earlier_episode" if inside else "readings_do_not_show_it"


def should_act(episode: Episode, newest: Reading | None, now_ms: int, allowance_ms: int) -> bool:
    """Tell whether people should hear of an episode now.

    It must be open, the newest known reading must still violate, and that reading must be no older
    than the rule's lateness allowance: older data changes history only, until a fresh violating
    reading promotes the episode.
    """
    return (
        episode.cleared_at_ms is None and newest is not None and episode.last == newest and now_ms - newest.at_ms <= allowance_ms
    )
