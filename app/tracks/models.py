"""Consents, shifts, batches and chunks of fixes, proposed visits, looks, and proofs of what was deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Base, JsonValue, Moment
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.positions.plausibility import Grade

CONSENT_STATES = ("given", "replaced", "withdrawn")
SHIFT_STATES = ("running", "finished")
SHIFT_ENDS = ("by_rep", "by_calendar", "too_long", "consent_withdrawn", "next_began")
PROPOSAL_STATES = ("proposed", "confirmed", "rejected", "withdrawn")
PURPOSES = ("mileage", "visits", "safety", "complaint")
DELETION_CAUSES = ("retention", "consent_withdrawn", "after_the_end")
_GIVEN, _RUNNING = text("state = 'given'"), text("state = 'running'")


class TrackConsent(Tracked):
    """A rep agreed to tracks, and to nothing else with it. ``text_version``, ``digest``: of the text they read.

    ``given_at``, ``ended_at``: when by event time; it ended by withdrawal, or by consent to a newer text.
    """

    __tablename__ = "track_consents"
    __table_args__ = (
        CheckConstraint(f"state IN {CONSENT_STATES}", name="state"),
        CheckConstraint("ended_at IS NULL OR given_at <= ended_at", name="span"),
        Index("uq_track_consents_given", "user_id", unique=True, postgresql_where=_GIVEN, sqlite_where=_GIVEN),
        Index(None, "user_id", "given_at"),
    )
    STATES = {"given": frozenset({"replaced", "withdrawn"})}
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    text_version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    given_at: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    erased: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(String(20), default="given")


class Shift(Tracked):
    """A time in which a rep lets their track be recorded.

    Attributes:
        latest_end_at: when it ends by itself, for the reason ``latest_end``.
        keep_until: the fixes are deleted then, as the text said to which the rep had agreed.
        fixes: how many are stored.
        revision: grows with each change of the fixes; ``figured``: the one the figures below are of.
        distance_m, unseen_m: metres gone, and those of them across gaps of the recording.
        score, grade, findings: how plausible the fixes are; see ``app.positions.plausibility``.
        erased_at: since when its fixes are gone.
    """

    __tablename__ = "track_shifts"
    __table_args__ = (
        CheckConstraint(f"state IN {SHIFT_STATES}", name="state"),
        CheckConstraint(f"end_reason IN {SHIFT_ENDS}", name="end_reason"),
        CheckConstraint(f"grade IN {tuple(str(one) for one in Grade)}", name="grade"),
        CheckConstraint("ended_at IS NULL OR began_at <= ended_at", name="span"),
        Index("uq_track_shifts_running", "user_id", unique=True, postgresql_where=_RUNNING, sqlite_where=_RUNNING),
        Index(None, "user_id", "began_at"),
    )
    STATES = {"running": frozenset({"finished"})}
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    began_at: Mapped[datetime] = mapped_column(Moment)
    latest_end_at: Mapped[datetime] = mapped_column(Moment)
    latest_end: Mapped[str] = mapped_column(String(20))
    keep_until: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    end_reason: Mapped[str | None] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(20), default="running")
    fixes: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=0)
    figured: Mapped[int] = mapped_column(default=0)
    distance_m: Mapped[float | None] = mapped_column(Float)
    unseen_m: Mapped[float | None] = mapped_column(Float)
    score: Mapped[int | None]
    grade: Mapped[str | None] = mapped_column(String(12))
    findings: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue, default=list)
    erased_at: Mapped[datetime | None] = mapped_column(Moment)

    @property
    def covers_until(self) -> datetime:
        """The last instant whose fixes belong to it."""
        return self.latest_end_at if self.ended_at is None else self.ended_at


class TrackBatch(Base):
    """A batch of fixes that was taken, by the id its phone gave it, with the answer: a repeat gets it again."""

    __tablename__ = "track_batches"
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any]] = mapped_column(JsonValue)
    at: Mapped[datetime] = mapped_column(Moment, index=True)


class TrackChunk(Base):
    """The fixes of one hour of a shift, packed by ``app.tracks.chunks``. ``hour``: of the phone's clock, since 1970."""

    __tablename__ = "track_chunks"
    shift_id: Mapped[str] = mapped_column(ForeignKey("track_shifts.id"), primary_key=True)
    hour: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    fixes: Mapped[int]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class VisitProposal(Tracked):
    """A stay at a known site, where no visit was checked in: the rep says whether it was one.

    ``withdrawn``: later fixes took the ground from under it. Deleted with the fixes, unless it was confirmed.
    """

    __tablename__ = "visit_proposals"
    __table_args__ = (
        CheckConstraint(f"state IN {PROPOSAL_STATES}", name="state"),
        CheckConstraint("came_at <= left_at", name="span"),
        Index(None, "user_id", "came_at"),
    )
    STATES = {
        "proposed": frozenset({"confirmed", "rejected", "withdrawn"}),
        "withdrawn": frozenset({"proposed"}),
    }
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    shift_id: Mapped[str] = mapped_column(ForeignKey("track_shifts.id"), index=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"), index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.id"), index=True)
    came_at: Mapped[datetime] = mapped_column(Moment)
    left_at: Mapped[datetime] = mapped_column(Moment)
    distance_m: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(20), default="proposed")
    visit_id: Mapped[str | None] = mapped_column(ForeignKey("visits.id"))
    reason: Mapped[str | None] = mapped_column(String(200))


class TrackLook(Tracked):
    """A manager looked at the track of a shift: who, whose, what for, why."""

    __tablename__ = "track_looks"
    __table_args__ = (CheckConstraint(f"purpose IN {PURPOSES}", name="purpose"),)
    shift_id: Mapped[str] = mapped_column(ForeignKey("track_shifts.id"), index=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    looked_by: Mapped[str] = mapped_column(ForeignKey("users.id"))
    purpose: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(String(500))
    fixes: Mapped[int]


class TrackDeletion(Tracked):
    """Proof that fixes of a rep were deleted: of which time, how many, why, by which setting.

    ``digest``: SHA-256 over the deleted chunks in their order, so that whoever kept a copy can be shown that it was meant.
    """

    __tablename__ = "track_deletions"
    __table_args__ = (CheckConstraint(f"cause IN {DELETION_CAUSES}", name="cause"),)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    cause: Mapped[str] = mapped_column(String(20))
    setting: Mapped[str | None] = mapped_column(String(60))
    from_at: Mapped[datetime] = mapped_column(Moment)
    to_at: Mapped[datetime] = mapped_column(Moment)
    shifts: Mapped[int]
    chunks: Mapped[int]
    fixes: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))


declare_belonging("visit_proposals", parent=("sites", "site_id"))
# On the rep's own phones, and on nobody else's.
for _table in ("track_consents", "track_shifts", "visit_proposals"):
    declare_rows(
        _table,
        (f"SELECT r.id, 'user:' || r.user_id FROM {_table} r WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL",),
    )
