"""Reading public tables, and writing ours."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from app.core.locales import ZH
from app.rules.detectors import Reading
from app.rules.documents import Document, read_document

DAY_MS = 86_400_000


class Section(NamedTuple):
    """What a section says.

    Attributes:
        texts: by language, without the heading.
        wrong: whether the product fell short of what it promises.
    """

    texts: Mapping[str, str]
    wrong: bool = False


class SkippedError(Exception):
    """A section cannot be judged here; says why."""


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file."""
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def cells(folder: Path) -> dict[str, list[Reading]]:
    """Return the laboratory cells: one discharge a day, state of health in per cent of the first ones."""
    found: dict[str, list[Reading]] = {}
    for name in ("battery_nasa", "battery_lab"):
        path = folder / name / "cells.csv"
        for row in rows(path) if path.exists() else ():
            cycle = int(row["cycle"])
            found.setdefault(row["cell_id"], []).append(Reading(cycle * DAY_MS, f"{cycle:06}", float(row["soh_pct"])))
    return found


def rule(**document: Any) -> Document:
    """Return a rule of this evaluation."""
    return read_document({"name": {"zh-CN": "评估", "en": "Evaluation"}, "severity": "major"} | document)


def table(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown."""
    told = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in told)


def share(part: int, whole: int, locale: str) -> str:
    """Return a share in per cent with its counts."""
    if not whole:
        return "–"
    counts = f"（{part}/{whole}）" if locale == ZH else f" ({part} of {whole})"
    return f"{100 * part / whole:.0f} %{counts}"
