"""How severe an alarm is: a function of its episode, of the levels that were reached meanwhile, and of the clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.rules.base import Base
from app.rules.closing import parts_of
from app.rules.detectors import Episode, Folded
from app.rules.parts import SEVERITIES, Severity

RANK: dict[str, int] = {severity: rank for rank, severity in enumerate(SEVERITIES)}


def worst(severities: Iterable[Severity]) -> Severity:
    """Return the most severe of some."""
    return max(severities, key=RANK.__getitem__)


def reached(document: Base, episode: Episode, folded: Sequence[Episode], steps: Sequence[tuple[Severity, Folded]]) -> Severity:
    """Return the most severe level that readings reached while an episode lasted.

    Args:
        document: of the rule.
        folded: the episodes as they were folded; what an alarm that latches goes through between them counts for nothing.
        steps: the episodes of each more severe level.
    """
    parts = parts_of(episode, folded)
    lasted = [
        severity
        for severity, found in steps
        if any(one.raised_at_ms < _end(part) and part.raised_at_ms < _end(one) for one in found.episodes for part in parts)
    ]
    return worst([document.severity, *lasted])


def grown(document: Base, episode: Episode, present_ms: int) -> Severity:
    """Return how severe an episode is by how long it lasted, up to the present where it goes on.

    Args:
        document: of the rule.
        present_ms: the present, Unix ms.
    """
    stood_ms = min(_end(episode), present_ms) - episode.raised_at_ms
    return worst([document.severity, *(severity for severity, after_ms in document.grows_severe if stood_ms >= after_ms)])


def grows_at(document: Base, episodes: Sequence[Episode], present_ms: int) -> int | None:
    """Return when the episode that goes on becomes more severe next, Unix ms; None: not any more."""
    if not episodes or episodes[-1].cleared_at_ms is not None:
        return None
    times = (episodes[-1].raised_at_ms + after_ms for _, after_ms in document.grows_severe)
    return min((at_ms for at_ms in times if at_ms > present_ms), default=None)


def _end(episode: Episode) -> float:
    return episode.cleared_at_ms if episode.cleared_at_ms is not None else float("inf")
