"""What contacts are found by."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.contacts import queries
from app.contacts.models import Contact
from app.core.db import among
from app.search.operations import rekey
from app.search.searchables import Searchable, declare_searchable
from app.search.terms import Text


def keep_findable(session: Session, *contacts: Contact) -> None:
    """Keep the search terms of some contacts as they are now."""
    told = contact_texts(session, [contact.id for contact in contacts])
    rekey(session, "contact", {contact.id: told.get(contact.id, []) for contact in contacts})


def contact_texts(session: Session, ids: Collection[str]) -> dict[str, list[Text]]:
    """Return what live contacts are found by; who was rejected is nobody to be found."""
    live = (among(session, Contact.id, sorted(ids)), Contact.deleted_at.is_(None), Contact.state != "rejected")
    return {row.id: _of_contact(row) for row in session.scalars(select(Contact).where(*live))}


def _of_contact(row: Contact) -> list[Text]:
    texts = [Text("name", row.name, "name")]
    texts += [Text("phone", row.phone, "phone")] if row.phone else []
    texts += [Text("office_phone", row.office_phone, "phone")] if row.office_phone else []
    texts += [Text("email", row.email, "label")] if row.email else []
    return texts + ([Text("job_title", row.job_title, "label")] if row.job_title else [])


declare_searchable(
    Searchable(
        "contact", Contact, "contacts.read", queries.visible_to, contact_texts, lambda row: (row.name, row.job_title or "")
    )
)
