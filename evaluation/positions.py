"""Positions: made-up streams that are found and true ones that are suspected; stays and mileage of real tracks."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import hypot
from pathlib import Path
from statistics import median
from typing import NamedTuple

from app.core.geo import Position, rough_distance_m
from app.core.locales import EN, LOCALES
from app.positions.fixes import Fix
from app.positions.plausibility import WEIGHTS, Grade, Plausibility, assess
from app.positions.signals.trace import Known
from app.positions.signals.words import sentence
from app.positions.stays import RULE, movement
from evaluation.batches import genuine, made_up
from evaluation.phones import KINDS, measure
from evaluation.spoofs import JUDGING, SETTING, Case
from evaluation.stays import Agreement, Track, agreement, read_references, read_tracks
from evaluation.tables import Section, share, table
from evaluation.ways import WAYS, car, walk
from evaluation.words import NAMES, PLAUSIBILITY, STAYS

# Other seeds were drawn from while weights were set, of the patterns only those for setting, and while faults were mended.
SEED = 20_264
_TIMES = 60
_MILEAGE_TIMES = 20
_GOAL = 0.01
_BEIJING = Position(39.9087, 116.3975)


class Row(NamedTuple):
    """How batches of one kind were graded.

    Attributes:
        name: of the way or the pattern.
        grades: how often each was given.
        once: the same for the last fix of each batch alone, as a check-in.
        codes: how often each signal was seen.
    """

    name: str
    grades: Counter[Grade]
    once: Counter[Grade]
    codes: Counter[str]

    @property
    def batches(self) -> int:
        """How many there were."""
        return self.grades.total()

    @property
    def flagged(self) -> int:
        """How many were not clear."""
        return self.batches - self.grades[Grade.CLEAR]


class Figures(NamedTuple):
    """What the section on plausibility tells."""

    true: list[Row]
    flagged_receiver: Row
    real: list[Row]
    setting: list[Row]
    judging: list[Row]
    said: Mapping[str, Plausibility]


def plausibility(folder: Path) -> Section:
    """Grade batches, true ones and made-up ones; wrong if too many true ones are suspected."""
    said: dict[str, Plausibility] = {}
    figures = Figures(
        [_row(name, (genuine(name, _dice(name, i)) for i in range(_TIMES)), {}) for name in WAYS],
        _row("external receiver", (_external(_dice("external receiver", i)) for i in range(_TIMES)), {}),
        _real(read_tracks(folder)),
        [_row(name, (made_up(pattern, _dice(name, i)) for i in range(_TIMES)), said) for name, pattern in SETTING.items()],
        [_row(name, (made_up(pattern, _dice(name, i)) for i in range(_TIMES)), said) for name, pattern in JUDGING.items()],
        said,
    )
    wrong = any(_too_many(rows) for rows in (figures.true, figures.real))
    return Section({locale: _plausibility(figures, locale) for locale in LOCALES}, wrong)


def stays(folder: Path) -> Section:
    """Hold stays against another program's and mileage against the true one; nothing can be wrong in it."""
    tracks, references = read_tracks(folder), read_references(folder)
    found = [agreement(tracks, references[gap], gap) for gap in sorted(references, key=lambda gap: (gap is None, gap or 0))]
    mileage = [_mileage(name) for name in ("walk", "car")]
    return Section({locale: _stays(found, mileage, tracks, locale) for locale in LOCALES})


def _dice(name: str, number: int) -> random.Random:
    return random.Random(f"{SEED}-{name}-{number}")


def _row(name: str, cases: Iterable[Case], said: dict[str, Plausibility]) -> Row:
    row = Row(name, Counter(), Counter(), Counter())
    for case in cases:
        found = assess(case.batch, case.known)
        row.grades[found.grade] += 1
        row.codes.update(finding.code for finding in found.findings)
        last = max(case.batch, key=lambda fix: (fix.at_ms, fix.sequence or 0))
        row.once[assess([last], case.known).grade] += 1
        for finding in found.findings:
            said.setdefault(finding.code, found)
    return row


def _external(dice: random.Random) -> Case:
    """A true walk measured by a receiver outside of the phone, which Android marks as a program's."""
    case = genuine("walk", dice)
    return case._replace(batch=[fix._replace(is_mock=True) for fix in case.batch])


def _real(tracks: Mapping[Track, Sequence[Fix]]) -> list[Row]:
    whole = (Case(list(fixes), Known()) for fixes in tracks.values())
    return [
        _row("whole tracks", whole, {}),
        _row("batches of 60", _cut(tracks, 60, 60), {}),
        _row("check-ins of 3", _cut(tracks, 3, 30), {}),
    ]


def _cut(tracks: Mapping[Track, Sequence[Fix]], size: int, every: int) -> Iterator[Case]:
    for fixes in tracks.values():
        for i in range(0, len(fixes), every):
            yield Case(list(fixes[i : i + size]), Known(before=fixes[max(0, i - 200) : i]))


