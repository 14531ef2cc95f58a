"""Streams that are made up, by pattern. Weights were set on ``SETTING`` alone; ``JUDGING`` holds other programs and other habits.

Each is told by somebody who really is elsewhere, with what the phone told before; how careful they are is drawn: whether the
mock flag shows, what stands in the fields beside the position, what kind of app tells it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import cos, pi, radians, sin
from typing import Any, NamedTuple

from app.core.geo import Position
from app.positions.datum import Datum, from_wgs84
from app.positions.fixes import Fix
from app.positions.signals.trace import Known, Sighting, Target
from evaluation.phones import BEGIN_MS, SHIFTED, Moment, measure, place
from evaluation.ways import car, desk, walk

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


class Case(NamedTuple):
    """A batch, and what is known beside it."""

    batch: list[Fix]
    known: Known


class Liar:
    """Somebody at home who wants to be at a site: what the phone told before, and how it tells what is made up.

    Attributes:
        dice: what is drawn from.
        home: where the person is.
        site: where the person wants to be.
        before: what the phone told truly, up to some minutes ago.
        begin_ms: when the made-up stream begins.
    """

    def __init__(self, dice: random.Random, home: Position) -> None:
        """Draw the person and how careful they are."""
        self.dice, self.home = dice, home
        self.site = place(home, *(dice.choice([-1, 1]) * dice.uniform(2_000, 40_000) for _ in range(2)))
        self.kind = dice.choice(["android"] * 5 + ["map kit"] * 3 + ["ios", "bare"])
        self.before = measure(dice, home, dice.choice([walk, desk])(dice), self.kind)[-200:]
        self.begin_ms = self.before[-1].at_ms + round(dice.uniform(30, 1_800)) * 1000
        self._shows = dice.random() < 0.5
        self._accuracy = dice.choice([1.0, 5.0, 0.0, None])
        self._altitude = dice.choice([0.0, 0.0, 20.0, None])
        self._drives = dice.random() < 0.4

    def tell(self, way: Sequence[tuple[float, Position]], decimals: int | None = 7, begin_ms: int | None = None) -> list[Fix]:
        """Return the fixes of (seconds, position in WGS-84), in the fields of the app."""
        begin = self.begin_ms if begin_ms is None else begin_ms
        last = self.before[-1]
        fixes = []
        for number, (at_s, true) in enumerate(way, 1):
            label = Datum.GCJ02 if self.kind == "map kit" else Datum.WGS84
            shown = from_wgs84(true, label, SHIFTED)
            given = shown if decimals is None else Position(round(shown.lat, decimals), round(shown.lon, decimals))
            at_ms = begin + round(at_s * 1000)
            fix = Fix(at_ms, given, label)
            if self.kind != "bare":
                accuracy = self.dice.uniform(4, 20) if self._accuracy is None else self._accuracy
                fix = fix._replace(
                    accuracy_m=round(accuracy, 1),
                    altitude_m=None if self.kind == "map kit" else self._altitude,
                    speed_mps=round(self.dice.uniform(0.5, 2), 2) if self._drives else 0.0,
                    heading_deg=0.0,
                    sequence=(last.sequence or 0) + number,
                    provider=None if self.kind == "ios" else "gps",
                    is_mock=None if self.kind == "ios" else self._shows,
                    monotonic_ms=None if last.monotonic_ms is None else last.monotonic_ms + at_ms - last.at_ms,
                )
            fixes.append(fix)
        return fixes

    def known(self, begin_ms: int | None = None, **more: Any) -> Known:
        """Return what the server knows beside the batch."""
        now_ms = (self.begin_ms if begin_ms is None else begin_ms) + _HOUR_MS
        sighting = Sighting(self.home, 20_000.0) if self.dice.random() < 0.5 else None
        known = Known(self.before, (), now_ms, now_ms, sighting, Target(self.site, 200.0), SHIFTED)
        return known._replace(**more)


def _pinned(liar: Liar) -> Case:
    """The site's own coordinates, again and again."""
    count = liar.dice.choice([1, 3, 20, 60, 120])
    return Case(liar.tell([(10.0 * i, liar.site) for i in range(count)]), liar.known())


def _line(liar: Liar) -> Case:
    """A joystick: straight through the site at a steady pace."""
    pace, turn, every = liar.dice.uniform(1, 12), liar.dice.uniform(0, 2 * pi), liar.dice.choice([1.0, 5.0, 10.0])
    way = [
        (i * every, place(liar.site, pace * i * every * sin(turn), pace * i * every * cos(turn)))
        for i in range(round(liar.dice.uniform(150, 900) / every))
    ]
    return Case(liar.tell(way, liar.dice.choice([6, 7, None])), liar.known())


