"""The default battery rule on laboratory cells: held against its own definition, and delivered shuffled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from app.rules.defaults import DEFAULT_RULES
from app.rules.detectors import DETECTORS, Episode, Reading, State, fold_new
from app.rules.detectors.episodes import Keep, KnownAlarm, Raise, Withdraw, reconcile
from app.rules.documents import read_document
from app.rules.parts import Context
from evaluation.tables import DAY_MS, cells, table

_SEED = 20_260
_BATCH = 20


def judged(folder: Path) -> tuple[str, bool] | None:
    """Return the section, and whether anything was wrong; None without data."""
    found = cells(folder)
    if not found:
        return None
    lines, wrong = [], 0
    for cell, readings in found.items():
        line, faulty = _judge(cell, readings)
        lines.append(line)
        wrong += faulty
    head = [
        "cell",
        "readings",
        "first below 75 %",
        "by definition",
        "alarm",
        "cleared",
        "false",
        "missed",
        "shuffled",
        "withdrawn on the way",
    ]
    text = f"""## The default battery rule

Data: NASA PCoE battery data (Saha and Goebel 2007) and cells of HUST, TJU, XJTU and MIT/Toyota as collected by PINN4SOH; one
discharge a day. *By definition*: the day on which a reader with pencil and paper finds three readings in a row below 75 % that
span 24 hours. *Shuffled*: the same readings in batches of {_BATCH}, in an order drawn with seed {_SEED}, end in the same alarms;
on the way, alarms that later data disproves are withdrawn.

{table(head, lines)}

{len(found)} cells; {wrong} differ from the definition or end otherwise when shuffled.
"""
    return text, bool(wrong)


def _judge(cell: str, readings: Sequence[Reading]) -> tuple[list[str], bool]:
    settings = read_document(DEFAULT_RULES["battery-health"]).settings(Context())
    until = readings[-1].at_ms + DAY_MS
    in_order = DETECTORS["threshold"](State(), sorted(readings), settings, until).episodes
    spans = [(e.raised_at_ms // DAY_MS, e.cleared_at_ms and e.cleared_at_ms // DAY_MS) for e in in_order]
    defined = by_definition([(reading.at_ms // DAY_MS, reading.value) for reading in sorted(readings)])
    shuffled, withdrawn = _shuffled(readings, settings, until)
    below = next((reading.at_ms // DAY_MS for reading in sorted(readings) if reading.value < 75), None)
    raised, expected = [day for day, _ in spans], [day for day, _ in defined]
    same = shuffled == [(e.raised_at_ms, e.cleared_at_ms, e.count) for e in in_order]
    line = [
        cell,
        str(len(readings)),
        _day(below),
        ", ".join(map(_day, expected)) or "–",
        ", ".join(map(_day, raised)) or "–",
        ", ".join(_day(end) for _, end in spans if end is not None) or "–",
        str(len(set(raised) - set(expected))),
        str(len(set(expected) - set(raised))),
        "the same" if same else "DIFFERENT",
        str(withdrawn),
    ]
    return line, not same or spans != defined


def by_definition(days: Sequence[tuple[int, float]]) -> list[tuple[int, int | None]]:
    """Return (raised, cleared) by the words of the rule alone: look back from each day at the readings that end there."""
    found: list[tuple[int, int | None]] = []
    begin = 0
    for i, (day, _) in enumerate(days):
        is_open = bool(found) and found[-1][1] is None
        run = 0
        while i - run >= begin and (days[i - run][1] >= 78 if is_open else days[i - run][1] < 75):
            run += 1
        if run >= 3 and day - days[i - run + 1][0] >= 1:
            if is_open:
                found[-1] = (found[-1][0], day)
            else:
                found.append((day, None))
            begin = i + 1
    return found


def _shuffled(readings: Sequence[Reading], settings: object, until_ms: int) -> tuple[list[tuple[int, int | None, int]], int]:
    """Return the alarms that stand after a shuffled delivery, and how many were withdrawn on the way."""
    order = random.Random(_SEED).sample(list(readings), len(readings))
    known: list[Reading] = []
    state: State | None = None
    alarms: dict[str, Episode] = {}
    withdrawn = 0
    for start in range(0, len(order), _BATCH):
        new = order[start : start + _BATCH]
        known = sorted([*known, *new])
        folded, afresh = fold_new("threshold", settings, state, new, partial(list, known), until_ms)
        state = folded.state
        standing = [
            KnownAlarm(name, e.raised_at_ms, e.cleared_at_ms) for name, e in alarms.items() if afresh or e.cleared_at_ms is None
        ]
        for step in reconcile(standing, folded.episodes):
            if isinstance(step, Withdraw):
                withdrawn += 1
                del alarms[step.alarm_id]
            elif isinstance(step, Keep):
                alarms[step.alarm_id] = step.episode
            elif isinstance(step, Raise):
                alarms[f"{start}-{len(alarms)}-{withdrawn}"] = step.episode
    return sorted((e.raised_at_ms, e.cleared_at_ms, e.count) for e in alarms.values()), withdrawn


def _day(day: int | None) -> str:
    return "–" if day is None else str(day)
