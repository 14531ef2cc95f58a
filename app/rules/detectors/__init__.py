"""Detectors: pure folds from readings to episodes.

A detector sees the readings of one subject (a component, or a device) in event-time order and says
when the condition held: a list of episodes. It does no I/O and knows no clock but the ``until_ms``
it is given. The alarms of a subject are a function of the *set* of its readings, so whoever holds
late data folds again over all of it; ``fold_new`` decides which of the two ways is right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from app.rules.detectors import levels, silence
from app.rules.detectors.episodes import Departure, Episode, Folded, Item, Reading, Removal, State

# (state, items in event-time order, settings, until_ms) -> Folded
Fold = Callable[[State, Iterable[Item], Any, int], Folded]
# Kind of detector -> its fold. All but silence compare values with levels; what is compared, their shapes say.
DETECTORS: dict[str, Fold] = {
    "threshold": levels.fold,
    "duration": levels.fold,
    "rate": levels.fold,
    "m_of_n": levels.fold,
    "window": levels.fold,
    "usage": levels.fold,
    "trend": levels.fold,
    "fence": levels.fold,
    "condition": levels.fold,
    "silence": silence.fold,
}


def fold_new(
    kind: str,
    settings: Any,
    state: State | None,
    new: Sequence[Reading],
    load_all: Callable[[], Sequence[Item]],
    until_ms: int,
    start: Callable[[], State] = State,
) -> tuple[Folded, bool]:
    """Fold readings that have just become known.

    Args:
        kind: a key of ``DETECTORS``.
        settings: of the rule, as that detector takes them.
        state: what the last fold left; None when there is none to stand on.
        new: readings not folded before, in any order.
        load_all: returns every known item of the subject in event-time order, the new ones included.
        until_ms: the present, Unix ms; a held value counts up to here.
        start: returns the state before the first of those items; by default that of a subject nothing is known of.

    Returns:
        The result, and whether everything was folded afresh (then its episodes are all there are).
    """
    ordered = sorted(new)
    if state is not None and (not ordered or state.precedes(ordered[0])):
        return DETECTORS[kind](state, ordered, settings, until_ms), False
    return DETECTORS[kind](start(), load_all(), settings, until_ms), True


__all__ = ["DETECTORS", "Departure", "Episode", "Folded", "Item", "Reading", "Removal", "State", "fold_new"]
