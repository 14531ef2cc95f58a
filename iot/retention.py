"""Old readings become roll-ups: folded for the last time, added up, deleted; all of one slice in one transaction.

Alarms are a fold over stored readings, so a reading may go only when every subject it may speak of was folded up to it for the
last time (``iot.folds.settle``). What comes later from before the horizon is counted as ``too_old`` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta, tzinfo

from sqlalchemy import and_, delete, func, select, true
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.assets.placements import former_stays
from app.core.clock import to_ms
from app.core.db import Database, insert_into, now
from app.core.fault_points import FaultPoint, passed
from app.core.settings import Settings
from app.core.unfinished import one_by_one
from app.rules.queries import active_rules
from iot import folds, store
from iot.models import Telemetry, TelemetryHorizon, TelemetryRollup
from iot.steps import HOUR_MS, Step
from iot.store import Rollup
from iot.subjects import watched_in

SPANS = ("hour", "day")
_SLICE = 5000
# Readings of so long are folded at a time: a first run over years of them neither loads nor locks all at once.
_STRIDE_MS = 30 * 24 * HOUR_MS


def retire_telemetry(database: Database, settings: Settings) -> int:
    """Move the horizon to ``telemetry_days`` before now, and turn what was measured before it into roll-ups.

    An asset with which it fails keeps its readings for the next run, and no other asset from going on.

    Returns:
        How many readings were deleted.

    Raises:
        Unfinished: with the ids of the assets with which it failed.
    """
    if not settings.telemetry_days:
        return 0
    with database.transaction() as session:
        horizon_ms = _move_horizon(session, "before_ms", settings.telemetry_days)
        asset_ids = session.scalars(select(Device.asset_id).distinct().order_by(Device.asset_id)).all()
    return one_by_one(asset_ids, lambda asset_id: sum(_slices(database, asset_id, horizon_ms, settings.time_zone)))


def _slices(database: Database, asset_id: str, horizon_ms: int, time_zone: tzinfo) -> Iterator[int]:
    """Retire the readings of an asset's devices slice by slice; yield how many each was."""
    more = True
    while more:
        with database.transaction() as session:
            n, more = _retire_of(session, asset_id, horizon_ms, time_zone)
        passed(FaultPoint.SLICE_RETIRED)
        yield n


def retire_rollups(database: Database, settings: Settings) -> int:
    """Delete roll-ups by hour that began more than ``hour_rollup_days`` ago; those by day hold the same readings, and stay.

    Returns:
        How many were deleted.
    """
    if not settings.hour_rollup_days:
        return 0
    with database.transaction() as session:
        horizon_ms = _move_horizon(session, "hours_before_ms", settings.hour_rollup_days)
        device_ids = session.scalars(select(Device.id).order_by(Device.id)).all()
    gone = 0
    for device_id in device_ids:
        with database.transaction() as session:
            of = (TelemetryRollup.device_id == device_id, TelemetryRollup.span == "hour", TelemetryRollup.from_ms < horizon_ms)
            done = session.execute(delete(TelemetryRollup).where(*of).execution_options(synchronize_session=False))
            gone += done.rowcount  # type: ignore[attr-defined]
    return gone


def _move_horizon(session: Session, name: str, days: int) -> int:
    wanted_ms = to_ms(now(session) - timedelta(days=days)) // HOUR_MS * HOUR_MS
    column = getattr(TelemetryHorizon, name)
    insert = insert_into(session, TelemetryHorizon).values({"id": 1, "before_ms": 0, "hours_before_ms": 0, name: wanted_ms})
    moved = {name: insert.excluded[name]}
    session.execute(insert.on_conflict_do_update(index_elements=["id"], set_=moved, where=column < insert.excluded[name]))
    return int(session.scalars(select(column)).one())


