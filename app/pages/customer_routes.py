"""A customer's page, digest and timeline over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes
from app.customers import queries as customers
from app.pages import customer_schemas as schemas
from app.pages.customer_page import page_of_customer
from app.pages.digest import digest_of
from app.pages.timeline import timeline_of
from app.users.rights import Actor

routes = Routes("customer_pages", __name__, description="A customer at one glance, and what happened there")


@routes.door("GET", "/customers/<customer_id>/page", policy="customer_pages.read", answer=schemas.CustomerOverviewSchema)
def read_page(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """Read a customer at one glance: people, equipment, what stands open, what was done last."""
    customer = customers.follow_customer(session, actor, customer_id)
    return page_of_customer(session, actor, customer, edge_settings().time_zone)


@routes.door(
    "GET",
    "/customers/<customer_id>/digest",
    policy="customer_pages.read",
    query=schemas.CustomerDigestQuery,
    answer=schemas.CustomerDigestSchema,
)
def read_digest(session: Session, actor: Actor, query: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Read what is new with a customer since one's last visit, or since an instant; what one did oneself is left out."""
    customer = customers.follow_customer(session, actor, customer_id)
    return digest_of(session, actor, customer.id, query.get("since"), edge_settings().time_zone)


@routes.door(
    "GET",
    "/customers/<customer_id>/timeline",
    policy="customer_pages.read",
    query=schemas.TimelineQuery,
    answer=schemas.TimelineSchema,
)
def read_timeline(session: Session, actor: Actor, query: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Read everything that was recorded of a customer and of what belongs to it, the last first."""
    customer = customers.follow_customer(session, actor, customer_id)
    return timeline_of(session, actor, customer.id, query, edge_settings().time_zone)
