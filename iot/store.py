"""Bulk writes of the ingest: readings once, latest values forward only, presence, counters, dead letters."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import JSON, Text, and_, bindparam, case, cast, column, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app.core.clock import from_ms
from app.core.db import Base, insert_into
from app.core.ids import new_id
from iot.models import DeadLetter, DeviceLatest, DevicePresence, IngestCounter, SubjectState, Telemetry, TelemetryRollup

_HEAD = 4096
_MOST_DEAD_LETTERS = 100_000
_MOST_OF_ONE_SOURCE = 1_000
_LONGEST_SOURCE = 160


class Row(msgspec.Struct, frozen=True, gc=False):
    """One reading as it is stored."""

    device_id: str
    message_key: str
    metric: str
    at_ms: int
    value: float
    received_ms: int
    ahead: bool


class KeptStates(msgspec.Struct, frozen=True, gc=False):
    """One row of ``SubjectState``."""

    subject_id: str
    states: str
    due_ms: int | None


class Rollup(msgspec.Struct, frozen=True, gc=False):
    """One row of ``TelemetryRollup``."""

    device_id: str
    metric: str
    span: str
    from_ms: int
    n: int
    total: float
    least: float
    most: float
    first_ms: int
    first: float
    last_ms: int
    last: float


class _Heard(msgspec.Struct, frozen=True, gc=False):
    device_id: str
    heard_ms: int
    paid_us: int


class _Count(msgspec.Struct, frozen=True, gc=False):
    name: str
    n: int


class _Bulk:
    """An INSERT of many rows in their order, made once a dialect. On PostgreSQL they are one JSON parameter of one statement."""

    def __init__(self, model: type[Base], names: Sequence[str], conflict: Callable[[Any], Any]) -> None:
        """Prepare it.

        Args:
            names: the columns, and the attributes of the rows.
            conflict: adds what becomes of a row that is there already.
        """
        self._names = names
        table: Any = model.__table__
        columns = [column(name, table.c[name].type) for name in names]
        given = func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON)).table_valued(*columns)
        rows = given.render_derived(with_types=True)
        self._postgres = conflict(postgresql.insert(table).from_select(names, select(*(rows.c[name] for name in names))))
        self._sqlite = conflict(sqlite.insert(table))

    def run(self, session: Session, rows: Sequence[msgspec.Struct]) -> Any:
        """Write at least one row."""
        if session.get_bind().dialect.name == "postgresql":
            return session.execute(self._postgres, {"rows": msgspec.json.encode(rows).decode()})
        return session.execute(self._sqlite, [{name: getattr(row, name) for name in self._names} for row in rows])


def _upsert(
    model: type[Base], names: Sequence[str], change: Callable[[Any], Any], where: Callable[[Any], Any] | None = None
) -> _Bulk:
    """Return an INSERT that changes the row with the same primary key instead, where there is one.

    Args:
        change: takes the new row's columns, returns what to set.
        where: takes the new row's columns, returns when.
    """

    def conflict(insert: Any) -> Any:
        fresh = insert.excluded
        keys = list(model.__table__.primary_key)
        return insert.on_conflict_do_update(index_elements=keys, set_=change(fresh), where=where(fresh) if where else None)

    return _Bulk(model, names, conflict)


def _greater(one: Any, other: Any) -> Any:
    return case((one > other, one), else_=other)


_TELEMETRY = _Bulk(
    Telemetry,
    Row.__struct_fields__,
    lambda insert: insert.on_conflict_do_nothing().returning(Telemetry.device_id, Telemetry.message_key, Telemetry.metric),
)
_LATEST = _upsert(
    DeviceLatest,
    ("device_id", "metric", "at_ms", "message_key", "value", "received_ms"),
    lambda new: {name: new[name] for name in ("at_ms", "message_key", "value", "received_ms")},
    lambda new: or_(
        DeviceLatest.at_ms < new.at_ms, and_(DeviceLatest.at_ms == new.at_ms, DeviceLatest.message_key < new.message_key)
    ),
)
_PRESENCE = _upsert(
    DevicePresence,
    _Heard.__struct_fields__,
    # What is owed melts until the newest arrival, and what this batch costs comes on top, whoever else writes meanwhile.
    lambda new: {
        "heard_ms": _greater(DevicePresence.heard_ms, new.heard_ms),
        "paid_us": _greater(DevicePresence.paid_us, _greater(DevicePresence.heard_ms, new.heard_ms) * 1000)
        + (new.paid_us - new.heard_ms * 1000),
    },
    lambda new: or_(DevicePresence.heard_ms < new.heard_ms, new.paid_us > new.heard_ms * 1000),
)
_STATES = _upsert(
    SubjectState,
    KeptStates.__struct_fields__,
    lambda new: {"states": new.states, "due_ms": new.due_ms},
)
_ROLLUPS = _upsert(
    TelemetryRollup,
    Rollup.__struct_fields__,
    lambda new: {
        "n": TelemetryRollup.n + new.n,
        "total": TelemetryRollup.total + new.total,
        "least": case((new.least < TelemetryRollup.least, new.least), else_=TelemetryRollup.least),
        "most": case((new.most > TelemetryRollup.most, new.most), else_=TelemetryRollup.most),
        "first_ms": case((new.first_ms < TelemetryRollup.first_ms, new.first_ms), else_=TelemetryRollup.first_ms),
        "first": case((new.first_ms < TelemetryRollup.first_ms, new.first), else_=TelemetryRollup.first),
        "last_ms": case((new.last_ms >= TelemetryRollup.last_ms, new.last_ms), else_=TelemetryRollup.last_ms),
        "last": case((new.last_ms >= TelemetryRollup.last_ms, new.last), else_=TelemetryRollup.last),
    },
)
_COUNTS = _upsert(IngestCounter, _Count.__struct_fields__, lambda new: {"n": IngestCounter.n + new.n})


def insert_new(session: Session, rows: Sequence[Row]) -> list[Row]:
    """Insert the readings that are not there yet and return exactly those.

    Rows go in in key order, so that two writers with the same messages wait for each other instead of deadlocking.
    """
    by_key = {(row.device_id, row.message_key, row.metric): row for row in reversed(rows)}
    ordered = [by_key[key] for key in sorted(by_key)]
    return [by_key[tuple(key)] for key in _TELEMETRY.run(session, ordered)] if ordered else []


def move_latest(session: Session, rows: Iterable[Row]) -> None:
    """Move the latest values forward by event time; an older reading changes nothing, whenever it comes."""
    newest: dict[tuple[str, str], Row] = {}
    for row in rows:
        held = newest.get((row.device_id, row.metric))
        if held is None or (row.at_ms, row.message_key) > (held.at_ms, held.message_key):
            newest[row.device_id, row.metric] = row
    if newest:
        _LATEST.run(session, [newest[key] for key in sorted(newest)])


def note_presence(session: Session, heard: dict[str, int], costs_us: Mapping[str, int]) -> None:
    """Note when devices were heard last, by our clock; never backward. And what their messages cost, in microseconds."""
    if heard:
        rows = [_Heard(key, heard[key], heard[key] * 1000 + costs_us.get(key, 0)) for key in sorted(heard)]
        _PRESENCE.run(session, rows)


def keep_states(session: Session, states: Sequence[KeptStates]) -> None:
    """Write the states of at least one subject; their rows are locked."""
    _STATES.run(session, states)


def add_rollups(session: Session, rollups: Sequence[Rollup]) -> None:
    """Add to what is left of deleted readings; at most one for each device, metric, span and beginning."""
    if rollups:
        _ROLLUPS.run(session, rollups)


def add_counts(session: Session, counts: dict[str, int]) -> None:
    """Add to the durable counters."""
    rows = [_Count(name, n) for name, n in sorted(counts.items()) if n]
    if rows:
        _COUNTS.run(session, rows)


class Letter(NamedTuple):
    """A message that could not be used, and why. ``source``: who sent it; ``received_ms``: its arrival, Unix ms."""

    topic: str
    payload: bytes
    received_ms: int
    source: str
    reason: str
    detail: str


def bury(session: Session, letters: Iterable[Letter], keep_bytes: int) -> int:
    """Keep messages that could not be used; the same one again only counts up.

    Args:
        letters: in one order everywhere, so that two writers with the same ones wait for each other instead of deadlocking.
        keep_bytes: of a longer payload only its head is kept.

    Returns:
        For how many there was room: beyond 1,000 open dead letters of one source, or 100,000 of all, a message is only
        counted. It never blocks, and one that sends nothing else does not take the room of the others.
    """
    kept = 0
    room = _Room(session)
    for letter in letters:
        fingerprint = hashlib.sha256(letter.topic.encode(errors="replace") + b"\x00" + letter.payload).hexdigest()
        if _bury_again(session, fingerprint, letter):
            kept += 1
        elif room.take(_storable(letter.source, _LONGEST_SOURCE)):
            _bury_first(session, fingerprint, letter, keep_bytes)
            kept += 1
    return kept


class _Room:
    """How many open dead letters there are, of all and of a source; each is counted once a batch."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._of: dict[str | None, int] = {}

    def take(self, source: str) -> bool:
        """Take room for one more letter of a source, if there is any."""
        if self._open(None) >= _MOST_DEAD_LETTERS or self._open(source) >= _MOST_OF_ONE_SOURCE:
            return False
        self._of[None] += 1
        self._of[source] += 1
        return True

    def _open(self, source: str | None) -> int:
        if source not in self._of:
            query = select(func.count()).select_from(DeadLetter).where(DeadLetter.state == "open")
            self._of[source] = self._session.scalar(query if source is None else query.where(DeadLetter.source == source)) or 0
        return self._of[source]


