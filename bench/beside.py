"""Ingest beside Node-RED: the same messages through the same kind of broker into the same kind of database, in turn."""

from __future__ import annotations

import contextlib
import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import select

from app.core.db import Database
from app.rules.models import Rule
from app.rules.operations import edit_rule
from app.rules.queries import version_of
from bench import node_red, setups
from bench.figures import Aim, Table, short, spread
from bench.fleet import ROAD, Fleet, fill, manager_of
from bench.lab import DATABASE_NAMES, KINDS, Lab, Running, mosquitto, wait_for
from bench.load import METRICS, RULE_METRIC, Made, Traffic, message
from bench.mqtt import Writer, publish_frames
from bench.probe import Probe

OURS, THEIRS = "Fieldloop", "Node-RED"
STEADY = 1_000
_TEMPLATE = "node-red"
_TIMEOUT_S = 120.0
_QUIET_S = 10.0
_TICK_S = 0.002


@dataclass
class Side:
    """One of the two while it runs.

    Attributes:
        keys: a query for the device and the key of each stored message, and its values.
        stored: tells how many messages are stored, cheaply.
        subscriptions: tells how often it has subscribed.
        start: starts its process.
    """

    port: int
    probe: Probe
    keys: tuple[str, tuple[str, ...]]
    stored: Callable[[], int]
    subscriptions: Callable[[], int]
    start: Callable[[], Running]
    running: Running
    subscribed_before_crash: int = 0

    def crash(self) -> None:
        """Kill its processes with SIGKILL and start it again; Node of a wheel is a child of a small starter."""
        self.subscribed_before_crash = self.subscriptions()
        os.killpg(self.running.pid, signal.SIGKILL)
        self.running.process.wait()
        self.running = self.start()


