"""What is left of what a customer was granted: a pure function of grants and spends, in whatever order they came. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

NOTHING = Decimal("0.00")
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Grant:
    """So much of a kind, from one day to another; both days count. ``valid_until`` None: it does not end."""

    id: str
    amount: Decimal
    valid_from: date
    valid_until: date | None

    def holds_on(self, day: date) -> bool:
        """Tell whether it may be spent from on a day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    @property
    def turn(self) -> tuple[date, date, str]:
        """Its place among grants: what ends first is used first."""
        return self.valid_until or date.max, self.valid_from, self.id


@dataclass(frozen=True)
class Spend:
    """So much of it used. ``happened_at``: event time; ``day``: the organisation's day of it."""

    id: str
    happened_at: datetime
    day: date
    amount: Decimal


@dataclass(frozen=True)
class Cover:
    """What covers a spend: (grant, amount), in the order they were taken. ``reason``: why not all of it, if not all of it is."""

    parts: tuple[tuple[str, Decimal], ...]
    reason: str | None

    @property
    def amount(self) -> Decimal:
        """How much of the spend is covered."""
        return sum((amount for _, amount in self.parts), NOTHING)


@dataclass(frozen=True)
class Standing:
    """How everything of one customer and kind stands: by spend what covers it, by grant what is left of it."""

    covers: Mapping[str, Cover]
    left: Mapping[str, Decimal]


@dataclass(frozen=True)
class Figures:
    """What a balance shows on a day.

    Attributes:
        granted, spent, left: of the grants that hold on the day; the first is the sum of the others.
        beyond: what no grant covers of all spends that count.
        next_end: the last day of the grant that ends first of those with something left; None: none of them ends.
        turns_on: the next day on which these change by themselves; None: on none.
        is_open: something is left, now or later, or something is beyond.
    """

    granted: Decimal
    spent: Decimal
    left: Decimal
    beyond: Decimal
    next_end: date | None
    turns_on: date | None
    is_open: bool


def fold(grants: Iterable[Grant], spends: Iterable[Spend]) -> Standing:
    """Count: spends take from the grants in the order in which they happened, each from what ends first.

    Args:
        grants: that were not withdrawn; the same one more than once counts once.
        spends: that count (neither forgiven nor returned); the same one more than once counts once.
    """
    known = sorted({grant.id: grant for grant in grants}.values(), key=lambda grant: grant.turn)
    left = {grant.id: grant.amount for grant in known}
    told = {spend.id: spend for spend in spends}.values()
    covers = {spend.id: _take(spend, known, left) for spend in sorted(told, key=lambda one: (one.happened_at, one.id))}
    return Standing(covers, left)


def _take(spend: Spend, grants: Iterable[Grant], left: dict[str, Decimal]) -> Cover:
    wanted = spend.amount
    parts = []
    reason = "no_grant"
    for grant in grants:
        if not grant.holds_on(spend.day):
            continue
        reason = "used_up"
        taken = min(wanted, left[grant.id])
        if taken > 0:
            parts.append((grant.id, taken))
            left[grant.id] -= taken
            wanted -= taken
    return Cover(tuple(parts), reason if wanted > 0 else None)


def figures(grants: Iterable[Grant], spends: Iterable[Spend], standing: Standing, day: date) -> Figures:
    """Return what a balance shows on a day.

    Args:
        grants, spends, standing: what was folded, and what came of it.
    """
    all_grants = {grant.id: grant for grant in grants}.values()
    holding = [grant for grant in all_grants if grant.holds_on(day)]
    coming = [grant for grant in all_grants if grant.valid_from > day]
    granted = sum((grant.amount for grant in holding), NOTHING)
    left = sum((standing.left[grant.id] for grant in holding), NOTHING)
    owed = sum((spend.amount for spend in {spend.id: spend for spend in spends}.values()), NOTHING)
    beyond = owed - sum((cover.amount for cover in standing.covers.values()), NOTHING)
    ends = [grant.valid_until for grant in holding if grant.valid_until and standing.left[grant.id] > 0]
    turns = [grant.valid_until + _DAY for grant in holding if grant.valid_until] + [grant.valid_from for grant in coming]
    is_open = left > 0 or beyond > 0 or any(standing.left[grant.id] > 0 for grant in coming)
    return Figures(granted, granted - left, left, beyond, min(ends, default=None), min(turns, default=None), is_open)


def ended_between(grants: Iterable[Grant], standing: Standing, before: date, day: date) -> list[Grant]:
    """Return the grants that held on or after one day, have ended on another one, and had something left."""
    return sorted(
        (
            grant
            for grant in {grant.id: grant for grant in grants}.values()
            if grant.valid_until and before <= grant.valid_until < day and standing.left[grant.id] > 0
        ),
        key=lambda grant: grant.turn,
    )
