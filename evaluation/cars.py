"""Cars: one log over eight years with irregular dates, and single reports of many owners."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from app.core.locales import EN, LOCALES, ZH
from app.rules.defaults import DEFAULT_RULES
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.detectors.levels import Level
from app.rules.detectors.trend import Prediction, Trend
from app.rules.documents import read_document
from app.rules.parts import Context
from evaluation.tables import DAY_MS, Section, rows, table

_WORDS = {
    EN: {
        "head": "on|state of health, %|earliest|expected|latest",
        "unforeseeable": "not foreseeable",
        "never": "never",
        "beyond": "beyond the calendar",
        "text": """\
One Nissan Leaf, {readings} readings from 2013 to 2021 (log of S. Fischer), which ends at {ends_at} % and goes up by
four to five points twice after fast charging: {alarms} alarms of the default rule. When it will fall below 75 %, foreseen
from the last two years at each reading (at least 6 readings):

{table}

Owners' reports (Plug In America survey): {reports} with a state of health, {low} of them below 75 %. Each is one
reading of one car, so {fired} of them raise: one sample never does.
""",
    },
    ZH: {
        "head": "日期|健康度（%）|最早|预计|最晚",
        "unforeseeable": "无法预见",
        "never": "无终点",
        "beyond": "超出日历范围",
        "text": """\
一辆日产聆风，2013 至 2021 年共 {readings} 条读数（S. Fischer 的记录），最后为 {ends_at} %，
其间两次在快充后回升四至五个百分点：默认规则产生 {alarms} 条告警。在每条读数处，根据此前两年的数据（至少 6 条）预测何时跌破 75 %：

{table}

车主报告（Plug In America 调查）：{reports} 份写有健康度，其中 {low} 份低于 75 %。每份只是一辆车的一条读数，
因此触发告警的有 {fired} 份：单个样本绝不会触发。
""",
    },
}


def judged(folder: Path) -> Section:
    """Run the default rule and a trend over the log, and the rule over each report; wrong if a single report raises."""
    readings = [_reading(row["date"], float(row["soh_pct"])) for row in rows(folder / "ev_leaf_log/leaf_soh_log.csv")]
    battery = read_document(DEFAULT_RULES["battery-health"]).settings(Context())
    alarms = DETECTORS["threshold"](State(), sorted(readings), battery, readings[-1].at_ms).episodes
    trend = Trend(None, Level("below", 75.0, 1, 0), 730 * DAY_MS, 6)
    foreseen: list[tuple[Reading, Prediction | None]] = []
    for reading in sorted(readings):
        trend.memory.add(reading, True)
        if trend.value(reading) is not None:
            foreseen.append((reading, trend.prediction()))
    reports = [float(row["soh"]) for row in rows(folder / "ev_leaf_survey/leaf_survey.csv") if row["soh"]]
    low = [value for value in reports if value < 75]
    fired = sum(bool(DETECTORS["threshold"](State(), [_reading("2019-01-01", value)], battery, 10**13).episodes) for value in low)
    texts = {}
    for locale in LOCALES:
        words = _WORDS[locale]
        texts[locale] = words["text"].format(
            readings=len(readings),
            ends_at=f"{readings[-1].value:.1f}",
            alarms=len(alarms),
            table=table(words["head"].split("|"), [_line(*one, words) for one in foreseen]),
            reports=len(reports),
            low=len(low),
            fired=fired,
        )
    return Section(texts, bool(fired))


def _line(reading: Reading, found: Prediction | None, words: dict[str, str]) -> list[str]:
    told = [words["unforeseeable"]] * 3
    if found is not None:
        ends = (found.earliest_ms, found.at_ms, found.latest_ms)
        told = [words["never"] if end is None else _day(end) or words["beyond"] for end in ends]
    return [_day(reading.at_ms) or words["beyond"], f"{reading.value:.1f}", *told]


def _reading(day: str, value: float) -> Reading:
    at_ms = (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY_MS
    return Reading(at_ms, day, value)


def _day(at_ms: int) -> str | None:
    try:
        return date.fromordinal(date(1970, 1, 1).toordinal() + at_ms // DAY_MS).isoformat()
    except (ValueError, OverflowError):
        return None