@dataclass
class Found:
    """What one side gave: messages a second, flat out; lost and doubled messages after a kill, by load."""

    rates: list[float] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    doubled: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def measure(lab: Lab, _fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether our side stored every message exactly once and both raised the alarm."""
    count, rounds = (1_500, 1) if quick else (5_000, 3)
    table = Table(
        "11. Ingest beside Node-RED",
        (
            "database",
            "side",
            "flat out msg/s (min / median / max)",
            "ratio",
            "ratio aimed at",
            "met",
            *(f"{what} after one kill -9, {when}" for when in _kills(count) for what in ("lost", "doubled")),
        ),
    )
    why_not = node_red.missing() or setups.USUAL["postgresql"].missing()
    if why_not:
        table.rows.append((why_not, *[""] * (len(table.columns) - 1)))
        return table, True
    good = True
    for kind in KINDS:
        fleet = lab.template(kind, lambda database: _fill(lab, database), _TEMPLATE)
        found = {OURS: Found(), THEIRS: Found()}
        _rates(lab, kind, fleet, count, rounds, found)
        for when, (messages, rate) in _kills(count).items():
            for name, side in _SIDES.items():
                with side(lab, kind) as running:
                    _kill(running, fleet, messages, rate, when, found[name])
        table.rows += [_row(kind, name, found) for name in found]
        ours = found[OURS]
        good &= not ours.faults and not any((*ours.lost.values(), *ours.doubled.values()))
        table.notes += [f"FAILED: {name} on {DATABASE_NAMES[kind]}: {fault}" for name in found for fault in found[name].faults]
        good &= not found[THEIRS].faults
    table.notes += _notes(count, rounds)
    return table, good


def _kills(count: int) -> dict[str, tuple[int, int | None]]:
    """Return how many messages are sent around a kill, and how many a second; None: as fast as the broker takes them."""
    return {f"{STEADY:,} msg/s": (count, STEADY), "flat out": (count, None)}


def _fill(lab: Lab, database: Database) -> Fleet:
    """Fill as ever, and let the battery's rule say what the flow says: three readings in a row, and no more comes of it."""
    fleet = fill(database, lab.settings(""))
    with database.transaction() as session:
        rule = session.scalars(select(Rule).where(Rule.code == "battery-health")).one()
        document = {name: value for name, value in version_of(session, rule).document.items() if name != "service"}
        document |= {"raise_if": {"below": 75.0, "readings": 3}, "clear_if": {"at_least": 78.0, "readings": 3}}
        edit_rule(session, manager_of(session), rule, {"document": document})
    return fleet


@contextlib.contextmanager
def _ours(lab: Lab, kind: str) -> Iterator[Side]:
    with contextlib.ExitStack() as kept, setups.run(lab, setups.Choice(kind, setups.MOSQUITTO), _TEMPLATE) as setup:
        probe = kept.enter_context(Probe(setup.url))
        before = probe.count("reading")
        keys = "SELECT device_id, message_key FROM telemetry WHERE metric = ? AND device_id LIKE ?"
        yield Side(
            setup.port,
            probe,
            (keys, (RULE_METRIC, "bench-road-%")),
            lambda: (probe.count("reading") - before) // len(METRICS),
            lambda: setup.yardstick.subscriptions("fieldloop-ingest-0"),
            lambda: kept.enter_context(setups.ingest(lab, setup.settings, setup.choice)),
            setup.ingests[0],
        )


@contextlib.contextmanager
def _theirs(lab: Lab, kind: str) -> Iterator[Side]:
    url = lab.empty(kind)
    node_red.make_tables(url)
    with contextlib.ExitStack() as kept, mosquitto(lab) as broker:
        folder = node_red.prepare(lab, broker.port, url)

        def start() -> Running:
            return kept.enter_context(node_red.process(lab, folder, url))

        running = start()
        wait_for("Node-RED's subscription", lambda: running.must_run() and broker.subscriptions(node_red.CLIENT_ID) > 0, 60, 0.1)
        probe = kept.enter_context(Probe(url))
        yield Side(
            broker.port,
            probe,
            ("SELECT device_id, message_key FROM readings", ()),
            lambda: int(probe.rows("SELECT count(*) FROM readings")[0][0]),
            lambda: broker.subscriptions(node_red.CLIENT_ID),
            start,
            running,
        )


_SIDES = {OURS: _ours, THEIRS: _theirs}


def _rates(lab: Lab, kind: str, fleet: Fleet, count: int, rounds: int, found: dict[str, Found]) -> None:
    """Let both sides store the same messages, in turn; at the end a device whose third low reading raises an alarm."""
    traffic, sent = Traffic(fleet.road, int(time.time() * 1000) - 3_600_000), list[Made]()
    with _ours(lab, kind) as ours, _theirs(lab, kind) as theirs:
        sides = {OURS: ours, THEIRS: theirs}
        for number in range(rounds):
            made = traffic.take(count)
            if number == rounds - 1:
                made += [_low(fleet.road[0], seq) for seq in range(3)]
            sent += made
            for name, side in sides.items():
                found[name].rates.append(_flat_out(side, made))
        for name, side in sides.items():
            lost, doubled = compare(side, sent)
            if lost or doubled:
                found[name].faults.append(f"{lost} lost, {doubled} doubled")
            query = "SELECT count(*) FROM alarms" + (" WHERE subject_id = ?" if name == OURS else " WHERE device_id = ?")
            device = fleet.road[0]
            alarms = side.probe.rows(query, (fleet.packs[device] if name == OURS else device,))
            if alarms != [(1,)]:
                found[name].faults.append(f"{alarms} alarms of the device with three low readings instead of one")


def _low(device_id: str, number: int) -> Made:
    return message(
        device_id,
        1_000_000 + number,
        int(time.time() * 1000) - 1_000 + number,
        {
            RULE_METRIC: 74.0,
            "soc_pct": 50.0,
            "pack_voltage_v": 350.0,
            "pack_temp_c": 20.0,
        },
    )


def _flat_out(side: Side, made: Sequence[Made]) -> float:
    """Return messages a second, first frame to last message stored."""
    wanted = side.stored() + len(made)
    with Writer(side.port, f"bench-beside-{wanted}") as writer:
        began = time.perf_counter()
        writer.publish(publish_frames([(one.topic, one.payload) for one in made]))
        wait_for("last message stored", lambda: side.running.must_run() and side.stored() >= wanted, _TIMEOUT_S, 0.02)
        return len(made) / (time.perf_counter() - began)


def _kill(side: Side, fleet: Fleet, count: int, rate: int | None, when: str, found: Found) -> None:
    """Kill a side once while messages come, start it again, and count what it has in the end."""
    made = Traffic(fleet.road, int(time.time() * 1000) - 3_600_000).take(count)
    frames = publish_frames([(one.topic, one.payload) for one in made])
    with Writer(side.port, "bench-kill") as writer:
        if rate is None:
            writer.publish(frames)
            wait_for("a third is stored", lambda: side.stored() >= count // 3, _TIMEOUT_S, 0.005)
            side.crash()
        else:
            _steadily(writer, frames, rate, side.crash)
    _wait_quiet(side, count)
    found.lost[when], found.doubled[when] = compare(side, made)


def _steadily(writer: Writer, frames: list[bytes], rate: int, crash: Callable[[], None]) -> None:
    """Publish so many a second, with a crash in the middle."""
    began, sent, crashed = time.monotonic(), 0, False
    while sent < len(frames):
        ready = min(len(frames), int((time.monotonic() - began) * rate))
        writer.offer(frames[sent:ready])
        sent = ready
        if sent > len(frames) // 2 and not crashed:
            crash()
            crashed = True
        writer.pump(_TICK_S)
    writer.wait(0)


def _wait_quiet(side: Side, count: int) -> None:
    """Wait until all is stored, or nothing more has been for a while since it subscribed again."""
    again = "its subscription after the crash"
    wait_for(again, lambda: side.running.must_run() and side.subscriptions() > side.subscribed_before_crash, _TIMEOUT_S, 0.1)
    before, changed = side.stored(), time.monotonic()
    while (stored := side.stored()) < count and time.monotonic() - changed < _QUIET_S:
        if stored != before:
            before, changed = stored, time.monotonic()
        time.sleep(0.1)


def compare(side: Side, sent: Sequence[Made]) -> tuple[int, int]:
    """Return how many of the messages that were sent a side has not, and how many it has more than once."""
    found = Counter(side.probe.rows(*side.keys))
    wanted = {one.readings[0][:2] for one in sent}
    return len(wanted - found.keys()), sum(times > 1 for times in found.values())


def _row(kind: str, name: str, found: dict[str, Found]) -> tuple[str, ...]:
    mine, middle = found[name], {side: statistics.median(one.rates) for side, one in found.items()}
    aim = Aim(least=1.0) if name == OURS else Aim()
    ratio = middle[name] / middle[THEIRS]
    ends = [str(counted[when]) for when in mine.lost for counted in (mine.lost, mine.doubled)]
    return (DATABASE_NAMES[kind], name, spread(mine.rates), short(ratio), aim.text(), aim.verdict(ratio), *ends)


def _notes(count: int, rounds: int) -> list[str]:
    return [
        f"{count:,} messages a round, {rounds} round(s), the sides in turn: the same messages of {ROAD} devices to a Mosquitto "
        "each, QoS 1, persistent session; first frame sent to last message stored.",
        "Node-RED: mqtt in, json, a function that counts readings below 75 in a row, insert; one row a message without a key "
        "or an index. SQLite: node-red-node-sqlite with a write-ahead log and synchronous=NORMAL. PostgreSQL: a function "
        "node with the `pg` client, prepared statements and ten connections, for lack of a node that works with it.",
        "Fieldloop: as in section 1, with the same rule; four rows a message under a unique key, synchronous=FULL on SQLite.",
        "Flat out and then kill -9: as soon as a third is stored, all messages acknowledged to the publisher. Started again at "
        f"once; counted when all is stored, or nothing more was for {_QUIET_S:.0f} s since it subscribed again. Each kill "
        "with new databases and brokers.",
        "At the end of the last round one device sends three low readings: both sides must have one alarm of it.",
    ]
