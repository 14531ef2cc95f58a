"""A deployment on a real Mosquitto: the generated files, the real subscriber and ingest, and devices that sign in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from app.assets.operations import broker_hash
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot.__main__ import IngestLoop
from iot.models import BrokerFilter
from iot.mosquitto import reload, write_config
from tests.factories import World
from tests.iot.broker.brokers import Client, RunningBroker, running_mosquitto, wait_until
from tests.iot.vehicles import latest
from tests.people import Http


@contextmanager
def ingesting(db: Database, settings: Settings) -> Iterator[None]:
    """Run the ingest of shard 0 in a thread for the length of a block."""
    loop = IngestLoop(db, settings, 0)
    # The clock of the tests stands still; the chores of the loop are done by the second.
    db.clock.monotonic = time.monotonic  # type: ignore[method-assign]
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        wait_until(lambda: loop.subscriber.is_connected, "the ingest to be connected")
        yield
    finally:
        loop.stop()
        thread.join(20)
    assert not thread.is_alive()


class Plant:
    """Makers' devices on a broker whose files are kept equal to the database by hand."""

    def __init__(
        self, db: Database, settings: Settings, office: Http, world: World, folder: Path, connect: Callable[..., Client]
    ) -> None:
        self.db, self.settings, self.office, self.world, self.folder = db, settings, office, world, folder
        self._connect = connect
        self._secrets: dict[str, str] = {}
        self.topics: dict[str, str] = {}

    def write(self) -> None:
        with self.db.reading() as session:
            write_config(self.settings, session, self.folder)

    def running(self, *, watched: bool = False) -> Any:
        """Write the files and run the broker for the length of a block; ``watched``: one more account may do everything."""
        self.write()
        if watched:
            with (self.folder / "passwd").open("a") as passwords, (self.folder / "acl").open("a") as rights:
                passwords.write(f"watcher:{broker_hash('watching')}\n")
                rights.write("\nuser watcher\ntopic readwrite #\n")
        return running_mosquitto(self.folder, self.settings.mqtt_port)

    def ingesting(self) -> Any:
        return ingesting(self.db, self.settings)

    def tell(self, broker: RunningBroker, true: Callable[[], object], what: str) -> None:
        """Write the files and ask the broker to read them until it has."""
        self.write()

        def told() -> bool:
            reload(broker.pid)
            return bool(true())

        wait_until(told, what)

    def add_profile(self, **body: Any) -> str:
        made: dict[str, Any] = self.office.post("/device-profiles", {"name": body["code"]} | body, expect=201)
        return str(made["id"])

    def add_device(self, profile: str, asset: str, **asked: Any) -> str:
        made: dict[str, Any] = self.office.post(f"/assets/{asset}/devices", {"profile_id": profile} | asked, expect=201)
        self._secrets[made["id"]] = made["secret"]
        self.topics[made["id"]] = made["topic"]
        return str(made["id"])

    def client(self, device: str, **options: Any) -> Client:
        """A device, or a gateway, signing in with its own secret."""
        signing = {"name": device, "user": device, "password": self._secrets[device]} | options
        return self._connect(self.settings.mqtt_port, **signing)

    def watcher(self) -> Client:
        """Who sees everything, from now on."""
        return self._connect(self.settings.mqtt_port, "watcher", user="watcher", password="watching").subscribe("#")

    def body(self, no: int, soh: float) -> bytes:
        return msgspec.json.encode({"t": to_ms(self.db.clock.now()) - 1000 + no, "no": no, "soh": soh})

    def soh(self, device_id: str) -> float | None:
        found = latest(self.db, device_id)
        return found[1] if found else None

    def filters(self) -> set[str]:
        with self.db.reading() as session:
            return set(session.scalars(select(BrokerFilter.topic)))
