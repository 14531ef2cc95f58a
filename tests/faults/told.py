"""What devices tell in the fault tests, and what the database then holds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
from sqlalchemy import func, select

from app.core.clock import to_ms
from app.service_offers.models import ServiceOffer
from app.work_orders.models import StationTask
from iot.models import Alarm, Telemetry
from push.models import Notification
from tests.factories import World
from tests.faults.plant import DEVICES, SOAK, wait_until


def reading(world: World, number: int, value: float) -> tuple[str, bytes, str]:
    """Return topic, payload and name of message ``number``: its device, some time after the device's last one."""
    device, seq = f"device-f{number % DEVICES:04}", number // DEVICES
    # Few or many, they come in order and within the allowance for late ones: shuffled readings are another test's subject.
    at = world.db.clock.now() - timedelta(days=29) + seq * (timedelta(minutes=6) if SOAK else timedelta(hours=12))
    payload = {"ts": to_ms(at), "boot": "b", "seq": seq, "m": {"soh_pct": value}}
    return f"devices/0/{device}/telemetry", msgspec.json.encode(payload), f"{device}/b:{seq}"


def wait_subscribed(folder: Path) -> None:
    """A broker keeps messages for a session from its first subscription on."""
    wait_until(lambda: b"subscribed" in (folder / "ingest.log").read_bytes(), 60, "the ingest has subscribed")


def stored(world: World) -> set[str]:
    with world.db.reading() as session:
        return {f"{device}/{key}" for device, key in session.execute(select(Telemetry.device_id, Telemetry.message_key))}


def count_stored(world: World) -> int:
    with world.db.reading() as session:
        return session.scalar(select(func.count()).select_from(Telemetry)) or 0


def count(world: World, model: type, *conditions: object) -> int:
    with world.db.reading() as session:
        return session.scalar(select(func.count()).select_from(model).where(*conditions)) or 0  # type: ignore[arg-type]


def check_each_alarm_acted_once(world: World, alarms: int) -> None:
    assert count(world, Alarm, Alarm.metric == "soh_pct") == alarms
    assert count(world, ServiceOffer) == alarms
    assert count(world, StationTask) == alarms
    assert count(world, Notification, Notification.kind == "battery_alarm") == alarms
