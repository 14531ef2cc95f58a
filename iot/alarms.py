"""From new readings to alarms: load, fold (pure), compare, write. Only ``ingest`` and the ticks call this room."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.assets.models import Component, Device, DeviceProfile, Fitting
from app.core.clock import from_ms, to_ms
from app.core.db import among, insert_into, now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import add, touch, transition
from app.rules.detectors import Episode, Folded, Reading, Removal, State, fold_new
from app.rules.detectors.episodes import Keep, KnownAlarm, Raise, Step, Withdraw, reconcile, should_act
from app.rules.queries import ActiveRule, active_rules
from iot import store
from iot.models import Alarm, DetectorState, Telemetry

_OPEN = ("raised", "acknowledged")
_LATE_SHOWN = 3
_KEY = (DetectorState.rule_id, DetectorState.component_id)
_state_decoder = msgspec.json.Decoder(State)


@dataclass(frozen=True)
class Window:
    """A component in one asset: event time from ``from_ms`` up to, not including, ``until_ms``."""

    asset_id: str
    from_ms: int
    until_ms: int | None


@dataclass
class Watched:
    """One component under one rule, with what became known of it just now."""

    rule: ActiveRule
    component_id: str
    windows: list[Window]
    value_holds: bool
    device_ids: list[str]
    new: list[Reading] = field(default_factory=list)

    @property
    def fittings(self) -> str:
        """Return a digest of where the component is and was fitted."""
        return hashlib.sha256(repr((self.windows, sorted(self.device_ids), self.value_holds)).encode()).hexdigest()

    @property
    def has_new_before_removal(self) -> bool:
        """Tell whether a new reading is of a time that ended with a removal: the removal was folded, so fold again."""
        removed_ms = max((window.until_ms for window in self.windows if window.until_ms is not None), default=0)
        return any(reading.at_ms < removed_ms for reading in self.new)


@dataclass(frozen=True)
class Change:
    """An alarm that changed, for ``actions`` to follow: people must be told, or a withdrawal undone."""

    kind: Literal["act", "cleared", "withdrawn"]
    alarm: Alarm
    rule: ActiveRule
    entry: HistoryEntry
    newest: Reading | None = None


def reading_id(device_id: str, message_key: str, metric: str) -> str:
    """Return the id under which the causal log knows a reading."""
    return hashlib.sha256(f"{device_id}\x1f{message_key}\x1f{metric}".encode()).hexdigest()[:32]


def subjects_of(session: Session, rules: Iterable[ActiveRule], asset_ids: Sequence[str]) -> list[Watched]:
    """Return every component now or once in these assets, under every threshold rule that reads it.

    One whose fittings were all taken back has no window: whatever alarm stands for it is withdrawn.
    """
    rules = [rule for rule in rules if rule.document.detector == "threshold"]
    if not rules or not asset_ids:
        return []
    here = select(Fitting.component_id).where(among(session, Fitting.asset_id, asset_ids))
    rows = session.execute(
        select(Component.id, Component.kind, Fitting.asset_id, Fitting.fitted_at, Fitting.removed_at, Fitting.deleted_at)
        .join(Fitting, Fitting.component_id == Component.id)
        .where(Component.id.in_(here))
        .order_by(Component.id, Fitting.fitted_at)
    ).all()
    windows: dict[str, list[Window]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for component_id, kind, asset_id, fitted_at, removed_at, undone_at in rows:
        kinds[component_id] = kind
        spans = windows[component_id]
        if undone_at is None:
            spans.append(Window(asset_id, to_ms(fitted_at), to_ms(removed_at) if removed_at else None))
    devices = _devices_in(session, {window.asset_id for spans in windows.values() for window in spans})
    found = []
    for component_id, spans in windows.items():
        sources = [device for window in spans for device in devices.get(window.asset_id, [])]
        for rule in rules:
            if rule.document.component == kinds[component_id]:
                holds = any(sends_only_changes for _, sends_only_changes in sources)
                found.append(Watched(rule, component_id, spans, holds, sorted({device_id for device_id, _ in sources})))
    return found


def _devices_in(session: Session, asset_ids: set[str]) -> dict[str, list[tuple[str, bool]]]:
    devices: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    rows = session.execute(
        select(Device.asset_id, Device.id, DeviceProfile.sends_only_changes)
        .join(DeviceProfile, DeviceProfile.id == Device.profile_id)
        .where(among(session, Device.asset_id, sorted(asset_ids)))
    )
    for asset_id, device_id, sends_only_changes in rows:
        devices[asset_id].append((device_id, sends_only_changes))
    return devices


def evaluate(session: Session, subjects: Sequence[Watched]) -> list[Change]:
    """Fold what is new, or everything where it came late, and bring the alarms in line.

    Locks the detector states in key order, so that two writers on one component follow each other.

    Returns:
        What people must now be told or have undone.
    """
    if not subjects:
        return []
    present_ms = to_ms(now(session))
    states = _lock_states(session, subjects)
    known = _known_alarms(session, subjects)
    changes: list[Change] = []
    kept = []
    for subject in subjects:
        number, digest = subject.rule.number, subject.fittings
        row = states[subject.rule.id, subject.component_id]
        valid = row.rule_number == number and row.fittings == digest and not subject.has_new_before_removal
        state = _state_decoder.decode(row.state) if valid else None
        folded, afresh = fold_new(
            subject.rule.document.detector,
            subject.rule.document.settings(subject.value_holds),
            state,
            subject.new,
            lambda subject=subject: load_items(session, subject),  # type: ignore[misc]
            present_ms,
        )
        encoded = msgspec.json.encode(folded.state).decode()
        kept.append(store.KeptState(subject.rule.id, subject.component_id, number, digest, encoded, folded.due_at_ms))
        alarms = known.get((subject.rule.id, subject.component_id), [])
        changes += _bring_in_line(session, subject, folded, alarms, afresh, present_ms)
    store.keep_states(session, kept)
    session.flush()
    return changes


def refitted(session: Session, subjects: Sequence[Watched]) -> list[Watched]:
    """Return those that were folded under other fittings than they are known to have now, or never."""
    if not subjects:
        return []
    components = sorted({subject.component_id for subject in subjects})
    folded = {
        (rule_id, component_id): fittings
        for rule_id, component_id, fittings in session.execute(
            select(DetectorState.rule_id, DetectorState.component_id, DetectorState.fittings).where(
                among(session, DetectorState.component_id, components)
            )
        )
    }
    return [subject for subject in subjects if folded.get((subject.rule.id, subject.component_id)) != subject.fittings]


def _lock_states(session: Session, subjects: Sequence[Watched]) -> dict[tuple[str, str], Any]:
    """Make the states that are missing, then lock all of them; each in key order.

    Never lock before all are there: whoever held a later key while waiting for the insert of an earlier one would
    meet a writer that takes them in order, and both would wait for ever.
    """
    keys = sorted({(subject.rule.id, subject.component_id) for subject in subjects})
    components = sorted({component_id for _, component_id in keys})
    concerned = (
        among(session, DetectorState.component_id, components),
        DetectorState.rule_id.in_(sorted({rule_id for rule_id, _ in keys})),
    )
    there = {(row.rule_id, row.component_id) for row in session.execute(select(*_KEY).where(*concerned))}
    missing = [key for key in keys if key not in there]
    if missing:
        session.execute(
            insert_into(session, DetectorState).on_conflict_do_nothing(),
            [{"rule_id": r, "component_id": c, "rule_number": 0, "fittings": "", "state": "{}"} for r, c in missing],
        )
    query = (
        select(*_KEY, DetectorState.rule_number, DetectorState.fittings, DetectorState.state)
        .where(*concerned)
        .order_by(*_KEY)
        .with_for_update()
    )
    return {(row.rule_id, row.component_id): row for row in session.execute(query)}


def _known_alarms(session: Session, subjects: Sequence[Watched]) -> dict[tuple[str, str], list[Alarm]]:
    rows = session.scalars(
        select(Alarm)
        .where(
            among(session, Alarm.subject_id, sorted({subject.component_id for subject in subjects})), Alarm.state != "withdrawn"
        )
        .order_by(Alarm.episode)
    )
    known: dict[tuple[str, str], list[Alarm]] = defaultdict(list)
    for alarm in rows:
        known[alarm.rule_id, alarm.subject_id].append(alarm)
    return known


def load_items(session: Session, subject: Watched) -> list[Reading | Removal]:
    """Return every stored reading of a component and its removals, in event-time order.

    A reading belongs to the component that was fitted to the device's asset at the reading's own time.
    """
    items: list[Reading | Removal] = []
    for window in subject.windows:
        query = (
            select(Telemetry.at_ms, Telemetry.message_key, Telemetry.value, Telemetry.device_id)
            .join(Device, Device.id == Telemetry.device_id)
            .where(
                Device.asset_id == window.asset_id,
                Telemetry.metric == subject.rule.document.metric,
                Telemetry.ahead.is_(False),
                Telemetry.at_ms >= window.from_ms,
            )
        )
        if window.until_ms is not None:
            query = query.where(Telemetry.at_ms < window.until_ms)
        items += sorted(Reading(*row) for row in session.execute(query))
        if window.until_ms is not None:
            items.append(Removal(window.until_ms))
    return items


def _bring_in_line(
    session: Session, subject: Watched, folded: Folded, alarms: list[Alarm], afresh: bool, present_ms: int
) -> list[Change]:
    """Write the difference between the episodes and the alarms on record."""
    number, since_ms = subject.rule.number, to_ms(subject.rule.since)
    counting = [alarm for alarm in alarms if alarm.state in _OPEN or (afresh and alarm.rule_number == number)]
    known = [KnownAlarm(a.id, to_ms(a.raised_at), to_ms(a.cleared_at) if a.cleared_at else None) for a in counting]
    episodes: Sequence[Episode] = folded.episodes
    if number > 1 and afresh:
        # A new version does not rewrite what ended before it: such episodes are kept only where an alarm stands for them.
        episodes = [e for e in episodes if e.cleared_at_ms is None or e.raised_at_ms >= since_ms or _stands(e, known)]
    by_id = {alarm.id: alarm for alarm in counting}
    changes: list[Change] = []
    for step in reconcile(known, episodes):
        changes += _apply(session, subject, step, by_id, folded.state.last, present_ms)
    return changes


def _stands(episode: Episode, known: Sequence[KnownAlarm]) -> bool:
    return any(isinstance(step, Keep) for step in reconcile(known, [episode]))


def _apply(
    session: Session, subject: Watched, step: Step, by_id: dict[str, Alarm], newest: Reading | None, present_ms: int
) -> list[Change]:
    if isinstance(step, Withdraw):
        return [_withdraw(session, subject, by_id[step.alarm_id], step.reason)]
    if isinstance(step, Raise):
        alarm, entry = _raise(session, subject, step.episode)
        changes: list[Change] = []
    else:
        alarm = by_id[step.alarm_id]
        changes = _keep(session, subject, alarm, step.episode)
        entry = None
    if alarm.acted_at is None and should_act(step.episode, newest, present_ms, subject.rule.document.allowance_ms):
        alarm.acted_at = now(session)
        touch(session, alarm)
        entry = entry or record(
            session,
            "alarm.promoted",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id)), _observe(session, subject, newest)],
        )
        changes.append(Change("act", alarm, subject.rule, entry, newest))
    return changes


def _raise(session: Session, subject: Watched, episode: Episode) -> tuple[Alarm, HistoryEntry]:
    rule, document = subject.rule, subject.rule.document
    number = (
        session.scalar(select(func.max(Alarm.episode)).where(Alarm.rule_id == rule.id, Alarm.subject_id == subject.component_id))
        or 0
    ) + 1
    ended_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    alarm = Alarm(
        rule_id=rule.id,
        rule_number=rule.number,
        subject_kind="component",
        subject_id=subject.component_id,
        asset_id=_asset_at(subject, episode.raised_at_ms),
        episode=number,
        severity=document.severity,
        metric=document.metric,
        # One that is over already is never open: a later one may be, and there is one open alarm at a time.
        state="raised" if ended_at is None else "cleared",
        raised_at=from_ms(episode.raised_at_ms),
        first_value=episode.causes[0].value,
        last_at=from_ms(episode.last.at_ms),
        last_value=episode.last.value,
        readings=episode.count,
        cleared_at=ended_at,
        end_reason=episode.clear_reason,
        acted_at=None,
    )
    add(session, alarm)
    entry = record(
        session,
        "alarm.raised",
        Subject("alarm", alarm.id),
        causes=[_observe(session, subject, reading) for reading in episode.causes],
        occurred_at=alarm.raised_at,
        rule=rule.code,
        rule_number=rule.number,
        metric=document.metric,
        episode=number,
        condition=_condition(document.raise_if),
        readings=[_facts(reading) for reading in episode.causes],
        count=episode.count,
    )
    if ended_at is not None:
        _note_cleared(session, subject, alarm, episode)
    return alarm, entry


def _condition(condition: Any) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(condition).items() if value is not None} if condition else {}


def _asset_at(subject: Watched, at_ms: int) -> str:
    """Return the asset the component was in at an instant; a value that held past its removal belongs to the last one before."""
    before = [window for window in subject.windows if window.from_ms <= at_ms]
    return (before or subject.windows)[-1].asset_id if before else subject.windows[0].asset_id


def _facts(reading: Reading) -> dict[str, Any]:
    return {"device_id": reading.device_id, "at": from_ms(reading.at_ms).isoformat(), "value": reading.value, "key": reading.key}


def _observe(session: Session, subject: Watched, reading: Reading | None) -> HistoryEntry | None:
    """Copy a reading that caused something into the log, once, so that the chain outlives the telemetry."""
    if reading is None:
        return None
    metric = subject.rule.document.metric
    about = Subject("reading", reading_id(reading.device_id, reading.key, metric))
    return last_entry(session, about) or record(
        session,
        "reading.observed",
        about,
        occurred_at=from_ms(reading.at_ms),
        component_id=subject.component_id,
        metric=metric,
        **_facts(reading),
    )


def _keep(session: Session, subject: Watched, alarm: Alarm, episode: Episode) -> list[Change]:
    """Bring an alarm in line with its episode: counts, a moved raise, a clear, a clear that moved or fell away."""
    cleared_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    fresh: dict[str, Any] = {
        "raised_at": from_ms(episode.raised_at_ms),
        "last_at": from_ms(episode.last.at_ms),
        "last_value": episode.last.value,
        "first_value": episode.causes[0].value,
        "readings": episode.count,
        "rule_number": subject.rule.number,
    }
    if any(getattr(alarm, name) != value for name, value in fresh.items()):
        for name, value in fresh.items():
            setattr(alarm, name, value)
        touch(session, alarm)
    if cleared_at is None and alarm.state == "cleared":
        transition(session, alarm, "raised", cleared_at=None, end_reason=None)
        record(
            session,
            "alarm.reopened",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id)), *_late(session, subject)],
        )
    elif cleared_at is not None and alarm.state in _OPEN:
        return [_clear(session, subject, alarm, episode)]
    elif cleared_at is not None and alarm.cleared_at != cleared_at:
        alarm.cleared_at, alarm.end_reason = cleared_at, episode.clear_reason
        touch(session, alarm)
        record(
            session, "alarm.clear_moved", Subject("alarm", alarm.id), causes=[*_late(session, subject)], occurred_at=cleared_at
        )
    return []


def _late(session: Session, subject: Watched) -> list[HistoryEntry | None]:
    return [_observe(session, subject, reading) for reading in sorted(subject.new)[:_LATE_SHOWN]]


def _clear(session: Session, subject: Watched, alarm: Alarm, episode: Episode) -> Change:
    assert episode.cleared_at_ms is not None  # noqa: S101 - callers checked it
    transition(session, alarm, "cleared", cleared_at=from_ms(episode.cleared_at_ms), end_reason=episode.clear_reason)
    return Change("cleared", alarm, subject.rule, _note_cleared(session, subject, alarm, episode))


def _note_cleared(session: Session, subject: Watched, alarm: Alarm, episode: Episode) -> HistoryEntry:
    if episode.clear_reason == "component_replaced":
        causes = [last_entry(session, Subject("component", subject.component_id), "component.removed")]
    else:
        causes = [_observe(session, subject, reading) for reading in episode.clear_causes]
    return record(
        session,
        "alarm.cleared",
        Subject("alarm", alarm.id),
        causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised"), *causes],
        occurred_at=alarm.cleared_at,
        reason=episode.clear_reason,
        readings=[_facts(reading) for reading in episode.clear_causes],
    )


def _withdraw(session: Session, subject: Watched, alarm: Alarm, reason: str) -> Change:
    if alarm.rule_number != subject.rule.number:
        reason = "rule_changed"
    transition(session, alarm, "withdrawn", end_reason=reason)
    entry = record(
        session,
        "alarm.withdrawn",
        Subject("alarm", alarm.id),
        causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised"), *_late(session, subject)],
        reason=reason,
    )
    return Change("withdrawn", alarm, subject.rule, entry)


def due_subjects(session: Session, limit: int = 200) -> list[Watched]:
    """Return the components to look at although no reading came: held values that matured, fittings that ended."""
    present = now(session)
    held = session.execute(
        select(DetectorState.component_id).where(DetectorState.due_ms <= to_ms(present)).limit(limit)
    ).scalars()
    still_fitted = select(Fitting.component_id).where(Fitting.removed_at.is_(None), Fitting.deleted_at.is_(None))
    removed_since = select(Fitting.component_id).where(
        Fitting.component_id == Alarm.subject_id, Fitting.removed_at >= Alarm.raised_at
    )
    ended = session.execute(
        select(Alarm.subject_id)
        .where(
            Alarm.subject_kind == "component",
            Alarm.state.in_(_OPEN),
            or_(Alarm.subject_id.not_in(still_fitted), removed_since.exists()),
        )
        .limit(limit)
    ).scalars()
    component_ids = sorted({*held, *ended})
    if not component_ids:
        return []
    asset_ids = session.scalars(select(Fitting.asset_id).where(Fitting.component_id.in_(component_ids)).distinct()).all()
    subjects = subjects_of(session, active_rules(session), asset_ids)
    return [subject for subject in subjects if subject.component_id in component_ids]
