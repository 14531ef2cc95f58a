"""Verbs on offers and coupons: make, view, accept, choose another slot, decline, expire, withdraw, redeem once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets.models import Asset, Component
from app.core.db import now
from app.core.errors import Conflict, Invalid, TooMany
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import add, can_become, hold, transition, try_transition
from app.service_offers import queries
from app.service_offers.models import OPEN_STATES, Coupon, ServiceOffer
from app.stations.models import Station
from app.users import queries as users
from app.users import secrets, tries
from app.users.rights import Actor
from app.work_orders import operations as work_orders
from app.work_orders import queries as orders
from app.work_orders.models import WorkOrder
from push.outbox import enqueue

Causes = Sequence[HistoryEntry | None]


@dataclass(frozen=True)
class Terms:
    """What a rule offers: the kind of service, price before and discount by the coupon, and its certificates."""

    kind: str
    price: Decimal
    discount: Decimal
    certificates: tuple[str, ...]


def reason_against(session: Session, settings: Settings, component: Component, kind: str) -> dict[str, Any] | None:
    """Return why no offer may be made now: one is open, or one ended within the cool-down; None when it may."""
    if (open_offer := queries.open_offer(session, component.id, kind)) is not None:
        return {"reason": "offer_open", "offer_id": open_offer.id}
    since = now(session) - timedelta(days=settings.offer_cooldown_days)
    if (last := queries.last_counting(session, component.id, kind, since)) is not None:
        return {"reason": "cool_down", "offer_id": last.id, "days": settings.offer_cooldown_days}
    if (order := orders.open_order(session, component.id, kind)) is not None:
        return {"reason": "order_open", "work_order_id": order.id}
    return None


def make_offer(
    session: Session,
    settings: Settings,
    *,
    alarm_id: str,
    order: WorkOrder,
    asset: Asset,
    component: Component,
    terms: Terms,
    causes: Causes,
    facts: dict[str, Any],
) -> ServiceOffer:
    """Issue an offer with its coupon to the owner of the asset and tell them; warranty makes the price zero.

    Args:
        facts: what the owner reads of the reason: ``soh_pct``, ``measured_on``, ``late``; for other rules than that of
            battery health ``rule_zh``, ``rule_en``, ``measured_on``.
    """
    today = now(session).astimezone(settings.time_zone).date()
    ends = [day for day in (component.warranty_until, asset.warranty_until) if day is not None]
    under_warranty = any(day >= today for day in ends)
    due = Decimal(0) if under_warranty else max(terms.price - terms.discount, Decimal(0))
    offer = add(
        session,
        ServiceOffer(
            kind=terms.kind,
            state="issued",
            alarm_id=alarm_id,
            component_id=component.id,
            asset_id=asset.id,
            customer_id=asset.customer_id,
            work_order_id=order.id,
            price=terms.price,
            discount=terms.discount,
            amount_due=due,
            currency=settings.currency,
            under_warranty=under_warranty,
            valid_until=now(session) + timedelta(days=settings.offer_validity_days),
        ),
    )
    issued = record(
        session,
        "service_offer.issued",
        Subject("service_offer", offer.id),
        causes=causes,
        service=terms.kind,
        amount_due=f"{due:.2f}",
        currency=offer.currency,
        under_warranty=under_warranty,
        valid_until=offer.valid_until.isoformat(),
    )
    coupon = Coupon(id=new_id(), offer_id=offer.id, state="open")
    coupon.code_hash = secrets.token_hash(coupon_code(settings, coupon))
    add(session, coupon)
    record(
        session,
        "coupon.issued",
        Subject("coupon", coupon.id),
        causes=[issued],
        discount=f"{terms.discount:.2f}",
        currency=offer.currency,
    )
    enqueue(
        session,
        users.people_of_customer(session, asset.customer_id),
        "offer_made" if "soh_pct" in facts else "service_offer_made",
        Subject("service_offer", offer.id),
        dedupe=f"offer:{offer.id}:made",
        causes=[issued],
        asset_model=asset.model,
        asset_serial=asset.serial,
        amount_due=f"{due:.2f}",
        discount=f"{terms.discount:.2f}",
        currency=offer.currency,
        valid_until=offer.valid_until.isoformat(),
        warranty=under_warranty,
        **(facts if "soh_pct" in facts else facts | {"job": terms.kind}),
    )
    return offer


def coupon_code(settings: Settings, coupon: Coupon) -> str:
    """Return the code the owner shows: 16 base32 letters that only this server can make from the coupon's id."""
    return secrets.derived_code(settings, "coupon", coupon.id)


def view_offer(session: Session, actor: Actor, offer: ServiceOffer) -> ServiceOffer:
    """Note that the owner has seen the offer; a second look changes nothing."""
    if try_transition(session, offer, "viewed", expect={"issued"}):
        record(
            session, "service_offer.viewed", Subject("service_offer", offer.id), actor_id=actor.id, causes=[_last(session, offer)]
        )
    return offer


