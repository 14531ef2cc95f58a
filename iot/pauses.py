"""Times in which an alarm tells nobody: a snooze that a person set, and the cool-down of its rule after the alarm before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.assets.models import Asset
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import hold, touch
from app.customers.models import Customer
from app.rules.queries import ActiveRule, present_rule
from app.users.models import User
from app.users.rights import Actor
from app.work_orders import operations as work_orders
from iot import reminders
from iot.models import OPEN_STATES, Alarm
from push import fallback
from push.outbox import enqueue

LONGEST_H = 24 * 30
_AT_ONCE = 200


def snooze(session: Session, actor: Actor, alarm: Alarm, until: datetime) -> Alarm:
    """Let an alarm tell nobody anything until an instant; it stays, and wakes by itself.

    Raises:
        Conflict: ``state_conflict`` unless it is raised or acknowledged.
        FieldsInvalid: ``out_of_range`` unless ``until`` lies within the next 30 days.
    """
    present = now(session)
    if not present < until <= present + timedelta(hours=LONGEST_H):
        raise FieldsInvalid({"until": ["out_of_range"]})
    alarm = hold(session, Alarm, alarm.id)
    if alarm.state not in OPEN_STATES:
        raise Conflict("state_conflict", state=alarm.state, wanted="snoozed")
    alarm.snoozed_until, alarm.snoozed_by = until, actor.id
    touch(session, alarm)
    about = Subject("alarm", alarm.id)
    causes = [last_entry(session, about)]
    record(session, "alarm.snoozed", about, causes=causes, actor_id=actor.id, until=until.isoformat())
    fallback.stop(session, about)
    reminders.end(session, alarm)
    return alarm


def is_snoozed(session: Session, alarm: Alarm) -> bool:
    """Tell whether an alarm is to tell nobody anything now."""
    return alarm.snoozed_until is not None and now(session) < alarm.snoozed_until


def due_to_wake(session: Session) -> Sequence[str]:
    """Return the alarms whose snooze is over."""
    due = select(Alarm.id).where(Alarm.snoozed_until <= now(session), Alarm.state.in_(OPEN_STATES))
    return session.scalars(due.order_by(Alarm.snoozed_until, Alarm.id).limit(_AT_ONCE)).all()


def wake(session: Session, alarm_id: str) -> bool:
    """Wake an alarm whose snooze is over, unless somebody did or it ended meanwhile; tell whether it was woken.

    The rep and whoever asked for quiet are told, and the reminders go on.
    """
    alarm = hold(session, Alarm, alarm_id)
    if alarm.state not in OPEN_STATES or alarm.snoozed_until is None or is_snoozed(session, alarm):
        return False
    _wake(session, alarm)
    return True


def end_snooze(session: Session, actor: Actor, alarm: Alarm) -> Alarm:
    """Wake an alarm before its snooze is over. Whoever asked for quiet and the rep are told, but not who woke it.

    Raises:
        Conflict: ``not_snoozed`` when it tells people what it has to tell already.
    """
    alarm = hold(session, Alarm, alarm.id)
    if alarm.state not in OPEN_STATES or not is_snoozed(session, alarm):
        raise Conflict("not_snoozed")
    _wake(session, alarm, actor.id)
    return alarm


def _wake(session: Session, alarm: Alarm, actor_id: str | None = None) -> None:
    by, alarm.snoozed_until, alarm.snoozed_by = alarm.snoozed_by, None, None
    touch(session, alarm)
    about = Subject("alarm", alarm.id)
    entry = record(
        session,
        "alarm.woke" if actor_id is None else "alarm.snooze_ended",
        about,
        causes=[last_entry(session, about)],
        actor_id=actor_id,
        severity=alarm.severity,
    )
    asset = session.get_one(Asset, alarm.asset_id)
    customer = session.get_one(Customer, asset.customer_id)
    told = {user.id: user for user in work_orders.rep_of(session, customer.id)}
    asked = session.get(User, by) if by else None
    if asked is not None and asked.state == "active":
        told[asked.id] = asked
    told.pop(actor_id or "", None)
    document = present_rule(session, alarm.rule_id).document
    enqueue(
        session,
        told.values(),
        "alarm_woke",
        about,
        dedupe=f"alarm:{alarm.id}:woke:{entry.id}",
        causes=[entry],
        customer_name=customer.name,
        asset_model=asset.model,
        asset_serial=asset.serial,
        rule_zh=document.name["zh-CN"],
        rule_en=document.name["en"],
        severity=alarm.severity,
    )
    reminders.go_on(session, alarm, document)


def cools_until(session: Session, rule: ActiveRule, alarm: Alarm) -> datetime | None:
    """Return until when a rule leaves its next alarm without consequences; None: it does not, or not any more.

    Counted from the end of the last alarm of the rule on the same subject that people heard of.
    """
    cool_down = timedelta(hours=rule.document.cool_down_h)
    if not cool_down:
        return None
    ended = func.coalesce(Alarm.closed_at, Alarm.cleared_at)
    last: datetime | None = session.scalar(
        select(ended)
        .where(
            Alarm.rule_id == rule.id,
            Alarm.subject_id == alarm.subject_id,
            Alarm.id != alarm.id,
            Alarm.state.in_(("cleared", "closed")),
            Alarm.acted_at.is_not(None),
        )
        .order_by(ended.desc())
        .limit(1)
    )
    return last + cool_down if last is not None and now(session) < last + cool_down else None


def hold_back(session: Session, rule: ActiveRule, alarm: Alarm) -> bool:
    """Tell whether nothing is to follow from an alarm now, and write down why, once, and until when."""
    if is_snoozed(session, alarm):
        return True
    until = cools_until(session, rule, alarm)
    if alarm.held_until != until:
        alarm.held_until = until
        touch(session, alarm)
    about = Subject("alarm", alarm.id)
    if until is not None and last_entry(session, about, "alarm.held_back") is None:
        causes = [last_entry(session, about)]
        record(session, "alarm.held_back", about, causes=causes, reason="rule_cool_down", until=until.isoformat())
    return until is not None
