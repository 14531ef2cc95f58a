"""Cars: one log over eight years with irregular dates, and single reports of many owners."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from app.rules.defaults import DEFAULT_RULES
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.detectors.levels import Level
from app.rules.detectors.trend import Trend
from app.rules.documents import read_document
from app.rules.parts import Context
from evaluation.tables import DAY_MS, rows, table


def judged(folder: Path) -> tuple[str, bool] | None:
    """Return the section, and whether a single report raised an alarm; None without data."""
    log, survey = folder / "ev_leaf_log" / "leaf_soh_log.csv", folder / "ev_leaf_survey" / "leaf_survey.csv"
    if not log.exists() or not survey.exists():
        return None
    readings = [_reading(row["date"], float(row["soh_pct"])) for row in rows(log)]
    battery = read_document(DEFAULT_RULES["battery-health"]).settings(Context())
    alarms = DETECTORS["threshold"](State(), sorted(readings), battery, readings[-1].at_ms).episodes
    trend = Trend(None, Level("below", 75.0, 1, 0), 730 * DAY_MS, 6)
    lines = []
    for reading in sorted(readings):
        trend.memory.add(reading, True)
        if trend.value(reading) is not None:
            found = trend.prediction()
            told = ["not foreseeable"] * 3
            if found is not None:
                ends = (found.earliest_ms, found.at_ms, found.latest_ms)
                told = ["never" if end is None else _day(end) for end in ends]
            lines.append([_day(reading.at_ms), f"{reading.value:.1f}", *told])
    reports = [float(row["soh"]) for row in rows(survey) if row["soh"]]
    low = [value for value in reports if value < 75]
    fired = sum(bool(DETECTORS["threshold"](State(), [_reading("2019-01-01", value)], battery, 10**13).episodes) for value in low)
    ends_at = f"{readings[-1].value:.1f} %"
    text = f"""## Cars

One Nissan Leaf, {len(readings)} readings from 2013 to 2021 (log of S. Fischer), which ends at {ends_at} and goes up by
four to five points twice after fast charging: {len(alarms)} alarms of the default rule. When it will fall below 75 %, foreseen
from the last two years at each reading (at least 6 readings):

{table(["on", "state of health, %", "earliest", "expected", "latest"], lines)}

Owners' reports (Plug In America survey): {len(reports)} with a state of health, {len(low)} of them below 75 %. Each is one
reading of one car, so {fired} of them raise: one sample never does.
"""
    return text, bool(fired)


def _reading(day: str, value: float) -> Reading:
    at_ms = (date.fromisoformat(day) - date(1970, 1, 1)).days * DAY_MS
    return Reading(at_ms, day, value)


def _day(at_ms: int) -> str:
    try:
        return date.fromordinal(date(1970, 1, 1).toordinal() + at_ms // DAY_MS).isoformat()
    except (ValueError, OverflowError):
        return "beyond the calendar"