def _retire_of(session: Session, asset_id: str, horizon_ms: int, time_zone: tzinfo) -> tuple[int, bool]:
    """Retire one slice of the readings of an asset's devices, wherever they were. Return how many, and if there may be more."""
    device_ids = session.scalars(select(Device.id).where(Device.asset_id == asset_id).order_by(Device.id)).all()
    kinds = [(device_id, metric) for device_id in device_ids for metric in _metrics_of(session, device_id)]
    oldest = [at_ms for kind in kinds if (at_ms := _oldest_ms(session, *kind)) is not None and at_ms < horizon_ms]
    if not oldest:
        return sum(_forget_ahead(session, *kind, horizon_ms) for kind in kinds), False
    before_ms = min(horizon_ms, min(oldest) + _STRIDE_MS)
    asset_ids = {asset_id, *(stay.asset_id for stay in former_stays(session, device_ids=device_ids))}
    folds.settle(session, watched_in(session, active_rules(session), sorted(asset_ids), time_zone), before_ms)
    gone = 0
    for device_id, metric in kinds:
        gone += _roll_up(session, device_id, metric, before_ms, time_zone)
        if gone >= _SLICE:
            break
    return gone, True


def _metrics_of(session: Session, device_id: str) -> Iterable[str]:
    """Yield the metrics a device ever sent, each found by the index."""
    found: str | None = ""
    while (
        found := session.scalar(
            select(func.min(Telemetry.metric)).where(Telemetry.device_id == device_id, Telemetry.metric > found)
        )
    ) is not None:
        yield found


def _oldest_ms(session: Session, device_id: str, metric: str) -> int | None:
    return session.scalar(select(func.min(Telemetry.at_ms)).where(Telemetry.device_id == device_id, Telemetry.metric == metric))


def _roll_up(session: Session, device_id: str, metric: str, before_ms: int, time_zone: tzinfo) -> int:
    """Delete one slice of a metric's readings and add them to their roll-ups; return how many."""
    of = and_(Telemetry.device_id == device_id, Telemetry.metric == metric, Telemetry.at_ms < before_ms)
    last_ms = session.scalar(select(Telemetry.at_ms).where(of).order_by(Telemetry.at_ms).offset(_SLICE).limit(1))
    upto = Telemetry.at_ms <= last_ms if last_ms is not None else true()
    rows = session.execute(
        delete(Telemetry)
        .where(of, upto)
        .returning(Telemetry.at_ms, Telemetry.message_key, Telemetry.value, Telemetry.ahead)
        .execution_options(synchronize_session=False)
    ).all()
    # A time that the device's clock only claimed is no time to add a value up under.
    readings = sorted((at_ms, key, value) for at_ms, key, value, ahead in rows if not ahead)
    store.add_rollups(session, roll_up(device_id, metric, [(at_ms, value) for at_ms, _, value in readings], time_zone))
    return len(rows)


def roll_up(
    device_id: str, metric: str, readings: Sequence[tuple[int, float]], time_zone: tzinfo, spans: Sequence[str] = SPANS
) -> list[Rollup]:
    """Add up readings by hour (UTC) and by day (local midnight to local midnight). Pure.

    Args:
        readings: (event time in ms, value), in order.
        spans: which of the two.
    """
    slots: dict[tuple[str, int], list[tuple[int, float]]] = {}
    for at_ms, value in readings:
        for span in spans:
            slots.setdefault((span, beginning(span, at_ms, time_zone)), []).append((at_ms, value))
    found = []
    for (
        span,
        from_,
    ), inside in sorted(slots.items()):
        values = [value for _, value in inside]
        (first_ms, first), (last_ms, last) = inside[0], inside[-1]
        found.append(
            Rollup(
                device_id, metric, span, from_, len(values), sum(values), min(values), max(values), first_ms, first, last_ms, last
            )
        )
    return found


def beginning(span: str, at_ms: int, time_zone: tzinfo) -> int:
    """Return when the hour or the local day of an instant began, Unix ms."""
    return Step(span).beginning(at_ms, time_zone)


def _forget_ahead(session: Session, device_id: str, metric: str, horizon_ms: int) -> int:
    """Delete readings of long ago that are still to come by their device's clock."""
    done = session.execute(
        delete(Telemetry)
        .where(
            Telemetry.device_id == device_id,
            Telemetry.metric == metric,
            Telemetry.at_ms > to_ms(now(session)),
            Telemetry.ahead.is_(True),
            Telemetry.received_ms < horizon_ms,
        )
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]
