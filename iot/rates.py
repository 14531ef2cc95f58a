"""How often a device may speak. What is beyond its rate is not taken: counted to the message, told once a storm. ADR 0019.

Each device has a bucket (Turner's leaky bucket as a meter, ITU-T I.371 annex A: the virtual scheduling form): a message costs
its share of a minute, and what a device owes melts with time. The bucket is two numbers of its presence, which the ingest reads
and writes anyway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple, Protocol, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import insert_once, now
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from iot.adapters import Decoded, FaultReport, Sample, SettingsReport
from iot.models import DeviceStorm

CALM_AFTER = timedelta(minutes=5)
_MINUTE_US = 60_000_000
_PAYING = (Sample, FaultReport, SettingsReport)


class Rate(NamedTuple):
    """``per_minute``: messages in the long run, 0 without a limit. ``burst``: so many at once."""

    per_minute: int
    burst: int

    @property
    def cost_us(self) -> int:
        """What one message costs, in microseconds."""
        return _MINUTE_US // self.per_minute if self.per_minute else 0


class Bucket(NamedTuple):
    """What the profile says of a device's rate (None: as the deployment), and until when its messages are paid for.

    ``paid_us``: Unix microseconds; what lies beyond the present is owed.
    """

    per_minute: int | None = None
    burst: int | None = None
    heard_ms: int = 0
    paid_us: int = 0

    @staticmethod
    def of(per_minute: int | None, burst: int | None, heard_ms: int | None, paid_us: int | None) -> Bucket:
        """Return the bucket of a profile's and a presence's columns; None where a device was never heard."""
        return Bucket(per_minute, burst, heard_ms or 0, paid_us or 0)

    def rate(self, settings: Settings) -> Rate:
        """Return the rate that holds for the device."""
        per_minute = settings.device_messages_per_minute if self.per_minute is None else self.per_minute
        return Rate(per_minute, settings.device_burst if self.burst is None else self.burst)

    def room(self, rate: Rate, arrival_ms: int) -> int:
        """Return how many more messages may come.

        A clock that was put back lets nothing melt until it has caught up; the burst then lasts for the whole of it.
        """
        owed_us = max(0, self.paid_us - max(arrival_ms, self.heard_ms) * 1000)
        return max(0, rate.burst - -(-owed_us // rate.cost_us))


class AnyMessage(Protocol):
    """What is asked of a message here."""

    @property
    def retained(self) -> bool:
        """Whether the broker kept it for us."""


class AnyDevice(Protocol):
    """What is asked of a device here."""

    @property
    def id(self) -> str:
        """The id."""

    @property
    def shard(self) -> int:
        """Its shard."""

    @property
    def bucket(self) -> Bucket:
        """Its bucket."""


M = TypeVar("M", bound=AnyMessage)


@dataclass
class Within:
    """What the limit leaves of a batch: which devices pay how much, and how many messages of which were not taken."""

    costs_us: dict[str, int] = field(default_factory=dict)
    beyond: Counter[str] = field(default_factory=Counter)


def keep_within(
    settings: Settings, decoded: list[tuple[M, Decoded]], heard: Mapping[str, int], devices: Mapping[tuple[str, str], AnyDevice]
) -> Within:
    """Take out of a batch what messages beyond their device's rate hold; the first ones stay.

    Answers to commands are asked for, and messages the broker kept are not sent now: neither counts. One message counts once
    for each device it speaks of, however many samples it holds.

    Args:
        decoded: what the batch says; changed in place.
        heard: the newest arrival of each device that was heard, Unix ms.
        devices: the registered ones, by adapter and address.
    """
    sent: Counter[str] = Counter()
    before: dict[str, M] = {}
    for message, one in decoded:
        device = _payer(message, one, heard, devices)
        if device is not None and before.get(key := device.id) is not message:
            before[key] = message
            sent[key] += 1
    found = Within()
    room = {}
    for device in devices.values():
        rate = device.bucket.rate(settings)
        if device.id in sent and rate.per_minute:
            room[device.id] = device.bucket.room(rate, heard[device.id])
            found.costs_us[device.id] = min(sent[device.id], room[device.id]) * rate.cost_us
            if sent[device.id] > room[device.id]:
                found.beyond[device.id] = sent[device.id] - room[device.id]
    if found.beyond:
        decoded[:] = _first_ones(decoded, heard, devices, {device_id: room[device_id] for device_id in found.beyond})
    return found


def _payer(
    message: AnyMessage, one: Decoded, heard: Mapping[str, int], devices: Mapping[tuple[str, str], AnyDevice]
) -> AnyDevice | None:
    """Return the device that pays for a message, if any does."""
    if not isinstance(one, _PAYING) or message.retained:
        return None
    device = devices.get((one.adapter, one.address))
    if device is None or device.id not in heard or (one.shard is not None and one.shard != device.shard):
        return None
    return device


def _first_ones(
    decoded: list[tuple[M, Decoded]],
    heard: Mapping[str, int],
    devices: Mapping[tuple[str, str], AnyDevice],
    room: dict[str, int],
) -> list[tuple[M, Decoded]]:
    before: dict[str, M] = {}
    kept = []
    for message, one in decoded:
        device = _payer(message, one, heard, devices)
        if device is not None and device.id in room:
            if before.get(device.id) is not message:
                before[device.id] = message
                room[device.id] -= 1
            if room[device.id] < 0:
                continue
        kept.append((message, one))
    return kept


def note_storms(
    session: Session, settings: Settings, within: Within, devices: Iterable[AnyDevice], heard: Mapping[str, int]
) -> None:
    """Count what was not taken, for each device; the first of a storm goes into the causal log."""
    rates = {device.id: device.bucket.rate(settings) for device in devices}
    # In one order everywhere, so that two writers wait for each other instead of deadlocking.
    for device_id, beyond in sorted(within.beyond.items()):
        insert_once(session, DeviceStorm, device_id=device_id, total=0, storm=0, last_ms=heard[device_id])
        storm = session.get_one(DeviceStorm, device_id, with_for_update=True, populate_existing=True)
        if storm.began_ms is None:
            storm.began_ms, storm.storm = heard[device_id], 0
            rate = rates[device_id]
            record(
                session,
                "device.storm_began",
                Subject("device", device_id),
                occurred_at=from_ms(heard[device_id]),
                per_minute=rate.per_minute,
                burst=rate.burst,
            )
        storm.total += beyond
        storm.storm += beyond
        storm.last_ms = max(storm.last_ms, heard[device_id])
    session.flush()


def end_storms(session: Session, limit: int = 200) -> int:
    """End the storms of devices that kept to their rate for 5 minutes; return how many."""
    calm_ms = to_ms(now(session) - CALM_AFTER)
    storms = session.scalars(
        select(DeviceStorm)
        .where(DeviceStorm.began_ms.is_not(None), DeviceStorm.last_ms <= calm_ms)
        .order_by(DeviceStorm.device_id)
        .limit(limit)
        .with_for_update()
    ).all()
    for storm in storms:
        about = Subject("device", storm.device_id)
        began = last_entry(session, about, "device.storm_began")
        record(session, "device.storm_ended", about, causes=[began], occurred_at=from_ms(storm.last_ms), not_taken=storm.storm)
        storm.began_ms = None
    session.flush()
    return len(storms)
