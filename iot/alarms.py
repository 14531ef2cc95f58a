"""From new readings to alarms: load, fold (pure), compare, write. Only ``ingest`` and the ticks call this room."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import among, now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import add, touch, transition
from app.rules.detectors import Episode, Reading
from app.rules.detectors.episodes import Keep, KnownAlarm, Raise, Step, Withdraw, reconcile, should_act
from app.rules.parts import SEVERITIES, Severity
from app.rules.queries import ActiveRule
from app.rules.severity import RANK, grown, reached, worst
from iot.folds import Found, fold_all
from iot.models import Alarm
from iot.subjects import Watched

_OPEN = ("raised", "acknowledged")
_LATE_SHOWN = 3


@dataclass(frozen=True)
class Change:
    """An alarm that changed, for ``actions`` to follow: people must be told, or a withdrawal undone."""

    kind: Literal["act", "cleared", "reopened", "withdrawn", "escalated"]
    alarm: Alarm
    rule: ActiveRule
    entry: HistoryEntry
    newest: Reading | None = None


def reading_id(device_id: str, message_key: str, metric: str) -> str:
    """Return the id under which the causal log knows a reading."""
    return hashlib.sha256(f"{device_id}\x1f{message_key}\x1f{metric}".encode()).hexdigest()[:32]


def evaluate(session: Session, watched: Sequence[Watched]) -> list[Change]:
    """Fold what is new, or everything where it came late, and bring the alarms in line.

    Returns:
        What people must now be told or have undone.
    """
    if not watched:
        return []
    present_ms = to_ms(now(session))
    found = fold_all(session, watched, present_ms)
    known = _known_alarms(session, found)
    changes: list[Change] = []
    for one in found:
        changes += _bring_in_line(session, one, known.get((one.watched.rule.id, one.watched.subject.id), []), present_ms)
    session.flush()
    return changes


def _known_alarms(session: Session, found: Sequence[Found]) -> dict[tuple[str, str], list[Alarm]]:
    subject_ids = sorted({one.watched.subject.id for one in found})
    if not subject_ids:
        return {}
    rows = session.scalars(
        select(Alarm).where(among(session, Alarm.subject_id, subject_ids), Alarm.state != "withdrawn").order_by(Alarm.episode)
    )
    known: dict[tuple[str, str], list[Alarm]] = defaultdict(list)
    for alarm in rows:
        known[alarm.rule_id, alarm.subject_id].append(alarm)
    return known


def _bring_in_line(session: Session, found: Found, alarms: list[Alarm], present_ms: int) -> list[Change]:
    """Write the difference between the episodes and the alarms on record."""
    rule, folded, afresh = found.watched.rule, found.folded, found.afresh
    number, since_ms = rule.number, to_ms(rule.since)
    if not alarms and not folded.episodes:
        return []
    gone_on = {to_ms(from_ms(episode.raised_at_ms)) for episode in folded.episodes} if rule.document.reopens_h else set()
    counting = [
        alarm
        for alarm in alarms
        if alarm.state in _OPEN
        or (alarm.rule_number == number and ((afresh and not _is_settled(alarm, found)) or to_ms(alarm.raised_at) in gone_on))
    ]
    known = [KnownAlarm(a.id, to_ms(a.raised_at), to_ms(a.cleared_at) if a.cleared_at else None) for a in counting]
    episodes: Sequence[Episode] = folded.episodes
    if number > 1 and afresh:
        # A new version does not rewrite what ended before it: such episodes are kept only where an alarm stands for them.
        episodes = [e for e in episodes if e.cleared_at_ms is None or e.raised_at_ms >= since_ms or _stands(e, known)]
    by_id = {alarm.id: alarm for alarm in counting}
    changes: list[Change] = []
    for step in reconcile(known, episodes):
        changes += _apply(session, found, step, by_id, present_ms)
    return changes


def _is_settled(alarm: Alarm, found: Found) -> bool:
    """Tell whether an alarm ended before what is folded begins."""
    return alarm.cleared_at is not None and to_ms(alarm.cleared_at) < found.before_ms


def _stands(episode: Episode, known: Sequence[KnownAlarm]) -> bool:
    return any(isinstance(step, Keep) for step in reconcile(known, [episode]))


def _apply(session: Session, found: Found, step: Step, by_id: dict[str, Alarm], present_ms: int) -> list[Change]:
    watched, newest = found.watched, found.folded.state.shown
    if isinstance(step, Withdraw):
        return [_withdraw(session, watched, by_id[step.alarm_id], step.reason)]
    if isinstance(step, Raise):
        alarm, entry = _raise(session, found, step.episode, present_ms)
        changes: list[Change] = []
    else:
        alarm, entry = by_id[step.alarm_id], None
        changes = [*_keep(session, watched, alarm, step.episode), *_grade(session, found, alarm, step.episode, present_ms)]
    if alarm.acted_at is None and should_act(step.episode, newest, present_ms, watched.rule.document.allowance_ms):
        alarm.acted_at = now(session)
        touch(session, alarm)
        entry = entry or record(
            session,
            "alarm.promoted",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id)), _observe(session, watched, newest)],
        )
        changes.append(Change("act", alarm, watched.rule, entry, newest))
    return changes


def _grade(session: Session, found: Found, alarm: Alarm, episode: Episode, present_ms: int) -> list[Change]:
    """Make an alarm as severe as its readings and the time it has stood say; tell people only where that is more."""
    document = found.watched.rule.document
    by_level = reached(document, episode, found.steps)
    if not _is_whole(found, alarm):
        by_level = worst([by_level, _known(alarm.reached)])  # what was reached before is not in what was folded now
    severity = worst([by_level, grown(document, episode, present_ms)])
    if (severity, by_level) == (alarm.severity, alarm.reached):
        return []
    before, alarm.severity, alarm.reached = alarm.severity, severity, by_level
    touch(session, alarm)
    if severity == before:
        return []
    is_worse, by_time = RANK[severity] > RANK[before], RANK[severity] > RANK[by_level]
    kind = ("alarm.stood_too_long" if by_time else "alarm.escalated") if is_worse else "alarm.severity_corrected"
    about = Subject("alarm", alarm.id)
    causes = [_observe(session, found.watched, episode.last)] if kind == "alarm.escalated" else []
    entry = record(
        session,
        kind,
        about,
        causes=[last_entry(session, about), *causes, *([] if is_worse else _late(session, found.watched))],
        occurred_at=from_ms(episode.last.at_ms) if kind == "alarm.escalated" else None,
        severity=severity,
        before=before,
        after_h=next((ms / 3_600_000 for step, ms in document.grows_severe if step == severity), None) if by_time else None,
    )
    return [Change("escalated", alarm, found.watched.rule, entry, episode.last)] if is_worse and alarm.acted_at else []


def _known(severity: str) -> Severity:
    return next(known for known in SEVERITIES if known == severity)


def _is_whole(found: Found, alarm: Alarm) -> bool:
    """Tell whether all of an alarm's time was folded now, so that what was not found was not there."""
    return found.afresh and to_ms(alarm.raised_at) >= found.before_ms


