"""Reminding people of an alarm until somebody acknowledges it: step by step along the line that its rule names.

The row of an alarm is the guard: whoever sends a step, and whoever ends the reminders, holds it until the commit. So each step
of an alarm is sent once, whatever number of workers there is, and none after the acknowledgement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.assets.models import Asset
from app.core.db import now
from app.core.history import Subject, last_entry, record
from app.customers.models import Customer
from app.rules.documents import Document
from app.rules.models import Rule
from app.rules.parts import Line, Remind
from app.rules.queries import ActiveRule, active_rule
from app.users import queries as users
from app.users.models import User
from app.work_orders import operations as work_orders
from iot.models import Alarm, AlarmReminder
from push.outbox import enqueue

_AT_ONCE = 200

_PEOPLE: dict[Line, Callable[[Session, Customer], list[User]]] = {
    "rep": lambda session, customer: work_orders.rep_of(session, customer.id),
    "manager": lambda session, customer: users.managers_of(session, customer.territory_id),
    "admin": lambda session, _: users.active_admins(session),
}


def begin(session: Session, alarm: Alarm, document: Document) -> None:
    """Begin to count: people have just been told of the alarm."""
    if document.remind is not None:
        due_at = now(session) + timedelta(minutes=document.remind.after_min)
        session.add(AlarmReminder(alarm_id=alarm.id, step=0, due_at=due_at))
        session.flush()


def end(session: Session, alarm: Alarm) -> None:
    """Send no more: somebody has taken charge of the alarm, or it is over."""
    _put_off(session, alarm, None)


def go_on(session: Session, alarm: Alarm, document: Document) -> None:
    """Go on where it ended: the alarm stands again after all."""
    if document.remind is not None and alarm.state == "raised":
        _put_off(session, alarm, document.remind.every_min)


def _put_off(session: Session, alarm: Alarm, minutes: float | None) -> None:
    due_at = None if minutes is None else now(session) + timedelta(minutes=minutes)
    session.execute(
        update(AlarmReminder)
        .where(AlarmReminder.alarm_id == alarm.id)
        .values(due_at=due_at)
        .execution_options(synchronize_session=False)
    )


def due(session: Session) -> Sequence[str]:
    """Return the alarms of which a reminder is due. Those of a rule that is switched off wait until it is on again."""
    return session.scalars(
        select(AlarmReminder.alarm_id)
        .join(Alarm, Alarm.id == AlarmReminder.alarm_id)
        .join(Rule, Rule.id == Alarm.rule_id)
        .where(AlarmReminder.due_at <= now(session), Rule.enabled.is_(True), Rule.deleted_at.is_(None))
        .order_by(AlarmReminder.due_at, AlarmReminder.alarm_id)
        .limit(_AT_ONCE)
    ).all()


def remind(session: Session, alarm_id: str) -> bool:
    """Send the next step of one alarm, unless somebody did or ended it meanwhile; tell whether it was sent."""
    reminder = session.get_one(AlarmReminder, alarm_id, with_for_update=True)
    alarm = session.get_one(Alarm, alarm_id)
    rule = active_rule(session, alarm.rule_id)
    if rule is None or reminder.due_at is None or reminder.due_at > now(session):
        return False
    remind = rule.document.remind
    if remind is None or reminder.step >= remind.at_most or alarm.state != "raised":
        reminder.due_at = None  # an edit of the rule made it so
        return False
    reminder.step += 1
    reminder.due_at = now(session) + timedelta(minutes=remind.every_min) if reminder.step < remind.at_most else None
    _tell(session, alarm, rule, remind, reminder.step)
    return True


def _tell(session: Session, alarm: Alarm, rule: ActiveRule, remind: Remind, step: int) -> None:
    asset = session.get_one(Asset, alarm.asset_id)
    customer = session.get_one(Customer, asset.customer_id)
    found = ((role, _PEOPLE[role](session, customer)) for role in remind.line(step))
    role, people = next(((role, people) for role, people in found if people), (None, []))
    about = Subject("alarm", alarm.id)
    entry = record(
        session,
        "alarm.reminded" if people else "alarm.nobody_to_remind",
        about,
        causes=[last_entry(session, about)],
        step=step,
        at_most=remind.at_most,
        to=f"to_{role}" if role else None,
        since=alarm.acted_at.isoformat() if alarm.acted_at else None,
    )
    name = rule.document.name
    enqueue(
        session,
        people,
        "alarm_unacknowledged",
        about,
        dedupe=f"alarm:{alarm.id}:reminder:{step}",
        causes=[entry],
        customer_name=customer.name,
        asset_model=asset.model,
        asset_serial=asset.serial,
        rule_zh=name["zh-CN"],
        rule_en=name["en"],
        severity=alarm.severity,
        since=alarm.acted_at.isoformat() if alarm.acted_at else alarm.raised_at.isoformat(),
    )