def _circle(liar: Liar) -> Case:
    """Round the site."""
    radius, pace, every = liar.dice.uniform(15, 120), liar.dice.uniform(1, 6), liar.dice.choice([1.0, 5.0])
    way = [
        (i * every, place(liar.site, radius * sin(pace * i * every / radius), radius * cos(pace * i * every / radius)))
        for i in range(round(liar.dice.uniform(200, 600) / every))
    ]
    return Case(liar.tell(way, liar.dice.choice([6, 7, None])), liar.known())


def _replay(liar: Liar) -> Case:
    """The stream of another day at the site, with new times."""
    old = measure(liar.dice, liar.site, liar.dice.choice([walk, car])(liar.dice), liar.kind, BEGIN_MS - 2 * _DAY_MS)
    shift = liar.begin_ms - old[0].at_ms
    batch = [fix._replace(at_ms=fix.at_ms + shift) for fix in old]
    return Case(batch, liar.known(before=[*old, *liar.before]))


def _there_and_back(liar: Liar) -> Case:
    """For ten minutes at the site, with noise as of a receiver, then at home again."""
    there = measure(liar.dice, liar.site, desk(liar.dice)[:20], "android", liar.begin_ms)
    back = measure(liar.dice, liar.home, desk(liar.dice)[:20], "android", there[-1].at_ms + 60_000)
    shows = liar.dice.random() < 0.5
    batch = [*(fix._replace(is_mock=shows, monotonic_ms=None, sequence=None) for fix in there), *back]
    return Case([fix._replace(monotonic_ms=None, sequence=None) for fix in batch], liar.known())


def _rounded(liar: Liar) -> Case:
    """A walk on coordinates of four decimals."""
    way = [(one.at_s, place(liar.site, one.east_m, one.north_m)) for one in walk(liar.dice)]
    return Case(liar.tell(way[:100], 4), liar.known())


def _script(liar: Liar) -> Case:
    """A program that sends a morning at once: times are made up, the monotonic clock and the numbers are its own."""
    told = liar.tell([(60.0 * i, place(liar.site, liar.dice.gauss(0, 5), liar.dice.gauss(0, 5))) for i in range(60)])
    hurried = [fix._replace(monotonic_ms=10**8 + 3 * i) for i, fix in enumerate(told)]
    return Case(hurried, liar.known(phone_now_ms=told[0].at_ms))


def _colleague(liar: Liar) -> Case:
    """What a colleague's phone at the site told at that time."""
    theirs = measure(liar.dice, liar.site, walk(liar.dice), liar.kind, liar.begin_ms)
    return Case([fix._replace(at_ms=fix.at_ms + liar.dice.randrange(2_000)) for fix in theirs], liar.known(others=theirs))


def _jittered(liar: Liar) -> Case:
    """The site's coordinates with a throw of dice on top of each."""
    count, wide = liar.dice.choice([1, 5, 60, 120]), liar.dice.uniform(3, 25)
    way = [(10.0 * i, place(liar.site, liar.dice.uniform(-wide, wide), liar.dice.uniform(-wide, wide))) for i in range(count)]
    return Case(liar.tell(way), liar.known())


def _route(liar: Liar) -> Case:
    """A route planned on a map, driven at a steady pace from home to the site, corner to corner."""
    pace, every = liar.dice.uniform(8, 16), liar.dice.choice([2.0, 5.0, 10.0])
    way, at, here = [], 0.0, (0.0, 0.0)
    for _ in range(8):
        turn, length = radians(liar.dice.choice([0, 90, 180, 270]) + liar.dice.gauss(0, 10)), liar.dice.uniform(300, 1_500)
        steps = round(length / (pace * every))
        for _ in range(steps):
            here = (here[0] + pace * every * sin(turn), here[1] + pace * every * cos(turn))
            at += every
            way.append((at, place(liar.home, *here)))
    return Case(liar.tell(way, 6), liar.known())


def _figure(liar: Liar) -> Case:
    """An ellipse or an eight round the site."""
    wide, high, lap, eight = (
        liar.dice.uniform(40, 300),
        liar.dice.uniform(20, 200),
        liar.dice.uniform(120, 400),
        liar.dice.choice([1, 2]),
    )
    every = liar.dice.choice([1.0, 5.0])
    turns = [(i * every, 2 * pi * i * every / lap) for i in range(round(600 / every))]
    way = [(at, place(liar.site, wide * sin(turn), high * cos(turn / eight))) for at, turn in turns]
    return Case(liar.tell(way, liar.dice.choice([6, None])), liar.known())