def accept_offer(session: Session, settings: Settings, actor: Actor, offer: ServiceOffer, slot_at: datetime) -> ServiceOffer:
    """The owner accepts and chooses a slot at the station that holds the task. Accepted already: chooses another slot.

    Raises:
        Conflict: ``offer_expired``, ``offer_not_open``, or ``slot_unavailable``.
    """
    order = session.get_one(WorkOrder, offer.work_order_id)
    if offer.state in {"issued", "viewed"}:
        if offer.valid_until <= now(session):
            raise Conflict("offer_expired", until=offer.valid_until.isoformat())
        transition(session, offer, "accepted", expect={"issued", "viewed"})
        entry = record(
            session,
            "service_offer.accepted",
            Subject("service_offer", offer.id),
            actor_id=actor.id,
            causes=[_last(session, offer)],
            slot_at=slot_at.isoformat(),
        )
    elif offer.state == "accepted":
        entry = record(
            session,
            "service_offer.slot_changed",
            Subject("service_offer", offer.id),
            actor_id=actor.id,
            causes=[_last(session, offer), last_entry(session, Subject("work_order", order.id))],
            slot_at=slot_at.isoformat(),
        )
    else:
        raise Conflict("offer_not_open", state=offer.state)
    work_orders.book_slot(session, settings, order, slot_at, [entry], actor.id)
    return offer


def _last(session: Session, offer: ServiceOffer) -> HistoryEntry | None:
    return last_entry(session, Subject("service_offer", offer.id))


def decline_offer(session: Session, actor: Actor, offer: ServiceOffer, reason: str) -> ServiceOffer:
    """The owner declines: the task, the part and the coupon go with it.

    Raises:
        Conflict: ``offer_not_open``.
    """
    if not can_become(offer, "declined"):
        raise Conflict("offer_not_open", state=offer.state)
    if _close(session, offer, "declined", reason, [_last(session, offer)], actor.id) is None:
        raise Conflict("offer_not_open", state=offer.state)
    return offer


def expire_offers(session: Session) -> int:
    """Close every unanswered offer whose time is over, tell its owner, and return how many."""
    due = session.scalars(
        select(ServiceOffer)
        .where(ServiceOffer.state.in_(("issued", "viewed")), ServiceOffer.valid_until <= now(session))
        .order_by(ServiceOffer.id)
        .limit(100)
        .with_for_update(key_share=True)
    ).all()
    expired = 0
    for offer in due:
        entry = _close(session, offer, "expired", "not_answered_in_time", [_last(session, offer)])
        if entry is None:
            continue
        expired += 1
        enqueue(
            session,
            users.people_of_customer(session, offer.customer_id),
            "offer_expired",
            Subject("service_offer", offer.id),
            dedupe=f"offer:{offer.id}:expired",
            causes=[entry],
            asset_model=session.get_one(Asset, offer.asset_id).model,
        )
    return expired


def follow_cancelled_orders(session: Session) -> int:
    """Withdraw every open offer whose work order somebody cancelled; return how many.

    Work orders are a room below and know no offers: the cancelled order is the fact that is read here.
    """
    lost = session.scalars(
        select(ServiceOffer)
        .join(WorkOrder, WorkOrder.id == ServiceOffer.work_order_id)
        .where(ServiceOffer.state.in_(OPEN_STATES), WorkOrder.state == "cancelled")
        .order_by(ServiceOffer.id)
        .limit(100)
        .with_for_update(key_share=True, of=ServiceOffer)
    ).all()
    return sum(
        _withdraw(session, offer, "order_cancelled", [_order_entry(session, offer)], None, set(OPEN_STATES)) for offer in lost
    )


def _order_entry(session: Session, offer: ServiceOffer) -> HistoryEntry | None:
    return last_entry(session, Subject("work_order", offer.work_order_id), "work_order.cancelled")


def withdraw_offer(session: Session, offer: ServiceOffer, reason: str, causes: Causes, actor_id: str | None = None) -> bool:
    """Take back an offer nobody answered; tell the owner. Returns False when it was answered before."""
    sources = {"issued", "viewed"} if actor_id is None else set(OPEN_STATES)
    return offer.state in sources and _withdraw(session, offer, reason, causes, actor_id, sources)


def _withdraw(
    session: Session, offer: ServiceOffer, reason: str, causes: Causes, actor_id: str | None, sources: set[str]
) -> bool:
    entry = _close(session, offer, "withdrawn", reason, [*causes, _last(session, offer)], actor_id, sources)
    if entry is None:
        return False
    enqueue(
        session,
        users.people_of_customer(session, offer.customer_id),
        "offer_withdrawn",
        Subject("service_offer", offer.id),
        dedupe=f"offer:{offer.id}:withdrawn",
        causes=[entry],
        asset_model=session.get_one(Asset, offer.asset_id).model,
        reason=reason,
    )
    return True


