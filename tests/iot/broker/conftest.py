"""Fixtures of the broker tests; the classes behind them are in ``brokers.py``."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.core.clock import Clock
from app.core.db import Database
from app.core.settings import Settings, read_settings
from iot.broker import configuration
from tests.factories import make_world
from tests.iot.broker.brokers import Client, RunningBroker, Site, accepts, free_port
from tests.iot.broker.plants import Plant
from tests.people import Http


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """Make clients and sign them in; all leave at the end of the test."""
    made: list[Client] = []

    def make(port: int, name: str, **options: Any) -> Client:
        client = Client(port, name, **options)
        made.append(client)
        client.sign_in()
        if client.refused:  # one who asks again and again must not use up the sockets that select() can look at
            made.remove(client)
            client.leave()
        return client

    yield make
    for client in made:
        client.leave()


@pytest.fixture
def broker_folder() -> Iterator[Path]:
    """A folder that the account ``mosquitto`` can reach: pytest's own are closed to other accounts."""
    with tempfile.TemporaryDirectory(prefix="fieldloop-mosquitto-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def site(broker_folder: Path, connect: Callable[..., Client]) -> Iterator[Site]:
    """Production settings of a free port, and empty tables of devices and their profiles."""
    engine = create_engine("sqlite://")
    Device.metadata.create_all(engine, tables=[Device.metadata.tables[name] for name in ("devices", "device_profiles")])
    settings = read_settings(mqtt_port=free_port(), mqtt_broker="external", mqtt_password="the-password-of-the-ingest")
    with Session(engine, info={"clock": Clock()}) as session:
        yield Site(settings, session, broker_folder, connect)
    engine.dispose()


@pytest.fixture
def plant(db: Database, settings: Settings, http: Http, broker_folder: Path, connect: Callable[..., Client]) -> Plant:
    """An organisation, its ingest and a broker's folder; nothing runs yet."""
    world = make_world(db, settings)
    settings = replace(
        settings, mqtt_port=free_port(), mqtt_broker="external", mqtt_password="the-password-of-the-ingest", ingest_linger_ms=5
    )
    return Plant(db, settings, http.as_(world.manager), world, broker_folder, connect)


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Callable[..., RunningBroker]]:
    """Start ``python -m iot.broker`` on a free port, with environment variables of the test's."""
    started: list[RunningBroker] = []

    def start(**env: str) -> RunningBroker:
        port = free_port()
        variables = {"FIELDLOOP_MQTT_PORT": str(port), "FIELDLOOP_VAR_DIR": str(tmp_path), **env}
        command = [sys.executable, "-m", "iot.broker"]
        # By its own word: a broker that answers here may not have answered its own first look yet.
        broker = RunningBroker(command, port, tmp_path / "log", lambda: broker.says(b"broker_ready"), variables)
        started.append(broker)
        return broker.start()

    yield start
    for broker in started:
        broker.end(signal.SIGKILL)


_RUMQTTD = """
import logging, sys
from iotcore import IotCoreBroker
for name in ("rumqttd", "tracing"):
    logging.getLogger(name).setLevel(logging.CRITICAL)
IotCoreBroker(config_path=sys.argv[1]).run_forever()
"""


@pytest.fixture
def rumqttd(tmp_path: Path) -> Iterator[Callable[..., RunningBroker]]:
    """Start rumqttd as ``iot.broker`` does, without its watch; its configuration can be changed, and any setting given."""
    started: list[RunningBroker] = []

    def start(change: Callable[[str], str] = str, **settings: Any) -> RunningBroker:
        port = free_port()
        path = tmp_path / f"{port}.toml"
        path.write_text(change(configuration(read_settings(mqtt_port=port, **settings))))
        broker = RunningBroker([sys.executable, "-c", _RUMQTTD, str(path)], port, tmp_path / "log", lambda: accepts(port))
        started.append(broker)
        return broker.start()

    yield start
    for broker in started:
        broker.end(signal.SIGKILL)
