"""Leads, the pool, who held a lead when, and the office's documents: scores and routings."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment, Money
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging

LEAD_STATES = ("open", "contacted", "qualified", "converted", "lost")
LIVE_STATES = ("open", "contacted", "qualified")
_WAITING = text("first_touch_at IS NULL AND owner_id IS NOT NULL")


class Lead(Tracked):
    """Somebody who may become a customer. ``owner_id``: the rep who has it; None while it is in the pool.

    Attributes:
        missing: names of fields nobody has filled yet; ``completeness``: in per cent, how much is known.
        score, score_reasons: by the version ``scored_by`` of the office's document, and which of its conditions hold.
        custom: values of the company's own fields, by their key.
        assignments: how many times somebody got it.
        first_touch_at: when its rep first did something with it, by event time.
        first_touch_due_at, escalate_at, recycle_at: until when that is to happen; then the managers hear of it; then it goes
            back to the pool. None while it is in the pool.
        reminded_at, escalated_at: when the rep, and the managers, were reminded.
        customer_id: what it became.
    """

    __tablename__ = "leads"
    MERGED = frozenset({"name", "phone", "interest", "company", "email", "address", "territory_id", "source", "budget", "custom"})
    __table_args__ = (
        CheckConstraint(f"state IN {LEAD_STATES}", name="state"),
        Index(None, "owner_id", "state"),
        Index("ix_leads_due", "first_touch_due_at", postgresql_where=_WAITING, sqlite_where=_WAITING),
        Index(None, "scored_by", "state"),
        Index(None, "assigned_at"),
    )
    STATES = {
        "open": frozenset({"contacted", "lost"}),
        "contacted": frozenset({"qualified", "lost"}),
        "qualified": frozenset({"converted", "lost"}),
        "lost": frozenset({"open"}),
    }
    number: Mapped[str] = mapped_column(String(20), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str] = mapped_column(String(20), index=True)
    interest: Mapped[str] = mapped_column(String(500))
    company: Mapped[str | None] = mapped_column(String(200))
    email: Mapped[str | None] = mapped_column(String(200))
    address: Mapped[str | None] = mapped_column(String(300))
    territory_id: Mapped[str | None] = mapped_column(ForeignKey("territories.id"), index=True)
    source: Mapped[str | None] = mapped_column(String(60))
    budget: Mapped[Decimal | None] = mapped_column(Money)
    custom: Mapped[dict[str, Any]] = mapped_column(JsonValue, default=dict, server_default="{}")
    state: Mapped[str] = mapped_column(String(20), default="open")
    owner_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    completeness: Mapped[int] = mapped_column(default=0)
    missing: Mapped[list[str]] = mapped_column(JsonValue, default=list)
    score: Mapped[int] = mapped_column(default=0)
    score_reasons: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list)
    scored_by: Mapped[str] = mapped_column(String(36), default="")
    assignments: Mapped[int] = mapped_column(default=0)
    assigned_at: Mapped[datetime | None] = mapped_column(Moment)
    first_touch_at: Mapped[datetime | None] = mapped_column(Moment)
    first_touch_due_at: Mapped[datetime | None] = mapped_column(Moment)
    escalate_at: Mapped[datetime | None] = mapped_column(Moment)
    recycle_at: Mapped[datetime | None] = mapped_column(Moment)
    reminded_at: Mapped[datetime | None] = mapped_column(Moment)
    escalated_at: Mapped[datetime | None] = mapped_column(Moment)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"), index=True)
    lost_reason: Mapped[str | None] = mapped_column(String(200))

    @property
    def in_pool(self) -> bool:
        """Whether anybody of its territory may take it; of a lead without one, any rep."""
        return self.owner_id is None and self.state in LIVE_STATES


class PoolLead(Tracked):
    """What reps are shown of a lead in the pool: enough to choose by, too little to call. It has the lead's id.

    ``name_start``: the first character of the name; ``phone_end``: the last two digits.
    """

    __tablename__ = "pool_leads"
    id: Mapped[str] = mapped_column(ForeignKey("leads.id"), primary_key=True, sort_order=-10)
    number: Mapped[str] = mapped_column(String(20))
    name_start: Mapped[str] = mapped_column(String(4))
    phone_end: Mapped[str] = mapped_column(String(2))
    interest: Mapped[str] = mapped_column(String(500))
    territory_id: Mapped[str | None] = mapped_column(ForeignKey("territories.id"), index=True)
    source: Mapped[str | None] = mapped_column(String(60))
    score: Mapped[int]
    completeness: Mapped[int]
    pooled_at: Mapped[datetime] = mapped_column(Moment)


class LeadHolding(Base):
    """A rep who had a lead, from one instant to another. ``touched_at``: when they first did something with it."""

    __tablename__ = "lead_holdings"
    __table_args__ = (Index(None, "lead_id", "number", unique=True),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    lead_id: Mapped[str] = mapped_column(ForeignKey("leads.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    number: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    end_reason: Mapped[str | None] = mapped_column(String(30))
    touched_at: Mapped[datetime | None] = mapped_column(Moment)


class LeadTurn(Base):
    """Whose turn it is among the reps a routing rule names; ``n`` grows with each lead given."""

    __tablename__ = "lead_turns"
    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    n: Mapped[int] = mapped_column(BigInteger)


class LeadScoreVersion(Base):
    """One version of what scores are made of, in one territory or (None) everywhere. Never changed; the newest is in force.

    ``document`` is None where a territory has no score of its own any more.
    """

    __tablename__ = "lead_score_versions"
    __table_args__ = (UniqueConstraint("area", "number"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    area: Mapped[str] = mapped_column(String(36))
    territory_id: Mapped[str | None] = mapped_column(ForeignKey("territories.id"))
    number: Mapped[int]
    document: Mapped[dict[str, Any] | None] = mapped_column(JsonValue)
    since: Mapped[datetime] = mapped_column(Moment)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))


class LeadRouting(Base):
    """One version of the ordered rules by which new leads find their rep. Never changed; the newest is in force."""

    __tablename__ = "lead_routings"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    since: Mapped[datetime] = mapped_column(Moment)
    author_id: Mapped[str | None] = mapped_column(ForeignKey("users.id"))


declare_belonging("leads")
declare_story("lead", select(Lead.id, Lead.customer_id))
declare_rows(
    "leads",
    (
        "SELECT r.id, 'owner:' || r.owner_id FROM leads r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL"
        " AND r.owner_id IS NOT NULL",
        "SELECT r.id, 'office:all' FROM leads r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
    ),
)
declare_rows(
    "pool_leads",
    (
        "SELECT r.id, 'territory:' || r.territory_id FROM pool_leads r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL"
        " AND r.territory_id IS NOT NULL",
        # What all people of the principal organisation share; who of them holds the collection is its right's business.
        "SELECT r.id, 'stations:all' FROM pool_leads r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND r.territory_id IS NULL",
        "SELECT r.id, 'office:all' FROM pool_leads r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
    ),
)
