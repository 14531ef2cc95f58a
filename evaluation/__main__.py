"""``python -m evaluation DATA``: the default battery rule on laboratory cells, one reading a day, in order and shuffled."""

from __future__ import annotations

import csv
import random
import sys
from collections import defaultdict
from functools import partial
from pathlib import Path

from app.rules.defaults import DEFAULT_RULES
from app.rules.detectors import DETECTORS, Episode, Reading, State, fold_new
from app.rules.documents import read_document
from app.rules.parts import Context

_DAY_MS = 86_400_000
_SEED = 20_260


def main(argv: list[str]) -> int:
    """Print a table of what the rule says of each cell; skip with a reason where the data is not there."""
    folder = Path(argv[0]) if argv else None
    files = [folder / name / "cells.csv" for name in ("battery_nasa", "battery_lab")] if folder else []
    present = [path for path in files if path.exists()]
    if not present:
        print("skipped: name a folder that holds battery_nasa/cells.csv or battery_lab/cells.csv, as in: make eval DATA=<folder>")
        return 0
    print(f"default battery rule, one reading a day; shuffled with seed {_SEED}")
    print("| cell | readings | first below 75 % | alarm at | alarms | shuffled the same |")
    print("| --- | --- | --- | --- | --- | --- |")
    differing = 0
    for path in present:
        for cell, readings in _cells(path).items():
            differing += _judge(cell, readings)
    return 1 if differing else 0


def _cells(path: Path) -> dict[str, list[Reading]]:
    cells: dict[str, list[Reading]] = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            cycle = int(row["cycle"])
            cells[row["cell_id"]].append(Reading(cycle * _DAY_MS, f"{cycle:06}", float(row["soh_pct"])))
    return cells


def _judge(cell: str, readings: list[Reading]) -> bool:
    """Print a cell's row; tell whether shuffled delivery ended differently."""
    settings = read_document(DEFAULT_RULES["battery-health"]).settings(Context())
    until = readings[-1].at_ms + _DAY_MS
    in_order = DETECTORS["threshold"](State(), sorted(readings), settings, until).episodes
    known: list[Reading] = []
    state: State | None = None
    episodes: tuple[Episode, ...] = ()
    shuffled = random.Random(_SEED).sample(readings, len(readings))
    for start in range(0, len(shuffled), 200):
        new = shuffled[start : start + 200]
        known = sorted([*known, *new])
        folded, afresh = fold_new("threshold", settings, state, new, partial(list, known), until)
        state, episodes = folded.state, folded.episodes if afresh else episodes
    same = episodes == in_order
    below = next((reading.key for reading in sorted(readings) if reading.value < 75.0), "–").lstrip("0")
    raised = ", ".join(str(episode.raised_at_ms // _DAY_MS) for episode in in_order) or "–"
    print(f"| {cell} | {len(readings)} | {below} | {raised} | {len(in_order)} | {'yes' if same else 'NO'} |")
    return not same


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
