"""Closing an alarm by hand. What is closed is kept as an instant, and judged with the readings by ``app.rules.closing``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import among, insert_once, now
from app.core.history import Subject, last_entry, record
from app.core.tracked import transition
from app.users.rights import Actor
from iot import incidents, reminders
from iot.models import OPEN_STATES, Alarm, AlarmClosing
from push import fallback


def closings_of(session: Session, subject_ids: Collection[str]) -> dict[tuple[str, str], list[int]]:
    """Return when people closed alarms, Unix ms in order, by rule and subject."""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    if subject_ids:
        query = select(AlarmClosing.rule_id, AlarmClosing.subject_id, AlarmClosing.at_ms)
        query = query.where(among(session, AlarmClosing.subject_id, sorted(subject_ids))).order_by(AlarmClosing.at_ms)
        for rule_id, subject_id, at_ms in session.execute(query):
            found[rule_id, subject_id].append(at_ms)
    return found


def close(session: Session, actor: Actor, alarm: Alarm, reason: str) -> Alarm:
    """Close an alarm that stands: it is over for people, whatever its readings say.

    The rule raises again only when the condition has ended and holds anew. What the alarm had led to stays.

    Raises:
        Conflict: ``state_conflict`` unless it is raised or acknowledged.
    """
    at = max(now(session), alarm.raised_at)  # a device's clock may be a little ahead
    values = {"closed_at": at, "closed_by": actor.id, "close_reason": reason, "snoozed_until": None}
    transition(session, alarm, "closed", expect=OPEN_STATES, **values)
    insert_once(session, AlarmClosing, rule_id=alarm.rule_id, subject_id=alarm.subject_id, at_ms=to_ms(at))
    about = Subject("alarm", alarm.id)
    entry = record(session, "alarm.closed", about, causes=[last_entry(session, about)], actor_id=actor.id, reason=reason)
    fallback.stop(session, about)
    reminders.end(session, alarm)
    incidents.leave(session, alarm, entry)
    return alarm