def _moved_replay(liar: Liar) -> Case:
    """A way of another day, moved to the site and played faster or slower."""
    old = measure(liar.dice, liar.home, liar.dice.choice([walk, car])(liar.dice), liar.kind, BEGIN_MS - 3 * _DAY_MS)
    pace = liar.dice.choice([0.5, 1.0, 2.0])
    off = (liar.site.lat - liar.home.lat, liar.site.lon - liar.home.lon)
    batch = [
        fix._replace(
            at_ms=liar.begin_ms + round((fix.at_ms - old[0].at_ms) / pace),
            given=Position(fix.given.lat + off[0], fix.given.lon + off[1]),
        )
        for fix in old
    ]
    return Case(batch, liar.known(before=[*old, *liar.before]))


def _emulator(liar: Liar) -> Case:
    """An emulator on a desk: it shows itself by nothing but the numbers that were typed in, and where its network is."""
    typed = Position(round(liar.site.lat, 3), round(liar.site.lon, 3))
    batch = [
        Fix(liar.begin_ms + 1000 * i, typed, Datum.WGS84, 5.0, "gps", 0.0, 0.0, 5.0, 900 + i, 40_000 + 1000 * i, False)
        for i in range(liar.dice.choice([1, 5, 300]))
    ]
    return Case(batch, liar.known(network=Sighting(place(liar.home, 900_000.0, 0.0), 50_000.0)))


def _snapped(liar: Liar) -> Case:
    """A walk from lamp post to lamp post: points of a map 0.0005 degrees apart."""
    way = [(one.at_s, place(liar.site, one.east_m, one.north_m)) for one in walk(liar.dice)][:60]
    way = [(at, Position(round(here.lat / 0.0005) * 0.0005, round(here.lon / 0.0005) * 0.0005)) for at, here in way]
    return Case(liar.tell(way, 9), liar.known())


def _clock_set_back(liar: Liar) -> Case:
    """Really at the site, in the evening: the clock is set back for the visit, and once more for the next one."""
    late = measure(liar.dice, liar.site, [Moment(30.0 * i, 0.0, 0.0) for i in range(40)], "android", liar.begin_ms + 8 * _HOUR_MS)
    batch = [fix._replace(at_ms=fix.at_ms - (6 * _HOUR_MS if i < 20 else 7 * _HOUR_MS) * (i > 3)) for i, fix in enumerate(late)]
    now_ms = batch[-1].at_ms + 60_000
    return Case(batch, liar.known(arrived_ms=late[-1].at_ms + 60_000, phone_now_ms=now_ms))


def _partner(liar: Liar) -> Case:
    """Every stretch of another phone's stream but a few, with times and accuracies of its own."""
    theirs = measure(liar.dice, liar.site, liar.dice.choice([walk, car])(liar.dice), liar.kind, liar.begin_ms)
    mine = [fix for i, fix in enumerate(theirs) if i % 20 < 15]
    batch = [fix._replace(at_ms=fix.at_ms + 7_000, accuracy_m=liar.dice.uniform(4, 20), monotonic_ms=None) for fix in mine]
    return Case(batch, liar.known(others=theirs))


def _map_numbers(liar: Liar) -> Case:
    """One fix with the numbers a Chinese map shows for the site, told as WGS-84."""
    shown = from_wgs84(liar.site, Datum.GCJ02, SHIFTED)
    told = liar.tell([(0.0, place(liar.site, 0.0, 0.0))], 6)
    return Case(
        [fix._replace(given=Position(round(shown.lat, 6), round(shown.lon, 6)), datum=Datum.WGS84) for fix in told], liar.known()
    )


def _every_day(liar: Liar) -> Case:
    """One fix, with the digits of the check-ins before."""
    spot = place(liar.site, liar.dice.gauss(0, 30), liar.dice.gauss(0, 30))
    old = [fix for day in (3, 2, 1) for fix in liar.tell([(0.0, spot)], 6, liar.begin_ms - day * _DAY_MS)]
    return Case(liar.tell([(0.0, spot)], 6), liar.known(before=[*old, *liar.before]))


def _careful(liar: Liar) -> Case:
    """A program that knows all of this: noise as of a receiver, no flag, times that fit, a ride to the site before."""
    way = car(liar.dice)
    batch = measure(liar.dice, liar.home, way, "android", liar.begin_ms)
    return Case([fix._replace(monotonic_ms=None, sequence=None) for fix in batch], liar.known(network=None))


Pattern = Callable[[Liar], Case]

SETTING: dict[str, Pattern] = {
    "pinned": _pinned,
    "line": _line,
    "circle": _circle,
    "replay": _replay,
    "there and back": _there_and_back,
    "rounded": _rounded,
    "script": _script,
    "colleague's stream": _colleague,
}
JUDGING: dict[str, Pattern] = {
    "jittered pin": _jittered,
    "planned route": _route,
    "ellipse or eight": _figure,
    "moved replay": _moved_replay,
    "emulator": _emulator,
    "snapped to a map": _snapped,
    "clock set back": _clock_set_back,
    "partner's stream": _partner,
    "numbers of a map": _map_numbers,
    "same spot each day": _every_day,
    "careful": _careful,
}
