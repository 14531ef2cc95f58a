"""Ways people truly go, and what receivers make of them: walks, cars, trains, flights, desks, lifts, tunnels, bad reception."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from math import cos, radians, sin

from evaluation.phones import Moment

Way = list[Moment]


def _go(
    dice: random.Random, legs: Iterator[tuple[float, float, float]], every_s: float, blur_m: float, start: Moment | None = None
) -> Way:
    """Return a way of legs (seconds, metres a second to reach, degrees to turn), driven second by second."""
    begin = start or Moment(0.0, 0.0, 0.0)
    at, east, north, speed, heading = (
        begin.at_s,
        begin.east_m,
        begin.north_m,
        begin.speed_mps,
        start.heading_deg if start else dice.uniform(0, 360),
    )
    altitude, due, way = begin.altitude_m, begin.at_s, []
    for seconds, wanted, turn in legs:
        heading += turn
        until = at + seconds
        while at < until:
            if at >= due:
                way.append(Moment(at, east, north, altitude, speed, heading % 360, blur_m))
                due = at + every_s
            gain = max(1.5, abs(wanted) * 0.02)
            speed += max(-gain, min(gain, wanted * dice.uniform(0.93, 1.07) - speed))
            heading += dice.gauss(0, 0.3)
            east += speed * sin(radians(heading))
            north += speed * cos(radians(heading))
            altitude += dice.gauss(0, 0.05)
            at += 1
    return way


def _every(dice: random.Random) -> float:
    return dice.choice([1.0, 2.0, 5.0, 10.0, 30.0])


def walk(dice: random.Random) -> Way:
    """Twenty minutes on foot, with turns and stops."""
    legs = ((dice.uniform(20, 120), dice.choice([1.4, 1.3, 1.5, 0.0]), dice.choice([-90, -30, 0, 30, 90])) for _ in range(18))
    return _go(dice, legs, _every(dice), dice.uniform(3, 10))


def car(dice: random.Random) -> Way:
    """Forty minutes in town and on a motorway, with red lights."""
    legs = (
        (dice.uniform(20, 180), dice.choice([0.0, 8.0, 14.0, 14.0, 33.0]), dice.choice([-90, 0, 0, 5, 90])) for _ in range(24)
    )
    return _go(dice, legs, _every(dice), dice.uniform(3, 8))


def ride(dice: random.Random) -> Way:
    """A car on a motorway whose cruise control holds the speed for half an hour."""
    legs = ((dice.uniform(200, 400), 33.0 + dice.uniform(-1, 1), dice.uniform(-2, 2)) for _ in range(6))
    return _go(dice, legs, dice.choice([1.0, 5.0, 10.0]), dice.uniform(2, 5))


def train(dice: random.Random) -> Way:
    """A fast train: to 345 km/h and back, through tunnels in which nothing is received."""
    legs = iter([(120.0, 20.0, 0.0), (1200.0, dice.uniform(83, 96), dice.uniform(-3, 3)), (300.0, 90.0, 2.0), (200.0, 0.0, 0.0)])
    way = _go(dice, legs, _every(dice), dice.uniform(4, 12))
    return _without(dice, way, dice.randrange(4), 240)


def flight(dice: random.Random) -> Way:
    """A flight: some phones are off from the runway on, some receive at the window all the way."""
    out = _go(dice, iter([(300.0, 8.0, 0.0), (60.0, 80.0, 0.0)]), 10.0, 6.0)
    speed, hours = dice.uniform(210, 300), dice.uniform(0.8, 3.0)
    air: Way = []
    if dice.random() < 0.5:
        legs = iter([(900.0, speed * 0.8, 20.0), (hours * 3600, speed, 3.0), (900.0, 80.0, 10.0)])
        eastward = out[-1]._replace(heading_deg=dice.uniform(60, 120))
        air = [one._replace(altitude_m=10_000.0) for one in _go(dice, legs, dice.choice([10.0, 60.0]), 20.0, eastward)]
        air = _without(dice, air[1:], 3, 1_500)
        last = air[-1]
    else:
        last = out[-1]._replace(at_s=out[-1].at_s + hours * 3600 + 2_000, east_m=out[-1].east_m + hours * 3600 * speed)
    landed = last._replace(at_s=last.at_s + 60, east_m=last.east_m + 2_000, speed_mps=20.0, altitude_m=20.0)
    return [*out, *air, *_go(dice, iter([(400.0, 8.0, 0.0), (300.0, 1.3, 60.0)]), 10.0, 8.0, landed)]


def desk(dice: random.Random) -> Way:
    """An hour on a desk; many receivers hold the position while they do not move."""
    every, blur = dice.choice([5.0, 30.0, 60.0]), dice.uniform(5, 25)
    return [Moment(i * every, 0.0, 0.0, blur_m=blur) for i in range(round(3600 / every))]


def lift(dice: random.Random) -> Way:
    """Into a tower, up by lift: first no reception, then a bad one."""
    way = _go(dice, iter([(200.0, 1.4, 20.0)]), 5.0, 5.0)
    last = way[-1]
    up = [
        last._replace(at_s=last.at_s + 90 + 5 * i, altitude_m=dice.uniform(60, 400), blur_m=dice.uniform(20, 60), speed_mps=0.0)
        for i in range(40)
    ]
    return [*way, *up]


def tunnel(dice: random.Random) -> Way:
    """A car through tunnels of one to five minutes; the first fixes after each are bad."""
    way = _without(dice, car(dice), 3, dice.uniform(60, 300))
    gaps = {i for i in range(1, len(way)) if way[i].at_s - way[i - 1].at_s > 45}
    return [one._replace(blur_m=60.0) if {i, i - 1} & gaps else one for i, one in enumerate(way)]


def dropped(dice: random.Random) -> Way:
    """A way on which reception is lost and single fixes lie up to five kilometres off."""
    way = _without(dice, dice.choice([walk, car])(dice), 4, 200)
    return [
        one._replace(east_m=one.east_m + dice.gauss(0, 1500), north_m=one.north_m + dice.gauss(0, 1500))
        if dice.random() < 0.01
        else one
        for one in way
    ]


def indoors(dice: random.Random) -> Way:
    """An hour indoors: Wi-Fi places, some of them a kilometre off for a while, among few fixes of the receiver."""
    way, off = [], (0.0, 0.0)
    for i in range(120):
        if dice.random() < 0.1:
            off = (dice.gauss(0, 600), dice.gauss(0, 600)) if dice.random() < 0.4 else (0.0, 0.0)
        inside = dice.random() < 0.8
        if inside:
            way.append(Moment(30.0 * i, *off, blur_m=dice.choice([15.0, 20.0, 40.0, 900.0]), provider="network"))
        else:
            way.append(Moment(30.0 * i, 0.0, 0.0, blur_m=dice.uniform(15, 60)))
    return way


def cold(dice: random.Random) -> Way:
    """A receiver that begins with the last place it knew, of yesterday, and is bad for half a minute."""
    way = dice.choice([walk, car, desk])(dice)
    far = dice.uniform(2_000, 900_000)
    stale = [one._replace(east_m=one.east_m + far) for one in way[: dice.randrange(1, 3)]]
    rest = [one._replace(blur_m=max(one.blur_m, 80 - 8 * i)) for i, one in enumerate(way[len(stale) :])]
    return [*stale, *rest]


def _without(dice: random.Random, way: Way, gaps: int, longest_s: float) -> Way:
    for _ in range(gaps):
        begin = dice.uniform(way[0].at_s + 30, max(way[-1].at_s - 30, way[0].at_s + 31))
        end = begin + dice.uniform(longest_s / 4, longest_s)
        way = [one for one in way if not begin < one.at_s < end] or way
    return way


WAYS: dict[str, Callable[[random.Random], Way]] = {
    "walk": walk,
    "car": car,
    "desk": desk,
    "dropped": dropped,
    "cruise": ride,
    "train": train,
    "flight": flight,
    "lift": lift,
    "tunnel": tunnel,
    "indoors": indoors,
    "cold start": cold,
}