def _raise(session: Session, found: Found, episode: Episode, present_ms: int) -> tuple[Alarm, HistoryEntry]:
    watched, rule, document = found.watched, found.watched.rule, found.watched.rule.document
    subject = watched.subject
    highest = select(func.max(Alarm.episode)).where(Alarm.rule_id == rule.id, Alarm.subject_id == subject.id)
    number = (session.scalar(highest) or 0) + 1
    ended_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    by_level = reached(document, episode, found.steps)
    alarm = Alarm(
        rule_id=rule.id,
        rule_number=rule.number,
        subject_kind=subject.kind,
        subject_id=subject.id,
        asset_id=subject.asset_at(episode.raised_at_ms),
        episode=number,
        severity=worst([by_level, grown(document, episode, present_ms)]),
        reached=by_level,
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
        causes=[_observe(session, watched, reading) for reading in episode.causes],
        occurred_at=alarm.raised_at,
        rule=rule.code,
        rule_number=rule.number,
        metric=document.metric,
        episode=number,
        condition=document.condition(),
        **_foreseen(found),
        readings=[_facts(reading) for reading in episode.causes],
        count=episode.count,
    )
    if ended_at is not None:
        _note_cleared(session, watched, alarm, episode)
    return alarm, entry


def _foreseen(found: Found) -> dict[str, Any]:
    """Return what a trend foresees, for people to read; nothing for other detectors."""
    document, context = found.watched.rule.document, found.watched.subject.context
    prediction = document.foresees(found.folded.state.memory, context)
    if prediction is None:
        return {}
    ends = {"earliest": prediction.earliest_ms, "expected": prediction.at_ms, "latest": prediction.latest_ms}
    return {"foreseen": {name: from_ms(at_ms).date().isoformat() for name, at_ms in ends.items() if at_ms is not None}}


