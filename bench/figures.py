"""Pure helpers: percentiles, spreads, Markdown tables."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least ``percent`` of the values do not exceed (nearest rank).

    Raises:
        ValueError: without values, or for a percentage outside 0 to 100.
    """
    if not values or not 0 <= percent <= 100:
        raise ValueError("a percentile needs values and a percentage from 0 to 100")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def short(value: float) -> str:
    """Return a number with about three significant digits and commas between thousands."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread(values: Sequence[float]) -> str:
    """Return ``min / median / max``."""
    return " / ".join(short(value) for value in (min(values), statistics.median(values), max(values)))


def middle_of(values: Sequence[float]) -> str:
    """Return ``median (min - max)``, or the one value there is."""
    text = short(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({short(min(values))} - {short(max(values))})"


@dataclass(frozen=True)
class Aim:
    """What a figure should be: at least, or at most, so much."""

    least: float | None = None
    most: float | None = None

    def text(self) -> str:
        """Return it in words; nothing where there is none."""
        if self.least is not None:
            return f">= {self.least:,g}"
        return "" if self.most is None else f"<= {self.most:,g}"

    def verdict(self, value: float) -> str:
        """Return whether a figure meets it; nothing where there is none."""
        if self.least is None and self.most is None:
            return ""
        return "yes" if (self.least or 0) <= value <= (math.inf if self.most is None else self.most) else "**no**"


@dataclass
class Table:
    """One table of the report, and the sentences under it."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return it as Markdown."""
        lines = [f"## {self.title}", "", _line(self.columns), _line(["---"] * len(self.columns))]
        lines += [_line(row) for row in self.rows]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes)]).rstrip() + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
