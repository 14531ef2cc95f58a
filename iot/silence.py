"""Noticing that a device is silent, and that it speaks again. By arrival, so late data closes it too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.assets.models import Asset, Device
from app.core.clock import from_ms, to_ms
from app.core.db import now
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch, transition
from app.customers.models import Customer
from app.rules.detectors import DETECTORS, Episode, Reading, State
from app.rules.detectors.silence import SilenceSettings
from app.rules.parts import Context
from app.rules.queries import ActiveRule, active_rules
from app.rules.severity import RANK, grown
from app.work_orders.operations import rep_of
from iot import actions, incidents, reminders
from iot.alarms import Change
from iot.models import OPEN_STATES, Alarm, DevicePresence
from push.outbox import enqueue

_QUIET = or_(Alarm.state.in_(OPEN_STATES), (Alarm.state == "closed") & Alarm.cleared_at.is_(None))
"""The alarms whose devices were not heard since, those included that a person closed."""


def notice_silence(session: Session, limit: int = 200) -> int:
    """Raise an alarm for every device that was silent too long; the customer's rep is told. Returns how many."""
    raised = 0
    for rule in active_rules(session):
        if rule.document.detector != "silence":
            continue
        settings = rule.document.settings(Context())
        assert isinstance(settings, SilenceSettings)  # noqa: S101 - the detector was compared above
        present_ms = to_ms(now(session))
        heard = func.coalesce(DevicePresence.heard_ms, 0)
        already = select(Alarm.subject_id).where(Alarm.rule_id == rule.id, _QUIET)
        quiet = session.execute(
            select(Device, heard)
            .outerjoin(DevicePresence, DevicePresence.device_id == Device.id)
            .where(
                Device.state == "active",
                Device.deleted_at.is_(None),
                heard < present_ms - settings.after_ms,
                # A gateway may speak for others only; nothing tells then that it was the one who spoke.
                or_(Device.gateway.is_(False), heard > 0),
                Device.installed_at < from_ms(present_ms) - timedelta(milliseconds=settings.after_ms),
                Device.id.not_in(already),
            )
            .order_by(Device.id)
            .limit(limit)
        ).all()
        for device, heard_ms in quiet:
            arrival = Reading(max(heard_ms, to_ms(device.installed_at)), "heard", 0.0, device.id)
            folded = DETECTORS["silence"](State(last=arrival), [], settings, present_ms)
            for episode in folded.episodes:
                _raise(session, rule, device, episode, heard_ms)
                raised += 1
        for alarm in _standing(session, rule) if rule.document.grows_severe else ():
            _grow(session, rule, alarm, present_ms)
    return raised


def _standing(session: Session, rule: ActiveRule) -> Sequence[Alarm]:
    query = select(Alarm).where(Alarm.rule_id == rule.id, Alarm.state.in_(OPEN_STATES))
    return session.scalars(query.order_by(Alarm.id)).all()


def _grow(session: Session, rule: ActiveRule, alarm: Alarm, present_ms: int) -> None:
    """Make an alarm more severe that has stood for so long."""
    last = Reading(to_ms(alarm.last_at), "heard", 0.0, alarm.subject_id)
    severity = grown(rule.document, Episode(to_ms(alarm.raised_at), (last,), last, 1), present_ms)
    if RANK[severity] <= RANK[alarm.severity]:
        return
    before, alarm.severity = alarm.severity, severity
    touch(session, alarm)
    about = Subject("alarm", alarm.id)
    after_h = next(after_ms / 3_600_000 for step, after_ms in rule.document.grows_severe if step == severity)
    entry = record(
        session,
        "alarm.stood_too_long",
        about,
        causes=[last_entry(session, about)],
        severity=severity,
        before=before,
        after_h=after_h,
    )
    actions.tell_worse(session, Change("escalated", alarm, rule, entry))


def _raise(session: Session, rule: ActiveRule, device: Device, episode: Episode, heard_ms: int) -> None:
    number = (
        session.scalar(select(func.max(Alarm.episode)).where(Alarm.rule_id == rule.id, Alarm.subject_id == device.id)) or 0
    ) + 1
    last_at = from_ms(episode.last.at_ms)
    alarm = add(
        session,
        Alarm(
            rule_id=rule.id,
            rule_number=rule.number,
            subject_kind="device",
            subject_id=device.id,
            asset_id=device.asset_id,
            episode=number,
            state="raised",
            severity=rule.document.severity,
            reached=rule.document.severity,
            metric="heard",
            raised_at=from_ms(episode.raised_at_ms),
            first_value=0.0,
            last_at=last_at,
            last_value=0.0,
            readings=1,
            cleared_at=None,
            end_reason=None,
            acted_at=now(session),
        ),
    )
    entry = record(
        session,
        "alarm.raised",
        Subject("alarm", alarm.id),
        occurred_at=alarm.raised_at,
        rule=rule.code,
        rule_number=rule.number,
        metric="heard",
        episode=number,
        condition=rule.document.condition(),
        last_heard=last_at.isoformat(),
        readings=[],
        count=1,
    )
    incidents.join(session, alarm, rule.code, entry)
    asset = session.get_one(Asset, device.asset_id)
    customer = session.get_one(Customer, asset.customer_id)
    enqueue(
        session,
        rep_of(session, customer.id),
        "device_silent",
        Subject("alarm", alarm.id),
        dedupe=f"alarm:{alarm.id}:raised",
        causes=[entry],
        device_id=device.id,
        asset_model=asset.model,
        customer_name=customer.name,
        last_heard=last_at.isoformat() if heard_ms else None,
    )
    reminders.begin(session, alarm, rule.document)


def notice_heard(session: Session, heard: dict[str, int], device_ids: Iterable[str]) -> int:
    """Clear the silence alarms of devices that were just heard; return how many."""
    alarms = session.scalars(
        select(Alarm).where(Alarm.subject_kind == "device", _QUIET, Alarm.subject_id.in_(sorted(device_ids))).order_by(Alarm.id)
    ).all()
    for alarm in alarms:
        at = from_ms(heard[alarm.subject_id])
        ended = {"cleared_at": max(at, alarm.raised_at), "end_reason": "heard_again", "snoozed_until": None}
        if alarm.state == "closed":
            alarm.cleared_at, alarm.end_reason = max(at, alarm.raised_at), "heard_again"
            touch(session, alarm)
            continue
        transition(session, alarm, "cleared", expect=OPEN_STATES, **ended)
        entry = record(
            session,
            "alarm.cleared",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised")],
            occurred_at=at,
            reason="heard_again",
            readings=[],
        )
        reminders.end(session, alarm)
        incidents.leave(session, alarm, entry)
    return len(alarms)
