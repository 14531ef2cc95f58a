"""Customers and sites over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.errors import FieldsInvalid, NotFound
from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.customers import duplicates, merging, operations, queries, schemas
from app.customers.models import Customer, DuplicatePair, Site
from app.users.rights import Actor, allows

routes = Routes("customers", __name__, description="Customers and their sites")
_OPEN = tuple(name for name in schemas.CustomerSchema().fields if name not in {"custom", "outranked"})


def _shown(actor: Actor, row: Customer) -> Any:
    """Return a customer as an actor may read it: the company's own fields are for neither owners nor stations."""
    if allows(actor, "custom_fields.read"):
        return row
    return {name: getattr(row, name) for name in _OPEN} | {"custom": {}}


@routes.door("GET", "/customers", policy="customers.read", query=PageQuery, answer=page_of(schemas.CustomerSchema))
def list_customers(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List customers; the company's own fields only to whom they are for."""
    listed = page(session, queries.visible_to(actor), Customer, query)
    return listed | {"items": [_shown(actor, row) for row in listed["items"]]}


@routes.door(
    "POST", "/customers", policy="customers.write", body=schemas.CustomerSchema, answer=schemas.CustomerSchema, status=201
)
def create_customer(session: Session, actor: Actor, body: dict[str, Any]) -> Customer:
    """Add a customer."""
    return operations.create_customer(session, actor, body)


@routes.door("GET", "/customers/<customer_id>", policy="customers.read", answer=schemas.CustomerSchema)
def read_customer(session: Session, actor: Actor, customer_id: str) -> Any:
    """Read one customer; for one that was merged, the one it is now, which has another id."""
    return _shown(actor, queries.follow_customer(session, actor, customer_id))


@routes.door(
    "PATCH", "/customers/<customer_id>", policy="customers.write", body=schemas.CustomerEditSchema, answer=schemas.CustomerSchema
)
def edit_customer(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> Customer:
    """Change a customer; for one that was merged, the one it is now. What was edited so goes back when the merge is undone."""
    customer = queries.follow_customer(session, actor, customer_id)
    check_version(customer)
    if customer.id == customer_id:
        return operations.edit_customer(session, actor, customer, body)
    return operations.edit_merged(session, actor, session.get_one(Customer, customer_id), customer, body)


@routes.door(
    "POST",
    "/customers/<customer_id>/sites",
    policy="customers.write",
    body=schemas.SiteSchema,
    answer=schemas.SiteSchema,
    status=201,
)
def create_site(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> Site:
    """Add a site of a customer; of one that was merged, to the one it is now."""
    return operations.create_site(session, actor, queries.named_customer(session, actor, customer_id), body)


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


@routes.door("GET", "/customers/<customer_id>/duplicates", policy="customers.write", answer=schemas.LikenessesSchema)
def list_likenesses(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """List who may be the same as a customer, with reasons: only customers the caller may see."""
    customer = queries.follow_customer(session, actor, customer_id)
    found = duplicates.likenesses(session, actor, customer)
    return {"items": [duplicates.likeness_shown(likeness, actor.locale) for likeness in found]}


@routes.door("GET", "/duplicate-pairs", policy="duplicates.read", query=schemas.PairQuery, answer=page_of(schemas.PairSchema))
def list_pairs(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List pairs of customers that may be one and nobody has decided on."""
    found = page(session, queries.open_pairs(query["least"]), DuplicatePair, query)
    return {"items": [duplicates.pair_shown(session, pair, actor.locale) for pair in found["items"]], "next": found["next"]}


@routes.door(
    "POST",
    "/customers/<customer_id>/dismiss-duplicate",
    policy="customers.write",
    body=schemas.OtherSchema,
    answer=schemas.PairSchema,
)
def dismiss_duplicate(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Say that two customers are not the same, until what is compared of one of them changes."""
    customer = queries.access_customer(session, actor, customer_id)
    pair = duplicates.dismiss(session, actor, customer, _other(session, actor, body))
    return duplicates.pair_shown(session, pair, actor.locale)


@routes.door(
    "POST",
    "/customers/<customer_id>/merge",
    policy="customers.write",
    body=schemas.OtherSchema,
    answer=schemas.MergeSchema,
)
def merge_customers(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Merge another customer into this one, which keeps its id; a rep, where both are theirs."""
    survivor = queries.access_customer(session, actor, customer_id)
    return merging.shown(session, merging.merge(session, actor, survivor, _other(session, actor, body)))


@routes.door(
    "POST",
    "/customers/<customer_id>/unmerge",
    policy="customers.write",
    body=schemas.OtherSchema,
    answer=schemas.MergeSchema,
)
def unmerge_customers(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> dict[str, Any]:
    """Undo a merge: everything that came with the other customer, or for it since, goes back."""
    survivor = queries.access_customer(session, actor, customer_id)
    return merging.shown(session, merging.unmerge(session, actor, survivor, body["other_id"]))


@routes.door("GET", "/customers/<customer_id>/merges", policy="customers.write", answer=schemas.MergesSchema)
def list_merges(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """List what was merged into a customer, undone merges too."""
    customer = queries.access_customer(session, actor, customer_id)
    return {"items": [merging.shown(session, made) for made in queries.merges_of(session, customer.id)]}


def _other(session: Session, actor: Actor, body: dict[str, Any]) -> Customer:
    """Load the other customer of a pair.

    Raises:
        FieldsInvalid: ``unknown_reference``.
    """
    try:
        return queries.access_customer(session, actor, body["other_id"])
    except NotFound:
        raise FieldsInvalid({"other_id": ["unknown_reference"]}) from None
