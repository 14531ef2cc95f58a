"""Visits and check-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, String, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import follows_customer, ways_by_customer
from app.positions.datum import Datum
from app.positions.plausibility import Grade
from app.positions.verdicts import Nearness
from app.visit_types.models import STEP_KINDS

VISIT_STATES = ("planned", "in_progress", "finished", "cancelled", "no_show", "missed")
VISIT_SOURCES = ("plan", "track")
CHECK_IN_STATES = ("accepted", "needs_review", "refused")
# What a check-in at a site whose place nobody has confirmed is of use for; see ``site_fixes.py``.
SITE_FIXES = ("waiting", "proposed", "set", "overtaken")
_UNDER_WAY = text("state = 'in_progress'")
_STANDS = text("standing")


class Visit(Tracked):
    """A rep at a customer's site. ``user_id``: the rep; ``planned_from`` to ``planned_until``: within which it is to begin.

    Attributes:
        source: it was planned, or found in the rep's track afterwards.
        length_minutes: how long it is to take; None: as the setting says.
        type_id, kit_id: its type, and which of its kits it began with.
        plan_id, period: the visit plan that made it and for which period; one visit for a plan, a site and a period.
        moved_count, move_reason: how often it was put to another time, and why the last time.
        incomplete, lacking, incomplete_reason: after the check-out what its kit still asks for, and why it was left.
    """

    __tablename__ = "visits"
    __table_args__ = (
        CheckConstraint(f"state IN {VISIT_STATES}", name="state"),
        CheckConstraint("planned_from <= planned_until", name="window"),
        CheckConstraint("length_minutes BETWEEN 5 AND 720", name="length"),
        CheckConstraint(f"source IN {VISIT_SOURCES}", name="source"),
        Index("uq_visits_in_progress", "user_id", unique=True, postgresql_where=_UNDER_WAY, sqlite_where=_UNDER_WAY),
        Index(None, "user_id", "planned_from"),
        Index(None, "planned_from"),
        Index(
            "uq_visits_period",
            "plan_id",
            "site_id",
            "period",
            unique=True,
            postgresql_where=text("plan_id IS NOT NULL"),
            sqlite_where=text("plan_id IS NOT NULL"),
        ),
        Index(
            "ix_visits_planned",
            "planned_until",
            postgresql_where=text("state = 'planned'"),
            sqlite_where=text("state = 'planned'"),
        ),
        Index("ix_visits_incomplete", "ended_at", postgresql_where=text("incomplete"), sqlite_where=text("incomplete")),
    )
    STATES = {
        "planned": frozenset({"in_progress", "cancelled", "no_show", "missed"}),
        "missed": frozenset({"in_progress", "cancelled", "no_show", "planned"}),
        "in_progress": frozenset({"finished"}),
    }
    number: Mapped[str] = mapped_column(String(20), unique=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[str] = mapped_column(String(200))
    planned_from: Mapped[datetime] = mapped_column(Moment)
    planned_until: Mapped[datetime] = mapped_column(Moment)
    length_minutes: Mapped[int | None]
    state: Mapped[str] = mapped_column(String(20), default="planned")
    began_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    outcome: Mapped[str | None] = mapped_column(String(2000))
    next_step: Mapped[str | None] = mapped_column(String(500))
    cancel_reason: Mapped[str | None] = mapped_column(String(200))
    source: Mapped[str] = mapped_column(String(10), default="plan", server_default="plan")
    type_id: Mapped[str | None] = mapped_column(ForeignKey("visit_types.id"))
    kit_id: Mapped[str | None] = mapped_column(ForeignKey("visit_kits.id"))
    plan_id: Mapped[str | None] = mapped_column(ForeignKey("visit_plans.id", use_alter=True))
    period: Mapped[str | None] = mapped_column(String(20))
    moved_count: Mapped[int] = mapped_column(default=0, server_default="0")
    move_reason: Mapped[str | None] = mapped_column(String(200))
    absence: Mapped[str | None] = mapped_column(String(200))
    incomplete: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    lacking: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list, server_default="[]")
    incomplete_reason: Mapped[str | None] = mapped_column(String(500))


class StepResult(Tracked):
    """What was recorded for one step of a visit. Never changed: a correction is another row, and the last made one stands.

    Attributes:
        step, kind: code and kind of the step.
        content: by kind ``photo_ids``, ``lines`` or ``answers``.
        made_ms: when it was recorded, by the phone's clock; Unix ms. Of two at one instant the greater id is the later.
        standing: nothing later was recorded for this step.
    """

    __tablename__ = "step_results"
    __table_args__ = (
        CheckConstraint(f"kind IN {STEP_KINDS}", name="kind"),
        Index("uq_step_results_standing", "visit_id", "step", unique=True, postgresql_where=_STANDS, sqlite_where=_STANDS),
        Index(None, "visit_id", "step"),
    )
    visit_id: Mapped[str] = mapped_column(ForeignKey("visits.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    step: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(20))
    content: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    made_ms: Mapped[int] = mapped_column(BigInteger)
    standing: Mapped[bool] = mapped_column(default=True)


class CheckIn(Tracked):
    """Where a rep was when a visit began, or ended (``leaving``): what the phone told, and what the server made of it.

    No phone holds it: where somebody was is theirs, and the office's to look at one by one.

    Attributes:
        told_lat, told_lon: degrees, in ``datum``.
        told_ms, sent_ms: when by the phone's clock the fix was taken, and the request sent; Unix ms.
        skew_ms: how far the phone's clock is behind ours; None where it did not say when it sent.
        at: when it was, by our clock.
        lat, lon, distance_m: WGS-84, and how far from the site; None where the site has no position yet.
        reasons: codes of what a person should know.
        site_fix: whether it may tell where the site is, and whether it did; one of ``SITE_FIXES``.
        score, grade, findings: how plausible the position is, and what speaks against it; see ``app.positions.plausibility``.
    """

    __tablename__ = "check_ins"
    __table_args__ = (
        CheckConstraint(f"state IN {CHECK_IN_STATES}", name="state"),
        CheckConstraint(f"nearness IN {tuple(str(one) for one in Nearness)}", name="nearness"),
        CheckConstraint(f"grade IN {tuple(str(one) for one in Grade)}", name="grade"),
        CheckConstraint(f"site_fix IN {SITE_FIXES}", name="site_fix"),
        Index(
            "ix_check_ins_site_fix",
            "site_fix",
            postgresql_where=text("site_fix IS NOT NULL"),
            sqlite_where=text("site_fix IS NOT NULL"),
        ),
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
    speed_mps: Mapped[float | None] = mapped_column(Float)
    heading_deg: Mapped[float | None] = mapped_column(Float)
    altitude_m: Mapped[float | None] = mapped_column(Float)
    sequence: Mapped[int | None] = mapped_column(BigInteger)
    monotonic_ms: Mapped[int | None] = mapped_column(BigInteger)
    told_ms: Mapped[int] = mapped_column(BigInteger)
    sent_ms: Mapped[int | None] = mapped_column(BigInteger)
    skew_ms: Mapped[int | None] = mapped_column(BigInteger)
    at: Mapped[datetime] = mapped_column(Moment)
    lat: Mapped[float] = mapped_column(Float)
    lon: Mapped[float] = mapped_column(Float)
    distance_m: Mapped[float | None] = mapped_column(Float)
    nearness: Mapped[str] = mapped_column(String(10))
    reasons: Mapped[list[str]] = mapped_column(JsonValue)
    score: Mapped[int] = mapped_column(server_default="100")
    grade: Mapped[str] = mapped_column(String(12), server_default="clear")
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, server_default="[]")
    photo_id: Mapped[str | None] = mapped_column(String(36))
    note: Mapped[str | None] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(20))
    appeal: Mapped[str | None] = mapped_column(String(500))
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    decision: Mapped[str | None] = mapped_column(String(500))
    site_fix: Mapped[str | None] = mapped_column(String(12))


declare_belonging("visits", parent=("sites", "site_id"), keeps=("state", ("planned", "in_progress")))
declare_story("visit", select(Visit.id, Visit.customer_id))
declare_story("check_in", select(CheckIn.id, Visit.customer_id).join(Visit, Visit.id == CheckIn.visit_id))
declare_rows(
    "visits",
    (
        *ways_by_customer("visits", live=False),
        "SELECT r.id, 'user:' || r.user_id FROM visits r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
    ),
    follows_customer("visits"),
)
_OF_VISIT = "JOIN visits w ON w.id = r.visit_id AND w.deleted_at IS NULL JOIN customers c ON c.id = w.customer_id"
declare_rows(
    "step_results",
    (
        *ways_by_customer("step_results", _OF_VISIT, live=False),
        f"SELECT r.id, 'user:' || w.user_id FROM step_results r {_OF_VISIT} WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL",
    ),
    {
        "customers": follows_customer("step_results", _OF_VISIT)["customers"],
        "visits": follows_customer("step_results", _OF_VISIT)["visits"]
        + " UNION ALL SELECT r.id FROM step_results r JOIN visits w ON w.id = r.visit_id WHERE w.change_no = :n",
    },
)
