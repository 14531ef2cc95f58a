"""How early, and how well, a trend foresees the day on which a battery falls below 75 %."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

from app.rules.detectors import Reading
from app.rules.detectors.levels import Level
from app.rules.detectors.trend import Trend
from evaluation.batteries import by_definition
from evaluation.tables import DAY_MS, cells, share, table

_WINDOWS_DAYS = (30, 60, 120, 240)
_LEADS = ((1, 10), (11, 30), (31, 100), (101, 300), (301, 1_000))
_LEVEL = Level("below", 75.0, 1, 0)


class _Guess(NamedTuple):
    lead: int
    error: float | None = None
    inside: bool = False
    has_end: bool = False


def judged(folder: Path) -> tuple[str, bool] | None:
    """Return the section; nothing can be wrong in it. None without data."""
    ageing = {}
    for cell, readings in cells(folder).items():
        crossings = by_definition([(reading.at_ms // DAY_MS, reading.value) for reading in readings])
        if crossings:
            ageing[cell] = (readings, crossings[0][0] - 2)
    if not ageing:
        return None
    lines = []
    for window in _WINDOWS_DAYS:
        guesses = [guess for readings, crossing in ageing.values() for guess in _guesses(readings, crossing, window)]
        by_lead: dict[tuple[int, int], list[_Guess]] = defaultdict(list)
        for guess in guesses:
            lead = next((lead for lead in _LEADS if lead[0] <= guess.lead <= lead[1]), None)
            if lead is not None:
                by_lead[lead].append(guess)
        lines += [[str(window), f"{lead[0]} to {lead[1]}", *_told(by_lead[lead])] for lead in _LEADS]
    head = [
        "window, days",
        "lead, days",
        "guesses",
        "no date foreseen",
        "median error, days",
        "middle half of the errors, days",
        "90 % interval holds the day",
        "no end",
    ]
    text = f"""## When a battery will fall below 75 %

The {len(ageing)} cells above that do fall. On each day from the moment the window is half full, the trend (`detector: trend`,
at least 10 readings) is asked for the day on which the first of three readings in a row is below 75 %; error: foreseen less
true. A lead of 30 days is a month before. *No end*: the interval has no latest day.

{table(head, lines)}

Cells age in their own way: far ahead, the slope of today says little of that day, and the interval says so by having no end.
"""
    return text, False


def _guesses(readings: list[Reading], crossing: int, window: int) -> list[_Guess]:
    trend = Trend(None, _LEVEL, window * DAY_MS, 10)
    found = []
    for reading in readings:
        lead = crossing - reading.at_ms // DAY_MS
        if lead <= 0:
            break
        trend.memory.add(reading, True)
        if trend.value(reading) is None:
            continue
        prediction = trend.prediction()
        if prediction is None:
            found.append(_Guess(lead))
            continue
        ends = prediction.latest_ms
        inside = prediction.earliest_ms <= crossing * DAY_MS and (ends is None or crossing * DAY_MS <= ends)
        found.append(_Guess(lead, prediction.at_ms / DAY_MS - crossing, inside, ends is not None))
    return found


def _told(guesses: list[_Guess]) -> list[str]:
    errors = sorted(guess.error for guess in guesses if guess.error is not None)
    if not errors:
        return [str(len(guesses)), share(len(guesses), len(guesses)), "–", "–", "–", "–"]
    half = f"{errors[len(errors) // 4]:+.0f} to {errors[3 * len(errors) // 4]:+.0f}"
    inside = sum(guess.inside for guess in guesses)
    endless = sum(guess.error is not None and not guess.has_end for guess in guesses)
    missing = len(guesses) - len(errors)
    return [
        str(len(guesses)),
        share(missing, len(guesses)),
        f"{median(errors):+.0f}",
        half,
        share(inside, len(errors)),
        share(endless, len(errors)),
    ]
