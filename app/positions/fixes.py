"""Fixes: what a phone tells of one moment, brought into one order whatever order it came in."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf
from typing import NamedTuple

from app.core.geo import Position
from app.positions.datum import Datum


class Fix(NamedTuple):
    """One position as a phone told it; whatever it did not tell is None.

    Attributes:
        at_ms: when it was measured, Unix ms by the phone's clock.
        given: the numbers as told, in degrees.
        datum: what the phone says they are relative to.
        accuracy_m: radius in metres within which the phone believes to be.
        provider: what found it: ``gps``, ``network``, ``fused``, or a word of the phone's own.
        speed_mps: metres a second; phones tell a negative number for "not known".
        heading_deg: degrees clockwise from north; a negative number for "not known".
        altitude_m: metres above the ellipsoid or the sea, as the phone has it.
        sequence: grows by one with each fix of an installation.
        monotonic_ms: ms since the phone was switched on, by a clock nobody can set.
        is_mock: whether the phone says that a program made the position up.
    """

    at_ms: int
    given: Position
    datum: Datum = Datum.UNKNOWN
    accuracy_m: float | None = None
    provider: str | None = None
    speed_mps: float | None = None
    heading_deg: float | None = None
    altitude_m: float | None = None
    sequence: int | None = None
    monotonic_ms: int | None = None
    is_mock: bool | None = None


def in_order(fixes: Iterable[Fix], but: Collection[Fix] = ()) -> list[Fix]:
    """Return fixes by time, each once, without those in ``but``: the same whatever order they came in. n log n."""
    return sorted(set(fixes).difference(but), key=_rank)


def by_instant(fixes: Iterable[Fix]) -> list[Fix]:
    """Return one fix for each instant, of several the most accurate; they must be in order."""
    found: list[Fix] = []
    for fix in fixes:
        if not found or fix.at_ms != found[-1].at_ms:
            found.append(fix)
        elif (fix.accuracy_m or inf) < (found[-1].accuracy_m or inf):
            found[-1] = fix
    return found


def as_measured(fixes: Iterable[Fix]) -> list[Fix]:
    """Return fixes that are in order by sequence number, where all have one: their times may have been set back meanwhile."""
    told = list(fixes)
    if any(fix.sequence is None for fix in told):
        return told
    return sorted(told, key=lambda fix: fix.sequence or 0)


def _rank(fix: Fix) -> tuple[object, ...]:
    numbers = (fix.accuracy_m, fix.speed_mps, fix.heading_deg, fix.altitude_m, fix.monotonic_ms, fix.is_mock)
    told = tuple(-inf if number is None else number for number in numbers)
    return (fix.at_ms, -1 if fix.sequence is None else fix.sequence, fix.given, fix.datum, fix.provider or "", told)
