"""What an alarm leads to: work order, station task, offer, messages; and what its withdrawal undoes. One transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset, Component
from app.core.clock import from_ms
from app.core.db import now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import touch
from app.customers.models import Customer
from app.rules.detectors import Reading
from app.rules.documents import Document
from app.rules.parts import Service
from app.rules.queries import ActiveRule, active_rules
from app.service_offers import operations as service_offers
from app.service_offers import queries as offers
from app.service_offers.operations import Terms
from app.users import queries as users
from app.work_orders import operations as work_orders
from app.work_orders.models import WorkOrder
from iot import incidents, reminders
from iot.alarms import Change
from iot.models import Alarm, Incident
from iot.pauses import is_snoozed
from push.outbox import enqueue

_HEALTH = "soh_pct"
_OVER = ("finished", "cancelled")


def apply(session: Session, settings: Settings, change: Change) -> None:
    """Follow one change of an alarm.

    Side effects: incident, work order, station task, offer, coupon, notifications; each at most once an alarm.
    """
    if change.kind == "act":
        _act(session, settings, change)
    elif change.kind == "escalated":
        tell_worse(session, change)
    elif change.kind == "reopened":
        incidents.go_on(session, change.alarm, change.rule.code, change.entry)
        reminders.go_on(session, change.alarm, change.rule.document)
    elif change.kind == "withdrawn":
        reminders.end(session, change.alarm)
        _undo(session, change, "alarm_withdrawn")
        _go_on_without(session, settings, change)
    elif change.kind == "closed":
        reminders.end(session, change.alarm)
        incidents.leave(session, change.alarm, change.entry)
    else:
        reminders.end(session, change.alarm)
        if change.alarm.end_reason == "component_replaced":
            offer = offers.offer_of_alarm(session, change.alarm.id)
            if offer is not None:
                service_offers.withdraw_offer(session, offer, "component_replaced", [change.entry])
        incidents.leave(session, change.alarm, change.entry)


def _act(session: Session, settings: Settings, change: Change) -> None:
    alarm, document = change.alarm, change.rule.document
    asset = _asset_of(session, alarm)
    customer = session.get_one(Customer, asset.customer_id)
    facts = _facts(session, settings, alarm, document, change.newest)
    incident = incidents.join(session, alarm, change.rule.code, change.entry)
    enqueue(
        session,
        work_orders.rep_of(session, customer.id),
        "battery_alarm" if _HEALTH in facts else "alarm_raised",
        Subject("alarm", alarm.id),
        dedupe=f"alarm:{alarm.id}:raised",
        causes=[change.entry],
        customer_name=customer.name,
        asset_model=asset.model,
        asset_serial=asset.serial,
        severity=alarm.severity,
        **facts,
    )
    reminders.begin(session, alarm, document)
    if document.service is not None:
        _start_service(session, settings, incident, alarm, document, document.service, change.entry, facts)


def _asset_of(session: Session, alarm: Alarm) -> Asset:
    held = assets.asset_holding(session, alarm.subject_id, alarm.raised_at) if alarm.subject_kind == "component" else None
    return held or session.get_one(Asset, alarm.asset_id)


def _facts(session: Session, settings: Settings, alarm: Alarm, document: Document, newest: Reading | None) -> dict[str, Any]:
    """Return what the messages say of the measurement. Late: the newest reading is of an earlier day than today."""
    measured = from_ms(newest.at_ms) if newest else alarm.last_at
    today = now(session).astimezone(settings.time_zone).date()
    told = {"measured_on": measured.isoformat(), "late": measured.astimezone(settings.time_zone).date() < today}
    if document.detector == "threshold" and document.metric == _HEALTH:
        return told | {_HEALTH: newest.value if newest else alarm.last_value}
    return told | _named(document)


def _named(document: Document) -> dict[str, str]:
    return {"rule_zh": document.name["zh-CN"], "rule_en": document.name["en"]}


def _start_service(
    session: Session,
    settings: Settings,
    incident: Incident,
    alarm: Alarm,
    document: Document,
    service: Service,
    cause: HistoryEntry,
    facts: dict[str, Any],
) -> None:
    asset, component = _asset_of(session, alarm), session.get_one(Component, alarm.subject_id)
    against = service_offers.reason_against(session, settings, component, service.kind)
    if against is None and incident.work_order_id is not None:
        present = session.get_one(WorkOrder, incident.work_order_id)
        if present.state not in _OVER:
            against = {"reason": "incident_has_order", "work_order_id": present.id}
    if against is not None:
        record(session, "service_offer.not_made", Subject("alarm", alarm.id), causes=[cause], **against)
        return
    price, discount = service.amounts()
    order = work_orders.open_order(
        session,
        asset,
        component,
        job=service.kind,
        certificates=service.certificates,
        coupon_required=True,
        causes=[cause],
    )
    incident.work_order_id = order.id
    touch(session, incident)
    work_orders.dispatch(session, settings, order)
    told = facts if _HEALTH in facts else {name: fact for name, fact in facts.items() if name != "late"}
    service_offers.make_offer(
        session,
        settings,
        alarm_id=alarm.id,
        order=order,
        asset=asset,
        component=component,
        terms=Terms(service.kind, price, discount, service.certificates),
        causes=[cause],
        facts=told,
    )


def tell_worse(session: Session, change: Change) -> None:
    """Tell the rep and the managers that an alarm has become more severe."""
    alarm = change.alarm
    asset = _asset_of(session, alarm)
    customer = session.get_one(Customer, asset.customer_id)
    if alarm.incident_id is not None:
        incidents.worsen(session, session.get_one(Incident, alarm.incident_id), alarm.severity)
    if is_snoozed(session, alarm):
        return
    after_h = change.entry.facts.get("after_h")
    told = {user.id: user for user in work_orders.rep_of(session, customer.id)}
    told |= {user.id: user for user in users.managers_of(session, customer.territory_id)}
    enqueue(
        session,
        told.values(),
        "alarm_stands" if after_h else "alarm_escalated",
        Subject("alarm", alarm.id),
        dedupe=f"alarm:{alarm.id}:{alarm.severity}",
        causes=[change.entry],
        after_h=after_h,
        customer_name=customer.name,
        asset_model=asset.model,
        asset_serial=asset.serial,
        severity=alarm.severity,
        **_named(change.rule.document),
    )


def _undo(session: Session, change: Change, reason: str) -> None:
    """Take back what nobody answered; what the owner accepted stays for a person to decide."""
    alarm = change.alarm
    if alarm.acted_at is None:
        return
    asset = session.get_one(Asset, alarm.asset_id)
    customer = session.get_one(Customer, asset.customer_id)
    names = {"customer_name": customer.name, "asset_model": asset.model}
    offer = offers.offer_of_alarm(session, alarm.id)
    if (
        offer is not None
        and not service_offers.withdraw_offer(session, offer, reason, [change.entry])
        and offer.state == "accepted"
    ):
        waiting = record(
            session, "service_offer.left_to_decide", Subject("service_offer", offer.id), causes=[change.entry], reason=reason
        )
        enqueue(
            session,
            users.managers_of(session, customer.territory_id),
            "decision_needed",
            Subject("service_offer", offer.id),
            dedupe=f"alarm:{alarm.id}:decision",
            causes=[waiting],
            **names,
        )
    enqueue(
        session,
        work_orders.rep_of(session, customer.id),
        "alarm_withdrawn",
        Subject("alarm", alarm.id),
        dedupe=f"alarm:{alarm.id}:withdrawn",
        causes=[change.entry],
        reason=alarm.end_reason or reason,
        **names,
    )


def _go_on_without(session: Session, settings: Settings, change: Change) -> None:
    """Start the service of another alarm of the incident, where the one that had started its own was withdrawn."""
    alarm = change.alarm
    incidents.leave(session, alarm, change.entry)
    if alarm.incident_id is None or offers.offer_of_alarm(session, alarm.id) is None:
        return
    incident = session.get_one(Incident, alarm.incident_id)
    rules: dict[str, ActiveRule] = {rule.id: rule for rule in active_rules(session)}
    for other in incidents.standing(session, incident.id):
        rule = rules.get(other.rule_id)
        if rule is None or rule.document.service is None:
            continue
        cause = record(
            session,
            "alarm.service_started",
            Subject("alarm", other.id),
            causes=[last_entry(session, Subject("alarm", other.id)), change.entry],
        )
        facts = _facts(session, settings, other, rule.document, None)
        _start_service(session, settings, incident, other, rule.document, rule.document.service, cause, facts)
        return
