"""Ingest end to end against the broker's own pass-through: A B A B, the same writer, the same messages."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench import setups
from bench.figures import Table, short, spread
from bench.fleet import ROAD, Fleet
from bench.lab import KINDS, Lab, Mosquitto
from bench.load import METRICS, Expected, Made, Traffic
from bench.mqtt import Writer, publish_frames
from bench.probe import Probe

_TIMEOUT_S = 120.0
CHOICES = [
    setups.Choice(kind, broker, socket)
    for kind in KINDS
    for broker in (setups.MOSQUITTO, setups.EMBEDDED)
    for socket in setups.SOCKETS
]


@dataclass
class Rounds:
    """What the rounds of one set-up gave: messages a second, processor time a message."""

    passed: list[float] = field(default_factory=list)
    stored: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)


def measure(lab: Lab, fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every message was stored exactly once."""
    count, rounds = (2_000, 1) if quick else (10_000, 3)
    table = Table(
        "1. Ingest end to end at QoS 1",
        (
            "set-up",
            "Mosquitto pass-through msg/s (min / median / max)",
            "ingest msg/s (min / median / max)",
            "ratio of medians",
            "readings/s",
            "ingest CPU us/msg",
            "lost",
            "doubled",
        ),
    )
    good = True
    for choice in CHOICES:
        why_not = choice.missing()
        if why_not:
            table.rows.append((choice.name, why_not, *[""] * 6))
            continue
        row, kept = _setup(lab, fleets[choice.kind], choice, count, rounds)
        table.rows.append(row)
        good &= kept
    table.notes = [
        f"{count:,} messages a round of about 155 bytes with {len(METRICS)} readings each, {ROAD} devices in turn, "
        f"event time rising, 1 in 200 below the rule's level; {rounds} round(s), pass-through and ingest in turn.",
        "Pass-through: the same writer to Mosquitto, consumed by `mosquitto_sub -q 1`, which counts and keeps nothing.",
        "Ingest: first frame sent to last message committed by `python -m iot --shard 0`: decode, device, dedupe, store, latest, "
        "detectors, alarms, commit, acknowledge.",
        "plain, fast: how the ingest reads its connection, `FIELDLOOP_MQTT_SOCKET`.",
        "Mosquitto: no persistence, max_inflight_messages 2000, unlimited queue.",
    ]
    return table, good


def _setup(lab: Lab, fleet: Fleet, choice: setups.Choice, count: int, rounds: int) -> tuple[tuple[str, ...], bool]:
    start_ms = int(time.time() * 1000) - 3_600_000
    through, devices = Traffic(fleet.road, start_ms), Traffic(fleet.road, start_ms)
    found = Rounds()
    with setups.run(lab, choice) as setup, Probe(setup.url) as probe:
        before = probe.counts()
        for number in range(rounds):
            messages = through.take(count, "through")
            found.passed.append(pass_through(setup.yardstick, [(one.topic, one.payload) for one in messages], f"p{number}"))
            made = devices.take(count)
            found.expected += [reading for one in made for reading in one.readings]
            busy_s = setup.cpu_s()
            found.stored.append(store(setup, probe, made))
            found.cpu_us.append((setup.cpu_s() - busy_s) / count * 1e6)
        lost, doubled = probe.compare(found.expected, "bench-road-%")
        fates = {name: n - before.get(name, 0) for name, n in probe.counts().items()}
    strange = {name: n for name, n in fates.items() if n and name not in {"message", "reading", "duplicate"}}
    good = lost == doubled == 0 and not strange
    stored = statistics.median(found.stored)
    return (
        setup.name,
        spread(found.passed),
        spread(found.stored),
        short(stored / statistics.median(found.passed)),
        short(stored * len(METRICS)),
        short(statistics.median(found.cpu_us)),
        f"{lost}" + (f" ({strange})" if strange else ""),
        f"{doubled}" + (f" ({fates['duplicate']} readings came again)" if fates.get("duplicate") else ""),
    ), good


def pass_through(broker: Mosquitto, messages: list[tuple[str, bytes]], name: str) -> float:
    """Return how many messages a second Mosquitto hands through at QoS 1 from our writer to ``mosquitto_sub``."""
    program = shutil.which("mosquitto_sub")
    if program is None:
        raise FileNotFoundError("mosquitto_sub is not installed")
    frames = publish_frames(messages)
    where = ["-h", "127.0.0.1", "-p", str(broker.port), "-i", f"bench-sub-{name}", "-t", "through/#", "-q", "1"]
    reader = subprocess.Popen([program, *where, "-C", str(len(frames)), "-W", f"{_TIMEOUT_S:.0f}"], stdout=subprocess.DEVNULL)
    try:
        broker.wait_subscribed(f"bench-sub-{name}")
        with Writer(broker.port, f"bench-through-{name}") as writer:
            began = time.perf_counter()
            writer.publish(frames)
            code = reader.wait(_TIMEOUT_S)
            took = time.perf_counter() - began
    finally:
        reader.kill()
        reader.wait()
    if code != 0:
        raise RuntimeError(f"mosquitto_sub did not receive every message: it ended with code {code}")
    return len(frames) / took


def store(setup: setups.Setup, probe: Probe, made: Sequence[Made]) -> float:
    """Publish messages as fast as the broker takes them; return how many a second were committed, the last one included."""
    frames = publish_frames([(one.topic, one.payload) for one in made])
    wanted = probe.count("message") + len(frames)
    with Writer(setup.port, f"bench-devices-{wanted}") as writer:
        began = time.perf_counter()
        writer.publish(frames)
        setup.wait_stored(probe, wanted, _TIMEOUT_S)
        return len(frames) / (time.perf_counter() - began)
