"""CONDUCTOR of a telemetry batch: decode, know the device, store what is new, latest, alarms, actions; one transaction.

The caller acknowledges the messages after ``ingest_batch`` has returned, never before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import and_, or_, select
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError, StatementError
from sqlalchemy.orm import Session

from app.assets.device_settings import note_report
from app.assets.mappings import RANGE_HEALTH, MappedForm, read_form
from app.assets.models import Device, DeviceProfile, FaultCode
from app.assets.placements import Stay, asset_then, mark_followed, stays_of, unfollowed
from app.core.clock import from_ms
from app.core.db import Database, among
from app.core.errors import DomainError
from app.core.fault_points import FaultPoint, passed
from app.core.history import Subject, record
from app.core.logs import get_log
from app.core.metrics import INGEST_MESSAGES
from app.core.settings import Settings
from app.core.tracked import add
from app.core.wire import WireError
from app.rules.queries import ActiveRule, active_rules
from iot import actions, alarms, commands, derived, nodes, polls, rates, silence, store, subjects
from iot.adapters import (
    Answer,
    Decoded,
    FaultReport,
    Ignored,
    NodeMessage,
    Sample,
    SettingsReport,
    decode,
    is_mapped,
    source_of,
    thingsboard,
)
from iot.models import DevicePresence, TelemetryHorizon
from iot.rates import Bucket
from iot.store import Letter, Row
from iot.subjects import News
from iot.words import Words, is_usable

log = get_log(__name__)

_AHEAD_MS = 5 * 60_000


class Message(NamedTuple):
    """One message as the broker delivered it."""

    topic: str
    payload: bytes
    retained: bool
    received_ms: int


@dataclass(frozen=True)
class KnownDevice:
    """What the ingest needs of a device and its profile. ``stays``: where it was, by time, if it ever moved."""

    id: str
    asset_id: str
    shard: int
    words: Words
    bucket: Bucket
    stays: Sequence[Stay] = ()

    def asset_at(self, at_ms: int) -> str:
        """Return the asset it was in at an instant of event time."""
        return asset_then(self.stays, self.asset_id, at_ms) if self.stays else self.asset_id


@dataclass
class Batch:
    """What becomes of a batch on its way down ``ingest_batch``."""

    decoded: list[tuple[Message, Decoded]] = field(default_factory=list)
    poison: list[tuple[Message, str, str]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    heard: dict[str, int] = field(default_factory=dict)
    horizon_ms: int = 0


def ingest_batch(
    database: Database, settings: Settings, messages: Sequence[Message], *, again: bool = True, limited: bool = True
) -> Counter[str]:
    """Store a batch and everything that follows from it, or nothing.

    A batch that the database refuses because of its content is split until the message at fault is
    alone, and that one becomes a dead letter; but not before it was tried ``again``, for it may only
    have met a twin in another process. A database that is away raises: do not acknowledge.

    Args:
        limited: hold devices to their rates; not so where a person sends a message again.

    Returns:
        How many messages met which fate: stored, duplicate, poison, unknown_device, ...

    Raises:
        OperationalError: the database cannot be reached or is locked; nothing was stored.
    """
    try:
        with database.transaction() as session:
            counts = _ingest(session, settings, messages, limited)
    except (IntegrityError, DataError, StatementError, DomainError, ValueError, LookupError, TypeError, ArithmeticError) as fault:
        if isinstance(fault, OperationalError | InterfaceError) or (
            isinstance(fault, StatementError) and getattr(fault, "connection_invalidated", False)
        ):
            raise
        if len(messages) == 1 and again and isinstance(fault, IntegrityError | DomainError):
            return ingest_batch(database, settings, messages, again=False, limited=limited)
        if len(messages) == 1:
            return _bury_alone(database, settings, messages[0], fault)
        middle = len(messages) // 2
        halves = (messages[:middle], messages[middle:])
        return sum((ingest_batch(database, settings, half, limited=limited) for half in halves), Counter())
    for name, n in counts.items():
        INGEST_MESSAGES.labels(name).inc(n)
    return counts


def _ingest(session: Session, settings: Settings, messages: Sequence[Message], limited: bool) -> Counter[str]:
    forms = mapped_forms(session, messages)
    batch = _decode(messages, forms)
    devices = _known_devices(session, batch)
    answers = _follow_nodes(session, batch, devices)
    within = rates.keep_within(settings, batch.decoded, batch.heard, devices) if limited else rates.Within()
    if within.beyond:
        rates.note_storms(session, settings, within, devices.values(), batch.heard)
        batch.counts["rate_limited"] += within.beyond.total()
    rules = active_rules(session)
    rows = _rows(batch, devices)
    if deriving := [device for device in devices.values() if RANGE_HEALTH in device.words.names]:
        rows += derived.healths(session, rows, deriving)
    new = store.insert_new(session, rows)
    passed(FaultPoint.READINGS_STORED)
    batch.counts["duplicate"] += len(rows) - len(new)
    batch.counts["reading"] += len(new)
    _store_faults(session, batch, devices)
    commands.note_answers(session, answers + _answers(batch, devices))
    _note_settings(session, batch, devices)
    if behind := [devices[one.adapter, one.address].id for one in _connects(batch) if (one.adapter, one.address) in devices]:
        polls.connected(session, behind)
    usable = [row for row in new if not row.ahead]
    known_metrics = {device.id: set(device.words.names.values()) for device in devices.values()}
    store.move_latest(session, [row for row in usable if row.metric in known_metrics[row.device_id]])
    store.note_presence(session, batch.heard, within.costs_us)
    silence.notice_heard(session, batch.heard, batch.heard)
    for change in alarms.evaluate(session, _news(session, settings, rules, usable, devices)):
        actions.apply(session, settings, change)
    passed(FaultPoint.ALARMS_FOLLOWED)
    letters = [
        Letter(message.topic, message.payload, message.received_ms, source_of(message.topic, forms), reason, detail)
        for message, reason, detail in sorted(batch.poison, key=lambda poison: poison[0][:2])
    ]
    kept = store.bury(session, letters, settings.payload_limit_bytes)
    batch.counts.update({"poison": kept, "poison_dropped": len(letters) - kept})
    store.add_counts(session, batch.counts)
    return batch.counts


def mapped_forms(session: Session, messages: Sequence[Message]) -> list[MappedForm]:
    """Return how profiles read messages of other makers' devices, when there are any in the batch."""
    if not any(is_mapped(message.topic) for message in messages):
        return []
    rows = session.execute(
        select(DeviceProfile.code, DeviceProfile.mapping, DeviceProfile.metrics)
        .where(DeviceProfile.adapter == "mapped", DeviceProfile.deleted_at.is_(None))
        .order_by(DeviceProfile.id)
    )
    return [read_form(code, mapping, metrics) for code, mapping, metrics in rows if mapping]


