"""Alarms that a rule's cool-down held back: where one still stands when that is over, everything follows from it then."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import now
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import hold, touch
from app.rules.models import Rule
from app.rules.queries import active_rule
from iot import actions
from iot.alarms import Change
from iot.models import OPEN_STATES, Alarm, SubjectState
from iot.pauses import cools_until, is_snoozed

_AT_ONCE = 200


def due(session: Session) -> Sequence[str]:
    """Return the alarms whose cool-down is over. Those snoozed, or of a rule that is switched off, wait for that, too."""
    present = now(session)
    return session.scalars(
        select(Alarm.id)
        .join(Rule, Rule.id == Alarm.rule_id)
        .where(
            Alarm.held_until <= present,
            Alarm.acted_at.is_(None),
            Alarm.state.in_(OPEN_STATES),
            or_(Alarm.snoozed_until.is_(None), Alarm.snoozed_until <= present),
            Rule.enabled.is_(True),
            Rule.deleted_at.is_(None),
        )
        .order_by(Alarm.held_until, Alarm.id)
        .limit(_AT_ONCE)
    ).all()


def act(session: Session, settings: Settings, alarm_id: str) -> bool:
    """Let everything follow from an alarm whose cool-down is over, unless it did or the alarm ended meanwhile; tell whether.

    What has not been seen to violate for longer than the rule's lateness allowance is history only, as always.
    """
    # The row that whoever folds this subject holds: a reading and the clock may both say now that people must be told.
    subject = select(Alarm.subject_id).where(Alarm.id == alarm_id).scalar_subquery()
    session.execute(select(SubjectState.subject_id).where(SubjectState.subject_id == subject).with_for_update())
    alarm = hold(session, Alarm, alarm_id)
    rule = active_rule(session, alarm.rule_id)
    is_over = alarm.held_until is not None and alarm.held_until <= now(session)
    if rule is None or not is_over or alarm.acted_at is not None or alarm.state not in OPEN_STATES or is_snoozed(session, alarm):
        return False
    alarm.held_until = cools_until(session, rule, alarm)  # late data may have moved the end of the alarm before
    touch(session, alarm)
    if alarm.held_until is not None or to_ms(now(session)) - to_ms(alarm.last_at) > rule.document.allowance_ms:
        return False
    alarm.acted_at = now(session)
    touch(session, alarm)
    about = Subject("alarm", alarm.id)
    causes = [last_entry(session, about, "alarm.raised"), last_entry(session, about, "alarm.held_back")]
    entry = record(session, "alarm.cooled_down", about, causes=causes)
    actions.apply(session, settings, Change("act", alarm, rule, entry))
    return True
