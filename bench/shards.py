"""Two shards on two ingest processes against one: the same devices, brokers and databases of the same kind, in turn."""

from __future__ import annotations

import statistics
import time

from sqlalchemy import update

from app.assets.models import Device
from app.core.db import Database
from bench import setups
from bench.figures import Table, short, spread
from bench.fleet import ROAD, Fleet, fill
from bench.ingest import store
from bench.lab import KINDS, Lab
from bench.load import METRICS, Expected, Traffic
from bench.probe import Probe

_TEMPLATE = "two-shards"


def measure(lab: Lab, fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every message was stored exactly once."""
    count, rounds = (1_500, 1) if quick else (10_000, 3)
    table = Table(
        "8. Two shards against one",
        (
            "set-up",
            "1 ingest msg/s (min / median / max)",
            "2 ingests msg/s (min / median / max)",
            "ratio of medians",
            "deadlocks",
            "lost",
            "doubled",
        ),
    )
    good = True
    for kind in KINDS:
        choice = setups.Choice(kind, setups.MOSQUITTO)
        why_not = choice.missing()
        if why_not:
            table.rows.append((choice.name, why_not, *[""] * 5))
            continue
        lab.template(kind, lambda database: _fill(lab, database), _TEMPLATE)
        row, kept = _setup(lab, fleets[kind], choice, count, rounds)
        table.rows.append(row)
        good &= kept
    table.notes = [
        f"{count:,} messages a round with {len(METRICS)} readings each, of {ROAD} devices, flat out; half of the devices belong "
        f"to each shard, or all to one; {rounds} round(s), in turn, each side with a database and a Mosquitto of its own.",
        "Publisher, broker and database share the processors with the ingests: on two of them, two ingests cannot be twice as "
        "fast as one. On SQLite one writes at a time.",
    ]
    return table, good


def _fill(lab: Lab, database: Database) -> None:
    """Fill as ever, and give every other device to the second shard."""
    fleet = fill(database, lab.settings(""))
    with database.transaction() as session:
        session.execute(update(Device).where(Device.id.in_(fleet.road[1::2])).values(shard=1))


def _setup(lab: Lab, fleet: Fleet, choice: setups.Choice, count: int, rounds: int) -> tuple[tuple[str, ...], bool]:
    start_ms = int(time.time() * 1000) - 3_600_000
    two_shards = setups.Choice(choice.kind, choice.broker, shards=2)
    rates: tuple[list[float], list[float]] = ([], [])
    with (
        setups.run(lab, choice) as one,
        setups.run(lab, two_shards, _TEMPLATE) as two,
        Probe(one.url) as of_one,
        Probe(two.url) as of_two,
    ):
        sides = [(one, of_one, Traffic(fleet.road, start_ms)), (two, of_two, Traffic(fleet.road, start_ms, shards=2))]
        expected: list[list[Expected]] = [[], []]
        for _ in range(rounds):
            for side, (setup, probe, traffic) in enumerate(sides):
                made = traffic.take(count)
                expected[side] += [reading for message in made for reading in message.readings]
                rates[side].append(store(setup, probe, made))
        found = [probe.compare(expected[side], "bench-road-%") for side, (_, probe, _) in enumerate(sides)]
        deadlocks = of_two.deadlocks()
    lost, doubled = (sum(counted) for counted in zip(*found, strict=True))
    return (
        choice.name,
        *map(spread, rates),
        short(statistics.median(rates[1]) / statistics.median(rates[0])),
        str(deadlocks) if choice.kind == "postgresql" else "-",
        str(lost),
        str(doubled),
    ), lost == doubled == 0
