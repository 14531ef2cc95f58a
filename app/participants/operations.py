"""Verbs on who was met at a visit: whoever is in no record is proposed as a contact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.contacts import queries as contacts
from app.contacts.finding import keep_findable
from app.contacts.models import Contact
from app.contacts.operations import MOST_CONTACTS, find_same, hold_customer, insert_contact
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import add, touch
from app.customers.models import Customer
from app.participants.models import VisitParticipant
from app.participants.queries import Met, participants_of
from app.users.rights import Actor
from app.visits.models import Visit

MOST_PARTICIPANTS = 50


def add_participants(session: Session, actor: Actor, visit: Visit, people: Sequence[Mapping[str, Any]]) -> list[Met]:
    """Note who was met at a visit. Somebody who is in no record of the customer is proposed as a contact, once.

    Who is met again is found by phone, else by name within the customer; somebody who was rejected is not proposed again.
    Telling the same once more changes nothing.

    Args:
        people: each with ``name``, and optionally ``phone``, ``job_title`` and the ``contact_id`` of who it is.

    Raises:
        FieldsInvalid: ``unknown_reference`` (contact_id).
        Conflict: ``too_many_participants``, ``too_many_contacts``; ``state_conflict`` for a visit that was cancelled.
    """
    if visit.state == "cancelled":
        raise Conflict("state_conflict", state=visit.state, wanted="in_progress")
    home = hold_customer(session, visit.customer_id)  # of two visits that name the same person at once one waits here
    known = _known(session, home.id)
    seen = {met.contact.id for met in participants_of(session, visit.id)}
    about = Subject("visit", visit.id)
    cause = last_entry(session, about)
    for place, told in enumerate(people):
        contact = _who(session, actor, home, known, told, place, cause)
        if contact.id in seen:
            continue
        if len(seen) >= MOST_PARTICIPANTS:
            raise Conflict("too_many_participants", most=MOST_PARTICIPANTS)
        seen.add(contact.id)
        row = VisitParticipant(
            visit_id=visit.id, contact_id=contact.id, name=told["name"], job_title=told.get("job_title"), added_by=actor.id
        )
        add(session, row)
        record(session, "visit.met", about, causes=[cause], actor_id=actor.id, name=told["name"], contact_id=contact.id)
    return participants_of(session, visit.id)


def _known(session: Session, customer_id: str) -> list[Contact]:
    """Return everybody on record at a customer; who was rejected, too."""
    live = (Contact.customer_id == customer_id, Contact.deleted_at.is_(None))
    return list(session.scalars(select(Contact).where(*live).order_by(Contact.id).limit(MOST_CONTACTS)))


def _who(
    session: Session,
    actor: Actor,
    home: Customer,
    known: list[Contact],
    told: Mapping[str, Any],
    place: int,
    cause: HistoryEntry | None,
) -> Contact:
    """Return the contact that somebody is, proposing them where they are in no record."""
    if told.get("contact_id"):
        named = next((row for row in known if row.id == told["contact_id"]), None)
        named = named or contacts.heir_of(session, told["contact_id"], home.id)
        if named is None:
            raise FieldsInvalid({f"participants.{place}.contact_id": ["unknown_reference"]})
        return named
    found = find_same(known, told["name"], told.get("phone"))
    if found is not None:
        _fill(session, actor, found, told)
        return found
    values = {name: told.get(name) for name in ("name", "phone", "job_title")}
    made = insert_contact(session, home, values, "proposed")
    known.append(made)
    record(session, "contact.proposed", Subject("contact", made.id), causes=[cause], actor_id=actor.id, name=made.name)
    return made


def _fill(session: Session, actor: Actor, contact: Contact, told: Mapping[str, Any]) -> None:
    """Let a mere proposal learn what it has nothing of yet; what people have confirmed is theirs to change."""
    fresh = [name for name in ("phone", "job_title") if told.get(name) and getattr(contact, name) is None]
    if contact.state != "proposed" or not fresh:
        return
    for name in fresh:
        setattr(contact, name, told[name])
    touch(session, contact)
    keep_findable(session, contact)
    record(session, "contact.edited", Subject("contact", contact.id), actor_id=actor.id, name=contact.name, fields=fresh)
