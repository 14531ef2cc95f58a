"""Readings added up by steps of time, for people: of stored readings, of roll-ups, of both together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from iot.models import Telemetry, TelemetryHorizon, TelemetryRollup
from iot.store import Rollup

HOUR_MS = 3_600_000
_DAY_MS = 24 * HOUR_MS
_UNIT_MS = {"second": 1000, "hour": HOUR_MS, "day": _DAY_MS}
_PAGE = 5000
_FIRST_DAY = date(1970, 1, 1)


@dataclass(frozen=True)
class Step:
    """So many seconds or hours (UTC), or local days from midnight to midnight; counted from 1970."""

    unit: str
    n: int = 1

    @property
    def seconds(self) -> int:
        """How long it is; a day in which clocks are changed is an hour longer or shorter."""
        return self.n * _UNIT_MS[self.unit] // 1000

    def beginning(self, at_ms: int, time_zone: tzinfo) -> int:
        """Return when the step of an instant began, Unix ms."""
        if self.unit != "day":
            width_ms = self.n * _UNIT_MS[self.unit]
            return at_ms // width_ms * width_ms
        day = from_ms(at_ms).astimezone(time_zone).date()
        first = day - timedelta(days=(day - _FIRST_DAY).days % self.n)
        return to_ms(datetime.combine(first, time(), tzinfo=time_zone))


def finest_step(session: Session, wanted_s: int, since_ms: int, until_ms: int, most: int) -> Step:
    """Return the finest step there is that is not finer than wanted, and gives at most so many sums.

    Steps below an hour need the readings themselves, and those of hours the roll-ups by hour, from ``since_ms`` on.
    """
    least_s = max(wanted_s, -(-(until_ms - since_ms) // (1000 * most)))
    row = session.execute(select(TelemetryHorizon.before_ms, TelemetryHorizon.hours_before_ms)).first()
    readings_ms, hours_ms = (row.before_ms, min(row.before_ms, row.hours_before_ms)) if row else (0, 0)
    if least_s < HOUR_MS // 1000 and since_ms >= readings_ms:
        return Step("second", least_s)
    if least_s < _DAY_MS // 1000 and since_ms >= hours_ms:
        return Step("hour", max(1, -(-least_s * 1000 // HOUR_MS)))
    return Step("day", max(1, -(-least_s * 1000 // _DAY_MS)))


def sums_of(
    session: Session, device_id: str, metric: str, step: Step, since_ms: int, until_ms: int, most: int, time_zone: tzinfo
) -> list[Rollup]:
    """Return the sums of steps that begin in [since_ms, until_ms), newest first; at most so many."""
    found: dict[int, Rollup] = {}
    # The last step may end after ``until_ms``; a day of changed clocks has 25 hours.
    end_ms = until_ms + step.seconds * 1000 + 2 * HOUR_MS
    for read in (_rolled_up, _stored):
        begun: set[int] = set()
        for one in read(session, device_id, metric, step, since_ms, end_ms, time_zone):
            from_ms_ = step.beginning(one.from_ms, time_zone)
            if from_ms_ not in begun and len(begun) == most:
                break
            if since_ms <= from_ms_ < until_ms:
                begun.add(from_ms_)
                before = found.get(from_ms_)
                found[from_ms_] = _joined(before, one) if before else msgspec.structs.replace(one, from_ms=from_ms_)
    return [found[from_ms_] for from_ms_ in sorted(found, reverse=True)][:most]


def _rolled_up(
    session: Session, device_id: str, metric: str, step: Step, since_ms: int, end_ms: int, _zone: tzinfo
) -> Iterator[Rollup]:
    query = select(*(getattr(TelemetryRollup, name) for name in Rollup.__struct_fields__)).where(
        TelemetryRollup.device_id == device_id,
        TelemetryRollup.metric == metric,
        TelemetryRollup.span == step.unit,
        TelemetryRollup.from_ms >= since_ms,
        TelemetryRollup.from_ms < end_ms,
    )
    with session.execute(query.order_by(TelemetryRollup.from_ms.desc()).execution_options(yield_per=_PAGE)) as rows:
        for row in rows:
            yield Rollup(*row)


def _stored(
    session: Session, device_id: str, metric: str, step: Step, since_ms: int, end_ms: int, time_zone: tzinfo
) -> Iterator[Rollup]:
    query = select(Telemetry.at_ms, Telemetry.value).where(
        Telemetry.device_id == device_id,
        Telemetry.metric == metric,
        Telemetry.ahead.is_(False),
        Telemetry.at_ms >= since_ms,
        Telemetry.at_ms < end_ms,
    )
    newest_first = query.order_by(Telemetry.at_ms.desc(), Telemetry.message_key.desc())
    # Closed when enough was read: a cursor of the server may be behind it.
    with session.execute(newest_first.execution_options(yield_per=_PAGE)) as rows:
        for begun_ms, inside in groupby(rows, key=lambda row: step.beginning(row.at_ms, time_zone)):
            yield _sum(device_id, metric, step.unit, begun_ms, inside)


def _sum(device_id: str, metric: str, unit: str, begun_ms: int, newest_first: Iterator[Any]) -> Rollup:
    last_ms, last = next(newest_first)
    n, total, least, most, first_ms, first = 1, last, last, last, last_ms, last
    for at_ms, value in newest_first:
        n, total, least, most, first_ms, first = n + 1, total + value, min(least, value), max(most, value), at_ms, value
    return Rollup(device_id, metric, unit, begun_ms, n, total, least, most, first_ms, first, last_ms, last)


def _joined(one: Rollup, earlier: Rollup) -> Rollup:
    """Add what comes next, going back in time; of two readings of one instant the one met first is the later."""
    first = one if one.first_ms < earlier.first_ms else earlier
    last = one if one.last_ms >= earlier.last_ms else earlier
    return msgspec.structs.replace(
        one,
        n=one.n + earlier.n,
        total=one.total + earlier.total,
        least=min(one.least, earlier.least),
        most=max(one.most, earlier.most),
        first_ms=first.first_ms,
        first=first.first,
        last_ms=last.last_ms,
        last=last.last,
    )
