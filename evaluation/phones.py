"""Phones that measure: what a person's way looks like once a receiver has seen it, in the fields that kinds of phones fill in."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from math import cos, exp, radians, sqrt
from typing import NamedTuple

from app.core.geo import Position
from app.positions.datum import Datum, from_wgs84
from app.positions.fixes import Fix
from app.positions.regions import Region

BEGIN_MS = 1_772_424_000_000
SHIFTED = frozenset({Region.MAINLAND})
KINDS = ("android", "ios", "map kit", "bare", "zeros")
_DEGREE_M = 111_195.0
_WANDER_S = 40.0


class Moment(NamedTuple):
    """Where a person truly is.

    Attributes:
        at_s: seconds from the begin.
        east_m: from the origin of the track.
        north_m: as well.
        altitude_m: above the sea.
        speed_mps: over the ground.
        heading_deg: clockwise from north.
        blur_m: how far a receiver is off here, standard deviation.
        provider: ``gps``, or ``network`` where only cells and Wi-Fi are seen.
    """

    at_s: float
    east_m: float
    north_m: float
    altitude_m: float = 30.0
    speed_mps: float = 0.0
    heading_deg: float = 0.0
    blur_m: float = 4.0
    provider: str = "gps"


def place(origin: Position, east_m: float, north_m: float) -> Position:
    """Return the position so many metres east and north of an origin."""
    lat = origin.lat + north_m / _DEGREE_M
    return Position(lat, origin.lon + east_m / (_DEGREE_M * cos(radians(origin.lat))))


def measure(dice: random.Random, origin: Position, way: Sequence[Moment], kind: str, begin_ms: int = BEGIN_MS) -> list[Fix]:
    """Return what a phone of a kind tells of a way.

    A receiver's error wanders (a first-order Gauss-Markov process with a time constant of 40 s, as texts on GPS have it), with a
    little white noise on top; the accuracy it tells is about as good as it is.
    """
    boot_ms = dice.randrange(10**6, 10**9)
    first = dice.randrange(1, 10**5)
    fixes = []
    for number, (moment, east_m, north_m) in enumerate(_wandering(dice, way)):
        true = place(origin, east_m, north_m)
        at_ms = begin_ms + round(moment.at_s * 1000)
        fixes.append(
            _KINDS[kind](dice, moment, true, at_ms, boot_ms + round(moment.at_s * 1000) + dice.randrange(40), first + number)
        )
    return fixes


def _wandering(dice: random.Random, way: Sequence[Moment]) -> Iterator[tuple[Moment, float, float]]:
    east, north, last_s = dice.gauss(0, 1), dice.gauss(0, 1), way[0].at_s
    for moment in way:
        kept = exp(-(moment.at_s - last_s) / _WANDER_S)
        new = sqrt(1 - kept * kept)
        east, north = kept * east + new * dice.gauss(0, 1), kept * north + new * dice.gauss(0, 1)
        last_s = moment.at_s
        white = 0.08 * moment.blur_m
        yield (
            moment,
            moment.east_m + moment.blur_m * east + dice.gauss(0, white),
            moment.north_m + moment.blur_m * north + dice.gauss(0, white),
        )


def _android(dice: random.Random, moment: Moment, true: Position, at_ms: int, monotonic_ms: int, number: int) -> Fix:
    moves = moment.speed_mps > 0.3 and moment.provider == "gps"
    return Fix(
        at_ms + dice.randrange(40),
        Position(round(true.lat, 7), round(true.lon, 7)),
        Datum.WGS84,
        accuracy_m=round(moment.blur_m * dice.uniform(0.8, 1.6), 1),
        provider=moment.provider,
        speed_mps=round(max(0.0, dice.gauss(moment.speed_mps, 0.3)), 2) if moves else 0.0,
        heading_deg=round(dice.gauss(moment.heading_deg, 5) % 360, 1) if moves else None,
        altitude_m=round(dice.gauss(moment.altitude_m, 4), 1) if moment.provider == "gps" else None,
        sequence=number,
        monotonic_ms=monotonic_ms,
        is_mock=False,
    )


def _ios(dice: random.Random, moment: Moment, true: Position, at_ms: int, _monotonic_ms: int, number: int) -> Fix:
    moves = moment.speed_mps > 0.5 and moment.provider == "gps"
    return Fix(
        at_ms,
        true,
        Datum.WGS84,
        accuracy_m=next((one for one in (5.0, 10.0, 65.0, 165.0) if one >= moment.blur_m), 1414.0),
        speed_mps=max(0.0, dice.gauss(moment.speed_mps, 0.3)) if moves else -1.0,
        heading_deg=dice.gauss(moment.heading_deg, 5) % 360 if moves else -1.0,
        altitude_m=dice.gauss(moment.altitude_m, 3),
        sequence=number,
    )


def _map_kit(dice: random.Random, moment: Moment, true: Position, at_ms: int, monotonic_ms: int, number: int) -> Fix:
    shown = from_wgs84(true, Datum.GCJ02, SHIFTED)
    told = _android(dice, moment, true, at_ms, monotonic_ms, number)
    return told._replace(given=Position(round(shown.lat, 6), round(shown.lon, 6)), datum=Datum.GCJ02, altitude_m=None)


def _bare(_dice: random.Random, _moment: Moment, true: Position, at_ms: int, _monotonic_ms: int, _number: int) -> Fix:
    return Fix(at_ms, Position(round(true.lat, 6), round(true.lon, 6)), Datum.WGS84)


def _zeros(dice: random.Random, moment: Moment, true: Position, at_ms: int, monotonic_ms: int, number: int) -> Fix:
    """An app that fills in 0 for whatever it does not know."""
    told = _bare(dice, moment, true, at_ms, monotonic_ms, number)
    return told._replace(accuracy_m=0.0, altitude_m=0.0, speed_mps=0.0, heading_deg=0.0, sequence=number, is_mock=False)


_KINDS = {"android": _android, "ios": _ios, "map kit": _map_kit, "bare": _bare, "zeros": _zeros}
