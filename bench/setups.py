"""The two whole set-ups that are measured: PostgreSQL with Mosquitto, SQLite with the embedded broker."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from app.core.db import Database
from app.core.leases import ProcessBeat
from bench.lab import DATABASE_NAMES, KINDS, Lab, Mosquitto, Running, find_mosquitto, free_port, listens, mosquitto, wait_for

_BROKERS = {"postgresql": "Mosquitto", "sqlite": "embedded iotcore broker"}


@dataclass
class Setup:
    """A database, a broker on ``port``, and the real ingest process between them. ``yardstick``: Mosquitto."""

    name: str
    url: str
    port: int
    ingest: Running
    yardstick: Mosquitto


def name_of(kind: str) -> str:
    """Return what a set-up is called, by its database."""
    return f"{DATABASE_NAMES[kind]} + {_BROKERS[kind]}"


def missing(kind: str) -> str:
    """Return why a set-up cannot be measured here; nothing when it can."""
    if find_mosquitto() is None:
        return "not measured: mosquitto is not installed"
    if kind == "sqlite" and importlib.util.find_spec("iot.broker") is None:
        return "not measured: there is no iot/broker.py"
    return ""


@contextlib.contextmanager
def run(lab: Lab, kind: str) -> Iterator[Setup]:
    """Run a set-up for the length of a block: ``python -m iot --shard 0`` with its broker and a copy of the template."""
    with contextlib.ExitStack() as running:
        yardstick = running.enter_context(mosquitto(lab))
        embedded = kind == "sqlite"
        port = free_port() if embedded else yardstick.port
        url = lab.database(kind)
        settings = lab.settings(url, mqtt_port=port, mqtt_broker="embedded" if embedded else "external")
        if embedded:
            broker = running.enter_context(lab.product("broker", settings))
            wait_for("embedded broker", lambda: broker.must_run() and listens(port))
        ingest = running.enter_context(lab.product("ingest-0", settings))
        _wait_connected(url, ingest)
        yield Setup(name_of(kind), url, port, ingest, yardstick)


def _wait_connected(url: str, ingest: Running) -> None:
    database = Database(url)

    def connected() -> bool:
        ingest.must_run()
        with database.reading() as session:
            beat = session.scalar(select(ProcessBeat).where(ProcessBeat.name == "ingest-0"))
        return beat is not None and beat.facts.get("connected") is True

    try:
        wait_for("ingest process connected", connected, 30, 0.1)
        time.sleep(0.2)  # it says so when it has asked for its topics; the broker's answer is on its way
    finally:
        database.close()


__all__ = ["KINDS", "Setup", "missing", "name_of", "run"]
