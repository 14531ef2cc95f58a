"""The only readers of customers and sites."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.core.errors import NotFound
from app.customers.models import Customer, Site, StationGrant
from app.stations.models import Station
from app.users.rights import ADMIN, CUSTOMER, MANAGER, REP, STAFF, Actor


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``Customer`` for the customers an actor is in charge of, is, or was given a task for."""
    if actor.sees_all:
        return true()
    if actor.role == REP and actor.partner_id is None:
        return or_(Customer.owner_id == actor.id, Customer.territory_id.in_(sorted(actor.territory_ids)))
    if actor.role == CUSTOMER and actor.customer_id:
        return Customer.id == actor.customer_id
    if granted_stations(actor) is not None:
        return Customer.id.in_(_granted(actor, StationGrant.customer_id))
    return false()


def granted_stations(actor: Actor) -> Select[str] | None:
    """Return the stations whose grants an actor shares: staff their own, a partner's office the partner's."""
    if actor.role == STAFF and actor.station_id:
        return select(Station.id).where(Station.id == actor.station_id)
    if actor.role in {ADMIN, MANAGER} and actor.partner_id is not None:
        return select(Station.id).where(Station.partner_id == actor.partner_id)
    return None


def _granted(actor: Actor, column: InstrumentedAttribute[str]) -> Select[str]:
    stations = granted_stations(actor)
    assert stations is not None  # noqa: S101 - callers asked before
    return select(column).where(StationGrant.station_id.in_(stations), StationGrant.ended_at.is_(None))


def granted_assets(actor: Actor) -> Select[str] | None:
    """Return the ids of the assets an actor may see through a station task, or None when there is no such way."""
    return None if granted_stations(actor) is None else _granted(actor, StationGrant.asset_id)


def visible_to(actor: Actor) -> Select[Customer]:
    """Return the customers an actor may see."""
    return select(Customer).where(Customer.deleted_at.is_(None), in_scope(actor))


def access_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Load one customer the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    customer = session.scalar(visible_to(actor).where(Customer.id == customer_id))
    if customer is None:
        raise NotFound
    return customer


def visible_sites(actor: Actor) -> Select[Site]:
    """Return the sites of the customers an actor may see."""
    return select(Site).join(Customer).where(Site.deleted_at.is_(None), Customer.deleted_at.is_(None), in_scope(actor))


def access_site(session: Session, actor: Actor, site_id: str) -> Site:
    """Load one site the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    site = session.scalar(visible_sites(actor).where(Site.id == site_id))
    if site is None:
        raise NotFound
    return site


def deleted_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Load a deleted customer, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    customer = session.scalar(
        select(Customer).where(Customer.id == customer_id, Customer.deleted_at.is_not(None), in_scope(actor))
    )
    if customer is None:
        raise NotFound
    return customer


def deleted_site(session: Session, actor: Actor, site_id: str) -> Site:
    """Load a deleted site, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    site = session.scalar(select(Site).join(Customer).where(Site.id == site_id, Site.deleted_at.is_not(None), in_scope(actor)))
    if site is None:
        raise NotFound
    return site