def _facts(reading: Reading) -> dict[str, Any]:
    return {"device_id": reading.device_id, "at": from_ms(reading.at_ms).isoformat(), "value": reading.value, "key": reading.key}


def _observe(session: Session, watched: Watched, reading: Reading | None) -> HistoryEntry | None:
    """Copy a reading that caused something into the log, once, so that the chain outlives the telemetry."""
    if reading is None:
        return None
    metric = reading.metric or watched.rule.document.metric
    about = Subject("reading", reading_id(reading.device_id, reading.key, metric))
    return last_entry(session, about) or record(
        session,
        "reading.observed",
        about,
        occurred_at=from_ms(reading.at_ms),
        component_id=watched.subject.id,
        metric=metric,
        **_facts(reading),
    )


def _keep(session: Session, watched: Watched, alarm: Alarm, episode: Episode) -> list[Change]:
    """Bring an alarm in line with its episode: counts, a moved raise, a clear, a clear that moved or fell away."""
    cleared_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    fresh: dict[str, Any] = {
        "raised_at": from_ms(episode.raised_at_ms),
        "last_at": from_ms(episode.last.at_ms),
        "last_value": episode.last.value,
        "first_value": episode.causes[0].value,
        "readings": episode.count,
        "rule_number": watched.rule.number,
    }
    if any(getattr(alarm, name) != value for name, value in fresh.items()):
        for name, value in fresh.items():
            setattr(alarm, name, value)
        touch(session, alarm)
    if cleared_at is None and alarm.state == "cleared":
        transition(session, alarm, "raised", cleared_at=None, end_reason=None)
        entry = record(
            session,
            "alarm.reopened",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id)), *_late(session, watched)],
        )
        return [Change("reopened", alarm, watched.rule, entry)]
    if cleared_at is not None and alarm.state in _OPEN:
        return [_clear(session, watched, alarm, episode)]
    if cleared_at is not None and alarm.cleared_at != cleared_at:
        alarm.cleared_at, alarm.end_reason = cleared_at, episode.clear_reason
        touch(session, alarm)
        record(
            session, "alarm.clear_moved", Subject("alarm", alarm.id), causes=[*_late(session, watched)], occurred_at=cleared_at
        )
    return []


def _late(session: Session, watched: Watched) -> list[HistoryEntry | None]:
    return [_observe(session, watched, reading) for reading in sorted(watched.new)[:_LATE_SHOWN]]


def _clear(session: Session, watched: Watched, alarm: Alarm, episode: Episode) -> Change:
    assert episode.cleared_at_ms is not None  # noqa: S101 - callers checked it
    transition(session, alarm, "cleared", cleared_at=from_ms(episode.cleared_at_ms), end_reason=episode.clear_reason)
    return Change("cleared", alarm, watched.rule, _note_cleared(session, watched, alarm, episode))


def _note_cleared(session: Session, watched: Watched, alarm: Alarm, episode: Episode) -> HistoryEntry:
    if episode.clear_reason == "component_replaced":
        causes = [last_entry(session, Subject("component", watched.subject.id), "component.removed")]
    else:
        causes = [_observe(session, watched, reading) for reading in episode.clear_causes]
    return record(
        session,
        "alarm.cleared",
        Subject("alarm", alarm.id),
        causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised"), *causes],
        occurred_at=alarm.cleared_at,
        reason=episode.clear_reason,
        readings=[_facts(reading) for reading in episode.clear_causes],
    )


def _withdraw(session: Session, watched: Watched, alarm: Alarm, reason: str) -> Change:
    if alarm.rule_number != watched.rule.number:
        reason = "rule_changed"
    transition(session, alarm, "withdrawn", end_reason=reason)
    entry = record(
        session,
        "alarm.withdrawn",
        Subject("alarm", alarm.id),
        causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised"), *_late(session, watched)],
        reason=reason,
    )
    return Change("withdrawn", alarm, watched.rule, entry)
