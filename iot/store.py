"""Bulk writes of the ingest: readings once, latest values forward only, presence, counters, dead letters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import JSON, Text, and_, cast, column, func, literal, or_, select, update
from sqlalchemy.orm import Session

from app.core.clock import from_ms
from app.core.db import Base, insert_into
from app.core.ids import new_id
from iot.models import DeadLetter, DetectorState, DeviceLatest, DevicePresence, IngestCounter, Telemetry

_HEAD = 4096
_MOST_DEAD_LETTERS = 100_000


class Row(NamedTuple):
    """One reading as it is stored."""

    device_id: str
    message_key: str
    metric: str
    at_ms: int
    value: float
    received_ms: int
    ahead: bool


def _insert_all(session: Session, model: type[Base], rows: list[dict[str, Any]]) -> tuple[Any, Any]:
    """Return an INSERT of many rows in their order, and what to execute it with.

    On PostgreSQL the rows are one JSON parameter of one statement; a statement each would cost three times as much.
    """
    insert = insert_into(session, model)
    if session.get_bind().dialect.name != "postgresql":
        return insert, rows
    names = list(rows[0])
    columns = [column(name, model.__table__.c[name].type) for name in names]
    given = cast(literal(msgspec.json.encode(rows).decode(), Text), JSON)
    found = func.json_to_recordset(given).table_valued(*columns).render_derived(with_types=True)
    return insert.from_select(names, select(*(found.c[name] for name in names))), None


def insert_new(session: Session, rows: Sequence[Row]) -> list[Row]:
    """Insert the readings that are not there yet and return exactly those.

    Rows go in in key order, so that two writers with the same messages wait for each other instead of deadlocking.
    """
    by_key = {(row.device_id, row.message_key, row.metric): row for row in reversed(rows)}
    ordered = [by_key[key] for key in sorted(by_key)]
    if not ordered:
        return []
    insert, parameters = _insert_all(session, Telemetry, [row._asdict() for row in ordered])
    insert = insert.on_conflict_do_nothing().returning(Telemetry.device_id, Telemetry.message_key, Telemetry.metric)
    return [by_key[tuple(key)] for key in session.execute(insert, parameters)]


def move_latest(session: Session, rows: Iterable[Row]) -> None:
    """Move the latest values forward by event time; an older reading changes nothing, whenever it comes."""
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        held = newest.get((row.device_id, row.metric))
        if held is None or (row.at_ms, row.message_key) > (held.at_ms, held.message_key):
            newest[row.device_id, row.metric] = row
    if not newest:
        return
    names = ("device_id", "metric", "at_ms", "message_key", "value", "received_ms")
    values = [{name: getattr(newest[key], name) for name in names} for key in sorted(newest)]
    insert, parameters = _insert_all(session, DeviceLatest, values)
    fresh = insert.excluded
    insert = insert.on_conflict_do_update(
        index_elements=[DeviceLatest.device_id, DeviceLatest.metric],
        set_={"at_ms": fresh.at_ms, "message_key": fresh.message_key, "value": fresh.value, "received_ms": fresh.received_ms},
        where=or_(
            DeviceLatest.at_ms < fresh.at_ms,
            and_(DeviceLatest.at_ms == fresh.at_ms, DeviceLatest.message_key < fresh.message_key),
        ),
    )
    session.execute(insert, parameters)


def note_presence(session: Session, heard: dict[str, int]) -> None:
    """Note when devices were heard last, by our clock; never backward."""
    if not heard:
        return
    rows = [{"device_id": device_id, "heard_ms": heard[device_id]} for device_id in sorted(heard)]
    insert, parameters = _insert_all(session, DevicePresence, rows)
    insert = insert.on_conflict_do_update(
        index_elements=[DevicePresence.device_id],
        set_={"heard_ms": insert.excluded.heard_ms},
        where=DevicePresence.heard_ms < insert.excluded.heard_ms,
    )
    session.execute(insert, parameters)


def keep_states(session: Session, rows: list[dict[str, Any]]) -> None:
    """Write detector states whose rows are locked: all columns of each."""
    insert, parameters = _insert_all(session, DetectorState, rows)
    fresh = insert.excluded
    changed = {name: fresh[name] for name in ("rule_number", "fittings", "state", "due_ms")}
    insert = insert.on_conflict_do_update(index_elements=[DetectorState.rule_id, DetectorState.component_id], set_=changed)
    session.execute(insert, parameters)


def add_counts(session: Session, counts: dict[str, int]) -> None:
    """Add to the durable counters."""
    rows = [{"name": name, "n": n} for name, n in sorted(counts.items()) if n]
    if not rows:
        return
    insert = insert_into(session, IngestCounter)
    session.execute(
        insert.on_conflict_do_update(index_elements=[IngestCounter.name], set_={"n": IngestCounter.n + insert.excluded.n}), rows
    )


def bury(session: Session, topic: str, payload: bytes, reason: str, detail: str, received_ms: int, keep_bytes: int) -> bool:
    """Keep a message that could not be used; the same one again only counts up.

    Returns:
        Whether there was room: beyond 100,000 open dead letters a message is only counted, never blocks.
    """
    fingerprint = hashlib.sha256(topic.encode(errors="replace") + b"\x00" + payload).hexdigest()
    received = from_ms(received_ms)
    again = session.execute(
        update(DeadLetter)
        .where(DeadLetter.fingerprint == fingerprint)
        .values(times=DeadLetter.times + 1, last_at=received, state="open", reason=reason, detail=_storable(detail))
        .execution_options(synchronize_session=False)
    )
    if again.rowcount:  # type: ignore[attr-defined]
        return True
    if (
        session.scalar(select(func.count()).select_from(DeadLetter).where(DeadLetter.state == "open")) or 0
    ) >= _MOST_DEAD_LETTERS:
        return False
    whole = len(payload) <= keep_bytes
    session.execute(
        insert_into(session, DeadLetter)
        .values(
            id=new_id(),
            fingerprint=fingerprint,
            topic=_storable(topic),
            payload=payload if whole else payload[:_HEAD],
            size=len(payload),
            whole=whole,
            reason=reason,
            detail=_storable(detail),
            received_at=received,
            last_at=received,
            times=1,
            state="open",
        )
        .on_conflict_do_nothing()
    )
    return True


def _storable(text: str) -> str:
    return text.encode(errors="replace").decode().replace("\x00", "\ufffd")[:300]