def _decode(messages: Sequence[Message], forms: Sequence[MappedForm] = ()) -> Batch:
    batch = Batch()
    for message in messages:
        batch.counts["message"] += 1
        try:
            found = decode(
                message.topic, message.payload, retained=message.retained, received_ms=message.received_ms, forms=forms
            )
        except WireError as fault:
            batch.poison.append((message, fault.reason, fault.detail))
            continue
        batch.decoded += [(message, one) for one in found]
    return batch


def _known_devices(session: Session, batch: Batch) -> dict[tuple[str, str], KnownDevice]:
    """Load the devices that speak in this batch; unknown ones are counted and grow nothing."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for _, one in batch.decoded:
        wanted[one.adapter] |= {one.address, one.node} if isinstance(one, NodeMessage) else {one.address}
    if not wanted:
        return {}
    asked = [and_(Device.adapter == name, among(session, Device.address, sorted(wanted[name]))) for name in sorted(wanted)]
    horizon = select(TelemetryHorizon.before_ms).scalar_subquery()
    rows = session.execute(
        select(
            *(Device.adapter, Device.address, Device.id, Device.asset_id, Device.shard, Device.state, DeviceProfile.metrics),
            *(horizon, Device.placed_at, DeviceProfile.messages_per_minute, DeviceProfile.message_burst),
            *(DevicePresence.heard_ms, DevicePresence.paid_us),
        )
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .outerjoin(DevicePresence, DevicePresence.device_id == Device.id)
        .where(or_(*asked), Device.deleted_at.is_(None))
    ).all()
    moved = [row.id for row in rows if row.placed_at is not None]
    stays = stays_of(session, moved) if moved else {}
    known: dict[tuple[str, str], KnownDevice] = {}
    revoked = set()
    for adapter, address, device_id, asset_id, shard, state, metrics, horizon_ms, _, *bucket in rows:
        batch.horizon_ms = horizon_ms or 0
        if state != "active":
            revoked.add((adapter, address))
            continue
        words = Words.of(adapter, metrics)
        known[adapter, address] = KnownDevice(device_id, asset_id, shard, words, Bucket.of(*bucket), stays.get(device_id, ()))
    # What one message holds of one device meets its fate once, however many samples there are.
    for message, one in {(id(message), one.address): (message, one) for message, one in batch.decoded}.values():
        device = known.get((one.adapter, one.address))
        if device is None:
            batch.counts["revoked_device" if (one.adapter, one.address) in revoked else "unknown_device"] += 1
        elif not isinstance(one, Ignored) and one.shard is not None and one.shard != device.shard:
            batch.poison.append((message, "wrong_shard", f"device belongs to shard {device.shard}"))
        else:
            _note_heard(batch, message, one, known)
            if isinstance(one, Ignored):
                batch.counts[f"ignored_{one.why}"] += 1
    return known


def _note_heard(batch: Batch, message: Message, one: Decoded, known: dict[tuple[str, str], KnownDevice]) -> None:
    """Note who sent a message just now: not what the broker kept for us, nor what tells that its device is gone.

    A node is heard by what it says of the devices below it, also that one of them is gone.
    """
    if message.retained:
        return
    speakers = [one.address] if not isinstance(one, Sample | Ignored | NodeMessage) or one.alive else []
    if isinstance(one, NodeMessage) and one.below:
        speakers.append(one.node)
    for address in speakers:
        device = known.get((one.adapter, address))
        if device is not None:
            batch.heard[device.id] = max(batch.heard.get(device.id, 0), message.received_ms)


def _follow_nodes(session: Session, batch: Batch, devices: dict[tuple[str, str], KnownDevice]) -> list[tuple[str, Answer]]:
    """Put messages of Sparkplug nodes into the words of their births; return answers to what the nodes were asked.

    A message with a value that has no name yet is a dead letter, too: once the node has told its births, a replay brings it.
    """
    told = [(message, one) for message, one in batch.decoded if isinstance(one, NodeMessage)]
    if not told:
        return []
    found = nodes.follow(session, [(one, message.received_ms) for message, one in told], devices)
    batch.decoded = [(message, one) for message, one in batch.decoded if not isinstance(one, NodeMessage)]
    for index, one in found.decoded:
        batch.decoded.append((told[index][0], one))
        if isinstance(one, Ignored) and (one.adapter, one.address) in devices:
            batch.counts[f"ignored_{one.why}"] += 1
    for index, detail in found.unnamed:
        message, one = told[index]
        if (one.adapter, one.address) in devices:
            batch.poison.append((message, "alias_unknown", detail))
    batch.counts.update(found.counts)
    return found.answers


def _rows(batch: Batch, devices: dict[tuple[str, str], KnownDevice]) -> list[Row]:
    """Turn samples of known devices into readings under the profile's names and units."""
    rows = []
    for message, one in batch.decoded:
        device = devices.get((one.adapter, one.address))
        if device is None or not isinstance(one, Sample) or (one.shard is not None and one.shard != device.shard):
            continue
        if one.at_ms < batch.horizon_ms:
            batch.counts["too_old"] += 1
            continue
        ahead = one.at_ms > message.received_ms + _AHEAD_MS
        if ahead:
            batch.counts["ahead"] += 1
        for source, value in one.values.items():
            metric, value = device.words.told(source, value)
            if is_usable(value):
                rows.append(Row(device.id, one.key, metric[:60], one.at_ms, value, message.received_ms, ahead))
            elif not batch.poison or batch.poison[-1][0] is not message:
                batch.poison.append((message, "number_out_of_range", f"{metric[:60]}: too great"))
    return rows