def _close(
    session: Session,
    offer: ServiceOffer,
    state: str,
    reason: str,
    causes: Causes,
    actor_id: str | None = None,
    sources: set[str] | None = None,
) -> HistoryEntry | None:
    """Close an open offer, void its coupon and cancel its order; None when somebody else was first."""
    if not try_transition(session, offer, state, expect=sources, closed_at=now(session), close_reason=reason):
        return None
    entry = record(
        session, f"service_offer.{state}", Subject("service_offer", offer.id), causes=causes, actor_id=actor_id, reason=reason
    )
    try_transition(session, queries.coupon_of(session, offer.id), "void")
    order = hold(session, WorkOrder, offer.work_order_id)
    if can_become(order, "cancelled"):
        work_orders.cancel_order(session, order, f"offer_{state}", [entry], actor_id)
    return entry


def show_coupon(session: Session, settings: Settings, offer: ServiceOffer) -> dict[str, Any]:
    """Return what the owner shows at the station: the code, and once a station holds the task a signed token.

    The token (JWS, Ed25519) lets the station's phone verify the coupon offline: coupon, offer, station.
    """
    coupon = queries.coupon_of(session, offer.id)
    task = orders.live_task(session, offer.work_order_id)
    token = None
    if coupon.state == "open" and offer.state == "accepted" and task is not None:
        claims = {
            "coupon": coupon.id,
            "offer": offer.id,
            "station": task.station_id,
            "valid_until": offer.valid_until.isoformat(),
        }
        token = secrets.sign_coupon(settings, msgspec.json.encode(claims))
    code = coupon_code(settings, coupon)
    return {
        "coupon_id": coupon.id,
        "state": coupon.state,
        "code": code,
        "token": token,
        "qr": f"{code}.{token}" if token else code,
    }


def redeem(session: Session, settings: Settings, actor: Actor, code: str) -> Coupon:
    """Redeem a coupon, exactly once, by staff of the station that holds the task.

    Args:
        code: what the owner shows, with or without the token behind it; case and blanks do not matter.

    Raises:
        Invalid: ``coupon_invalid`` for anything but an open coupon of this station; counted, and
            after too many tries a minute ``TooMany``.
        Conflict: ``coupon_redeemed``.
    """
    tried = tries.subject_of("coupon", actor.id)
    if tries.locked_until(session, tried):
        raise TooMany("too_many_requests", retry_after_s=60)
    plain = "".join(code.upper().partition(".")[0].split())
    coupon = session.scalar(select(Coupon).where(Coupon.code_hash == secrets.token_hash(plain)))
    offer = task = None
    if coupon is not None:
        offer = hold(session, ServiceOffer, coupon.offer_id)
        hold(session, WorkOrder, offer.work_order_id)
        session.refresh(coupon)
        task = orders.live_task(session, offer.work_order_id)
    at_this_station = task is not None and task.station_id == actor.station_id
    if coupon is not None and coupon.state == "redeemed" and coupon.station_id == actor.station_id:
        raise Conflict("coupon_redeemed", at=coupon.redeemed_at.isoformat() if coupon.redeemed_at else "")
    if coupon is None or offer is None or task is None or not at_this_station or offer.state != "accepted":
        limit = settings.redeem_tries_per_minute

        def trace(own: Session) -> None:
            tries.count_failure(own, tried, limit)
            record(own, "coupon.refused", Subject("user", actor.id), actor_id=actor.id, station_id=actor.station_id)

        raise Invalid("coupon_invalid", trace=trace)
    if not try_transition(
        session, coupon, "redeemed", redeemed_at=now(session), redeemed_by=actor.id, station_id=actor.station_id
    ):
        raise Conflict("coupon_redeemed", at=coupon.redeemed_at.isoformat() if coupon.redeemed_at else "")
    station = session.get_one(Station, task.station_id)
    entry = record(
        session,
        "coupon.redeemed",
        Subject("coupon", coupon.id),
        actor_id=actor.id,
        causes=[
            last_entry(session, Subject("service_offer", offer.id)),
            last_entry(session, Subject("coupon", coupon.id), "coupon.issued"),
            last_entry(session, Subject("work_order", offer.work_order_id), "work_order.scheduled"),
        ],
        station_id=station.id,
        station=station.name,
    )
    transition(session, offer, "redeemed", expect={"accepted"}, closed_at=now(session), close_reason="redeemed")
    order = session.get_one(WorkOrder, offer.work_order_id)
    work_orders.note_redeemed(session, order)
    record(session, "work_order.coupon_redeemed", Subject("work_order", order.id), causes=[entry], actor_id=actor.id)
    return coupon
