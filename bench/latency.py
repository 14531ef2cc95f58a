"""From the publish of the reading that raises an alarm to the alarm committed, under a steady load."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from bench import setups
from bench.figures import Aim, Table, percentile, short
from bench.fleet import ROAD, Fleet
from bench.lab import Lab, wait_for
from bench.load import RULE_METRIC, Expected, Traffic, message
from bench.mqtt import Writer, publish_frames
from bench.probe import Probe


class Load(NamedTuple):
    """A steady load: messages and raising readings a second, how many alarms are timed, and the p99 aimed at."""

    rate: int
    alarm_rate: int
    alarms: int
    p99_ms: float


LOADS = (Load(1_000, 5, 150, 50), Load(5_000, 10, 100, 250))
_WARMING = 5
_POLL_S = 0.002
_TICK_S = 0.001
_WARM_UP_S = 1.0
_DRAIN_S = 150.0


@dataclass
class Watch:
    """Who published when, and which alarms were seen when. All in seconds of the monotonic clock."""

    sent: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    polls: list[float] = field(default_factory=list)
    newest: str = ""


def measure(lab: Lab, fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every alarm was raised."""
    table = Table(
        "2. Latency from publish to committed alarm",
        (
            "set-up",
            "load msg/s",
            "alarms",
            "p50 ms",
            "p99 ms",
            "p99 aimed at",
            "met",
            "max ms",
            "caught up after s",
            "ms between two polls (median, p99)",
        ),
    )
    good = True
    for kind in setups.KINDS:
        choice = setups.USUAL[kind]
        why_not = choice.missing()
        if why_not:
            table.rows.append((choice.name, why_not, *[""] * 8))
            continue
        for load in LOADS:
            alarms = 15 if quick else load.alarms
            row, complete = _setup(lab, fleets[kind], choice, load._replace(alarms=alarms))
            table.rows.append(row)
            good &= complete
    told = " and ".join(f"{load.rate:,} msg/s with {load.alarm_rate} alarms a second" for load in LOADS)
    table.notes = [
        f"In the background {told}, from {ROAD} devices; each alarm comes with its work order, station task, offer, coupon and "
        f"messages in the same transaction; the first {_WARMING} warm the process up and do not count.",
        "Caught up: the time from the last publish to the last commit. More than a second says that this machine cannot do the "
        "load; the latencies are then those of a growing queue.",
        "Seen by asking the alarms table from another connection about every 2 ms; the last column says how often really. "
        "A latency is up to one such interval too long, never too short.",
    ]
    return table, good


def _setup(lab: Lab, fleet: Fleet, choice: setups.Choice, load: Load) -> tuple[tuple[str, ...], bool]:
    seconds = _WARM_UP_S + (load.alarms + _WARMING) / load.alarm_rate + 1
    traffic = Traffic(fleet.road, int(time.time() * 1000) - 600_000, step_ms=1).take(int(load.rate * seconds))
    frames = publish_frames([(one.topic, one.payload) for one in traffic])
    ill = fleet.ill[: load.alarms + _WARMING]
    watch = Watch()
    with setups.run(lab, choice) as setup, Probe(setup.url) as probe, Writer(setup.port, "bench-latency") as writer:
        watch.newest = str(probe.rows("SELECT coalesce(max(id), '') FROM alarms")[0][0])
        took = _play(writer, probe, watch, frames, ill, load)
        wanted = {fleet.packs[device_id] for device_id in ill}
        ended = time.monotonic()
        wait_for("last alarms", lambda: _look(probe, watch) or wanted <= watch.seen.keys(), _DRAIN_S, _POLL_S)
        kept = _verify(probe, [reading for one in traffic for reading in one.readings])
        behind_s = time.monotonic() - ended
    late_ms = [(watch.seen[fleet.packs[device_id]] - watch.sent[device_id]) * 1000 for device_id in ill[_WARMING:]]
    gaps = [(after - before) * 1000 for before, after in zip(watch.polls, watch.polls[1:], strict=False)]
    p99, aim = percentile(late_ms, 99), Aim(most=load.p99_ms)
    return (
        setup.name,
        f"{len(frames) / took:,.0f}" + ("" if kept else " FAILED: not all stored"),
        f"{len(late_ms)}",
        short(percentile(late_ms, 50)),
        short(p99),
        aim.text(),
        aim.verdict(p99),
        short(max(late_ms)),
        short(behind_s),
        f"{short(statistics.median(gaps))}, {short(percentile(gaps, 99))}",
    ), kept


def _play(writer: Writer, probe: Probe, watch: Watch, frames: list[bytes], ill: list[str], load: Load) -> float:
    """Publish the background evenly and the raising readings in between, and look at the alarms; one thread."""
    began = time.monotonic()
    due = {device_id: began + i / load.alarm_rate + (_WARM_UP_S if i >= _WARMING else 0) for i, device_id in enumerate(ill)}
    waiting = list(ill)
    sent = 0
    while sent < len(frames) or waiting:
        present = time.monotonic()
        ready = min(len(frames), int((present - began) * load.rate))
        if ready > sent:
            writer.offer(frames[sent:ready])
            sent = ready
        if waiting and present >= due[waiting[0]]:
            device_id = waiting.pop(0)
            low = message(device_id, 2, int(time.time() * 1000), {RULE_METRIC: 74.0})
            writer.offer(publish_frames([(low.topic, low.payload)]))
            watch.sent[device_id] = time.monotonic()
        writer.pump(0)
        if not watch.polls or time.monotonic() - watch.polls[-1] >= _POLL_S:
            _look(probe, watch)
        time.sleep(_TICK_S)
    writer.wait(0)
    return time.monotonic() - began


def _look(probe: Probe, watch: Watch) -> bool:
    """Note the alarms that became visible since the last look. Always False, so that it can stand in a condition."""
    found = probe.rows("SELECT id, subject_id FROM alarms WHERE id > ? ORDER BY id", (watch.newest,))
    seen_at = time.monotonic()
    watch.polls.append(seen_at)
    for alarm_id, component_id in found:
        watch.seen.setdefault(component_id, seen_at)
        watch.newest = alarm_id
    return False


def _verify(probe: Probe, expected: list[Expected]) -> bool:
    """Wait a moment for the end of the background, then compare."""
    wanted = len(expected)
    query = "SELECT count(*) FROM telemetry WHERE device_id LIKE ?"
    wait_for("background stored", lambda: int(probe.rows(query, ("bench-road-%",))[0][0]) >= wanted, _DRAIN_S, 0.2)
    return probe.compare(expected, "bench-road-%") == (0, 0)
