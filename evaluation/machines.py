"""Machines: does an average over half a day, beyond a level, foretell that a component fails?"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from app.core.locales import EN, LOCALES, ZH
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.parts import Context
from evaluation.tables import Section, rows, rule, share, table

# Levels set by eye on every second machine; judged on the others.
_RULES = {
    "volt": ("1", {"above": 178.0}, {"at_most": 174.0}),
    "rotate": ("2", {"below": 405.0}, {"at_least": 420.0}),
    "pressure": ("3", {"above": 113.0}, {"at_most": 106.0}),
    "vibration": ("4", {"above": 45.0}, {"at_most": 42.0}),
}
_HOUR_MS = 3_600_000


_WORDS = {
    EN: {
        "head": "metric|component|machines|failures foretold|hours ahead, median|alarms without that failure",
        "set": "set",
        "judged": "judged",
        "text": """\
Azure predictive-maintenance sample: {windows} windows of about 26 hourly samples, of which about half end in the failure
of a component. Rule: `detector: window`, mean of the last 12 h from 6 readings on, beyond a level. Levels were set by eye on
every second machine and are judged on the others. The data is simulated, and cleaner than machines are.

{table}
""",
    },
    ZH: {
        "head": "指标|部件|机器|预先告警的故障|提前小时数（中位数）|并无该故障的告警",
        "set": "设定",
        "judged": "评判",
        "text": """\
Azure 预测性维护示例数据：{windows} 个窗口，每个约 26 条逐小时样本，约一半以某个部件的故障结束。
规则为 `detector: window`：最近 12 小时至少 6 条读数的平均值越过某一水平。水平参照每隔一台的机器目测设定，再以其余机器评判。
数据是模拟的，比真实机器干净。

{table}
""",
    },
}


class _Outcome(NamedTuple):
    """How a rule did: failures it foretold, how many hours ahead, and alarms where that component did not fail."""

    foretold: int
    failures: int
    ahead_h: list[float]
    false: int
    quiet: int


def judged(folder: Path) -> Section:
    """Hold averages over half a day against failures; nothing can be wrong in it."""
    windows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(folder / "machines_pdm" / "telemetry_windows.csv"):
        windows[row["window_id"]].append(row)
    order = {machine: i for i, machine in enumerate(sorted({window[0]["machine_id"] for window in windows.values()}, key=int))}
    found = []
    for metric, (component, raising, clearing) in _RULES.items():
        for side in ("set", "judged"):
            some = [window for window in windows.values() if order[window[0]["machine_id"]] % 2 == (side == "set")]
            found.append((metric, component, side, _outcome(some, metric, component, raising, clearing)))
    texts = {}
    for locale in LOCALES:
        words = _WORDS[locale]
        lines = [[metric, component, words[side], *_told(one, locale)] for metric, component, side, one in found]
        texts[locale] = words["text"].format(windows=len(windows), table=table(words["head"].split("|"), lines))
    return Section(texts)


def _outcome(
    windows: list[list[dict[str, str]]], metric: str, component: str, raising: dict[str, float], clearing: dict[str, float]
) -> _Outcome:
    document = rule(detector="window", metric=metric, aggregate="avg", over_h=12, least=6, raise_if=raising, clear_if=clearing)
    settings = document.settings(Context())
    foretold, failures, quiet, false = 0, 0, 0, 0
    ahead: list[float] = []
    for window in windows:
        failed = [row for row in window if row["failure"] == component]
        until = _ms(failed[0]["ts"]) if failed else None
        readings = [
            Reading(_ms(row["ts"]), row["ts"], float(row[metric])) for row in window if until is None or _ms(row["ts"]) < until
        ]
        episodes = DETECTORS["window"](State(), readings, settings, 0).episodes if readings else ()
        failures += bool(failed)
        quiet += not failed
        if failed and episodes:
            foretold += 1
            ahead.append(((until or 0) - episodes[0].raised_at_ms) / _HOUR_MS)
        false += bool(episodes) and not failed
    return _Outcome(foretold, failures, ahead, false, quiet)


def _told(one: _Outcome, locale: str) -> list[str]:
    ahead = f"{median(one.ahead_h):.0f}" if one.ahead_h else "–"
    return [share(one.foretold, one.failures, locale), ahead, share(one.false, one.quiet, locale)]


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
