"""Machines: does an average over half a day, beyond a level, foretell that a component fails?"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from app.rules.detectors import DETECTORS, Reading, State
from app.rules.parts import Context
from evaluation.tables import rows, rule, share, table

# Levels set by eye on every second machine; judged on the others.
_RULES = {
    "volt": ("1", {"above": 178.0}, {"at_most": 174.0}),
    "rotate": ("2", {"below": 405.0}, {"at_least": 420.0}),
    "pressure": ("3", {"above": 113.0}, {"at_most": 106.0}),
    "vibration": ("4", {"above": 45.0}, {"at_most": 42.0}),
}
_HOUR_MS = 3_600_000


def judged(folder: Path) -> tuple[str, bool] | None:
    """Return the section; nothing can be wrong in it. None without data."""
    path = folder / "machines_pdm" / "telemetry_windows.csv"
    if not path.exists():
        return None
    windows: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows(path):
        windows[row["window_id"]].append(row)
    order = {machine: i for i, machine in enumerate(sorted({window[0]["machine_id"] for window in windows.values()}, key=int))}
    lines = []
    for metric, (component, raising, clearing) in _RULES.items():
        for side in (1, 0):
            some = [window for window in windows.values() if order[window[0]["machine_id"]] % 2 == side]
            lines.append([metric, component, "set" if side else "judged", *_told(some, metric, component, raising, clearing)])
    head = ["metric", "component", "machines", "failures foretold", "hours ahead, median", "alarms without that failure"]
    text = f"""## Machines

Azure predictive-maintenance sample: {len(windows)} windows of about 26 hourly samples, of which about half end in the failure
of a component. Rule: `detector: window`, mean of the last 12 h from 6 readings on, beyond a level. Levels were set by eye on
every second machine and are judged on the others. The data is simulated, and cleaner than machines are.

{table(head, lines)}
"""
    return text, False


def _told(
    windows: list[list[dict[str, str]]], metric: str, component: str, raising: dict[str, float], clearing: dict[str, float]
) -> list[str]:
    document = rule(detector="window", metric=metric, aggregate="avg", over_h=12, least=6, raise_if=raising, clear_if=clearing)
    settings = document.settings(Context())
    foretold, ahead, failures, quiet, false = 0, [], 0, 0, 0
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
    return [share(foretold, failures), f"{median(ahead):.0f}" if ahead else "–", share(false, quiet)]


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
