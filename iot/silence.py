"""Noticing that a device is silent, and that it speaks again. By arrival, so late data closes it too."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.assets.models import Asset, Device
from app.core.clock import from_ms, to_ms
from app.core.db import now
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, transition
from app.customers.models import Customer
from app.rules.detectors import DETECTORS, Episode, Reading, State
from app.rules.detectors.silence import SilenceSettings
from app.rules.parts import Context
from app.rules.queries import ActiveRule, active_rules
from app.work_orders.operations import rep_of
from iot.models import Alarm, DevicePresence
from push.outbox import enqueue

_OPEN = ("raised", "acknowledged")


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
        already = select(Alarm.subject_id).where(Alarm.rule_id == rule.id, Alarm.state.in_(_OPEN))
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
    return raised


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


def notice_heard(session: Session, heard: dict[str, int], device_ids: Iterable[str]) -> int:
    """Clear the silence alarms of devices that were just heard; return how many."""
    alarms = session.scalars(
        select(Alarm)
        .where(Alarm.subject_kind == "device", Alarm.state.in_(_OPEN), Alarm.subject_id.in_(sorted(device_ids)))
        .order_by(Alarm.id)
    ).all()
    for alarm in alarms:
        at = from_ms(heard[alarm.subject_id])
        transition(session, alarm, "cleared", cleared_at=max(at, alarm.raised_at), end_reason="heard_again")
        record(
            session,
            "alarm.cleared",
            Subject("alarm", alarm.id),
            causes=[last_entry(session, Subject("alarm", alarm.id), "alarm.raised")],
            occurred_at=at,
            reason="heard_again",
            readings=[],
        )
    return len(alarms)
