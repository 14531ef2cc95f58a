"""Several ingest writers on one database at once: does throughput hold, and who waits for whom."""

from __future__ import annotations

import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy.exc import OperationalError

from app.core.db import Database
from app.core.settings import Settings
from bench.figures import Table, short, spread
from bench.fleet import Fleet
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.load import METRICS, RULE_METRIC, Expected, Made, Traffic, message
from bench.probe import Probe
from iot.ingest import Message, ingest_batch

_BATCH = 500
_TRIES = 20
_TIMEOUT_S = 120.0


@dataclass
class Shift:
    """The batches of one writer."""

    database: Database
    batches: list[list[Made]] = field(default_factory=list)


@dataclass
class Figures:
    """What one database gave, by number of writers; what was retried, over all rounds."""

    rates: dict[int, list[float]] = field(default_factory=lambda: {1: [], 4: []})
    retried: Counter[str] = field(default_factory=Counter)
    expected: list[Expected] = field(default_factory=list)
    raising: list[str] = field(default_factory=list)


def measure(lab: Lab, fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every message was stored exactly once and every alarm raised."""
    batches, rounds = (3, 1) if quick else (6, 3)
    table = Table(
        "4. Four ingest writers at once",
        (
            "database",
            "1 writer msg/s (min / median / max)",
            "4 writers msg/s (min / median / max)",
            "ratio",
            "4 writers rows/s",
            "lock errors retried",
            "deadlocks",
            "lost",
            "doubled",
        ),
    )
    good = True
    for kind in KINDS:
        row, kept = _database(lab, fleets[kind], kind, batches, rounds)
        table.rows.append(row)
        good &= kept
    table.notes = [
        f"Threads of one process that call `iot.ingest.ingest_batch`, each with its own connection and its own devices: "
        f"{batches} batches of {_BATCH} messages with {len(METRICS)} readings each, and one alarm in every batch, so that order "
        f"numbers, stock, counters and the change counter are shared; {rounds} round(s), 1 and 4 writers in turn.",
        "A lock error is an OperationalError of the database (deadlock, lock time-out, database is locked); its batch is done "
        "again, as the ingest process does. Deadlocks as PostgreSQL counts them.",
    ]
    return table, good


def _database(lab: Lab, fleet: Fleet, kind: str, batches: int, rounds: int) -> tuple[tuple[str, ...], bool]:
    url = lab.database(kind)
    settings = lab.settings(url)
    shares = [fleet.road[i::4] for i in range(4)]
    traffic = [Traffic(share, int(time.time() * 1000) - 3_600_000, step_ms=40) for share in shares]
    ill = iter(fleet.ill)
    found = Figures()
    databases = [Database(url, pool_size=2) for _ in range(4)]
    with Probe(url) as probe:
        try:
            for _ in range(rounds):
                for writers in (1, 4):
                    shifts = [
                        Shift(databases[i], [_batch(traffic[i], next(ill), found) for _ in range(batches)])
                        for i in range(writers)
                    ]
                    found.rates[writers].append(_together(settings, shifts, found))
            lost, doubled = probe.compare(found.expected, "bench-road-%")
            raised = {row[0] for row in probe.rows("SELECT subject_id FROM alarms")}
            deadlocks = probe.deadlocks()
        finally:
            for database in databases:
                database.close()
    not_raised = [device_id for device_id in found.raising if fleet.packs[device_id] not in raised]
    one, four = statistics.median(found.rates[1]), statistics.median(found.rates[4])
    return (
        DATABASE_NAMES[kind],
        spread(found.rates[1]),
        spread(found.rates[4]),
        short(four / one),
        short(four * len(METRICS)),
        ", ".join(f"{n} x {what}" for what, n in found.retried.items()) or "0",
        str(deadlocks) if kind == "postgresql" else "-",
        f"{lost}" + (f" and {len(not_raised)} alarms" if not_raised else ""),
        str(doubled),
    ), lost == doubled == 0 and not not_raised


def _batch(traffic: Traffic, ill: str, found: Figures) -> list[Made]:
    """Return one batch whose last message raises an alarm."""
    made = traffic.take(_BATCH - 1)
    found.expected += [reading for one in made for reading in one.readings]
    found.raising.append(ill)
    return [*made, message(ill, 2, int(time.time() * 1000), {RULE_METRIC: 74.0})]


def _together(settings: Settings, shifts: list[Shift], found: Figures) -> float:
    """Let the writers work through their batches at once; return messages a second."""
    gate = threading.Barrier(len(shifts) + 1, timeout=_TIMEOUT_S)
    faults: list[Exception] = []

    def work(shift: Shift) -> None:
        gate.wait()
        try:
            for batch in shift.batches:
                _store(shift.database, settings, batch, found.retried)
        except Exception as fault:  # noqa: BLE001 - raised below, in the main thread
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(shift,), daemon=True) for shift in shifts]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join(_TIMEOUT_S)
    took = time.perf_counter() - began
    if faults:
        raise faults[0]
    if any(thread.is_alive() for thread in threads):
        raise TimeoutError(f"the writers did not end within {_TIMEOUT_S:.0f} s")
    return sum(len(batch) for shift in shifts for batch in shift.batches) / took


def _store(database: Database, settings: Settings, batch: list[Made], retried: Counter[str]) -> None:
    """Store one batch, trying again after a lock error."""
    received_ms = int(time.time() * 1000)
    messages = [Message(one.topic, one.payload, False, received_ms) for one in batch]
    for tries_left in reversed(range(_TRIES)):
        try:
            ingest_batch(database, settings, messages)
        except OperationalError as fault:
            if not tries_left:
                raise
            retried[type(fault.orig).__name__] += 1
            time.sleep(0.05)
        else:
            return