def _answers(batch: Batch, devices: dict[tuple[str, str], KnownDevice]) -> list[tuple[str, Answer]]:
    """Return what devices answer to commands, each with its id. A convention without a shard in its topics names none."""
    known = [(devices.get((one.adapter, one.address)), one) for _, one in batch.decoded if isinstance(one, Answer)]
    return [(device.id, one) for device, one in known if device is not None and one.shard in {None, device.shard}]


def _connects(batch: Batch) -> Iterator[Ignored]:
    """Return what says that a gateway has connected a device."""
    return (one for _, one in batch.decoded if isinstance(one, Ignored) and one.why == thingsboard.CONNECTED)


def _note_settings(session: Session, batch: Batch, devices: dict[tuple[str, str], KnownDevice]) -> None:
    """Note which settings devices say they have taken over; a clock that is ahead is taken at the arrival."""
    told: list[tuple[str, datetime, SettingsReport]] = []
    for message, one in batch.decoded:
        device = devices.get((one.adapter, one.address))
        if device is None or not isinstance(one, SettingsReport) or one.shard not in {None, device.shard}:
            continue
        told.append((device.id, from_ms(min(one.at_ms, message.received_ms)), one))
    # In one order everywhere, so that two writers wait for each other instead of deadlocking.
    for device_id, at, one in sorted(told, key=lambda report: report[:2]):
        note_report(session, device_id, one.number, one.values, at, whole=one.whole)


