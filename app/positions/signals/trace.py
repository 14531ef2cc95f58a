"""What all signals look at: a batch in order, what was known before it, and who else was about."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from typing import NamedTuple

from app.core.geo import Position
from app.positions.fixes import Fix, as_measured, in_order
from app.positions.reach import Point, to_points
from app.positions.regions import Region

COARSE_M = 500.0


class Signal(NamedTuple):
    """One thing that speaks against a batch.

    Attributes:
        code: its name, for machines.
        strength: how clearly it is seen, from 0 to 1.
        facts: the numbers that it rests on, for people; units are in their names.
    """

    code: str
    strength: float
    facts: Mapping[str, float | str]


class Sighting(NamedTuple):
    """A place that did not come from the phone's receiver, such as that of its network address; WGS-84."""

    position: Position
    accuracy_m: float


class Target(NamedTuple):
    """The site at which a phone says it is, WGS-84, with the radius of its fence in metres."""

    site: Position
    fence_m: float


class Known(NamedTuple):
    """What is known beside a batch; whatever is not is empty.

    Attributes:
        before: earlier fixes of the same phone; the last day of them is enough, older ones show replays.
        others: fixes of other phones of about that time, to see streams that are shared.
        arrived_ms: when the batch arrived, Unix ms by the server's clock.
        phone_now_ms: when it was sent, Unix ms by the phone's clock.
        network: where the network says the phone is.
        target: the site of a check-in.
        shifted: the regions in which maps in Chinese datums are shifted.
    """

    before: Collection[Fix] = ()
    others: Collection[Fix] = ()
    arrived_ms: int | None = None
    phone_now_ms: int | None = None
    network: Sighting | None = None
    target: Target | None = None
    shifted: Collection[Region] = frozenset({Region.MAINLAND})


class Trace:
    """A batch prepared for the signals: in order, each fix once, with what led up to it.

    Attributes:
        fixes: of the batch, without those that were known before.
        before: what was known, in order.
    """

    def __init__(self, batch: Collection[Fix], known: Known) -> None:
        """Bring batch and earlier fixes into order; n log n."""
        self.known = known
        self.before = in_order(known.before)
        self.fixes = in_order(batch, known.before)

    @cached_property
    def points(self) -> list[Point]:
        """The batch, and what led up to it, at their true places, one an instant; without what says little of a place.

        As they were measured: where a clock was set back, time goes back.
        """
        first = self.fixes[0].at_ms if self.fixes else 0
        lead = [fix for fix in self.before if fix.at_ms < first][-_LEAD:]
        told = [fix for fix in [*as_measured(lead), *as_measured(self.fixes)] if fix.provider != "network"]
        return to_points(told, self.known.shifted, COARSE_M)

    @cached_property
    def here(self) -> list[Point]:
        """Of the points those of the batch."""
        return [point for point in self.points if point.at_ms >= self.fixes[0].at_ms]


_LEAD = 200


def is_coarse(fix: Fix) -> bool:
    """Tell whether a fix comes from cells or Wi-Fi, and may be kilometres off."""
    return fix.provider == "network" or (fix.accuracy_m or 0.0) > COARSE_M
