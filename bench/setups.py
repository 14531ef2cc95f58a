"""The whole set-ups that are measured: a database, a broker, and the real ingest processes between them."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import select

from app.core.db import Database
from app.core.leases import ProcessBeat
from app.core.settings import Settings
from bench.lab import DATABASE_NAMES, KINDS, Lab, Mosquitto, Running, find_mosquitto, free_port, listens, mosquitto, wait_for
from bench.probe import Probe

MOSQUITTO, EMBEDDED = "Mosquitto", "embedded iotcore broker"
# How the ingest reads its connection to the broker: FIELDLOOP_MQTT_SOCKET. An ingest that knows no such setting runs as ever.
SOCKETS = ("plain", "fast")


@dataclass(frozen=True)
class Choice:
    """What is put together. ``socket``: one of ``SOCKETS``; empty: whatever the product does by itself."""

    kind: str
    broker: str
    socket: str = ""
    shards: int = 1

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return f"{DATABASE_NAMES[self.kind]} + {self.broker}" + (f", {self.socket}" if self.socket else "")

    def missing(self) -> str:
        """Return why it cannot be measured here; nothing when it can."""
        if find_mosquitto() is None:
            return "not measured: mosquitto is not installed"
        if self.broker == EMBEDDED and importlib.util.find_spec("iotcore") is None:
            return "not measured: iotcore is not installed"
        return ""


# What a deployment is on each database, as docs/operation.md sets it up.
USUAL = {"postgresql": Choice("postgresql", MOSQUITTO), "sqlite": Choice("sqlite", EMBEDDED)}


@dataclass
class Setup:
    """A database, a broker on ``port``, and the ingest process of each shard between them. ``yardstick``: Mosquitto."""

    choice: Choice
    url: str
    port: int
    settings: Settings
    ingests: list[Running]
    yardstick: Mosquitto

    @property
    def name(self) -> str:
        """What it is called in a report."""
        return self.choice.name

    def must_run(self) -> bool:
        """Return True, or raise when an ingest has ended.

        Raises:
            RuntimeError: with its last lines.
        """
        for process in self.ingests:
            process.must_run()
        return True

    def cpu_s(self) -> float:
        """Return the processor time all ingests have used, in seconds."""
        return sum(process.cpu_s() for process in self.ingests)

    def wait_stored(self, probe: Probe, wanted: int, timeout_s: float) -> None:
        """Wait until the ingests have met so many messages and committed what became of them.

        Raises:
            TimeoutError: when they have not.
        """
        wait_for("last message committed", lambda: self.must_run() and probe.count("message") >= wanted, timeout_s, 0.01)


@contextlib.contextmanager
def run(lab: Lab, choice: Choice, template: str = "fleet") -> Iterator[Setup]:
    """Run a set-up for the length of a block: ``python -m iot --shard N`` with its broker and a copy of a template."""
    with contextlib.ExitStack() as running:
        yardstick = running.enter_context(mosquitto(lab))
        embedded = choice.broker == EMBEDDED
        port = free_port() if embedded else yardstick.port
        settings = lab.settings(
            lab.database(choice.kind, template),
            mqtt_port=port,
            mqtt_broker="embedded" if embedded else "external",
            mqtt_shards=tuple(range(choice.shards)),
        )
        if embedded:
            broker = running.enter_context(lab.product("broker", settings))
            wait_for("embedded broker", lambda: broker.must_run() and listens(port))
        ingests = [running.enter_context(ingest(lab, settings, choice, shard)) for shard in range(choice.shards)]
        for shard, process in enumerate(ingests):
            wait_connected(settings, process, shard)
        yield Setup(choice, settings.database_url, port, settings, ingests, yardstick)


def ingest(lab: Lab, settings: Settings, choice: Choice, shard: int = 0) -> contextlib.AbstractContextManager[Running]:
    """Return the ingest process of a shard; use it in a ``with``."""
    more = {"FIELDLOOP_MQTT_SOCKET": choice.socket} if choice.socket else {}
    return lab.product(f"ingest-{shard}", settings, more)


def wait_connected(settings: Settings, process: Running, shard: int = 0) -> None:
    """Wait until the ingest of a shard says that it listens."""
    database = Database(settings.database_url)

    def connected() -> bool:
        process.must_run()
        with database.reading() as session:
            beat = session.scalar(select(ProcessBeat).where(ProcessBeat.name == f"ingest-{shard}"))
        return beat is not None and beat.facts.get("connected") is True

    try:
        wait_for("ingest process connected", connected, 90, 0.1)
        time.sleep(0.2)  # it says so when it has asked for its topics; the broker's answer is on its way
    finally:
        database.close()


__all__ = ["EMBEDDED", "KINDS", "MOSQUITTO", "SOCKETS", "USUAL", "Choice", "Setup", "ingest", "run", "wait_connected"]
