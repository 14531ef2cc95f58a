"""Offers and coupons over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.errors import Conflict
from app.core.http import Routes
from app.core.paging import page, page_of
from app.service_offers import operations, queries, schemas
from app.service_offers.models import Coupon, ServiceOffer
from app.users import secrets
from app.users.rights import Actor
from app.work_orders.schemas import ReasonSchema

routes = Routes("service_offers", __name__, description="Offers and coupons")


@routes.door("GET", "/service-offers", policy="offers.read", query=schemas.OfferQuery, answer=page_of(schemas.OfferSchema))
def list_offers(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List offers."""
    offers = queries.visible_to(actor)
    if "state" in query:
        offers = offers.where(ServiceOffer.state == query["state"])
    return page(session, offers, ServiceOffer, query)


@routes.door("GET", "/service-offers/<offer_id>", policy="offers.read", answer=schemas.OfferSchema)
def read_offer(session: Session, actor: Actor, offer_id: str) -> ServiceOffer:
    """Read one offer."""
    return queries.access_offer(session, actor, offer_id)


@routes.door("POST", "/service-offers/<offer_id>/view", policy="offers.answer", answer=schemas.OfferSchema)
def view_offer(session: Session, actor: Actor, offer_id: str) -> ServiceOffer:
    """Note that the owner has seen the offer."""
    return operations.view_offer(session, actor, queries.access_offer(session, actor, offer_id))


@routes.door(
    "POST", "/service-offers/<offer_id>/accept", policy="offers.answer", body=schemas.AcceptSchema, answer=schemas.OfferSchema
)
def accept_offer(session: Session, actor: Actor, body: dict[str, Any], offer_id: str) -> ServiceOffer:
    """Accept with a slot; accepted already, choose another slot."""
    offer = queries.access_offer(session, actor, offer_id)
    return operations.accept_offer(session, edge_settings(), actor, offer, body["slot_at"])


@routes.door(
    "POST", "/service-offers/<offer_id>/decline", policy="offers.answer", body=schemas.DeclineSchema, answer=schemas.OfferSchema
)
def decline_offer(session: Session, actor: Actor, body: dict[str, Any], offer_id: str) -> ServiceOffer:
    """Decline; the task and the reserved part go with it."""
    return operations.decline_offer(session, actor, queries.access_offer(session, actor, offer_id), body["reason"])


@routes.door("POST", "/service-offers/<offer_id>/withdraw", policy="offers.decide", body=ReasonSchema, answer=schemas.OfferSchema)
def withdraw_offer(session: Session, actor: Actor, body: dict[str, Any], offer_id: str) -> ServiceOffer:
    """Take an offer back by hand, answered or not."""
    offer = queries.access_offer(session, actor, offer_id)
    if not operations.withdraw_offer(session, offer, body["reason"], [], actor.id):
        raise Conflict("offer_not_open", state=offer.state)
    return offer


@routes.door("GET", "/service-offers/<offer_id>/coupon", policy="offers.answer", answer=schemas.ShownCouponSchema)
def show_coupon(session: Session, actor: Actor, offer_id: str) -> dict[str, Any]:
    """Show the owner the code of their coupon."""
    return operations.show_coupon(session, edge_settings(), queries.access_offer(session, actor, offer_id))


@routes.door("POST", "/coupons/redeem", policy="coupons.redeem", body=schemas.RedeemSchema, answer=schemas.CouponSchema)
def redeem(session: Session, actor: Actor, body: dict[str, Any]) -> Coupon:
    """Redeem a coupon at the station that holds the task, once."""
    return operations.redeem(session, edge_settings(), actor, body["code"])


@routes.door("GET", "/coupons/key", policy="self", answer=schemas.CouponKeySchema)
def read_coupon_key(session: Session, actor: Actor) -> dict[str, Any]:
    """Read the public key that verifies coupon tokens offline."""
    return {"key": secrets.coupon_public_key(edge_settings())}
