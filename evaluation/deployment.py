"""A deployment for the length of a block: SQLite, Mosquitto with the generated files, the ingest, and devices that sign in."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.assets import operations as assets
from app.assets.models import Asset, Device, DeviceProfile
from app.core.clock import Clock
from app.core.db import Database
from app.core.settings import read_settings
from app.customers import operations as customers
from app.customers.models import Customer
from app.migrate import migrate
from app.rules.operations import install_default_rules
from app.territories import operations as territories
from app.users.rights import Actor
from evaluation.makers import Spoken
from iot import subscriptions
from iot.__main__ import IngestLoop
from iot.models import Alarm, DeadLetter, DeviceCommand, IngestCounter, Telemetry
from iot.mosquitto import write_config
from iot.subscriber import topics_of

_HOST = "127.0.0.1"
_PATIENCE_S = 60.0
_BOSS = Actor("system-user", "admin", "system", "en")
BEGIN = datetime(2024, 1, 1, tzinfo=UTC)


class SetClock(Clock):
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = BEGIN

    def now(self) -> datetime:
        """Return the instant it was set to."""
        return self.at

    def database_now(self, session: Session) -> datetime:
        """Return the same instant."""
        return self.at


class Vehicle(NamedTuple):
    """Ids of an asset and the battery pack in it."""

    asset: str
    pack: str


def find_mosquitto() -> str | None:
    """Return where Mosquitto is, if it is installed; Debian puts it where users' paths do not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/opt/homebrew/sbin")


