"""What a person's closing of an alarm means, whatever data comes later. Pure.

A closing is an instant. It closes the episode that stood then, so a closed alarm is a function of the readings and the
closings, in whatever order they became known. It does not end the episode: a rule raises again only on another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from app.rules.base import Base
from app.rules.detectors import Episode

_NO_LATCH = "component_replaced"


def closed_at(document: Base, episode: Episode, closings: Iterable[int]) -> int | None:
    """Return when a person closed an episode, Unix ms; None: nobody did.

    Args:
        document: of the rule; one that latches stands until it is closed, so any closing after the raise closes it.
        closings: instants, Unix ms.
    """
    ends = float("inf") if stands_on(document, episode) or episode.cleared_at_ms is None else episode.cleared_at_ms
    return min((at_ms for at_ms in closings if episode.raised_at_ms <= at_ms < ends), default=None)


def stands_on(document: Base, episode: Episode) -> bool:
    """Tell whether an alarm stands although its condition has ended: it latches, and its component is still there."""
    return document.latch and episode.cleared_at_ms is not None and episode.clear_reason != _NO_LATCH


def state_of(document: Base, episode: Episode, closed_ms: int | None) -> str:
    """Return the state that an alarm has by its episode and its closing, acknowledged or not."""
    if closed_ms is not None:
        return "closed"
    return "raised" if episode.cleared_at_ms is None or stands_on(document, episode) else "cleared"


def latched(episodes: Sequence[Episode], closings: Sequence[int], standing_ms: int | None = None) -> list[Episode]:
    """Join the episodes of a rule that latches as long as nobody closed what stood: they are one.

    Args:
        episodes: in event-time order.
        closings: instants, Unix ms.
        standing_ms: when the alarm rose that stands from before these episodes; None: there is none.

    Returns:
        Each with the raise of its first episode, and all else from its last one.
    """
    joined: list[Episode] = []
    for episode in episodes:
        before = joined[-1] if joined else None
        since = _stands_since(before) if before is not None else standing_ms
        if since is None or episode.raised_at_ms < since or any(since <= at_ms < episode.raised_at_ms for at_ms in closings):
            joined.append(episode)
            continue
        causes = episode.causes if before is None else joined.pop().causes
        joined.append(msgspec.structs.replace(episode, raised_at_ms=since, causes=causes))
    return joined


def parts_of(joined: Episode, episodes: Iterable[Episode]) -> list[Episode]:
    """Return the episodes that ``latched`` made one of; of a rule that does not latch that is the episode itself."""
    ends = float("inf") if joined.cleared_at_ms is None else joined.cleared_at_ms
    return [episode for episode in episodes if joined.raised_at_ms <= episode.raised_at_ms < ends]


def _stands_since(episode: Episode) -> int | None:
    return None if episode.clear_reason == _NO_LATCH else episode.raised_at_ms
