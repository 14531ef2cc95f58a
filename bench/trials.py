"""Trying rules out on what is stored: readings a second, by kind of detector, in process and over HTTP."""

from __future__ import annotations

import http.client
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.clock import from_ms
from app.core.db import Database
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.documents import Document, read_document
from app.rules.parts import Context
from bench.figures import Aim, Table, spread
from bench.fleet import ROAD, Fleet, fill, manager_of
from bench.lab import DATABASE_NAMES, KINDS, Lab
from bench.rule_load import documents
from bench.served import serve
from bench.stored import SAYS, START_MS, History, put
from iot.rule_trials import try_out

_AIM = Aim(least=200_000)
_TEMPLATE = "trials"
_STEP_MS = 60_000
_TIMEOUT_S = 120.0
_LONG_S = 2.0
_ALONE = (10, 1_000)
# Fold, database: what is measured of each kind, in the order of the columns.
Rates = dict[str, list[float]]


@dataclass
class Found:
    """Readings a second by kind of detector, a value a round; what went wrong."""

    folds: dict[str, Rates] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def note(self, kind: str, column: str, rate: float) -> None:
        """Keep one round's figure."""
        self.folds.setdefault(kind, {}).setdefault(column, []).append(rate)


def measure(lab: Lab, fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every trial looked at every reading once and found the same."""
    each, rounds = (20, 1) if quick else (120, 3)
    found, columns = Found(), ("fold alone", *(f"in process, {DATABASE_NAMES[kind]}" for kind in KINDS))
    rules = {name: read_document(raw) for name, raw in documents(0).items()}
    for name, document in rules.items():
        for _ in range(rounds):
            found.note(name, columns[0], _fold(document))
    for kind, column in zip(KINDS, columns[1:], strict=True):
        history = History(fleets[kind].road, tuple(SAYS), each, _STEP_MS)
        _database(lab, kind, column, history, rounds, found)
    table = Table("9. Trying rules out, readings a second", ("what", *columns, "aimed at", "met"))
    for name, rates in found.folds.items():
        middles = [statistics.median(rates[column]) for column in columns if column in rates]
        cells = (spread(rates[column]) if column in rates else "-" for column in columns)
        table.rows.append((name, *cells, _AIM.text(), _AIM.verdict(min(middles))))
    table.notes = [f"FAILED: {fault}" for fault in found.faults] + [
        f"{ROAD} devices with {each:,} readings of each of {len(SAYS)} metrics, one a minute, put straight into the table; min / "
        f"median / max of {rounds} round(s), or of as many as began within {_LONG_S:.0f} s. Met: by the slowest of the medians.",
        f"Fold alone: the detector over {_ALONE[0]} times {_ALONE[1]:,} messages in memory. In process: "
        "`iot.rule_trials.try_out` over all subjects in one transaction, reading the database included. Rules that read several "
        "metrics count the readings of each.",
        "POST /rule-trials: the whole request to granian, signed in, for the threshold; the readings it says it looked at over "
        "the time until its last byte.",
        "silence is judged by arrival, and cannot be tried on what is stored.",
    ]
    return table, not found.faults


def _fold(document: Document) -> float:
    """Return readings a second of the fold of every subject, from readings in event-time order."""
    devices, each = _ALONE
    history = History([f"device-{n}" for n in range(devices)], tuple(SAYS), each, _STEP_MS)
    metrics = document.metrics or ("soh_pct",)
    subjects = [
        sorted(Reading(row.at_ms, row.message_key, row.value, row.device_id, row.metric) for row in history.of(place, metrics))
        for place in range(devices)
    ]
    settings, fold = document.settings(Context()), DETECTORS[document.detector]
    until_ms = history.until_ms
    began = time.perf_counter()
    for readings in subjects:
        fold(State(), readings, settings, until_ms)
    return sum(map(len, subjects)) / (time.perf_counter() - began)


def _database(lab: Lab, kind: str, column: str, history: History, rounds: int, found: Found) -> None:
    lab.template(kind, lambda database: _fill(lab, database, history), _TEMPLATE)
    url = lab.database(kind, _TEMPLATE)
    until = from_ms(history.until_ms)
    database = Database(url)
    try:
        for name, raw in documents(0).items():
            document = read_document(raw)
            if not document.metrics:
                continue
            wanted = history.count(document.metrics)
            _repeat(name, column, lambda document=document: _try(lab, database, document, until), wanted, rounds, found)
    finally:
        database.close()
    _over_http(lab, url, kind, column, history, rounds, found)


def _fill(lab: Lab, database: Database, history: History) -> None:
    fill(database, lab.settings(""))
    put(database, history.rows())


def _repeat(name: str, column: str, work: Callable[[], int], wanted: int, rounds: int, found: Found) -> None:
    """Note how many readings a second a piece of work looks at, some times over, and whether it looked at all of them."""
    began = time.perf_counter()
    for number in range(rounds):
        start = time.perf_counter()
        if number and start - began > _LONG_S:
            return
        looked = work()
        found.note(name, column, looked / (time.perf_counter() - start))
        if looked != wanted:
            found.faults.append(f"{name}, {column}: {looked:,} readings instead of {wanted:,}")


def _try(lab: Lab, database: Database, document: Document, until: datetime) -> int:
    with database.reading() as session:
        zone = lab.settings("").time_zone
        return try_out(session, document, zone, since=from_ms(START_MS), until=until, most_readings=10**9).readings


def _over_http(lab: Lab, url: str, kind: str, column: str, history: History, rounds: int, found: Found) -> None:
    with serve(lab, url) as served:
        with served.database.reading() as session:
            manager = manager_of(session)
        token = served.token(manager)
        link = http.client.HTTPConnection("127.0.0.1", served.settings.http_port, timeout=_TIMEOUT_S)
        span = {"since": from_ms(START_MS).isoformat(), "until": from_ms(history.until_ms).isoformat()}
        body = json.dumps({"document": documents(0)["threshold"], **span})
        wanted = history.count(("soh_pct",))
        _repeat("POST /rule-trials", column, lambda: int(_ask(link, token, body)["readings"]), wanted, rounds, found)
        link.close()


def _ask(link: http.client.HTTPConnection, token: str, body: str) -> dict[str, Any]:
    link.request("POST", "/api/v1/rule-trials", body, {"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
    answer = link.getresponse()
    raw = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"POST /rule-trials: {answer.status} {raw[:300]!r}")
    told: dict[str, Any] = json.loads(raw)
    return told
