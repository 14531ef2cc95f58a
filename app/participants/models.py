"""People met at visits."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.tracked import Tracked


class VisitParticipant(Tracked):
    """A contact whom a rep met at a visit, with the name and job title they gave then.

    ``contact_id``: may be a tombstone, where the contact was merged since.
    """

    __tablename__ = "visit_participants"
    __table_args__ = (UniqueConstraint("visit_id", "contact_id"),)
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"))
    contact_id: Mapped[str] = mapped_column(ForeignKey("contacts.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    job_title: Mapped[str | None] = mapped_column(String(100))
    added_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
