"""Visits and check-ins."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment
from app.core.tracked import Tracked
from app.positions.datum import Datum
from app.positions.verdicts import Nearness

VISIT_STATES = ("planned", "in_progress", "finished", "cancelled")
CHECK_IN_STATES = ("accepted", "needs_review", "refused")
_UNDER_WAY = text("state = 'in_progress'")


class Visit(Tracked):
    """A rep at a customer's site. ``user_id``: the rep; ``planned_from`` to ``planned_until``: within which it is to begin."""

    __tablename__ = "visits"
    __table_args__ = (
        CheckConstraint(f"state IN {VISIT_STATES}", name="state"),
        CheckConstraint("planned_from <= planned_until", name="window"),
        Index("uq_visits_in_progress", "user_id", unique=True, postgresql_where=_UNDER_WAY, sqlite_where=_UNDER_WAY),
        Index(None, "user_id", "planned_from"),
    )
    STATES = {
        "planned": frozenset({"in_progress", "cancelled"}),
        "in_progress": frozenset({"finished"}),
    }
    number: Mapped[str] = mapped_column(String(20), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[str] = mapped_column(String(200))
    planned_from: Mapped[datetime] = mapped_column(Moment)
    planned_until: Mapped[datetime] = mapped_column(Moment)
    state: Mapped[str] = mapped_column(String(20), default="planned")
    began_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    outcome: Mapped[str | None] = mapped_column(String(2000))
    next_step: Mapped[str | None] = mapped_column(String(500))
    cancel_reason: Mapped[str | None] = mapped_column(String(200))


class CheckIn(Tracked):
    """Where a rep was when a visit began, or ended (``leaving``): what the phone told, and what the server made of it.

    No phone holds it: where somebody was is theirs, and the office's to look at one by one.

    Attributes:
        told_lat, told_lon: degrees, in ``datum``.
        told_ms, sent_ms: when by the phone's clock the fix was taken, and the request sent; Unix ms.
        skew_ms: how far the phone's clock is behind ours; None where it did not say when it sent.
        at: when it was, by our clock.
        lat, lon, distance_m: WGS-84, and how far from the site.
        reasons: codes of what a person should know.
    """

    __tablename__ = "check_ins"
    __table_args__ = (
        CheckConstraint(f"state IN {CHECK_IN_STATES}", name="state"),
        CheckConstraint(f"nearness IN {tuple(str(one) for one in Nearness)}", name="nearness"),
        CheckConstraint(f"datum IN {tuple(str(one) for one in Datum)}", name="datum"),
        Index("uq_check_ins_visit", "visit_id", "leaving", unique=True),
        Index(None, "user_id", "at"),
    )
    STATES = {"needs_review": frozenset({"accepted", "refused"}), "refused": frozenset({"accepted"})}
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    leaving: Mapped[bool]
    told_lat: Mapped[float] = mapped_column(Float)
    told_lon: Mapped[float] = mapped_column(Float)
    datum: Mapped[str] = mapped_column(String(10))
    accuracy_m: Mapped[float | None] = mapped_column(Float)
    provider: Mapped[str | None] = mapped_column(String(20))
    mocked: Mapped[bool | None]
    told_ms: Mapped[int] = mapped_column(BigInteger)
    sent_ms: Mapped[int | None] = mapped_column(BigInteger)
    skew_ms: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Moment)
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    distance_m: Mapped[float] = mapped_column(Float)
    nearness: Mapped[str] = mapped_column(String(10))
    reasons: Mapped[list[str]] = mapped_column(JsonValue)
    photo_id: Mapped[str | None] = mapped_column(String(36))
    note: Mapped[str | None] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(20))
    appeal: Mapped[str | None] = mapped_column(String(500))
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decision: Mapped[str | None] = mapped_column(String(500))