def _too_many(rows: Sequence[Row]) -> bool:
    return sum(row.flagged for row in rows) > _GOAL * sum(row.batches for row in rows)


def _mileage(name: str) -> tuple[str, int, float, float]:
    """Return how far off the mileage of generated ways is, and the sum of all hops instead: medians, in per cent."""
    ours, hops = [], []
    for i in range(_MILEAGE_TIMES):
        dice = _dice(f"mileage-{name}", i)
        way = {"walk": walk, "car": car}[name](dice)
        true_m = sum(hypot(b.east_m - a.east_m, b.north_m - a.north_m) for a, b in pairwise(way))
        fixes = measure(dice, _BEIJING, way, dice.choice(KINDS))
        found = movement(fixes, RULE._replace(least_ms=10**9))
        ours.append(100 * (sum(trip.distance_m for trip in found.trips) / true_m - 1))
        hops.append(100 * (_hops_m(fixes) / true_m - 1))
    return name, _MILEAGE_TIMES, median(ours), median(hops)


def _hops_m(fixes: Sequence[Fix]) -> float:
    return sum(rough_distance_m(a.given, b.given) for a, b in pairwise(fixes))


def _plausibility(figures: Figures, locale: str) -> str:
    words = PLAUSIBILITY[locale]
    true = [_told_true(row, locale) for row in [*figures.true, _sum("all of these", figures.true), figures.flagged_receiver]]
    real = [_told_true(row, locale) for row in figures.real]
    patterns = [
        [words[label], *_told_pattern(row, locale)]
        for label, rows, name in (("set", figures.setting, "all for setting"), ("judged", figures.judging, "all for judging"))
        for row in [*rows, _sum(name, rows)]
    ]
    signals = [
        [f"`{code}`", str(weight.points), _example(code, figures.said, locale)]
        for code, weight in sorted(WEIGHTS.items(), key=lambda one: (-one[1].points, one[0]))
    ]
    return words["text"].format(
        seed=SEED,
        times=_TIMES,
        true=table(words["true"].split("|"), true),
        real=table(words["true"].split("|"), real),
        patterns=table(words["pattern"].split("|"), patterns),
        signals=table(words["signal"].split("|"), signals),
    )


def _sum(name: str, rows: Sequence[Row]) -> Row:
    total = Row(name, Counter(), Counter(), Counter())
    for row in rows:
        total.grades.update(row.grades)
        total.once.update(row.once)
        total.codes.update(row.codes)
    return total


def _name(name: str, locale: str) -> str:
    return name if locale == EN else NAMES[name]


def _told_true(row: Row, locale: str) -> list[str]:
    doubtful, implausible = (f"{100 * row.grades[grade] / row.batches:.1f} %" for grade in (Grade.DOUBTFUL, Grade.IMPLAUSIBLE))
    once = sum(row.once[grade] for grade in (Grade.DOUBTFUL, Grade.IMPLAUSIBLE))
    return [_name(row.name, locale), str(row.batches), doubtful, implausible, f"{100 * once / row.batches:.1f} %"]


def _told_pattern(row: Row, locale: str) -> list[str]:
    most = ", ".join(f"`{code}`" for code, _ in sorted(row.codes.items(), key=lambda one: (-one[1], one[0]))[:3])
    once = row.once[Grade.DOUBTFUL] + row.once[Grade.IMPLAUSIBLE]
    shares = [f"{100 * part / row.batches:.0f} %" for part in (row.flagged, row.grades[Grade.IMPLAUSIBLE], once)]
    return [_name(row.name, locale), str(row.batches), *shares, most]


def _example(code: str, said: Mapping[str, Plausibility], locale: str) -> str:
    if code not in said:
        return "–"
    return next(sentence(one.code, one.facts, locale) for one in said[code].findings if one.code == code)


def _stays(
    found: Sequence[Agreement],
    mileage: Sequence[tuple[str, int, float, float]],
    tracks: Mapping[Track, Sequence[Fix]],
    locale: str,
) -> str:
    words = STAYS[locale]
    lines = [
        [
            words["staying"] if one.gap_min is None else words["ends"].format(minutes=one.gap_min),
            str(one.references),
            share(one.met, one.references, locale),
            str(one.found),
            share(one.agreed, one.found, locale),
            str(one.open_),
            f"{one.begin_off_s:.0f}",
            f"{one.end_off_s:.0f}",
        ]
        for one in found
    ]
    ways = [[_name(name, locale), str(count), f"{ours:+.1f} %", f"{hops:+.1f} %"] for name, count, ours, hops in mileage]
    return words["text"].format(
        fixes=sum(map(len, tracks.values())),
        tracks=len(tracks),
        stays=table(words["stay"].split("|"), lines),
        mileage=table(words["mileage"].split("|"), ways),
        times=_MILEAGE_TIMES,
        seed=SEED,
    )
