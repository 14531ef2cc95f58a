"""Streams that tests begin with: a walk and a rest as a phone tells them, and what is planted in them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from app.core.geo import Position
from app.positions.fixes import Fix
from app.positions.plausibility import assess
from app.positions.regions import Region
from app.positions.signals.trace import Known
from evaluation.phones import Moment, measure, place

BEIJING = Position(39.911954, 116.377817)
NOON_MS = 1_772_424_000_000
SHIFTED = frozenset({Region.MAINLAND})


def walked(begin_ms: int = NOON_MS, origin: Position = BEIJING, seed: int = 7) -> list[Fix]:
    """Ten minutes' walk as a phone tells it, one fix each five seconds."""
    way = [Moment(5.0 * i, 5.0 * i, 3.0 * i, speed_mps=1.2, heading_deg=59.0) for i in range(120)]
    return measure(random.Random(seed), origin, way, "android", begin_ms)


def stood(count: int = 30, every_s: float = 10.0, **told: Any) -> list[Fix]:
    """A phone at rest, with a receiver's noise, from noon on."""
    way = [Moment(every_s * i, 0.0, 0.0) for i in range(count)]
    return [fix._replace(**told) for fix in measure(random.Random(8), BEIJING, way, "android", NOON_MS)]


def codes(batch: list[Fix], **known: Any) -> set[str]:
    return {finding.code for finding in assess(batch, Known(**known)).findings}


def every(**told: Any) -> Callable[[list[Fix]], list[Fix]]:
    return lambda fixes: [fix._replace(**told) for fix in fixes]


def told_again(fixes: list[Fix], **told: Any) -> list[Fix]:
    """The same two hours later."""
    return [fix._replace(at_ms=fix.at_ms + 7_200_000, sequence=None, monotonic_ms=None, **told) for fix in fixes]


def far_off(fixes: list[Fix]) -> list[Fix]:
    """The second half 50 km away."""
    half = len(fixes) // 2
    return [fix if i < half else fix._replace(given=place(fix.given, 50_000.0, 0.0)) for i, fix in enumerate(fixes)]


def drawn(fixes: list[Fix]) -> list[Fix]:
    return [fix._replace(given=place(BEIJING, 6.0 * i, 2.0 * i)) for i, fix in enumerate(fixes)]


def on_a_grid(fixes: list[Fix]) -> list[Fix]:
    return [fix._replace(given=Position(round(fix.given.lat, 4), round(fix.given.lon, 4))) for fix in fixes]


def set_back(fixes: list[Fix]) -> list[Fix]:
    """An hour, twice."""
    third = len(fixes) // 3
    return [fix._replace(at_ms=fix.at_ms - 3_600_000 * (i // third)) for i, fix in enumerate(fixes)]


def at_once(fixes: list[Fix]) -> list[Fix]:
    return [fix._replace(monotonic_ms=1_000_000 + 2 * i) for i, fix in enumerate(fixes)]


def with_network(fixes: list[Fix]) -> list[Fix]:
    """Every fifth fix once more by cells, 20 km away."""
    away = {"provider": "network", "accuracy_m": 900.0}
    cells = [fix._replace(given=place(fix.given, 20_000.0, 0.0), at_ms=fix.at_ms + 500, **away) for fix in fixes[::5]]
    return [*fixes, *cells]


_FROZEN = {"given": BEIJING, "accuracy_m": 5.0, "altitude_m": 30.0}

# Each signal with a genuine stream that does not show it, and what is planted in that.
SIGNALS: dict[str, tuple[Callable[[], list[Fix]], Callable[[list[Fix]], list[Fix]]]] = {
    "mock_flag": (stood, every(is_mock=True)),
    "accuracy_zero": (stood, every(accuracy_m=0.0)),
    "accuracy_coarse": (stood, every(accuracy_m=1_500.0)),
    "altitude_zero": (walked, every(altitude_m=0.0)),
    "speed_impossible": (walked, every(speed_mps=4_000.0)),
    "heading_impossible": (walked, every(heading_deg=361.0)),
    "null_island": (stood, every(given=Position(0.0, 0.0))),
    "grid_rounded": (walked, on_a_grid),
    "too_fast": (walked, far_off),
    "frozen": (lambda: stood(60), every(**_FROZEN)),
    "frozen_moving": (lambda: stood(60), every(**_FROZEN, speed_mps=1.4, heading_deg=9.0)),
    "noise_free": (walked, drawn),
    "clock_set": (stood, set_back),
    "clock_rushed": (stood, at_once),
    "sequence_contradicts": (stood, set_back),
    "network_far": (walked, with_network),
}
