"""What an alarm leads to: work order, station task, offer, messages; and what its withdrawal undoes. One transaction."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset, Component
from app.core.clock import from_ms
from app.core.db import now
from app.core.history import Subject, record
from app.core.settings import Settings
from app.customers.models import Customer
from app.rules.documents import Service
from app.service_offers import operations as service_offers
from app.service_offers import queries as offers
from app.service_offers.operations import Terms
from app.users import queries as users
from app.work_orders import operations as work_orders
from iot.alarms import Change
from push.outbox import enqueue


def apply(session: Session, settings: Settings, change: Change) -> None:
    """Follow one change of an alarm.

    Side effects: work order, station task, offer, coupon, notifications; each at most once an alarm.
    """
    if change.kind == "act":
        _act(session, settings, change)
    elif change.kind == "withdrawn":
        _undo(session, change, "alarm_withdrawn")
    elif change.alarm.end_reason == "component_replaced":
        offer = offers.offer_of_alarm(session, change.alarm.id)
        if offer is not None:
            service_offers.withdraw_offer(session, offer, "component_replaced", [change.entry])


def _act(session: Session, settings: Settings, change: Change) -> None:
    alarm, document = change.alarm, change.rule.document
    component = session.get_one(Component, alarm.subject_id)
    asset = assets.asset_holding(session, component.id, alarm.raised_at) or session.get_one(Asset, alarm.asset_id)
    facts = _facts(session, settings, change)
    customer = session.get_one(Customer, asset.customer_id)
    enqueue(
        session,
        work_orders.rep_of(session, customer.id),
        "battery_alarm",
        Subject("alarm", alarm.id),
        dedupe=f"alarm:{alarm.id}:raised",
        causes=[change.entry],
        customer_name=customer.name,
        asset_model=asset.model,
        asset_serial=asset.serial,
        **facts,
    )
    if document.service is not None:
        _start_service(session, settings, change, asset, component, document.service, facts)


def _facts(session: Session, settings: Settings, change: Change) -> dict[str, Any]:
    """Return what the messages say of the measurement. Late: the newest reading is of an earlier day than today."""
    measured = from_ms(change.newest.at_ms) if change.newest else change.alarm.last_at
    today = now(session).astimezone(settings.time_zone).date()
    return {
        "soh_pct": change.newest.value if change.newest else change.alarm.last_value,
        "measured_on": measured.isoformat(),
        "late": measured.astimezone(settings.time_zone).date() < today,
    }


def _start_service(
    session: Session,
    settings: Settings,
    change: Change,
    asset: Asset,
    component: Component,
    service: Service,
    facts: dict[str, Any],
) -> None:
    against = service_offers.reason_against(session, settings, component, service.kind)
    if against is not None:
        record(session, "service_offer.not_made", Subject("alarm", change.alarm.id), causes=[change.entry], **against)
        return
    price, discount = service.amounts()
    order = work_orders.open_order(
        session,
        asset,
        component,
        job=service.kind,
        certificates=service.certificates,
        coupon_required=True,
        causes=[change.entry],
    )
    work_orders.dispatch(session, settings, order)
    service_offers.make_offer(
        session,
        settings,
        alarm_id=change.alarm.id,
        order=order,
        asset=asset,
        component=component,
        terms=Terms(service.kind, price, discount, service.certificates),
        causes=[change.entry],
        facts=facts,
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