def _bury_again(session: Session, fingerprint: str, letter: Letter) -> bool:
    again = session.execute(
        update(DeadLetter)
        .where(DeadLetter.fingerprint == fingerprint)
        .values(
            times=DeadLetter.times + 1,
            last_at=from_ms(letter.received_ms),
            state="open",
            reason=letter.reason,
            detail=_storable(letter.detail),
        )
        .execution_options(synchronize_session=False)
    )
    return bool(again.rowcount)  # type: ignore[attr-defined]


def _bury_first(session: Session, fingerprint: str, letter: Letter, keep_bytes: int) -> None:
    received = from_ms(letter.received_ms)
    whole = len(letter.payload) <= keep_bytes
    insert = insert_into(session, DeadLetter).values(
        id=new_id(),
        fingerprint=fingerprint,
        source=_storable(letter.source, _LONGEST_SOURCE),
        topic=_storable(letter.topic),
        payload=letter.payload if whole else letter.payload[:_HEAD],
        size=len(letter.payload),
        whole=whole,
        reason=letter.reason,
        detail=_storable(letter.detail),
        received_at=received,
        last_at=received,
        times=1,
        state="open",
    )
    session.execute(insert.on_conflict_do_update(index_elements=[DeadLetter.fingerprint], set_={"times": DeadLetter.times + 1}))


def _storable(text: str, longest: int = 300) -> str:
    return text.encode(errors="replace").decode().replace("\x00", "\ufffd")[:longest]