class Deployment:
    """What is registered, who is signed in, and how much was published."""

    def __init__(self, folder: Path) -> None:
        """Prepare the database; ``running`` starts the rest."""
        self.clock = SetClock()
        self.folder = folder
        with socket.socket() as one:
            one.bind((_HOST, 0))
            port = one.getsockname()[1]
        self.settings = read_settings(
            database_url=f"sqlite:///{folder / 'evaluation.db'}",
            var_dir=folder,
            secret_key="only for the length of an evaluation",  # noqa: S106 - opens nothing
            mqtt_port=port,
            mqtt_broker="external",
            mqtt_password="only for the length of an evaluation",  # noqa: S106
            log_level="ERROR",
        )
        self.database = Database(self.settings.database_url, self.clock)
        migrate(self.database)
        self._marks = 0
        self._secrets: dict[str, str] = {}
        self._links: dict[str, mqtt.Client] = {}
        with self.database.transaction() as session:
            install_default_rules(session)
            territory = territories.create_territory(session, _BOSS, "T", "Territory")
            owner = {"code": "C", "name": "Customer", "territory_id": territory.id, "owner_id": None}
            self._customer = customers.create_customer(session, _BOSS, owner).id

    def add_vehicle(self, name: str) -> Vehicle:
        """Register an asset with a battery pack."""
        with self.database.transaction() as session:
            customer = session.get_one(Customer, self._customer)
            site = customers.create_site(session, _BOSS, customer, {"name": name, "lat": 0.0, "lon": 0.0, "address": ""})
            asset = assets.create_asset(
                session, _BOSS, {"serial": name, "model": "M", "customer_id": customer.id, "site_id": site.id}
            )
            pack = assets.create_component(session, _BOSS, {"serial": f"P-{name}", "kind": "battery_pack", "part_no": "P"})
            assets.fit_component(session, _BOSS, asset, pack, BEGIN)
            return Vehicle(asset.id, pack.id)

    def add_profile(self, values: dict[str, Any]) -> str:
        """Add a device profile; return its id."""
        with self.database.transaction() as session:
            return assets.create_profile(session, _BOSS, values).id

    def add_device(self, profile: str, asset: str, address: str, *, gateway: bool = False) -> str:
        """Register a device; return its id."""
        with self.database.transaction() as session:
            asked = {"profile_id": session.get_one(DeviceProfile, profile).id, "address": address, "gateway": gateway}
            device, secret = assets.create_device(session, _BOSS, session.get_one(Asset, asset), asked)
            self._secrets[device.id] = secret
            return device.id

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run broker and ingest for the length of a block, with what is registered so far."""
        with self.database.reading() as session:
            write_config(self.settings, session, self.folder / "broker")
            filters = {*topics_of(0), *subscriptions.wanted(session)}
        log = self.folder / "broker.log"
        (self.folder / "broker/conf.d/log.conf").write_text("log_type error\nlog_type subscribe\n")
        with ExitStack() as running, log.open("wb") as written:
            program = [find_mosquitto() or "mosquitto", "-c", str(self.folder / "broker/mosquitto.conf")]
            broker = subprocess.Popen(program, stdout=written, stderr=written)
            running.callback(broker.wait, 20)
            running.callback(broker.terminate)
            _wait("the broker", lambda: _accepts(self.settings.mqtt_port))
            loop = IngestLoop(self.database, self.settings, 0)
            thread = threading.Thread(target=loop.run)
            thread.start()
            running.callback(thread.join, 20)
            running.callback(loop.stop)
            _wait("the subscriptions", lambda: all(f" 1 {one}\n" in log.read_text(errors="replace") for one in filters))
            running.callback(self._leave)
            yield

    def say(self, device: str, *spoken: Spoken) -> None:
        """Publish with a device's own account, and wait for the broker's word where there is one."""
        link = self._links.get(device) or self._sign_in(device)
        told = [link.publish(one.topic, one.payload, one.qos, one.retain) for one in spoken]
        for one in told:
            one.wait_for_publish(_PATIENCE_S)

    def settle(self) -> Counter[str]:
        """Wait until the ingest has stored all that was published.

        Returns:
            Its counters; ``message`` without what the product itself said.
        """
        # Each account ends with a message the ingest cannot use: no device of its name speaks the native convention.
        mark = b'{"ts": 1704067200000, "m": {"mark": 1}}'
        for device in self._links:
            self.say(device, Spoken(f"devices/0/{device}/telemetry", mark))
            self._marks += 1
        _wait("the ingest", lambda: self._counters()["unknown_device"] >= self._marks)
        counts = self._counters()
        with self.database.reading() as session:
            asked = select(func.count()).select_from(DeviceCommand).where(DeviceCommand.state != "queued")
            counts["message"] -= self._marks + (session.scalar(asked) or 0)
        return counts

    def _counters(self) -> Counter[str]:
        with self.database.reading() as session:
            return Counter(dict(session.execute(select(IngestCounter.name, IngestCounter.n)).tuples().all()))

    def dead_letters(self) -> Counter[str]:
        """Return how often a message became a dead letter, by reason."""
        with self.database.reading() as session:
            found: Counter[str] = Counter()
            for reason, times in session.execute(select(DeadLetter.reason, DeadLetter.times)):
                found[reason] += times
            return found

    def alarms(self, pack: str) -> list[tuple[Any, ...]]:
        """Return the alarms of a pack that stand or stood: state, beginning, end, first and last value, readings."""
        with self.database.reading() as session:
            rows = session.scalars(
                select(Alarm).where(Alarm.subject_id == pack, Alarm.state != "withdrawn").order_by(Alarm.raised_at)
            )
            return [(one.state, one.raised_at, one.cleared_at, one.first_value, one.last_value, one.readings) for one in rows]

    def readings(self, asset: str) -> list[tuple[int, float]]:
        """Return when each state of health of an asset was measured, and how great it was."""
        with self.database.reading() as session:
            query = select(Telemetry.at_ms, Telemetry.value).join(Device, Device.id == Telemetry.device_id)
            query = query.where(Device.asset_id == asset, Telemetry.metric == "soh_pct")
            return sorted(session.execute(query).tuples().all())

    def _sign_in(self, device: str) -> mqtt.Client:
        link = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device, protocol=mqtt.MQTTv311)
        link.username_pw_set(device, self._secrets[device])
        link.connect(_HOST, self.settings.mqtt_port)
        link.loop_start()
        _wait("the broker to let a device in", link.is_connected)
        self._links[device] = link
        return link

    def _leave(self) -> None:
        for link in self._links.values():
            link.disconnect()
            link.loop_stop()


@contextmanager
def deployed() -> Iterator[Deployment]:
    """Make a deployment in a folder of its own; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="fieldloop-evaluation-") as name:
        Path(name).chmod(0o755)  # the broker's account must be able to reach it
        made = Deployment(Path(name))
        try:
            yield made
        finally:
            made.database.close()


def _accepts(port: int) -> bool:
    try:
        socket.create_connection((_HOST, port), 1).close()
    except OSError:
        return False
    return True


def _wait(what: str, true: Callable[[], object]) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > until:
            raise TimeoutError(f"waited {_PATIENCE_S} s for {what}")
        time.sleep(0.01)
