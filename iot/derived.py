"""Readings that follow from others of the same device, where its profile asks for them.

TeslaMate tells no state of health. It does tell the charge and the range that is left by the maker's rating; together they are
the range of a full battery, and that against the range when the car was new is a state of health.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.mappings import CHARGE_PCT, RANGE_HEALTH, RANGE_KM
from app.assets.models import Asset, Device, DeviceProfile
from app.core.db import among
from iot.models import DeviceLatest
from iot.store import Row
from iot.words import Words

NEW_RANGE = "rated_range_new_km"
"""The limit of the asset, else of its profile, that says how far a full battery reached when new, in km."""

_TOGETHER_MS = 10_000
_LEAST_CHARGE_PCT = 50.0
_MOST_PCT = 150.0


class Known(Protocol):
    """What is needed of a device."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def words(self) -> Words:
        """How its profile names its values."""


class _Told(NamedTuple):
    at_ms: int
    value: float


def range_health(charge_pct: float, range_km: float, new_km: float) -> float | None:
    """Return a state of health in %: the range of a full battery against that of a new one.

    The charge is told in whole percents. Below half a battery that alone is an error of more than 1 %, so nothing is said.
    """
    if not (charge_pct >= _LEAST_CHARGE_PCT and range_km > 0 and new_km > 0):
        return None
    health = range_km / (charge_pct / 100) / new_km * 100
    return health if health <= _MOST_PCT else None


def healths(session: Session, rows: Sequence[Row], devices: Sequence[Known]) -> list[Row]:
    """Return the states of health that follow from new readings.

    Charge and range come in messages of their own. They belong together when they are at most 10 s apart; the later one
    of both dates what follows.

    Args:
        rows: the readings of this batch.
        devices: those whose profiles name ``RANGE_HEALTH`` as the source of a metric.
    """
    by_id = {device.id: device for device in devices}
    mine = sorted((row for row in rows if row.device_id in by_id and not row.ahead), key=lambda row: (row.at_ms, row.message_key))
    if not mine:
        return []
    new_km = _new_ranges(session, sorted({row.device_id for row in mine}))
    told = _latest(session, by_id)
    made = []
    for row in mine:
        words = by_id[row.device_id].words
        source = next((source for source in (CHARGE_PCT, RANGE_KM) if words.names.get(source) == row.metric), None)
        if source is None:
            continue
        told[row.device_id, source] = _Told(row.at_ms, words.untold(row.metric, row.value))
        charge, reach = told.get((row.device_id, CHARGE_PCT)), told.get((row.device_id, RANGE_KM))
        if charge is None or reach is None or abs(charge.at_ms - reach.at_ms) > _TOGETHER_MS:
            continue
        health = range_health(charge.value, reach.value, new_km.get(row.device_id, 0.0))
        if health is not None:
            metric, value = words.told(RANGE_HEALTH, health)
            made.append(Row(row.device_id, row.message_key, metric, row.at_ms, value, row.received_ms, False))
    return made


def _latest(session: Session, devices: Mapping[str, Known]) -> dict[tuple[str, str], _Told]:
    """Return the newest charge and range that were known before, by device and source."""
    sources = {
        (device.id, device.words.names[source]): source
        for device in devices.values()
        for source in (CHARGE_PCT, RANGE_KM)
        if source in device.words.names
    }
    rows = session.execute(
        select(DeviceLatest.device_id, DeviceLatest.metric, DeviceLatest.at_ms, DeviceLatest.value).where(
            among(session, DeviceLatest.device_id, sorted(devices))
        )
    )
    return {
        (device_id, sources[device_id, metric]): _Told(at_ms, devices[device_id].words.untold(metric, value))
        for device_id, metric, at_ms, value in rows
        if (device_id, metric) in sources
    }


def _new_ranges(session: Session, device_ids: Sequence[str]) -> dict[str, float]:
    rows = session.execute(
        select(Device.id, DeviceProfile.limits, Asset.limits)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .join(Asset, Asset.id == Device.asset_id)
        .where(among(session, Device.id, device_ids))
    )
    limits = {device_id: (of_profile or {}) | (own or {}) for device_id, of_profile, own in rows}
    return {device_id: float(found[NEW_RANGE]) for device_id, found in limits.items() if NEW_RANGE in found}
