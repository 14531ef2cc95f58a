"""What people ask of stored readings, over HTTP, and how much room a reading takes; at sizes up to a hundred million."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import insert, select, text

from app.core.clock import from_ms
from app.core.db import Database
from app.core.tracked import Tracked
from app.rules.models import Rule
from bench.figures import Aim, Table, percentile, short
from bench.fleet import Fleet, fill, manager_of
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.load import METRICS, RULE_METRIC
from bench.served import serve
from bench.stored import START_MS, History, put
from bench.web import Client
from iot.models import Alarm, DeviceLatest

_HOUR_MS = 3_600_000
_STEP_MS = 600_000
_ALARMS = 10
_SPAN_H = 72


@dataclass(frozen=True)
class Question:
    """One thing that is asked about a device. ``right``: tells whether the answer about the device at a place is right."""

    label: str
    path: Callable[[str], str]
    right: Callable[[int, dict[str, Any]], bool]
    aim: Aim


def measure(lab: Lab, _fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every answer was right."""
    table = Table(
        "10. Asking what is stored",
        (
            "what",
            "readings stored",
            *(f"{DATABASE_NAMES[kind]}{what}" for kind in KINDS for what in (" p50 ms", " p99 ms")),
            "p50 aimed at",
            "met",
        ),
    )
    faults: list[str] = []
    for readings in sizes(quick):
        found: dict[str, dict[str, tuple[float, float]]] = {}
        room = []
        for kind in KINDS:
            history, taken = lab.template(kind, lambda database, n=readings: _fill(lab, database, n), f"reads-{readings}")
            answers, wrong = _database(lab, lab.original(kind, f"reads-{readings}"), history, 20 if quick else 100)
            room.append(taken / readings)
            faults += [f"{DATABASE_NAMES[kind]}, {readings:,} readings: {fault}" for fault in wrong]
            for label, took_ms in answers.items():
                found.setdefault(label, {})[kind] = (percentile(took_ms, 50), percentile(took_ms, 99))
        for question in questions(history):
            times = found[question.label]
            slowest = max(times[kind][0] for kind in KINDS)
            cells = [short(ms) for kind in KINDS for ms in times[kind]]
            table.rows.append((question.label, f"{readings:,}", *cells, question.aim.text(), question.aim.verdict(slowest)))
        table.rows.append(("bytes a reading", f"{readings:,}", short(room[0]), "", short(room[1]), "", "", ""))
    table.notes = [f"FAILED: {fault}" for fault in faults] + [
        f"Whole requests to granian by a signed-in manager over one keep-alive connection, {20 if quick else 100} of each, "
        "about another device each time, after five that do not count.",
        f"500 devices, a message with {len(METRICS)} readings every 10 minutes, put straight into the table in the order of "
        "their time, with their latest values; SOAK=1 adds 10 and 100 million.",
        f"Range with a step: the roll-ups of {_SPAN_H} hours, computed from the readings. Alarms of an asset: {_ALARMS} each.",
        "Bytes: what PostgreSQL's table with its indexes, or SQLite's file, grew by, for each reading.",
    ]
    return table, not faults


def sizes(quick: bool) -> tuple[int, ...]:
    """Return how many readings are stored."""
    if quick:
        return (100_000,)
    return (1_000_000, 10_000_000, 100_000_000) if os.environ.get("SOAK") == "1" else (1_000_000,)


