"""Silence: nothing was heard from a device for a while. Measured by arrival, so readings here are arrivals."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from app.rules.detectors.episodes import Episode, Folded, Item, Reading, Removal, State


class SilenceSettings(msgspec.Struct, frozen=True):
    """How long nothing may be heard, in ms."""

    after_ms: int


def fold(state: State, items: Iterable[Item], settings: SilenceSettings, until_ms: int) -> Folded:
    """Fold arrivals in order; a gap longer than allowed is an episode from its end of patience to the next arrival.

    Args:
        state: where the last fold ended.
        items: arrivals (``at_ms`` is when we received), and the removal of the device.
        settings: of the rule.
        until_ms: the present.

    Returns:
        The new state, the episodes, and when silence will be due.
    """
    done: list[Episode] = []
    last, episode = state.last, state.open
    for item in items:
        episode = episode or _overdue(last, settings, item.at_ms)
        if episode is not None:
            reason = "component_replaced" if isinstance(item, Removal) else "heard_again"
            causes = (item,) if isinstance(item, Reading) else ()
            done.append(msgspec.structs.replace(episode, cleared_at_ms=item.at_ms, clear_reason=reason, clear_causes=causes))
        episode = None
        last = item if isinstance(item, Reading) else None
    episode = episode or _overdue(last, settings, until_ms)
    due = last.at_ms + settings.after_ms if last and episode is None else None
    return Folded(State(last=last, open=episode), (*done, episode) if episode else tuple(done), due)


def _overdue(last: Reading | None, settings: SilenceSettings, at_ms: int) -> Episode | None:
    if last is None or at_ms - last.at_ms <= settings.after_ms:
        return None
    return Episode(raised_at_ms=last.at_ms + settings.after_ms, causes=(last,), last=last, count=1)
