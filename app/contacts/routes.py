"""Contacts, relations and schemes over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.contacts import operations, queries, relations, schemas, schemes
from app.contacts.models import Contact, ContactRelation, ContactScheme
from app.contacts.preview import preview
from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.customers import queries as customers
from app.users.rights import Actor

routes = Routes("contacts", __name__, description="People at customers, and how they relate to each other")


@routes.door("GET", "/contacts", policy="contacts.read", query=schemas.ContactQuery, answer=page_of(schemas.ContactSchema))
def list_contacts(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List contacts."""
    found = queries.visible_to(actor)
    for name in ("customer_id", "state"):
        if name in query:
            found = found.where(getattr(Contact, name) == query[name])
    return page(session, found, Contact, query)


@routes.door(
    "POST",
    "/customers/<customer_id>/contacts",
    policy="contacts.write",
    body=schemas.ContactSchema,
    answer=schemas.ContactSchema,
    status=201,
)
def create_contact(session: Session, actor: Actor, body: dict[str, Any], customer_id: str) -> Contact:
    """Add a contact of a customer."""
    return operations.create_contact(session, actor, customer_id, body)


@routes.door("GET", "/contacts/<contact_id>", policy="contacts.read", answer=schemas.ContactSchema)
def read_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Read one contact."""
    return queries.access_contact(session, actor, contact_id)


@routes.door(
    "PATCH", "/contacts/<contact_id>", policy="contacts.write", body=schemas.ContactEditSchema, answer=schemas.ContactSchema
)
def edit_contact(session: Session, actor: Actor, body: dict[str, Any], contact_id: str) -> Contact:
    """Change a contact."""
    contact = queries.access_contact(session, actor, contact_id)
    check_version(contact)
    return operations.edit_contact(session, actor, contact, body)


@routes.door("DELETE", "/contacts/<contact_id>", policy="contacts.write", answer=schemas.ContactSchema)
def delete_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Delete a contact, with its relations."""
    contact = queries.access_contact(session, actor, contact_id)
    check_version(contact)
    return operations.delete_contact(session, actor, contact)


@routes.door("POST", "/contacts/<contact_id>/confirm", policy="contacts.write", answer=schemas.ContactSchema)
def confirm_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Take a proposed person as a contact, or a rejected one after all."""
    return operations.confirm_contact(session, actor, queries.access_contact(session, actor, contact_id))


@routes.door("POST", "/contacts/<contact_id>/reject", policy="contacts.write", answer=schemas.ContactSchema)
def reject_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Say that a proposed person is no contact."""
    return operations.reject_contact(session, actor, queries.access_contact(session, actor, contact_id))


@routes.door(
    "POST",
    "/contacts/<contact_id>/merge",
    policy="contacts.write",
    body=schemas.OtherContactSchema,
    answer=schemas.ContactSchema,
)
def merge_contacts(session: Session, actor: Actor, body: dict[str, Any], contact_id: str) -> Contact:
    """Merge another record of the same person into this one, which keeps its id."""
    keeper = queries.access_contact(session, actor, contact_id)
    other = operations.other_contact(session, actor, queries.access_contact, body["other_id"])
    return operations.merge_contacts(session, actor, keeper, other)


@routes.door("GET", "/customers/<customer_id>/contact-twins", policy="contacts.read", answer=schemas.TwinsListSchema)
def list_twins(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """List which contacts of a customer may be the same person, with what speaks for it."""
    customer = customers.follow_customer(session, actor, customer_id)
    return {"items": operations.find_twins(session, customer.id)}


@routes.door("GET", "/customers/<customer_id>/relations", policy="contacts.read", answer=schemas.GraphSchema)
def read_graph(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """Read a customer's people, how they stand to each other, everybody's influence and why, and which role is missing."""
    return relations.graph(session, actor, customers.follow_customer(session, actor, customer_id).id)


@routes.door(
    "POST",
    "/contact-relations",
    policy="contacts.write",
    body=schemas.RelationSchema,
    answer=schemas.RelationSchema,
    status=201,
)
def create_relation(session: Session, actor: Actor, body: dict[str, Any]) -> ContactRelation:
    """Say how a contact stands to another one."""
    return relations.create_relation(session, actor, body)


@routes.door(
    "PATCH",
    "/contact-relations/<contact_relation_id>",
    policy="contacts.write",
    body=schemas.RelationEditSchema,
    answer=schemas.RelationSchema,
)
def edit_relation(session: Session, actor: Actor, body: dict[str, Any], contact_relation_id: str) -> ContactRelation:
    """Change how strong a relation is."""
    row = queries.access_relation(session, actor, contact_relation_id)
    check_version(row)
    return relations.edit_relation(session, actor, row, body)


@routes.door("DELETE", "/contact-relations/<contact_relation_id>", policy="contacts.write", answer=schemas.RelationSchema)
def delete_relation(session: Session, actor: Actor, contact_relation_id: str) -> ContactRelation:
    """Take a relation away."""
    row = queries.access_relation(session, actor, contact_relation_id)
    check_version(row)
    return relations.delete_relation(session, actor, row)


@routes.door("GET", "/contact-schemes", policy="contacts.read", query=PageQuery, answer=page_of(schemas.SchemeSchema))
def list_schemes(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List the versions of what the business says of roles and relations."""
    return page(session, queries.schemes(), ContactScheme, query)


@routes.door(
    "POST",
    "/contact-schemes",
    policy="contacts.manage",
    body=schemas.SchemeSchema,
    answer=schemas.SchemeSchema,
    status=201,
)
def draft_scheme(session: Session, actor: Actor, body: dict[str, Any]) -> ContactScheme:
    """Write a new version, which is not switched on by that."""
    return schemes.draft_scheme(session, actor, body["document"])


@routes.door("GET", "/contact-schemes/<scheme_id>/preview", policy="contacts.manage", answer=schemas.PreviewSchema)
def preview_scheme(session: Session, actor: Actor, scheme_id: str) -> dict[str, Any]:
    """Read what a version would change at the customers there are."""
    return preview(session, queries.access_scheme(session, scheme_id).document)


@routes.door("POST", "/contact-schemes/<scheme_id>/activate", policy="contacts.manage", answer=schemas.SchemeSchema)
def activate_scheme(session: Session, actor: Actor, scheme_id: str) -> ContactScheme:
    """Switch a version on; the one before is retired."""
    return schemes.activate_scheme(session, actor, queries.access_scheme(session, scheme_id))
