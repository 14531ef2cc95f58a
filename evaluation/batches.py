"""Batches to judge: true ones, with what befalls phones, and made-up ones; drawn with a seed."""

from __future__ import annotations

import random

from app.core.geo import Position
from app.positions.fixes import Fix
from app.positions.signals.trace import Known, Sighting, Target
from evaluation.phones import KINDS, SHIFTED, measure, place
from evaluation.spoofs import Case, Liar, Pattern
from evaluation.ways import WAYS

_CITIES = (
    Position(39.9087, 116.3975),
    Position(31.2304, 121.4737),
    Position(22.5431, 114.0579),
    Position(30.5728, 104.0668),
    Position(45.8038, 126.5350),
    Position(43.8256, 87.6168),
)


def genuine(name: str, dice: random.Random) -> Case:
    """Return a true batch: some of a way, with what went before, by any kind of phone, with what befalls phones."""
    origin = place(dice.choice(_CITIES), dice.uniform(-9_000, 9_000), dice.uniform(-9_000, 9_000))
    way, kind = WAYS[name](dice), dice.choice(KINDS)
    fixes = measure(dice, origin, way, kind)
    if name == "desk" and dice.random() < 0.5:
        fixes = _held(dice, fixes)
    fixes = _befallen(dice, fixes)
    size = dice.choice([1, 2, 5, 20, 100, len(fixes)])
    end = dice.randrange(min(size, len(fixes)), len(fixes) + 1)
    batch, before = fixes[max(0, end - size) : end], fixes[max(0, end - size - 500) : max(0, end - size)]
    yesterday = measure(dice, origin, way, kind, fixes[0].at_ms - 86_400_000) if dice.random() < 0.3 else []
    beside = measure(dice, origin, way, dice.choice(KINDS), fixes[0].at_ms) if dice.random() < 0.3 else []
    here = place(origin, way[end - 1].east_m, way[end - 1].north_m)
    # Carriers and VPNs lead traffic through other provinces.
    far = dice.uniform(200_000, 1_500_000) if dice.random() < 0.15 else dice.uniform(0, 30_000)
    now_ms = batch[-1].at_ms + dice.randrange(1_000, 90_000)
    skew_ms = dice.randrange(-9_000_000, 9_000_000) if dice.random() < 0.05 else dice.randrange(-5_000, 5_000)
    known = Known(
        before=[*yesterday, *before],
        others=beside,
        arrived_ms=now_ms + skew_ms,
        phone_now_ms=now_ms if kind != "bare" else None,
        network=Sighting(place(here, far, 0.0), 50_000.0) if dice.random() < 0.5 else None,
        target=Target(place(here, dice.gauss(0, 80), dice.gauss(0, 80)), 200.0) if dice.random() < 0.5 else None,
        shifted=SHIFTED,
    )
    return Case(batch, known)


def made_up(pattern: Pattern, dice: random.Random) -> Case:
    """Return a batch of a pattern."""
    return pattern(Liar(dice, place(dice.choice(_CITIES), dice.uniform(-9_000, 9_000), dice.uniform(-9_000, 9_000))))


def _held(dice: random.Random, fixes: list[Fix]) -> list[Fix]:
    """Return fixes whose position stands for a while, as receivers and systems hold it at rest."""
    held, found = fixes[0], []
    for fix in fixes:
        if dice.random() < 0.02:
            held = fix
        found.append(held._replace(at_ms=fix.at_ms, sequence=fix.sequence, monotonic_ms=fix.monotonic_ms))
    return found


def _befallen(dice: random.Random, fixes: list[Fix]) -> list[Fix]:
    """Return fixes after what befalls phones: a clock that is corrected, a monotonic clock that sleeps, a place given roughly."""
    luck = dice.random()
    middle = dice.randrange(len(fixes))
    if luck < 0.05:
        wrong = dice.randrange(-300_000, 300_000)
        return [fix._replace(at_ms=fix.at_ms + wrong) if i < middle else fix for i, fix in enumerate(fixes)]
    if luck < 0.10:
        return [fix if fix.monotonic_ms is None else fix._replace(monotonic_ms=fix.monotonic_ms // 4) for fix in fixes]
    if luck < 0.13:
        return [
            fix._replace(given=Position(round(fix.given.lat, 2), round(fix.given.lon, 2)), accuracy_m=2_000.0, provider=None)
            for fix in fixes
        ]
    return fixes
