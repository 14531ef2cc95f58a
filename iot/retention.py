"""Old readings become roll-ups: folded for the last time, added up, deleted; all of one slice in one transaction.

Alarms are a fold over stored readings, so a reading may go only when every subject it may speak of was folded up to it for the
last time (``iot.folds.settle``). What comes later from before the horizon is counted as ``too_old`` and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta, tzinfo

import msgspec
from sqlalchemy import and_, delete, func, select, true
from sqlalchemy.orm import Session

from app.assets.models import Device
from app.assets.placements import former_stays
from app.core.clock import from_ms, to_ms
from app.core.db import Database, insert_into, now
from app.core.settings import Settings
from app.rules.queries import active_rules
from iot import folds, store
from iot.models import Telemetry, TelemetryHorizon, TelemetryRollup
from iot.store import Rollup
from iot.subjects import watched_in

HOUR_MS = 3_600_000
SPANS = ("hour", "day")
_LONGEST_DAY_MS = 26 * HOUR_MS
_SLICE = 5000
# Readings of so long are folded at a time: a first run over years of them neither loads nor locks all at once.
_STRIDE_MS = 30 * 24 * HOUR_MS


def retire_telemetry(database: Database, settings: Settings) -> int:
    """Move the horizon to ``telemetry_days`` before now, and turn what was measured before it into roll-ups.

    Returns:
        How many readings were deleted.
    """
    if not settings.telemetry_days:
        return 0
    with database.transaction() as session:
        horizon_ms = _move_horizon(session, settings.telemetry_days)
        asset_ids = session.scalars(select(Device.asset_id).distinct().order_by(Device.asset_id)).all()
    gone = 0
    for asset_id in asset_ids:
        more = True
        while more:
            with database.transaction() as session:
                n, more = _retire_of(session, asset_id, horizon_ms, settings.time_zone)
            gone += n
    return gone


def _move_horizon(session: Session, days: int) -> int:
    wanted_ms = to_ms(now(session) - timedelta(days=days)) // HOUR_MS * HOUR_MS
    insert = insert_into(session, TelemetryHorizon).values(id=1, before_ms=wanted_ms)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["id"],
            set_={"before_ms": insert.excluded.before_ms},
            where=TelemetryHorizon.before_ms < insert.excluded.before_ms,
        )
    )
    return session.scalars(select(TelemetryHorizon.before_ms)).one()


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
    if span == "hour":
        return at_ms // HOUR_MS * HOUR_MS
    local = from_ms(at_ms).astimezone(time_zone)
    return to_ms(local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0))


def rollups_of(
    session: Session, device_id: str, metric: str, span: str, since_ms: int, until_ms: int, limit: int, time_zone: tzinfo
) -> list[Rollup]:
    """Return roll-ups that begin in [since_ms, until_ms), newest first: of deleted readings, of stored ones, of both together.

    Args:
        span: ``hour`` or ``day``.
        limit: at most so many.
    """
    kept = select(TelemetryRollup).where(
        TelemetryRollup.device_id == device_id,
        TelemetryRollup.metric == metric,
        TelemetryRollup.span == span,
        TelemetryRollup.from_ms >= since_ms,
        TelemetryRollup.from_ms < until_ms,
    )
    names = Rollup.__struct_fields__
    found = {
        row.from_ms: Rollup(*(getattr(row, name) for name in names))
        for row in session.scalars(kept.order_by(TelemetryRollup.from_ms.desc()).limit(limit))
    }
    stored = (
        select(Telemetry.at_ms, Telemetry.value)
        .where(
            Telemetry.device_id == device_id,
            Telemetry.metric == metric,
            Telemetry.ahead.is_(False),
            Telemetry.at_ms >= since_ms,
            Telemetry.at_ms < until_ms + _LONGEST_DAY_MS,
        )
        .order_by(Telemetry.at_ms.desc(), Telemetry.message_key.desc())
        .execution_options(yield_per=_SLICE)
    )
    inside: list[tuple[int, float]] = []
    begun: set[int] = set()
    with session.execute(stored) as rows:  # closed when enough was read: a cursor of the server may be behind it
        for at_ms, value in rows:
            from_ = beginning(span, at_ms, time_zone)
            if from_ not in begun and len(begun) == limit:
                break
            if since_ms <= from_ < until_ms:
                begun.add(from_)
                inside.append((at_ms, value))
    for fresh in roll_up(device_id, metric, inside[::-1], time_zone, (span,)):
        before = found.get(fresh.from_ms)
        found[fresh.from_ms] = _joined(before, fresh) if before is not None else fresh
    return [found[from_] for from_ in sorted(found, reverse=True)][:limit]


def _joined(one: Rollup, other: Rollup) -> Rollup:
    earlier = min(one, other, key=lambda rollup: rollup.first_ms)
    later = max(one, other, key=lambda rollup: rollup.last_ms)
    return msgspec.structs.replace(
        one,
        n=one.n + other.n,
        total=one.total + other.total,
        least=min(one.least, other.least),
        most=max(one.most, other.most),
        first_ms=earlier.first_ms,
        first=earlier.first,
        last_ms=later.last_ms,
        last=later.last,
    )


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
