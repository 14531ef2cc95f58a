"""Small folders in the form of the public data sets: a few published lines where their licence allows it, made-up ones else."""

from __future__ import annotations

import csv
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

# Published pairs, from the tests of gcoord (MIT): WGS-84, GCJ-02, BD-09.
PAIRS = (
    ("驻马店市", 33.0133556, 114.0164322, 33.0115324, 114.022306, 33.0176697, 114.0287781),
    ("邢台市", 37.0700925, 114.498916, 37.0705911, 114.5048503, 37.0766797, 114.5113116),
)
# Published cases, from the tests of eviltransform (MIT).
SHANGHAI = ("shanghai", "wgs84", "gcj02", 31.1774276, 121.5272106, 31.17530398364597, 121.531541859215, 1e-6)
BD_1 = ("bd-1", "bd09", "wgs84", 29.199786, 120.019809, 29.196131605295484, 120.00877901149691, 1e-6)
OUTSIDE = ("outside-china", "gcj02", "wgs84", 45.0, 183.0, 45.0, 183.0, 0.0)


def keep(path: Path, head: str, lines: list[Any]) -> None:
    """Write a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head.split(","), *lines])


def datums(folder: Path, pairs: Any = PAIRS, cases: Any = (SHANGHAI, BD_1, OUTSIDE)) -> Path:
    """Write gcj02_pairs."""
    head = "name,wgs84_lat,wgs84_lon,gcj02_lat,gcj02_lon,bd09_lat,bd09_lon"
    keep(folder / "gcj02_pairs/gcoord_cities.csv", head, list(pairs))
    head = "case,from,to,in_lat,in_lon,out_lat,out_lon,tolerance_deg"
    keep(folder / "gcj02_pairs/unit_cases.csv", head, list(cases))
    return folder


def cells(folder: Path) -> Path:
    """Write two laboratories' cells: one falls by 0.1 a day and is below 75 % from day 151 on, one stays at 90 %."""
    head = "cell_id,cycle,soh_pct"
    keep(folder / "battery_nasa/cells.csv", head, [("falls", day, f"{90 - day / 10:.1f}") for day in range(1, 181)])
    keep(folder / "battery_lab/cells.csv", head, [("stays", day, 90.0) for day in range(1, 41)])
    return folder


def cars(folder: Path) -> Path:
    """Write a car's log that falls by 1 every two months, and three owners' reports."""
    days = [date(2019, 1, 1) + timedelta(days=60 * i) for i in range(14)]
    keep(folder / "ev_leaf_log/leaf_soh_log.csv", "date,soh_pct", [(day.isoformat(), 90.0 - i) for i, day in enumerate(days)])
    keep(folder / "ev_leaf_survey/leaf_survey.csv", "report_id,soh", [("1", 93.5), ("2", 70.1), ("3", "")])
    return folder


def machines(folder: Path) -> Path:
    """Write two machines of a day each: one whose voltage rises before its first component fails, one that is well."""
    lines = []
    for machine, rises in (("1", True), ("2", False)):
        for hour in range(26):
            at = datetime(2015, 1, 1) + timedelta(hours=hour)  # noqa: DTZ001 the data set tells no zone
            volt = 220.0 if rises and hour >= 8 else 165.0
            failure = "1" if rises and hour == 25 else ""
            lines.append((machine, machine, at.isoformat(), volt, 450.0, 100.0, 40.0, failure))
    keep(folder / "machines_pdm/telemetry_windows.csv", "window_id,machine_id,ts,volt,rotate,pressure,vibration,failure", lines)
    return folder