def _store_faults(session: Session, batch: Batch, devices: dict[tuple[str, str], KnownDevice]) -> None:
    """Store fault codes once, each with its entry in the causal log."""
    for message, one in batch.decoded:
        device = devices.get((one.adapter, one.address))
        if device is None or not isinstance(one, FaultReport) or one.shard != device.shard:
            continue
        known = select(FaultCode.id).where(
            FaultCode.device_id == device.id, FaultCode.message_key == one.key, FaultCode.code == one.code
        )
        if session.scalar(known) is not None:
            batch.counts["duplicate"] += 1
            continue
        fault = add(
            session,
            FaultCode(
                asset_id=device.asset_at(one.at_ms),
                device_id=device.id,
                message_key=one.key,
                code=one.code,
                severity=one.severity,
                description=one.description,
                occurred_at=from_ms(one.at_ms),
                received_at=from_ms(message.received_ms),
            ),
        )
        record(
            session,
            "fault_code.reported",
            Subject("fault_code", fault.id),
            occurred_at=fault.occurred_at,
            code=one.code,
            severity=one.severity,
        )
        batch.counts["fault_code"] += 1


def _news(
    session: Session, settings: Settings, rules: list[ActiveRule], rows: list[Row], devices: dict[tuple[str, str], KnownDevice]
) -> list[News]:
    """Return what the new readings speak of."""
    metrics = {metric for rule in rules for metric in rule.document.metrics}
    spoken = [row for row in rows if row.metric in metrics]
    if not spoken:
        return []
    by_id = {device.id: device for device in devices.values()}
    placed = [(by_id[row.device_id].asset_at(row.at_ms), row) for row in spoken]
    return subjects.news_of(session, rules, placed, settings.time_zone)


def _bury_alone(database: Database, settings: Settings, message: Message, fault: Exception) -> Counter[str]:
    log.error("message could not be stored", topic=message.topic[:200], problem=repr(fault)[:300])
    with database.transaction() as session:
        detail = f"{type(fault).__name__}: {str(fault).partition(chr(10))[0]}"
        source = source_of(message.topic, mapped_forms(session, [message]))
        letter = Letter(message.topic, message.payload, message.received_ms, source, "not_storable", detail)
        fate = "poison" if store.bury(session, [letter], settings.payload_limit_bytes) else "poison_dropped"
        store.add_counts(session, {"message": 1, fate: 1})
    INGEST_MESSAGES.labels(fate).inc()
    return Counter({"message": 1, fate: 1})


def follow_due(database: Database, settings: Settings) -> int:
    """Look at what got no new reading: values that held long enough, packs taken out, devices moved. Returns changes made."""
    with database.transaction() as session:
        moves = unfollowed(session)
        moved = {move.device_id for move in moves}
        changes = alarms.evaluate(session, subjects.due(session, settings.time_zone, moved))
        for change in changes:
            actions.apply(session, settings, change)
        mark_followed(session, moves)
        return len(changes)
