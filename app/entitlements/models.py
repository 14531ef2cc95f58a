"""Kinds of entitlements, grants, spends, and the balances that are counted from them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment, Money
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging, declare_keeper
from app.customers.models import follows_customer, ways_by_customer

UNITS = ("hour", "visit", "piece")
GRANT_STATES = ("granted", "withdrawn")
SPEND_STATES = ("covered", "beyond", "forgiven", "returned")
# These take from grants; what is forgiven or returned does not.
COUNTED = ("covered", "beyond")
SPEND_SOURCES = ("rep", "visit")
BALANCE_STATES = ("open", "even")
# Each a whole number of hundredths of an hour: what is counted has two decimals.
STEPS_MIN = (6, 15, 30, 60)
LENGTH = "length"
_OF_VISIT = text("source = 'visit'")
_RECENT = text("recent")
_BEYOND = text("state = 'beyond' AND deleted_at IS NULL")


class EntitlementKind(Tracked):
    """What customers can be owed, such as class hours.

    Attributes:
        active: it is given, and visits spend of it.
        visit_type_id: finished visits of this type spend of it by themselves.
        per_visit: how much each: an amount such as "1.00", or "length": as long as it took, of unit hour.
        step_minutes: a length is rounded up to so many minutes.
    """

    __tablename__ = "entitlement_kinds"
    __table_args__ = (
        CheckConstraint(f"unit IN {UNITS}", name="unit"),
        CheckConstraint("(visit_type_id IS NULL) = (per_visit IS NULL)", name="per_visit"),
    )
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name_zh: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    unit: Mapped[str] = mapped_column(String(10))
    active: Mapped[bool] = mapped_column(default=True)
    visit_type_id: Mapped[str | None] = mapped_column(ForeignKey("visit_types.id"), index=True)
    per_visit: Mapped[str | None] = mapped_column(String(20))
    step_minutes: Mapped[int] = mapped_column(default=15)


class EntitlementGrant(Tracked):
    """So much of a kind for a customer, from one day to another, both included; ``valid_until`` None: it does not end.

    ``reference``: the order or contract it comes from. Never changed: a wrong one is withdrawn and given anew.
    """

    __tablename__ = "entitlement_grants"
    __table_args__ = (
        CheckConstraint(f"state IN {GRANT_STATES}", name="state"),
        CheckConstraint("valid_until IS NULL OR valid_from <= valid_until", name="days"),
        Index(None, "customer_id", "kind_id"),
    )
    STATES = {"granted": frozenset({"withdrawn"})}
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind_id: Mapped[str] = mapped_column(ForeignKey("entitlement_kinds.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    reference: Mapped[str] = mapped_column(String(100), default="")
    given_by: Mapped[str] = mapped_column(String(36))
    state: Mapped[str] = mapped_column(String(20), default="granted")
    withdrawn_reason: Mapped[str | None] = mapped_column(String(200))


class EntitlementSpend(Tracked):
    """So much of a kind used at a customer.

    Attributes:
        user_id: who did the work.
        happened_at, day: event time, and the organisation's day of it.
        source: told by a rep, or by the end of a visit.
        cover: what covers it, as the fold has it: a list of ``grant_id`` and ``amount`` (text).
        covered: how much of it is covered.
        lack: why not all of it is: ``no_grant`` on its day, or ``used_up`` by what happened before.
        settled_reason, settled_by: why it was forgiven or returned, and who did that.
        recent: phones hold it.
    """

    __tablename__ = "entitlement_spends"
    __table_args__ = (
        CheckConstraint(f"state IN {SPEND_STATES}", name="state"),
        CheckConstraint(f"source IN {SPEND_SOURCES}", name="source"),
        Index(None, "customer_id", "kind_id", "happened_at"),
        Index(None, "user_id", "happened_at"),
        Index(
            "uq_entitlement_spends_visit", "visit_id", "kind_id", unique=True, postgresql_where=_OF_VISIT, sqlite_where=_OF_VISIT
        ),
        Index("ix_entitlement_spends_beyond", "happened_at", "id", postgresql_where=_BEYOND, sqlite_where=_BEYOND),
        Index("ix_entitlement_spends_recent", "day", postgresql_where=_RECENT, sqlite_where=_RECENT),
    )
    STATES = {
        "covered": frozenset({"beyond", "forgiven", "returned"}),
        "beyond": frozenset({"covered", "forgiven", "returned"}),
        "forgiven": frozenset({"returned"}),
    }
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind_id: Mapped[str] = mapped_column(ForeignKey("entitlement_kinds.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    happened_at: Mapped[datetime] = mapped_column(Moment)
    day: Mapped[date] = mapped_column(Date)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    visit_id: Mapped[str | None] = mapped_column(String(36))
    note: Mapped[str | None] = mapped_column(String(500))
    source: Mapped[str] = mapped_column(String(10))
    state: Mapped[str] = mapped_column(String(20))
    covered: Mapped[Decimal] = mapped_column(Money)
    cover: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    lack: Mapped[str | None] = mapped_column(String(20))
    settled_reason: Mapped[str | None] = mapped_column(String(200))
    settled_by: Mapped[str | None] = mapped_column(String(36))
    recent: Mapped[bool] = mapped_column(default=True)


class Entitlement(Tracked):
    """A balance: what is left of one kind for one customer, as the fold has it on ``day``; see ``fold.Figures``.

    Its row is the lock under which grants and spends of this customer and kind follow each other.

    Attributes:
        state: ``open`` while something is left or beyond; it keeps its customer from being deleted.
        entry_id: the entry of the causal log it follows from.
    """

    __tablename__ = "entitlements"
    __table_args__ = (
        UniqueConstraint("customer_id", "kind_id"),
        CheckConstraint(f"state IN {BALANCE_STATES}", name="state"),
    )
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    kind_id: Mapped[str] = mapped_column(ForeignKey("entitlement_kinds.id"))
    granted: Mapped[Decimal] = mapped_column(Money)
    spent: Mapped[Decimal] = mapped_column(Money)
    left: Mapped[Decimal] = mapped_column(Money)
    beyond: Mapped[Decimal] = mapped_column(Money)
    next_end: Mapped[date | None] = mapped_column(Date)
    state: Mapped[str] = mapped_column(String(10))
    day: Mapped[date] = mapped_column(Date)
    turns_on: Mapped[date | None] = mapped_column(Date, index=True)
    entry_id: Mapped[str | None] = mapped_column(String(36))


declare_belonging("entitlement_grants")
declare_belonging("entitlement_spends")
declare_keeper("entitlements", "customer_id", ("state", ("open",)))
declare_story("entitlement_grant", select(EntitlementGrant.id, EntitlementGrant.customer_id))
declare_story("entitlement_spend", select(EntitlementSpend.id, EntitlementSpend.customer_id))
# Held by everybody of the organisation who is not at a station, owners among them.
declare_rows(
    "entitlement_kinds",
    ("SELECT r.id, 'stations:all' FROM entitlement_kinds r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",),
)
declare_rows("entitlements", ways_by_customer("entitlements"), follows_customer("entitlements"))
declare_rows(
    "entitlement_spends",
    (
        *ways_by_customer("entitlement_spends", "JOIN customers c ON c.id = r.customer_id AND r.recent", live=False),
        "SELECT r.id, 'user:' || r.user_id FROM entitlement_spends r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND r.recent",
    ),
    follows_customer("entitlement_spends"),
)
