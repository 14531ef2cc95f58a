"""Customers and sites over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.customers import operations, queries, schemas
from app.customers.models import Customer, Site
from app.users.rights import Actor

routes = Routes("customers", __name__, description="Customers and their sites")


@routes.door("GET", "/customers", policy="customers.read", query=PageQuery, answer=page_of(schemas.CustomerSchema))
def list_customers(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List customers."""
    return page(session, queries.visible_to(actor), Customer, query)


@routes.door(
    "POST", "/customers", policy="customers.write", body=schemas.CustomerSchema, answer=schemas.CustomerSchema, status=201
)
def create_customer(session: Session, actor: Actor, body: dict[str, Any]) -> Customer:
    """Add a customer."""
    return operations.create_customer(session, actor, body)


@routes.door("GET", "/customers/<customer_id>", policy="customers.read", answer=schemas.CustomerSchema)
def read_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Read one customer."""
    return queries.access_customer(session, actor, customer_id)


@routes.door(
    "PATCH", "/customers/<customer_id>", policy="customers.write", body=schemas.CustomerEditSchema, answer=schemas.CustomerSchema
)
def edit_customer(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> Customer:
    """Change a customer."""
    customer = queries.access_customer(session, actor, customer_id)
    check_version(customer)
    return operations.edit_customer(session, actor, customer, body)


@routes.door(
    "POST",
    "/customers/<customer_id>/sites",
    policy="customers.write",
    body=schemas.SiteSchema,
    answer=schemas.SiteSchema,
    status=201,
)
def create_site(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> Site:
    """Add a site of a customer."""
    return operations.create_site(session, actor, queries.access_customer(session, actor, customer_id), body)


@routes.door("GET", "/sites", policy="customers.read", query=schemas.SiteQuery, answer=page_of(schemas.SiteSchema))
def list_sites(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List sites."""
    sites = queries.visible_sites(actor)
    if "customer_id" in query:
        sites = sites.where(Site.customer_id == query["customer_id"])
    return page(session, sites, Site, query)


@routes.door("PATCH", "/sites/<site_id>", policy="customers.write", body=schemas.SiteEditSchema, answer=schemas.SiteSchema)
def edit_site(session: Session, actor: Actor, body: dict[str, Any], site_id: str) -> Site:
    """Change a site."""
    site = queries.access_site(session, actor, site_id)
    check_version(site)
    return operations.edit_site(session, actor, site, body)


@routes.door("DELETE", "/sites/<site_id>", policy="customers.write", answer=schemas.SiteSchema)
def delete_site(session: Session, actor: Actor, site_id: str) -> Site:
    """Delete a site where no asset stands."""
    site = queries.access_site(session, actor, site_id)
    check_version(site)
    return operations.delete_site(session, actor, site)


@routes.door("POST", "/sites/<site_id>/undelete", policy="customers.restore", answer=schemas.SiteSchema)
def undelete_site(session: Session, actor: Actor, site_id: str) -> Site:
    """Bring a deleted site back."""
    return operations.undelete_site(session, actor, queries.deleted_site(session, actor, site_id))


@routes.door("DELETE", "/customers/<customer_id>", policy="customers.write", answer=schemas.CustomerSchema)
def delete_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Delete a customer without assets, with its sites."""
    customer = queries.access_customer(session, actor, customer_id)
    check_version(customer)
    return operations.delete_customer(session, actor, customer)


@routes.door("POST", "/customers/<customer_id>/undelete", policy="customers.restore", answer=schemas.CustomerSchema)
def undelete_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Bring a deleted customer back, with the sites that went with it."""
    return operations.undelete_customer(session, actor, queries.deleted_customer(session, actor, customer_id))
