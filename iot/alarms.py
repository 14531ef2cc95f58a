"""From new readings to alarms: load, fold (pure), compare, write. Only ``ingest`` and the ticks call this room."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from app.core.clock import from_ms, to_ms
from app.core.db import among, now
from app.core.history import HistoryEntry, Subject, last_entries, last_entry, record
from app.core.tracked import add, touch, transition
from app.rules.closing import closed_at, latched, state_of
from app.rules.detectors import Episode, Reading
from app.rules.detectors.episodes import Keep, KnownAlarm, Raise, Step, Withdraw, reconcile, should_act
from app.rules.parts import SEVERITIES, Severity
from app.rules.queries import ActiveRule
from app.rules.severity import RANK, grown, reached, worst
from iot.closings import closings_of
from iot.folds import Found, fold_all
from iot.models import OPEN_STATES, Alarm
from iot.pauses import hold_back
from iot.subjects import News, Watched

_LATE_SHOWN = 3
_CLOSING = ("closed_at", "closed_by", "close_reason")


@dataclass(frozen=True)
class Change:
    """An alarm that changed, for ``actions`` to follow: people must be told, or a withdrawal undone."""

    kind: Literal["act", "cleared", "closed", "reopened", "withdrawn", "escalated"]
    alarm: Alarm
    rule: ActiveRule
    entry: HistoryEntry
    newest: Reading | None = None


def reading_id(device_id: str, message_key: str, metric: str) -> str:
    """Return the id under which the causal log knows a reading."""
    return hashlib.sha256(f"{device_id}\x1f{message_key}\x1f{metric}".encode()).hexdigest()[:32]


def evaluate(session: Session, news: Sequence[News]) -> list[Change]:
    """Fold what is new, or everything where it came late, and bring the alarms in line.

    Returns:
        What people must now be told or have undone.
    """
    if not news:
        return []
    present_ms = to_ms(now(session))
    found = fold_all(session, news, present_ms)
    known = _known_alarms(session, found)
    concerned = [one for one in found if one.folded.episodes or (one.watched.rule.id, one.watched.subject.id) in known]
    closings = closings_of(session, {one.watched.subject.id for one in concerned})
    changes: list[Change] = []
    for one in concerned:
        key = one.watched.rule.id, one.watched.subject.id
        changes += _bring_in_line(session, one, known.get(key, []), closings.get(key, []), present_ms)
    session.flush()
    return changes


def _known_alarms(session: Session, found: Sequence[Found]) -> dict[tuple[str, str], list[Alarm]]:
    """Return the alarms that ``_counts`` may count. Of those that ended there are thousands where a value flaps: few are read."""
    whole = {one.watched.subject.id for one in found if one.afresh or one.watched.rule.document.latch}
    others = {one.watched.subject.id for one in found} - whole
    # Of the others few episodes were folded, those since they were looked at last; of a whole series there may be thousands.
    some = [one for one in found if one.watched.subject.id in others and one.watched.rule.document.reopens_h]
    gone_on = {from_ms(episode.raised_at_ms) for one in some for episode in one.folded.episodes}
    of_these = among(session, Alarm.subject_id, sorted(others))
    began = among(session, Alarm.raised_at, sorted(gone_on))
    standing = or_(Alarm.state.in_(OPEN_STATES), Alarm.cleared_at.is_(None), began)
    known: dict[tuple[str, str], list[Alarm]] = defaultdict(list)
    for ids, which in ((whole, among(session, Alarm.subject_id, sorted(whole))), (others, and_(of_these, standing))):
        if ids:
            for alarm in session.scalars(select(Alarm).where(which, Alarm.state != "withdrawn").order_by(Alarm.episode)):
                known[alarm.rule_id, alarm.subject_id].append(alarm)
    return known


def _bring_in_line(session: Session, found: Found, alarms: list[Alarm], closings: Sequence[int], present_ms: int) -> list[Change]:
    """Write the difference between the episodes and the alarms on record."""
    rule, afresh = found.watched.rule, found.afresh
    episodes: Sequence[Episode] = found.folded.episodes
    gone_on = {to_ms(from_ms(episode.raised_at_ms)) for episode in episodes} if rule.document.reopens_h else set()
    counting = [alarm for alarm in alarms if _counts(alarm, found, gone_on)]
    known = [_as_known(alarm) for alarm in counting]
    if rule.number > 1 and afresh:
        # A new version does not rewrite what ended before it: such episodes are kept only where an alarm stands for them.
        since_ms = to_ms(rule.since)
        episodes = [e for e in episodes if e.cleared_at_ms is None or e.raised_at_ms >= since_ms or _stands(e, known)]
    if rule.document.latch:
        standing = [a for a in counting if a.state in OPEN_STATES or a.cleared_at is None or _stood_then(a, found)]
        before = [alarm for alarm in standing if not _is_whole(found, alarm)]
        episodes = latched(episodes, closings, to_ms(before[0].raised_at) if before else None)
        if not episodes:  # nothing new of what stands from before
            known = [one for one in known if one.id not in {alarm.id for alarm in before}]
    by_id = {alarm.id: alarm for alarm in counting}
    changes: list[Change] = []
    for step in reconcile(known, episodes):
        changes += _apply(session, found, step, by_id, closings, present_ms)
    return changes


def _counts(alarm: Alarm, found: Found, gone_on: set[int]) -> bool:
    """Tell whether what was folded speaks of an alarm: one that stands, or whose episode goes on though it was closed."""
    if alarm.state in OPEN_STATES or (alarm.state == "closed" and alarm.cleared_at is None) or _stood_then(alarm, found):
        return True
    same = alarm.rule_number == found.watched.rule.number
    return same and ((found.afresh and not _is_settled(alarm, found)) or to_ms(alarm.raised_at) in gone_on)


def _stood_then(alarm: Alarm, found: Found) -> bool:
    """Tell whether an alarm that latched was closed only after an episode began that is known just now."""
    if not found.watched.rule.document.latch or alarm.state != "closed" or alarm.closed_at is None:
        return False
    return any(episode.raised_at_ms <= to_ms(alarm.closed_at) for episode in found.folded.episodes)


def _as_known(alarm: Alarm) -> KnownAlarm:
    ended = alarm.cleared_at if alarm.state not in OPEN_STATES else None  # one that latched stands on
    return KnownAlarm(alarm.id, to_ms(alarm.raised_at), to_ms(ended) if ended else None)


def _is_settled(alarm: Alarm, found: Found) -> bool:
    """Tell whether an alarm ended before what is folded begins."""
    return alarm.cleared_at is not None and to_ms(alarm.cleared_at) < found.before_ms


def _stands(episode: Episode, known: Sequence[KnownAlarm]) -> bool:
    return any(isinstance(step, Keep) for step in reconcile(known, [episode]))


def _apply(
    session: Session, found: Found, step: Step, by_id: dict[str, Alarm], closings: Sequence[int], present_ms: int
) -> list[Change]:
    watched, newest = found.watched, found.folded.state.shown
    if isinstance(step, Withdraw):
        return _withdraw(session, watched, by_id[step.alarm_id], step.reason)
    closed_ms = closed_at(watched.rule.document, step.episode, closings)
    if isinstance(step, Raise):
        alarm, entry = _raise(session, found, step.episode, closed_ms, present_ms)
        changes: list[Change] = []
    else:
        alarm, entry = by_id[step.alarm_id], None
        changes = _keep(session, found, alarm, step.episode, closed_ms)
        changes += _grade(session, found, alarm, step.episode, present_ms)
    if (
        alarm.acted_at is None
        and closed_ms is None
        and should_act(step.episode, newest, present_ms, watched.rule.document.allowance_ms)
        and not hold_back(session, watched.rule, alarm)
    ):
        alarm.acted_at = now(session)
        touch(session, alarm)
        entry = entry or record(
            session,
            "alarm.promoted",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id)), *_observe(session, watched, [newest] if newest else [])],
        )
        changes.append(Change("act", alarm, watched.rule, entry, newest))
    return changes


def _grade(session: Session, found: Found, alarm: Alarm, episode: Episode, present_ms: int) -> list[Change]:
    """Make an alarm as severe as its readings and the time it has stood say; tell people only where that is more."""
    document = found.watched.rule.document
    by_level = reached(document, episode, found.folded.episodes, found.steps)
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
    by_reading = is_worse and not by_time
    about = Subject("alarm", alarm.id)
    causes = _observe(session, found.watched, [episode.last]) if by_reading else []
    entry = record(
        session,
        "alarm.escalated" if by_reading else ("alarm.stood_too_long" if is_worse else "alarm.severity_corrected"),
        about,
        causes=[last_entry(session, about), *causes, *([] if is_worse else _late(session, found.watched))],
        occurred_at=from_ms(episode.last.at_ms) if by_reading else None,
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


def _raise(
    session: Session, found: Found, episode: Episode, closed_ms: int | None, present_ms: int
) -> tuple[Alarm, HistoryEntry]:
    watched, rule, document = found.watched, found.watched.rule, found.watched.rule.document
    subject = watched.subject
    highest = select(func.max(Alarm.episode)).where(Alarm.rule_id == rule.id, Alarm.subject_id == subject.id)
    number = (session.scalar(highest) or 0) + 1
    ended_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    by_level = reached(document, episode, found.folded.episodes, found.steps)
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
        state=state_of(document, episode, closed_ms),
        raised_at=from_ms(episode.raised_at_ms),
        first_value=episode.causes[0].value,
        last_at=from_ms(episode.last.at_ms),
        last_value=episode.last.value,
        readings=episode.count,
        cleared_at=ended_at,
        end_reason=episode.clear_reason,
        acted_at=None,
        closed_at=from_ms(closed_ms) if closed_ms is not None else None,
    )
    add(session, alarm)
    entry = record(
        session,
        "alarm.raised",
        Subject("alarm", alarm.id),
        causes=_observe(session, watched, episode.causes),
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
    if closed_ms is not None:
        _note_closed(session, watched, alarm)
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


def _observe(session: Session, watched: Watched, readings: Sequence[Reading]) -> list[HistoryEntry]:
    """Copy readings that caused something into the log, each once, so that the chain outlives the telemetry."""
    metric = watched.rule.document.metric
    ids = [reading_id(reading.device_id, reading.key, reading.metric or metric) for reading in readings]
    known = last_entries(session, "reading", ids)
    for one, reading in zip(ids, readings, strict=True):
        if one not in known:
            known[one] = record(
                session,
                "reading.observed",
                Subject("reading", one),
                occurred_at=from_ms(reading.at_ms),
                component_id=watched.subject.id,
                metric=reading.metric or metric,
                **_facts(reading),
            )
    return [known[one] for one in ids]


def _keep(session: Session, found: Found, alarm: Alarm, episode: Episode, closed_ms: int | None) -> list[Change]:
    """Bring an alarm in line with its episode: counts, a moved raise, its end, whether a person closed it while it stood."""
    watched = found.watched
    fresh: dict[str, Any] = {
        "raised_at": from_ms(episode.raised_at_ms),
        "last_at": from_ms(episode.last.at_ms),
        "last_value": episode.last.value,
        "readings": episode.count,
        "rule_number": watched.rule.number,
    }
    if _is_whole(found, alarm):
        fresh["first_value"] = episode.causes[0].value
    if any(getattr(alarm, name) != value for name, value in fresh.items()):
        for name, value in fresh.items():
            setattr(alarm, name, value)
        touch(session, alarm)
    state = state_of(watched.rule.document, episode, closed_ms)
    if state == ("raised" if alarm.state in OPEN_STATES else alarm.state):
        _move_end(session, watched, alarm, episode)
        return []
    if state == "cleared" and alarm.state in OPEN_STATES:
        return [_clear(session, watched, alarm, episode)]
    return [_restate(session, watched, alarm, episode, state, closed_ms)]


def _move_end(session: Session, watched: Watched, alarm: Alarm, episode: Episode) -> None:
    """Note when the condition ended of an alarm whose state is not another one by that."""
    ended_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    if alarm.cleared_at == ended_at:
        return
    before, alarm.cleared_at, alarm.end_reason = alarm.cleared_at, ended_at, episode.clear_reason
    touch(session, alarm)
    about = Subject("alarm", alarm.id)
    causes = _observe(session, watched, episode.clear_causes) or _late(session, watched)
    record(
        session,
        "alarm.condition_returned" if ended_at is None else ("alarm.clear_moved" if before else "alarm.condition_ended"),
        about,
        causes=[last_entry(session, about), *causes],
        occurred_at=ended_at,
    )


def _restate(session: Session, watched: Watched, alarm: Alarm, episode: Episode, state: str, closed_ms: int | None) -> Change:
    """Give an alarm the state that late data shows: open again, closed by what a person did then, or cleared before that."""
    ended_at = from_ms(episode.cleared_at_ms) if episode.cleared_at_ms is not None else None
    closing = {"closed_at": from_ms(closed_ms)} if closed_ms is not None else dict.fromkeys(_CLOSING)
    transition(session, alarm, state, cleared_at=ended_at, end_reason=episode.clear_reason, snoozed_until=None, **closing)
    if state == "closed":
        return Change("closed", alarm, watched.rule, _note_closed(session, watched, alarm))
    if state == "cleared":
        return Change("cleared", alarm, watched.rule, _note_cleared(session, watched, alarm, episode))
    about = Subject("alarm", alarm.id)
    causes = [last_entry(session, about), *_late(session, watched)]
    return Change("reopened", alarm, watched.rule, record(session, "alarm.reopened", about, causes=causes))


def _note_closed(session: Session, watched: Watched, alarm: Alarm) -> HistoryEntry:
    about = Subject("alarm", alarm.id)
    causes = [last_entry(session, about), *_late(session, watched)]
    return record(session, "alarm.found_closed", about, causes=causes, occurred_at=alarm.closed_at)


def _late(session: Session, watched: Watched) -> list[HistoryEntry]:
    return _observe(session, watched, sorted(watched.new)[:_LATE_SHOWN])


def _clear(session: Session, watched: Watched, alarm: Alarm, episode: Episode) -> Change:
    assert episode.cleared_at_ms is not None  # noqa: S101 - callers checked it
    values = {"cleared_at": from_ms(episode.cleared_at_ms), "end_reason": episode.clear_reason, "snoozed_until": None}
    # Whom a person's closing overtook begins anew, for it must be judged with the readings.
    transition(session, alarm, "cleared", expect=OPEN_STATES, **values)
    return Change("cleared", alarm, watched.rule, _note_cleared(session, watched, alarm, episode))


def _note_cleared(session: Session, watched: Watched, alarm: Alarm, episode: Episode) -> HistoryEntry:
    causes: Sequence[HistoryEntry | None]
    if episode.clear_reason == "component_replaced":
        causes = [last_entry(session, Subject("component", watched.subject.id), "component.removed")]
    else:
        causes = _observe(session, watched, episode.clear_causes)
    return record(
        session,
        "alarm.cleared",
        Subject("alarm", alarm.id),
        causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised"), *causes],
        occurred_at=alarm.cleared_at,
        reason=episode.clear_reason,
        readings=[_facts(reading) for reading in episode.clear_causes],
    )


def _withdraw(session: Session, watched: Watched, alarm: Alarm, reason: str) -> list[Change]:
    if alarm.rule_number != watched.rule.number:
        if alarm.state == "closed":
            # What ended stays as it is; the new version sees nothing go on that must not raise again.
            alarm.cleared_at = alarm.closed_at
            touch(session, alarm)
            return []
        reason = "rule_changed"
    transition(session, alarm, "withdrawn", end_reason=reason, snoozed_until=None)
    entry = record(
        session,
        "alarm.withdrawn",
        Subject("alarm", alarm.id),
        causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised"), *_late(session, watched)],
        reason=reason,
    )
    return [Change("withdrawn", alarm, watched.rule, entry)]
