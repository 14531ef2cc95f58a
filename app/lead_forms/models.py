"""Lead forms, what was sent through them, how often a trap caught a robot, and the locks of telephone numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.tracked import Tracked

FORM_STATES = ("active", "retired")
SUBMISSION_STATES = ("received", "accepted", "repeated", "faulty", "dismissed")


class LeadForm(Tracked):
    """How a form's fields become a lead's; see ``schemas.FormDocumentSchema``. Of the token only its hash is kept."""

    __tablename__ = "lead_forms"
    __table_args__ = (CheckConstraint(f"state IN {FORM_STATES}", name="state"),)
    STATES = {"active": frozenset({"retired"})}
    name: Mapped[str] = mapped_column(String(100))
    document: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(12), default="active")


class FormSubmission(Tracked):
    """What somebody sent through a form.

    Attributes:
        sent_id: the sender's own id of it; the same one twice is one submission.
        sent: texts by form field, as they came.
        mended: texts by form field that the office put in their place.
        state: ``received`` until it is judged in the same transaction; ``repeated`` where it became a note on a live lead.
        errors: codes by form field, or by the lead's field where no form field gives it.
    """

    __tablename__ = "form_submissions"
    __table_args__ = (
        UniqueConstraint("form_id", "sent_id"),
        CheckConstraint(f"state IN {SUBMISSION_STATES}", name="state"),
        Index(None, "form_id", "state", "id"),
        Index(None, "state", "updated_at"),
    )
    STATES = {
        "received": frozenset({"accepted", "repeated", "faulty"}),
        "faulty": frozenset({"accepted", "repeated", "faulty", "dismissed"}),
    }
    form_id: Mapped[str] = mapped_column(ForeignKey("lead_forms.id"))
    sent_id: Mapped[str | None] = mapped_column(String(100))
    sent: Mapped[dict[str, str]] = mapped_column(JsonValue)
    mended: Mapped[dict[str, str]] = mapped_column(JsonValue, default=dict)
    state: Mapped[str] = mapped_column(String(12), default="received")
    errors: Mapped[dict[str, list[str]]] = mapped_column(JsonValue, default=dict)
    lead_id: Mapped[str | None] = mapped_column(ForeignKey("leads.id"), index=True)


class FormTrap(Base):
    """How often the trap of a form was filled in. Beside the form, so that a robot changes no row that somebody edits."""

    __tablename__ = "form_traps"
    form_id: Mapped[str] = mapped_column(ForeignKey("lead_forms.id"), primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class FormPhone(Base):
    """A telephone number that forms brought, hashed: of two submissions with it at once the later waits here."""

    __tablename__ = "form_phones"
    phone_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
