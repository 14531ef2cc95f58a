"""How early, and how well, a trend foresees the day on which a battery falls below 75 %."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import NamedTuple

from app.core.locales import EN, LOCALES, ZH
from app.rules.detectors import Reading
from app.rules.detectors.levels import Level
from app.rules.detectors.trend import Trend
from evaluation.batteries import by_definition
from evaluation.tables import DAY_MS, Section, cells, share, table

_WINDOWS_DAYS = (30, 60, 120, 240)
_LEADS = ((1, 10), (11, 30), (31, 100), (101, 300), (301, 1_000))
_LEVEL = Level("below", 75.0, 1, 0)


_WORDS = {
    EN: {
        "head": "window, days|lead, days|guesses|no date foreseen|median error, days|middle half of the errors, days"
        "|90 % interval holds the day|no end",
        "to": "{} to {}",
        "text": """\
The {cells} cells above that do fall. On each day from the moment the window is half full, the trend (`detector: trend`,
at least 10 readings) is asked for the day on which the first of three readings in a row is below 75 %; error: foreseen less
true. A lead of 30 days is a month before. *No end*: the interval has no latest day.

{table}

Cells age in their own way: far ahead, the slope of today says little of that day, and the interval says so by having no end.
""",
    },
    ZH: {
        "head": "窗口（天）|提前（天）|预测次数|无法预见|误差中位数（天）|误差的中间一半（天）|90 % 区间包含该日|区间无终点",
        "to": "{} 至 {}",
        "text": """\
对象是上一节中确实跌破 75 % 的 {cells} 个电芯。自窗口填满一半起，每天都由趋势（`detector: trend`，至少 10 条读数）预测：
连续三条低于 75 % 的读数，其第一条会出现在哪一天。误差为预见的日期减去真实日期；“提前 30 天”即在一个月之前预测。
“区间无终点”：区间没有最晚的一天。

{table}

电芯的老化各不相同：时间离得越远，今天的斜率越说明不了那一天；区间没有终点，正是承认这一点。
""",
    },
}


class _Guess(NamedTuple):
    lead: int
    error: float | None = None
    inside: bool = False
    has_end: bool = False


def judged(folder: Path) -> Section:
    """Hold what trends foresee against the days on which cells fell; nothing can be wrong in it."""
    ageing = {}
    for cell, readings in cells(folder).items():
        crossings = by_definition([(reading.at_ms // DAY_MS, reading.value) for reading in readings])
        if crossings:
            ageing[cell] = (readings, crossings[0][0] - 2)
    found: dict[tuple[int, tuple[int, int]], list[_Guess]] = defaultdict(list)
    for window in _WINDOWS_DAYS:
        for readings, crossing in ageing.values():
            for guess in _guesses(readings, crossing, window):
                for lead in _LEADS:
                    if lead[0] <= guess.lead <= lead[1]:
                        found[window, lead].append(guess)
    texts = {}
    for locale in LOCALES:
        words = _WORDS[locale]
        lines = [
            [str(window), words["to"].format(*lead), *_told(found[window, lead], locale)]
            for window in _WINDOWS_DAYS
            for lead in _LEADS
        ]
        texts[locale] = words["text"].format(cells=len(ageing), table=table(words["head"].split("|"), lines))
    return Section(texts)


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


def _told(guesses: list[_Guess], locale: str) -> list[str]:
    errors = sorted(guess.error for guess in guesses if guess.error is not None)
    if not errors:
        return [str(len(guesses)), share(len(guesses), len(guesses), locale), "–", "–", "–", "–"]
    half = _WORDS[locale]["to"].format(f"{errors[len(errors) // 4]:+.0f}", f"{errors[3 * len(errors) // 4]:+.0f}")
    inside = sum(guess.inside for guess in guesses)
    endless = sum(guess.error is not None and not guess.has_end for guess in guesses)
    missing = len(guesses) - len(errors)
    return [
        str(len(guesses)),
        share(missing, len(guesses), locale),
        f"{median(errors):+.0f}",
        half,
        share(inside, len(errors), locale),
        share(endless, len(errors), locale),
    ]
