"""The only readers of offers and coupons."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.service_offers.models import OPEN_STATES, Coupon, ServiceOffer
from app.users.rights import STAFF, Actor
from app.work_orders import queries as work_orders
from app.work_orders.models import WorkOrder


def visible_to(actor: Actor) -> Select[ServiceOffer]:
    """Return the offers an actor may see: the owner's own, a rep's customers'; staff those of their orders."""
    offers = select(ServiceOffer).where(ServiceOffer.deleted_at.is_(None))
    if actor.role == STAFF or actor.partner_id is not None:
        return offers.where(ServiceOffer.work_order_id.in_(select(WorkOrder.id).where(work_orders.in_scope(actor))))
    return offers.where(ServiceOffer.customer_id.in_(select(Customer.id).where(customers.in_scope(actor))))


def access_offer(session: Session, actor: Actor, offer_id: str) -> ServiceOffer:
    """Load one offer the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), ServiceOffer, offer_id)


def visible_coupons(actor: Actor) -> Select[Coupon]:
    """Return the coupons of the offers an actor may see."""
    return select(Coupon).where(Coupon.offer_id.in_(visible_to(actor).with_only_columns(ServiceOffer.id)))


def coupon_of(session: Session, offer_id: str) -> Coupon:
    """Return the coupon of an offer."""
    return session.scalars(select(Coupon).where(Coupon.offer_id == offer_id)).one()


def open_offer(session: Session, component_id: str, kind: str) -> ServiceOffer | None:
    """Return the open offer of a kind for a component."""
    return session.scalar(
        select(ServiceOffer).where(
            ServiceOffer.component_id == component_id, ServiceOffer.kind == kind, ServiceOffer.state.in_(OPEN_STATES)
        )
    )


def last_counting(session: Session, component_id: str, kind: str, since: datetime) -> ServiceOffer | None:
    """Return the newest closed offer of a kind for a component that starts the cool-down; withdrawn ones do not."""
    return session.scalar(
        select(ServiceOffer)
        .where(
            ServiceOffer.component_id == component_id,
            ServiceOffer.kind == kind,
            ServiceOffer.state.in_(("declined", "expired", "redeemed")),
            ServiceOffer.closed_at > since,
        )
        .order_by(ServiceOffer.closed_at.desc())
        .limit(1)
    )


def offer_of_alarm(session: Session, alarm_id: str) -> ServiceOffer | None:
    """Return the offer an alarm led to."""
    return session.scalar(select(ServiceOffer).where(ServiceOffer.alarm_id == alarm_id))
