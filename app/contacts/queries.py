"""The only readers of contacts and relations."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy import ColumnElement, Select, false, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.contacts.models import Contact, ContactRelation, ContactScheme
from app.core.errors import NotFound
from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.users.rights import REP, Actor

T = TypeVar("T")


def _at_seen(actor: Actor, column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
    """Return the condition for what lies at customers an actor is in charge of; nobody outside the organisation sees any."""
    if not actor.sees_all and (actor.role != REP or actor.partner_id is not None):
        return false()
    return column.in_(select(Customer.id).where(Customer.deleted_at.is_(None), customers.in_scope(actor)))


def visible_to(actor: Actor) -> Select[Contact]:
    """Return the contacts an actor may see."""
    return select(Contact).where(Contact.deleted_at.is_(None), _at_seen(actor, Contact.customer_id))


def told_to(actor: Actor) -> Select[Contact]:
    """Return the contacts whose story an actor may read: merged and deleted ones, too."""
    return select(Contact).where(_at_seen(actor, Contact.customer_id))


def access_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Load one contact the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Contact, contact_id)


def deleted_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Load a deleted contact that was not merged, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    gone = (Contact.id == contact_id, Contact.deleted_at.is_not(None), Contact.merged_into_id.is_(None))
    return _found(session.scalar(told_to(actor).where(*gone)))


def visible_relations(actor: Actor) -> Select[ContactRelation]:
    """Return the relations between contacts an actor may see."""
    return select(ContactRelation).where(ContactRelation.deleted_at.is_(None), _at_seen(actor, ContactRelation.customer_id))


def relations_told_to(actor: Actor) -> Select[ContactRelation]:
    """Return the relations whose story an actor may read: deleted ones, too."""
    return select(ContactRelation).where(_at_seen(actor, ContactRelation.customer_id))


def access_relation(session: Session, actor: Actor, relation_id: str) -> ContactRelation:
    """Load one relation the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_relations(actor), ContactRelation, relation_id)


def deleted_relation(session: Session, actor: Actor, relation_id: str) -> ContactRelation:
    """Load a deleted relation, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    gone = (ContactRelation.id == relation_id, ContactRelation.deleted_at.is_not(None))
    return _found(session.scalar(relations_told_to(actor).where(*gone)))


def schemes() -> Select[ContactScheme]:
    """Return all versions of the scheme; they hold nothing personal."""
    return select(ContactScheme).where(ContactScheme.deleted_at.is_(None))


def access_scheme(session: Session, scheme_id: str) -> ContactScheme:
    """Load one version of the scheme.

    Raises:
        NotFound: when there is none.
    """
    return one_of(session, schemes(), ContactScheme, scheme_id)


def contacts_of(session: Session, customer_id: str, limit: int) -> list[Contact]:
    """Return the live contacts of a customer that nobody rejected, in the order they were added."""
    live = (Contact.customer_id == customer_id, Contact.deleted_at.is_(None), Contact.state != "rejected")
    return list(session.scalars(select(Contact).where(*live).order_by(Contact.id).limit(limit)))


def relations_of(session: Session, customer_id: str, limit: int) -> list[ContactRelation]:
    """Return the live relations between a customer's contacts."""
    live = (ContactRelation.customer_id == customer_id, ContactRelation.deleted_at.is_(None))
    return list(session.scalars(select(ContactRelation).where(*live).order_by(ContactRelation.id).limit(limit)))


def merged_contact(session: Session, actor: Actor, contact_id: str) -> Contact:
    """Load a contact that was merged, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return _found(session.scalar(told_to(actor).where(Contact.id == contact_id, Contact.merged_into_id.is_not(None))))


def contact_at(session: Session, contact_id: str, customer_id: str) -> Contact | None:
    """Return a live contact, if it is one of a customer."""
    own = (Contact.id == contact_id, Contact.customer_id == customer_id, Contact.deleted_at.is_(None))
    return session.scalar(select(Contact).where(*own))


def heir_of(session: Session, contact_id: str, customer_id: str) -> Contact | None:
    """Return the live contact of a customer that a merged one is now."""
    gone = select(Contact.merged_into_id).where(Contact.id == contact_id).scalar_subquery()
    return session.scalar(
        select(Contact).where(Contact.id == gone, Contact.customer_id == customer_id, Contact.deleted_at.is_(None))
    )


def _found(row: T | None) -> T:
    if row is None:
        raise NotFound
    return row