def questions(history: History) -> tuple[Question, ...]:
    """Return what is asked, and how its answers are checked."""
    last = history.each - 1
    since_ms = max(START_MS, (history.until_ms // _HOUR_MS - _SPAN_H) * _HOUR_MS)
    span = {"metric": RULE_METRIC, "since": from_ms(since_ms).isoformat(), "until": from_ms(history.until_ms).isoformat()}
    inside = sum(START_MS + n * _STEP_MS >= since_ms for n in range(history.each))

    def latest(place: int, answer: dict[str, Any]) -> bool:
        told = {one["metric"]: one["value"] for one in answer["items"]}
        return told == {row.metric: row.value for row in history.message(place, last)}

    def newest(place: int, answer: dict[str, Any]) -> bool:
        [row] = [row for row in history.message(place, last) if row.metric == RULE_METRIC]
        return len(answer["items"]) == min(100, inside) and answer["items"][0]["value"] == row.value

    return (
        Question("latest values of a device", lambda device: f"/devices/{device}/latest", latest, Aim(most=4)),
        Question(
            "newest 100 readings of a metric",
            lambda device: f"/devices/{device}/telemetry?{urlencode(span | {'limit': 100})}",
            newest,
            Aim(),
        ),
        Question(
            f"range of {_SPAN_H} h, step 1 h",
            lambda device: f"/devices/{device}/telemetry?{urlencode(span | {'resolution': 'hour', 'limit': 1000})}",
            lambda _, answer: sum(one["n"] for one in answer["rollups"]) == inside,
            Aim(),
        ),
        Question(
            "alarms of an asset",
            lambda device: f"/alarms?{urlencode({'asset_id': f'asset-{device}'})}",
            lambda _, answer: len(answer["items"]) == _ALARMS,
            Aim(most=4),
        ),
    )


def _fill(lab: Lab, database: Database, readings: int) -> tuple[History, int]:
    """Fill a database with so many readings; return what they are, and how many bytes they take."""
    fleet = fill(database, lab.settings(""))
    history = History(fleet.road, METRICS, readings // len(fleet.road) // len(METRICS), _STEP_MS)
    before = size_of(database)
    put(database, history.rows())
    taken = size_of(database) - before
    names = [column.name for column in DeviceLatest.__table__.columns]
    newest = [row for place in range(len(fleet.road)) for row in history.message(place, history.each - 1)]
    with database.transaction() as session:
        session.execute(insert(DeviceLatest), [{name: getattr(row, name) for name in names} for row in newest])
        rule = session.scalars(select(Rule.id).where(Rule.code == "battery-health")).one()
        for device in fleet.road:
            for episode in range(_ALARMS):
                session.add(_alarm(fleet, device, rule, episode))
    return history, taken


def _alarm(fleet: Fleet, device: str, rule: str, episode: int) -> Tracked:
    began = from_ms(START_MS) + timedelta(hours=episode)
    return Alarm(
        rule_id=rule, rule_number=1, subject_kind="component", subject_id=fleet.packs[device], asset_id=f"asset-{device}",
        episode=episode + 1, state="cleared", severity="major", reached="major", metric=RULE_METRIC, raised_at=began,
        first_value=74.0, last_at=began, last_value=74.0, readings=3,
        cleared_at=began + timedelta(minutes=30), end_reason="recovered", created_at=began, updated_at=began,
    )  # fmt: skip


def _database(lab: Lab, url: str, history: History, each: int) -> tuple[dict[str, list[float]], list[str]]:
    """Return how long the answers took, in ms, and what was wrong."""
    found: dict[str, list[float]] = {}
    wrong: list[str] = []
    with serve(lab, url) as served:
        with served.database.reading() as session:
            manager = manager_of(session)
        client = Client(served.settings.http_port, served.token(manager))
        for question in questions(history):
            took_ms, mistaken = _ask(client, question, history.devices, each)
            found[question.label] = took_ms[5:]
            if mistaken:
                wrong.append(f"{mistaken} wrong answers to {question.label}")
        client.close()
    return found, wrong


def _ask(client: Client, question: Question, devices: Sequence[str], each: int) -> tuple[list[float], int]:
    took_ms, mistaken = [], 0
    for number in range(5 + each):
        place = number * 37 % len(devices)
        began = time.perf_counter()
        answer = client.call("GET", question.path(devices[place]))
        took_ms.append((time.perf_counter() - began) * 1000)
        mistaken += not question.right(place, answer)
    return took_ms, mistaken


def size_of(database: Database) -> int:
    """Return how many bytes hold the readings: PostgreSQL's table with its indexes, or SQLite's whole file."""
    with database.reading() as session:
        if session.get_bind().dialect.name == "postgresql":
            return int(session.scalar(text("SELECT pg_total_relation_size('telemetry')")) or 0)
        pages, page = (session.scalar(text(f"PRAGMA {name}")) for name in ("page_count", "page_size"))
        return int(pages or 0) * int(page or 0)
