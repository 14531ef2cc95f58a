"""Report forms and what owners reported by them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db import JsonValue, Moment
from app.core.history import declare_story
from app.core.scopes import declare_rows
from app.core.tracked import Tracked
from app.customers.belongings import declare_belonging
from app.customers.models import follows_customer, ways_by_customer

# An order is a rep's to take.
REPORT_STEP_KINDS = ("photo", "stock", "form")
REPORT_STATES = ("sent", "seen", "answered")
# Who had said what a number is greater than.
OWNER, ORGANISATION = "owner", "organisation"
_AWAITING = text("awaiting IS NOT NULL")


class ReportForm(Tracked):
    """What owners are asked. ``number``: of its newest version. ``active``: owners see it, and may report by it.

    ``retired_at``: since when they may not; what was filled in before counts, whenever it comes.
    """

    __tablename__ = "report_forms"
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name_zh: Mapped[str] = mapped_column(String(100))
    name_en: Mapped[str] = mapped_column(String(100))
    active: Mapped[bool] = mapped_column(default=True)
    number: Mapped[int] = mapped_column(default=1)
    retired_at: Mapped[datetime | None] = mapped_column(Moment)


class ReportFormVersion(Tracked):
    """The steps of one version of a form, in order; see ``schemas.ReportStepSchema``. Never changed.

    ``asked``: the same without what the office makes of the answers, as phones and owners get it.
    """

    __tablename__ = "report_form_versions"
    __table_args__ = (UniqueConstraint("form_id", "number"),)
    form_id: Mapped[str] = mapped_column(ForeignKey("report_forms.id"))
    number: Mapped[int]
    steps: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    asked: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)


class CustomerReport(Tracked):
    """What an owner reported, once; it stands as it was sent, with the words of the form they read.

    Attributes:
        user_id: the owner.
        form_zh, form_en: what the form was called.
        happened_at: when it was filled in, by our clock; ``created_at`` says when it came. Of two of one instant the greater
            id is the later.
        made_ms: the same as the phone's clock told it; None: the phone said nothing.
        content: the steps that were answered, in the form's order; see ``schemas.ReportedStepSchema``.
        grown: numbers that are greater than before, each with ``step``, ``question``, its labels, ``before``,
            ``before_by`` (who had said so: ``owner`` or ``organisation``) and ``after``.
        awaiting: ids of its photos whose bytes have not arrived; None: all are here.
        answer: a short note of the rep, for the owner to read.
    """

    __tablename__ = "customer_reports"
    __table_args__ = (
        CheckConstraint(f"state IN {REPORT_STATES}", name="state"),
        Index(None, "customer_id", "happened_at"),
        Index("ix_customer_reports_awaiting", "created_at", postgresql_where=_AWAITING, sqlite_where=_AWAITING),
    )
    STATES = {"sent": frozenset({"seen", "answered"}), "seen": frozenset({"answered"})}
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.id"))
    form_id: Mapped[str] = mapped_column(ForeignKey("report_forms.id"))
    version_id: Mapped[str] = mapped_column(ForeignKey("report_form_versions.id"))
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"))
    form_zh: Mapped[str] = mapped_column(String(100))
    form_en: Mapped[str] = mapped_column(String(100))
    content: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    grown: Mapped[list[dict[str, Any]]] = mapped_column(JsonValue)
    happened_at: Mapped[datetime] = mapped_column(Moment)
    made_ms: Mapped[int | None] = mapped_column(BigInteger)
    awaiting: Mapped[list[str] | None] = mapped_column(JsonValue)
    state: Mapped[str] = mapped_column(String(20), default="sent")
    seen_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    answer: Mapped[str | None] = mapped_column(String(500))
    answered_by: Mapped[str | None] = mapped_column(ForeignKey("users.id"))
    answered_at: Mapped[datetime | None] = mapped_column(Moment)


declare_belonging("customer_reports")
declare_story("customer_report", select(CustomerReport.id, CustomerReport.customer_id))
declare_rows(
    "report_forms",
    (
        "SELECT r.id, 'reports:all' FROM report_forms r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL AND r.active",
        "SELECT r.id, 'office:all' FROM report_forms r WHERE r.id IN ({ids}) AND r.deleted_at IS NULL",
    ),
)
_OF_FORM = "FROM report_form_versions r JOIN report_forms f ON f.id = r.form_id"
_LIVE = f"{_OF_FORM} WHERE r.id IN ({{ids}}) AND r.deleted_at IS NULL AND f.deleted_at IS NULL"
declare_rows(
    "report_form_versions",
    (f"SELECT r.id, 'reports:all' {_LIVE} AND f.active", f"SELECT r.id, 'office:all' {_LIVE}"),
    {"report_forms": f"SELECT r.id {_OF_FORM} WHERE f.change_no = :n"},
)
declare_rows("customer_reports", ways_by_customer("customer_reports", live=False), follows_customer("customer_reports"))
