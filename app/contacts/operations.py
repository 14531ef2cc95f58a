"""Verbs on contacts: add, edit, delete, confirm or reject a proposed one, find the same person twice, merge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from app.contacts.finding import keep_findable
from app.contacts.models import Contact, ContactRelation
from app.contacts.names import likeness, name_key, person
from app.contacts.queries import contacts_of
from app.contacts.schemes import present_document
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid, NotFound
from app.core.history import Subject, last_entry, record
from app.core.scopes import send_away
from app.core.tracked import add, hold, touch, transition
from app.customers import merging
from app.customers import queries as customers
from app.customers.models import Customer
from app.users.rights import Actor

MOST_CONTACTS = 500
# What a contact takes over from another record of the same person, where it has nothing itself.
_FILLED = ("phone", "office_phone", "email", "job_title", "role", "locale", "left_at")
_LONGEST_NOTE = 1000


def create_contact(session: Session, actor: Actor, customer_id: str, values: Mapping[str, Any]) -> Contact:
    """Add a contact of a customer; of one that was merged, to the one it is now.

    Args:
        customer_id: of a customer the actor may add to.
        values: ``name``, and optionally ``id`` and what else a contact has.

    Raises:
        NotFound: when there is no such customer to add to, or it was just deleted.
        FieldsInvalid: ``already_exists`` (id), ``not_one_of`` (role).
        Conflict: ``too_many_contacts``.
    """
    named = customers.named_customer(session, actor, customer_id)
    home = hold_customer(session, named.id)
    if values.get("id") and session.get(Contact, values["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    check_role(session, values.get("role"))
    row = insert_contact(session, home, values, "confirmed")
    record(session, "contact.created", Subject("contact", row.id), actor_id=actor.id, name=row.name)
    if home.id != named.id:
        merging.note_late(session, named.id, "contacts", [row.id])
        if session.scalar(customers.visible_to(actor).where(Customer.id == home.id)) is None:
            send_away(session, actor.id, "contacts", row.id)
    return row


def hold_customer(session: Session, customer_id: str) -> Customer:
    """Load a customer, or the one it was merged into, and keep its people from others: nobody is added twice at once.

    Raises:
        NotFound: when it is deleted.
    """
    return hold(session, Customer, customers.heirs(session, [customer_id]).get(customer_id, customer_id))


def insert_contact(session: Session, home: Customer, values: Mapping[str, Any], state: str) -> Contact:
    """Insert a contact of a customer that is held.

    Raises:
        Conflict: ``too_many_contacts``.
    """
    count = select(func.count()).where(Contact.customer_id == home.id, Contact.deleted_at.is_(None))
    if (session.scalar(count) or 0) >= MOST_CONTACTS:
        raise Conflict("too_many_contacts", most=MOST_CONTACTS)
    given = {name: value for name, value in values.items() if value is not None}
    made = add(session, Contact(customer_id=home.id, name_key=name_key(values["name"]), state=state, **given))
    keep_findable(session, made)
    return made


def check_role(session: Session, role: str | None) -> None:
    """Refuse a role that the scheme does not know.

    Raises:
        FieldsInvalid: ``not_one_of`` (role).
    """
    if role is not None and role not in {row["code"] for row in present_document(session)["roles"]}:
        raise FieldsInvalid({"role": ["not_one_of"]})


def edit_contact(session: Session, actor: Actor, contact: Contact, changes: Mapping[str, Any]) -> Contact:
    """Change a contact's fields.

    Raises:
        FieldsInvalid: ``not_one_of`` (role).
    """
    if changes.get("role") != contact.role:
        check_role(session, changes.get("role"))
    left = contact.left_at is None and changes.get("left_at") is not None
    for name, value in changes.items():
        setattr(contact, name, value)
    contact.name_key = name_key(contact.name)
    touch(session, contact)
    keep_findable(session, contact)
    about = Subject("contact", contact.id)
    entry = record(session, "contact.edited", about, actor_id=actor.id, name=contact.name, fields=sorted(changes))
    if left:
        record(session, "contact.left", about, causes=[entry], actor_id=actor.id, name=contact.name)
    return contact


def delete_contact(session: Session, actor: Actor, contact: Contact) -> Contact:
    """Delete a contact with its relations; their rows stay as tombstones."""
    at = now(session)  # one instant for all of them: by it, undeleting knows what went together
    for relation in _relations_of(session, contact.id):
        relation.deleted_at = at
        touch(session, relation)
    contact.deleted_at = at
    touch(session, contact)
    keep_findable(session, contact)
    record(session, "contact.deleted", Subject("contact", contact.id), actor_id=actor.id, name=contact.name)
    return contact


def undelete_contact(session: Session, actor: Actor, contact: Contact) -> Contact:
    """Bring a deleted contact back, with the relations that went with it and whose other end lives.

    Raises:
        NotFound: while its customer is deleted.
    """
    hold(session, Customer, contact.customer_id)
    together, contact.deleted_at = contact.deleted_at, None
    touch(session, contact)
    keep_findable(session, contact)
    gone = select(ContactRelation).where(_ends_at(contact.id), ContactRelation.deleted_at == together)
    for relation in session.scalars(gone):
        other = session.get_one(Contact, relation.to_id if relation.from_id == contact.id else relation.from_id)
        if other.deleted_at is None:
            relation.deleted_at = None
            touch(session, relation)
    record(session, "contact.undeleted", Subject("contact", contact.id), actor_id=actor.id, name=contact.name)
    return contact


def confirm_contact(session: Session, actor: Actor, contact: Contact) -> Contact:
    """Take a proposed contact as one, or one that was rejected after all.

    Raises:
        Conflict: ``state_conflict`` unless it is proposed or rejected.
    """
    return _decide(session, actor, contact, "confirmed")


def reject_contact(session: Session, actor: Actor, contact: Contact) -> Contact:
    """Say that a proposed person is no contact: they are not proposed again.

    Raises:
        Conflict: ``state_conflict`` unless it is proposed.
    """
    return _decide(session, actor, contact, "rejected")


def _decide(session: Session, actor: Actor, contact: Contact, to: str) -> Contact:
    about = Subject("contact", contact.id)
    before = last_entry(session, about)
    transition(session, contact, to)
    keep_findable(session, contact)
    record(
        session,
        "contact.confirmed" if to == "confirmed" else "contact.rejected",
        about,
        causes=[before],
        actor_id=actor.id,
        name=contact.name,
    )
    return contact


class Twins(NamedTuple):
    """Two contacts of a customer that may be one person, and what speaks for it."""

    first: Contact
    second: Contact
    signs: list[str]


_STRENGTH = {"same_phone": 8, "same_email": 8, "same_name": 4, "same_sound": 2, "similar_name": 1}


def find_twins(session: Session, customer_id: str, limit: int = 100) -> list[Twins]:
    """Return which contacts of a customer may be the same person, the likeliest first."""
    rows = contacts_of(session, customer_id, MOST_CONTACTS)
    people = {row.id: person(row.name, (row.phone, row.office_phone), row.email) for row in rows}
    pairs = ((one, other, likeness(people[one.id], people[other.id])) for one, other in combinations(rows, 2))
    found = [Twins(one, other, signs) for one, other, signs in pairs if signs]
    found.sort(key=lambda twins: (-sum(_STRENGTH[sign] for sign in twins.signs), twins.first.id, twins.second.id))
    return found[:limit]


def find_same(rows: Iterable[Contact], name: str, phone: str | None) -> Contact | None:
    """Return who of some contacts is the person met: by phone, else by name; live ones before those rejected."""
    key = name_key(name)
    by_phone = [row for row in rows if phone and phone in {row.phone, row.office_phone}]
    by_name = [row for row in rows if row.name_key == key]
    return min(by_phone or by_name, key=lambda row: (row.state == "rejected", row.id), default=None)


def merge_contacts(session: Session, actor: Actor, keeper: Contact, other: Contact) -> Contact:
    """Make two records of one person one: the keeper keeps its id and values and takes over what it has nothing of.

    Who asked in one of them not to be called is not called; both notes are kept, up to the length of one.

    Raises:
        FieldsInvalid: ``invalid`` (other_id) when they are one row or of two customers.
        Conflict: ``state_conflict`` when one of them was just merged.
    """
    if keeper.id == other.id or keeper.customer_id != other.customer_id:
        raise FieldsInvalid({"other_id": ["invalid"]})
    hold(session, Customer, keeper.customer_id)
    for row in (keeper, other):
        session.refresh(row)
        if row.deleted_at is not None:
            raise Conflict("state_conflict", state="deleted", wanted="live")
    confirmed = other.state == "confirmed"
    transition(session, other, "merged", merged_into_id=keeper.id, deleted_at=now(session))
    filled = [name for name in _FILLED if getattr(keeper, name) is None and getattr(other, name) is not None]
    for name in filled:
        setattr(keeper, name, getattr(other, name))
    if other.do_not_call and not keeper.do_not_call:
        keeper.do_not_call = True
        filled.append("do_not_call")
    if other.note and other.note not in keeper.note:
        keeper.note = f"{keeper.note}\n{other.note}".strip()[:_LONGEST_NOTE]
        filled.append("note")
    touch(session, keeper)
    if confirmed and keeper.state != "confirmed":
        transition(session, keeper, "confirmed")
    keep_findable(session, keeper, other)
    # Who was merged into the other one before is now this one: a tombstone leads to a live row in one step.
    older = update(Contact).where(Contact.merged_into_id == other.id).values(merged_into_id=keeper.id)
    session.execute(older.execution_options(synchronize_session=False))
    _move_relations(session, other, keeper)
    left, stayed = Subject("contact", other.id), Subject("contact", keeper.id)
    gone = record(session, "contact.merged_away", left, causes=[last_entry(session, left)], actor_id=actor.id, name=keeper.name)
    record(
        session,
        "contact.merged",
        stayed,
        causes=[gone, last_entry(session, stayed)],
        actor_id=actor.id,
        name=other.name,
        fields=filled,
    )
    return keeper


def _ends_at(contact_id: str) -> Any:
    return or_(ContactRelation.from_id == contact_id, ContactRelation.to_id == contact_id)


def _relations_of(session: Session, contact_id: str) -> list[ContactRelation]:
    live = select(ContactRelation).where(_ends_at(contact_id), ContactRelation.deleted_at.is_(None))
    return list(session.scalars(live.order_by(ContactRelation.id)))


def _move_relations(session: Session, other: Contact, keeper: Contact) -> None:
    """Let the relations of one record end at the other one; what would be there twice, or begin and end there, goes."""
    taken = {(row.from_id, row.to_id, row.kind) for row in _relations_of(session, keeper.id)}
    for row in _relations_of(session, other.id):
        source, target = (keeper.id if end == other.id else end for end in (row.from_id, row.to_id))
        if source == target or (source, target, row.kind) in taken:
            row.deleted_at = now(session)
        else:
            row.from_id, row.to_id = source, target
            taken.add((source, target, row.kind))
        touch(session, row)


def other_contact(session: Session, actor: Actor, query: Any, contact_id: str) -> Contact:
    """Load the other contact that a body names.

    Raises:
        FieldsInvalid: ``unknown_reference`` (other_id).
    """
    try:
        found: Contact = query(session, actor, contact_id)
    except NotFound:
        raise FieldsInvalid({"other_id": ["unknown_reference"]}) from None
    return found
