"""Readings from ahead of our clock: kept apart until it has come to their time, then judged by that time like any others.

They come where a device's clock is ahead, and where ours is behind: then all that devices send looks as if it were of tomorrow.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.assets.models import Device, DeviceProfile
from app.assets.placements import Stay, asset_then, stays_of
from app.core.clock import to_ms
from app.core.db import Database, among, now
from app.core.settings import Settings
from app.rules.queries import active_rules
from iot import actions, alarms, store, subjects
from iot.models import Telemetry, TelemetryHorizon
from iot.store import Row

_SLICE = 2000


@dataclass(frozen=True)
class _Sender:
    """What is needed of a device and its profile. ``named``: its profile's metrics. ``stays``: where it was, by time."""

    asset_id: str
    named: frozenset[str]
    stays: Sequence[Stay]


def take_in_due(database: Database, settings: Settings) -> int:
    """Judge the readings whose time has come; everything follows as if they had come just now. Returns how many there were.

    Those from before the horizon of telemetry are left to ``iot.retention``: they would come too late.
    """
    taken = 0
    while True:
        with database.transaction() as session:
            found = _take_in(session, settings)
        taken += found
        if found < _SLICE:
            return taken


def _take_in(session: Session, settings: Settings) -> int:
    rows = _free(session, to_ms(now(session)))
    if not rows:
        return 0
    senders = _senders(session, {row.device_id for row in rows})
    # Nothing is derived of them: TeslaMate, of whose values something is, tells no times of its own.
    store.move_latest(session, [row for row in rows if row.metric in senders[row.device_id].named])
    rules = active_rules(session)
    metrics = {metric for rule in rules for metric in rule.document.metrics}
    placed = [(_asset_of(senders, row), row) for row in rows if row.metric in metrics]
    for change in alarms.evaluate(session, subjects.news_of(session, rules, placed, settings.time_zone)):
        actions.apply(session, settings, change)
    return len(rows)


def _free(session: Session, present_ms: int) -> list[Row]:
    """Take the mark from a slice of the readings whose time has come, oldest first, and return them: no instant is cut in two."""
    horizon_ms = select(func.coalesce(func.max(TelemetryHorizon.before_ms), 0)).scalar_subquery()
    due = Telemetry.ahead.is_(True) & (Telemetry.at_ms <= present_ms) & (Telemetry.at_ms >= horizon_ms)
    last_ms = session.scalar(select(Telemetry.at_ms).where(due).order_by(Telemetry.at_ms).offset(_SLICE - 1).limit(1))
    freed = session.execute(
        update(Telemetry)
        .where(due, Telemetry.at_ms <= (present_ms if last_ms is None else last_ms))
        .values(ahead=False)
        .returning(*(getattr(Telemetry, name) for name in Row.__struct_fields__))
        .execution_options(synchronize_session=False)
    )
    return [Row(*row) for row in freed]


def _senders(session: Session, device_ids: Collection[str]) -> dict[str, _Sender]:
    rows = session.execute(
        select(Device.id, Device.asset_id, DeviceProfile.metrics)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .where(among(session, Device.id, sorted(device_ids)))
    ).all()
    stays = stays_of(session, device_ids)
    return {row.id: _Sender(row.asset_id, frozenset(row.metrics), stays.get(row.id, ())) for row in rows}


def _asset_of(senders: Mapping[str, _Sender], row: Row) -> str:
    sender = senders[row.device_id]
    return asset_then(sender.stays, sender.asset_id, row.at_ms)
