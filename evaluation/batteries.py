"""The default battery rule on laboratory cells: held against its own definition, and delivered shuffled."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.core.locales import EN, LOCALES, ZH
from app.rules.defaults import DEFAULT_RULES
from app.rules.detectors import DETECTORS, Episode, Reading, State, fold_new
from app.rules.detectors.episodes import Keep, KnownAlarm, Raise, Withdraw, reconcile
from app.rules.documents import read_document
from app.rules.parts import Context
from evaluation.tables import DAY_MS, Section, cells, table

_SEED = 20_260
_BATCH = 20


_WORDS = {
    EN: {
        "head": "cell|readings|first below 75 %|by definition|alarm|cleared|false|missed|shuffled|withdrawn on the way",
        "same": "the same",
        "different": "DIFFERENT",
        "text": """\
Data: NASA PCoE battery data (Saha and Goebel 2007) and cells of HUST, TJU, XJTU and MIT/Toyota as collected by PINN4SOH; one
discharge a day. *By definition*: the day on which a reader with pencil and paper finds three readings in a row below 75 % that
span 24 hours. *Shuffled*: the same readings in batches of {batch}, in an order drawn with seed {seed}, end in the same alarms;
on the way, alarms that later data disproves are withdrawn.

{table}

{cells} cells; {wrong} differ from the definition or end otherwise when shuffled.
""",
    },
    ZH: {
        "head": "电芯|读数|首次低于 75 %|按定义|告警|解除|误报|漏报|打乱后|途中撤回",
        "same": "一致",
        "different": "不一致",
        "text": """\
数据：NASA PCoE 的电池数据（Saha 与 Goebel，2007），以及 PINN4SOH 汇集的 HUST、TJU、XJTU 与 MIT/Toyota 的电芯；
每天放电一次，表中的数字为第几天。“按定义”：仅凭规则的文字逐条核对，连续三条读数低于 75 %、且跨越 24 小时的那一天。
“打乱后”：同样的读数以种子 {seed} 打乱顺序，每批 {batch} 条送达，最终的告警应当一致；途中被后到数据推翻的告警会撤回。

{table}

共 {cells} 个电芯，其中 {wrong} 个与定义不符，或打乱后结果不同。
""",
    },
}


class _Outcome(NamedTuple):
    """What became of a cell: days on which it was first low, should raise, raised and cleared; and what shuffling changed."""

    cell: str
    readings: int
    below: int | None
    expected: list[int]
    raised: list[int]
    cleared: list[int]
    is_same: bool
    withdrawn: int
    wrong: bool


def judged(folder: Path) -> Section:
    """Hold the alarms of every cell against the rule's definition, in order and shuffled."""
    outcomes = [_judge(cell, readings) for cell, readings in cells(folder).items()]
    wrong = sum(one.wrong for one in outcomes)
    texts = {}
    for locale in LOCALES:
        words = _WORDS[locale]
        told = table(words["head"].split("|"), [_line(one, words) for one in outcomes])
        texts[locale] = words["text"].format(batch=_BATCH, seed=_SEED, table=told, cells=len(outcomes), wrong=wrong)
    return Section(texts, bool(wrong))


def _judge(cell: str, readings: Sequence[Reading]) -> _Outcome:
    settings = read_document(DEFAULT_RULES["battery-health"]).settings(Context())
    until = readings[-1].at_ms + DAY_MS
    in_order = DETECTORS["threshold"](State(), sorted(readings), settings, until).episodes
    spans = [(e.raised_at_ms // DAY_MS, e.cleared_at_ms and e.cleared_at_ms // DAY_MS) for e in in_order]
    defined = by_definition([(reading.at_ms // DAY_MS, reading.value) for reading in sorted(readings)])
    shuffled, withdrawn = _shuffled(readings, settings, until)
    same = shuffled == [(e.raised_at_ms, e.cleared_at_ms, e.count) for e in in_order]
    return _Outcome(
        cell,
        len(readings),
        next((reading.at_ms // DAY_MS for reading in sorted(readings) if reading.value < 75), None),
        [day for day, _ in defined],
        [day for day, _ in spans],
        [end for _, end in spans if end is not None],
        same,
        withdrawn,
        not same or spans != defined,
    )


def _line(one: _Outcome, words: dict[str, str]) -> list[str]:
    return [
        one.cell,
        str(one.readings),
        "–" if one.below is None else str(one.below),
        *(", ".join(map(str, days)) or "–" for days in (one.expected, one.raised, one.cleared)),
        str(len(set(one.raised) - set(one.expected))),
        str(len(set(one.expected) - set(one.raised))),
        words["same" if one.is_same else "different"],
        str(one.withdrawn),
    ]


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
