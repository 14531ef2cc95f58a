"""Contacts of customers, relations between them, and the scheme of roles and kinds of relation that the business sets."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import follows_customer, ways_by_customer

CONTACT_STATES = ("proposed", "confirmed", "rejected", "merged")
SCHEME_STATES = ("draft", "active", "retired")
_ACTIVE = text("state = 'active'")
_LIVE = text("deleted_at IS NULL")


class Contact(Tracked):
    """A person at a customer. ``name_key``: the name as names are compared; ``locale``: the language they like to be spoken to.

    ``state``: somebody whom a rep met and nobody had on record is ``proposed`` until a person confirms, rejects or merges them.
    ``left_at``: since when they do not work there any more. ``merged_into_id``: a tombstone that says who it turned out to be.
    """

    __tablename__ = "contacts"
    MERGED = frozenset(
        {"name", "phone", "office_phone", "email", "job_title", "role", "note", "locale", "do_not_call", "left_at"}
    )
    __table_args__ = (
        CheckConstraint(f"state IN {CONTACT_STATES}", name="state"),
        Index(None, "customer_id", "name_key"),
        Index(None, "customer_id", "phone"),
    )
    STATES = {
        "proposed": frozenset({"confirmed", "rejected", "merged"}),
        "confirmed": frozenset({"merged"}),
        "rejected": frozenset({"confirmed", "merged"}),
    }
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = mapped_column(String(100))
    phone: Mapped[str | None] = mapped_column(String(20))
    office_phone: Mapped[str | None] = mapped_column(String(20))
    email: Mapped[str | None] = mapped_column(String(200))
    job_title: Mapped[str | None] = mapped_column(String(100))
    role: Mapped[str | None] = mapped_column(String(40))
    note: Mapped[str] = mapped_column(String(1000), default="")
    locale: Mapped[str | None] = mapped_column(String(10))
    do_not_call: Mapped[bool] = mapped_column(default=False)
    left_at: Mapped[datetime | None] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(20), default="confirmed")
    merged_into_id: Mapped[str | None] = mapped_column(ForeignKey("contacts.id"))


class ContactRelation(Tracked):
    """One contact stands to another in a kind of relation: ``from_id`` reports to, influences, knows ``to_id``."""

    __tablename__ = "contact_relations"
    MERGED = frozenset({"strength", "note"})
    __table_args__ = (
        CheckConstraint("from_id <> to_id", name="ends"),
        CheckConstraint("strength BETWEEN 1 AND 5", name="strength"),
        Index("uq_contact_relations_live", "from_id", "to_id", "kind", unique=True, postgresql_where=_LIVE, sqlite_where=_LIVE),
    )
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    from_id: Mapped[str] = mapped_column(ForeignKey("contacts.id"))
    to_id: Mapped[str] = mapped_column(ForeignKey("contacts.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    strength: Mapped[int]
    note: Mapped[str] = mapped_column(String(200), default="")


class ContactScheme(Tracked):
    """A version of what the business says of roles and relations; see ``schemes.py``. At most one is active."""

    __tablename__ = "contact_schemes"
    __table_args__ = (
        CheckConstraint(f"state IN {SCHEME_STATES}", name="state"),
        Index("uq_contact_schemes_active", "state", unique=True, postgresql_where=_ACTIVE, sqlite_where=_ACTIVE),
    )
    STATES = {"draft": frozenset({"active"}), "active": frozenset({"retired"}), "retired": frozenset({"active"})}
    number: Mapped[int] = mapped_column(unique=True)
    state: Mapped[str] = mapped_column(String(20), default="draft")
    document: Mapped[dict[str, Any]] = mapped_column(JsonValue)


# The customer's own people do not hold what is said of them: no way by ``customer:``.
def _ways(table: str) -> tuple[str, ...]:
    return tuple(way for way in ways_by_customer(table) if "'customer:'" not in way)


declare_belonging("contacts")
declare_belonging("contact_relations", parent=("contacts", "from_id"))
declare_story("contact", select(Contact.id, Contact.customer_id))
declare_story("contact_relation", select(ContactRelation.id, ContactRelation.customer_id))
declare_rows(
    "contacts",
    _ways("contacts"),
    follows_customer("contacts"),
)
declare_rows(
    "contact_relations",
    _ways("contact_relations"),
    follows_customer("contact_relations"),
)
# Everybody of the organisation itself holds this scope; who may hold the collection is a matter of rights.
declare_rows(
    "contact_schemes",
    ("SELECT r.id, 'stations:all' FROM contact_schemes r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND r.state = 'active'",),
)
