"""The figures of sync, their goals, and how much is measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.figures import middle_of

KINDS = ("sqlite", "postgresql")
WRITERS = 4


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        rounds: of everything.
        first: rows of a first sync, and of the territory that is handed over.
        few, many: rows in the small and in the large database, three entries each.
        areas: territories among which the many are dealt.
        entries: scope entries in the large database.
        deltas, idles: pulls a round.
        pushed, moved: rows.
        stamps_s: length of a round of commits.
        peer: rows on both sides of the comparison with CouchDB's protocol.
    """

    rounds: int
    first: int
    few: int
    many: int
    areas: int
    entries: int
    deltas: int
    idles: int
    pushed: int
    moved: int
    stamps_s: float
    peer: int


WHOLE = Sizes(3, 100_000, 3_330, 1_000_000, 100, 5_000_000, 40, 200, 10_000, 5_000, 3.0, 10_000)
QUICK = Sizes(1, 5_000, 1_000, 10_000, 10, 50_000, 10, 20, 500, 500, 0.5, 500)


@dataclass(frozen=True)
class Goal:
    """One figure. ``most`` or ``least``: the goal in the order of ``KINDS``, if there is one."""

    key: str
    label: str
    most: tuple[float, float] | None = None
    least: tuple[float, float] | None = None

    def text(self) -> str:
        """Return the goal in words."""
        bounds = self.most or self.least
        if bounds is None:
            return ""
        sign = "<=" if self.most else ">="
        return " / ".join(f"{sign} {bound:,g}" for bound in dict.fromkeys(bounds))

    def missed(self, kind: str, values: Sequence[float]) -> bool:
        """Tell whether the median misses the goal."""
        middle, place = statistics.median(values), KINDS.index(kind)
        return (self.most is not None and middle > self.most[place]) or (self.least is not None and middle < self.least[place])

    def cell(self, kind: str, values: Sequence[float]) -> str:
        """Return the median and the spread; bold where the goal is missed."""
        if not values:
            return "-"
        return f"**{middle_of(values)}**" if self.missed(kind, values) else middle_of(values)


def goals(sizes: Sizes) -> tuple[Goal, ...]:
    """Return the figures in the order of the report."""
    few, many, seen = f"{3 * sizes.few:,} entries", f"{sizes.entries:,} entries", f"{sizes.many // sizes.areas:,}"
    return (
        Goal("first", f"first sync of {sizes.first:,} rows, s", (1.5, 1.5)),
        Goal("first rate", "first sync, rows a second"),
        Goal("first row", "first sync, bytes a row on the wire", (65, 65)),
        Goal("plain row", "the same without compression, bytes a row"),
        Goal("memory", "first sync, growth of the web process, MB", (40, 40)),
        Goal("few p50", f"delta of 100 rows, {few}, p50 ms"),
        Goal("few p95", f"delta of 100 rows, {few}, p95 ms", (10, 15)),
        Goal("many p50", f"delta of 100 rows, {many}, p50 ms"),
        Goal("many p95", f"delta of 100 rows, {many}, to a rep who sees {seen} of {sizes.many:,} rows, p95 ms", (10, 10)),
        Goal("ratio", "delta, many entries to few, ratio of the p50", (1.5, 1.5)),
        Goal("few change", f"the transaction that changes these rows, {few}, p50 ms"),
        Goal("many change", f"the transaction that changes these rows, {many}, p50 ms"),
        Goal("delta bytes", "delta of 100 rows, bytes of body"),
        Goal("idle p50", "idle pull, p50 ms"),
        Goal("idle p95", "idle pull, p95 ms", (3, 3)),
        Goal("idle body", "idle pull, bytes of body", (300, 300)),
        Goal("idle all", "idle pull, bytes of head and body"),
        Goal("push", f"push of {sizes.pushed:,} new rows, s", (0.6, 0.8)),
        Goal("replay", "the same push again, s", (0.4, 0.4)),
        Goal("move", f"{sizes.moved:,} rows moved to another territory, ms", (500, 500)),
        Goal("hand over", f"a territory of {sizes.first:,} rows handed to another rep, ms", (20, 20)),
        Goal("stamps bulk", f"{WRITERS} writers, 2 rows in one INSERT: commits a second", None, (8000, 1000)),
        Goal("stamps verbs", f"{WRITERS} writers, 2 rows as verbs add them: commits a second"),
    )


@dataclass
class Found:
    """What one database gave, by figure, a value a round; and what was lost or doubled."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def note(self, key: str, value: float) -> None:
        """Keep one round's value."""
        self.figures.setdefault(key, []).append(value)

    def check(self, what: str, found: object, wanted: object) -> None:
        """Note a fault unless two things are the same."""
        if found != wanted:
            self.faults.append(f"{what}: {found} instead of {wanted}")
