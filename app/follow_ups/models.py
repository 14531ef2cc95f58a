"""Follow-ups."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import follows_customer, ways_by_customer
from app.leads.models import Lead

FOLLOW_UP_KINDS = ("call", "message", "meeting", "note")
FOLLOW_UP_STATES = ("logged", "open", "done")


class FollowUp(Tracked):
    """What somebody did with a customer or a lead, and what comes next.

    ``state``: ``open`` and later ``done`` of its next step; ``logged`` where it has none.

    Attributes:
        user_id: who did it.
        happened_at: event time.
        duration_s: of a call, in seconds; 0: nobody answered.
        next_due: the day by which the next step is to be done.
        contact_id, visit_id: whom it was with, and at which visit.
    """

    __tablename__ = "follow_ups"
    __table_args__ = (
        CheckConstraint(f"kind IN {FOLLOW_UP_KINDS}", name="kind"),
        CheckConstraint(f"state IN {FOLLOW_UP_STATES}", name="state"),
        CheckConstraint("customer_id IS NOT NULL OR lead_id IS NOT NULL", name="subject"),
        Index(None, "user_id", "state", "next_due"),
        Index(None, "lead_id", "happened_at"),
        Index(None, "customer_id", "happened_at"),
        Index(None, "happened_at"),
    )
    STATES = {"open": frozenset({"done"})}
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.id"))
    lead_id: Mapped[str | None] = mapped_column(ForeignKey("leads.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(20))
    happened_at: Mapped[datetime] = mapped_column(Moment)
    summary: Mapped[str] = mapped_column(String(2000), default="")
    duration_s: Mapped[int | None]
    next_step: Mapped[str | None] = mapped_column(String(500))
    next_due: Mapped[date | None] = mapped_column(Date)
    contact_id: Mapped[str | None] = mapped_column(String(36), index=True)
    visit_id: Mapped[str | None] = mapped_column(String(36), index=True)
    state: Mapped[str] = mapped_column(String(20), default="logged")
    done_at: Mapped[datetime | None] = mapped_column(Moment)
    done_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))

    @property
    def is_real(self) -> bool:
        """Whether somebody was spoken or written to: a note is none, nor is a call nobody answered."""
        return self.kind != "note" and not (self.kind == "call" and self.duration_s == 0)


_LIVE = "WHERE r.id IN ({ids}) AND r.deleted_at IS NULL"
# What was done with a lead belongs to the customer it became.
_CUSTOMER = "LEFT JOIN leads l ON l.id = r.lead_id JOIN customers c ON c.id = COALESCE(r.customer_id, l.customer_id)"
declare_belonging("follow_ups", keeps=("state", ("open",)))
declare_story(
    "follow_up",
    select(FollowUp.id, func.coalesce(FollowUp.customer_id, Lead.customer_id)).outerjoin(Lead, Lead.id == FollowUp.lead_id),
    part_of=("lead", select(FollowUp.id, FollowUp.lead_id)),
)
declare_rows(
    "follow_ups",
    (
        *ways_by_customer("follow_ups", _CUSTOMER, live=False, itself=False),
        f"SELECT r.id, 'user:' || r.user_id FROM follow_ups r {_LIVE}",
        f"SELECT r.id, 'office:all' FROM follow_ups r {_LIVE}",
        f"SELECT r.id, 'owner:' || l.owner_id FROM follow_ups r JOIN leads l ON l.id = r.lead_id {_LIVE}"
        " AND l.owner_id IS NOT NULL",
    ),
    {
        "leads": "SELECT r.id FROM follow_ups r JOIN leads l ON l.id = r.lead_id WHERE l.change_no = :n",
        **follows_customer("follow_ups", _CUSTOMER),
    },
)
