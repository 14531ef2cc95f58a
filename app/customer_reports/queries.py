"""The only readers of report forms and of what owners reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, select, tuple_
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.customer_reports.models import OWNER, CustomerReport, ReportForm, ReportFormVersion
from app.customers import queries as customers
from app.customers.models import Customer
from app.users.rights import Actor, allows


def visible_forms(actor: Actor) -> Select[ReportForm]:
    """Return the report forms an actor may see: the office all, owners and reps those that are not retired."""
    found = select(ReportForm).where(ReportForm.deleted_at.is_(None))
    if not allows(actor, "report_forms.read"):
        return found.where(false())
    return found if allows(actor, "report_forms.manage") else found.where(ReportForm.active)


def access_form(session: Session, actor: Actor, form_id: str) -> ReportForm:
    """Load one report form the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_forms(actor), ReportForm, form_id)


def visible_versions(actor: Actor) -> Select[ReportFormVersion]:
    """Return the versions of the forms an actor may see, also those that newer ones follow."""
    forms = visible_forms(actor).with_only_columns(ReportForm.id)
    return select(ReportFormVersion).where(ReportFormVersion.form_id.in_(forms), ReportFormVersion.deleted_at.is_(None))


def newest_version(session: Session, form_id: str) -> ReportFormVersion:
    """Return the newest version of a form."""
    versions = select(ReportFormVersion).where(ReportFormVersion.form_id == form_id)
    return session.scalars(versions.order_by(ReportFormVersion.number.desc()).limit(1)).one()


def visible_to(actor: Actor) -> Select[CustomerReport]:
    """Return the reports an actor may see: owners their own customer's, reps of the customers they see, the office all."""
    found = select(CustomerReport).where(CustomerReport.deleted_at.is_(None))
    if not allows(actor, "customer_reports.read"):
        return found.where(false())
    return found.where(CustomerReport.customer_id.in_(select(Customer.id).where(customers.in_scope(actor))))


def access_report(session: Session, actor: Actor, report_id: str) -> CustomerReport:
    """Load one report the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), CustomerReport, report_id)


def before_report(row: CustomerReport) -> ColumnElement[bool]:
    """Tell, in SQL, whether a report of the same customer was filled in before another one."""
    same = CustomerReport.customer_id == row.customer_id
    return and_(same, tuple_(CustomerReport.happened_at, CustomerReport.id) < (row.happened_at, row.id))


def after_report(row: CustomerReport) -> ColumnElement[bool]:
    """As ``before_report``, the other way round."""
    same = CustomerReport.customer_id == row.customer_id
    return and_(same, tuple_(CustomerReport.happened_at, CustomerReport.id) > (row.happened_at, row.id))


def answers_in(content: list[dict[str, Any]], step: str) -> list[dict[str, Any]]:
    """Return the answers of one step of a report."""
    return next((one.get("answers") or [] for one in content if one["code"] == step), [])


def hints_of(session: Session, report: CustomerReport) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Return the questions of the form an owner read that suggest something, by step and question."""
    steps = session.get_one(ReportFormVersion, report.version_id).steps
    asked = (((step["code"], one["code"]), one) for step in steps for one in step.get("questions") or ())
    return {key: question for key, question in asked if question.get("suggests_en")}


def of_owners_own(grown: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the numbers that are greater than what the owner had said; what the organisation knows is not theirs to read."""
    return [one for one in grown if one.get("before_by") == OWNER]
