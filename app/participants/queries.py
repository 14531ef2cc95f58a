"""The only readers of who was met at visits."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.contacts.models import Contact
from app.participants.models import VisitParticipant


class Met(NamedTuple):
    """Somebody met at a visit, and the contact they are now."""

    participant: VisitParticipant
    contact: Contact


def participants_of(session: Session, visit_id: str) -> list[Met]:
    """Return who was met at a visit, each person once; a contact that was merged since is the one it is now."""
    then = select(Contact.id, Contact.merged_into_id).subquery()
    now_id = func.coalesce(then.c.merged_into_id, then.c.id)
    rows = session.execute(
        select(VisitParticipant, Contact)
        .join(then, then.c.id == VisitParticipant.contact_id)
        .join(Contact, Contact.id == now_id)
        .where(VisitParticipant.visit_id == visit_id, VisitParticipant.deleted_at.is_(None))
        .order_by(VisitParticipant.id)
    )
    found: dict[str, Met] = {}
    for participant, contact in rows:
        found.setdefault(contact.id, Met(participant, contact))
    return list(found.values())
