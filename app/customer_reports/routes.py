"""Report forms and customer reports over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import now
from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.customer_reports import forms, operations, queries, schemas
from app.customer_reports.models import CustomerReport, ReportForm
from app.users.rights import CUSTOMER, Actor

_FORM = ("id", "version", "created_at", "updated_at", "code", "name_zh", "name_en", "active", "number")

routes = Routes("customer_reports", __name__, description="What owners report from their side")


def _form(session: Session, actor: Actor, row: ReportForm) -> dict[str, Any]:
    version = queries.newest_version(session, row.id)
    steps = version.steps if actor.role != CUSTOMER else version.asked
    return {name: getattr(row, name) for name in _FORM} | {"version_id": version.id, "steps": steps}


def _report(session: Session, actor: Actor, row: CustomerReport) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in schemas.CustomerReportSchema().fields} | {"awaiting": row.awaiting or []}
    if actor.role == CUSTOMER:
        return shown | {"grown": queries.of_owners_own(row.grown)}
    hints = queries.hints_of(session, row)
    return shown | {"grown": [one | _hint(hints.get((one["step"], one["question"]), {})) for one in row.grown]}


def _hint(question: Any) -> dict[str, Any]:
    return {name: question[name] for name in ("suggests_zh", "suggests_en") if name in question}


@routes.door("GET", "/report-forms", policy="report_forms.read", query=PageQuery, answer=page_of(schemas.ReportFormSchema))
def list_forms(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List report forms, each with the steps of its newest version; retired ones to the office only."""
    listed = page(session, queries.visible_forms(actor), ReportForm, query)
    return listed | {"items": [_form(session, actor, row) for row in listed["items"]]}


@routes.door(
    "POST",
    "/report-forms",
    policy="report_forms.manage",
    body=schemas.ReportFormSchema,
    answer=schemas.ReportFormSchema,
    status=201,
)
def create_form(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Add a report form with its steps."""
    return _form(session, actor, forms.create_form(session, actor, body))


@routes.door("GET", "/report-forms/<report_form_id>", policy="report_forms.read", answer=schemas.ReportFormSchema)
def read_form(session: Session, actor: Actor, report_form_id: str) -> dict[str, Any]:
    """Read one report form."""
    return _form(session, actor, queries.access_form(session, actor, report_form_id))


@routes.door(
    "PATCH",
    "/report-forms/<report_form_id>",
    policy="report_forms.manage",
    body=schemas.ReportFormEditSchema,
    answer=schemas.ReportFormSchema,
)
def edit_form(session: Session, actor: Actor, body: dict[str, Any], report_form_id: str) -> dict[str, Any]:
    """Change a report form, or retire it. Other steps are a new version; who read an older one reports by that."""
    row = queries.access_form(session, actor, report_form_id)
    check_version(row)
    return _form(session, actor, forms.edit_form(session, actor, row, body))


@routes.door(
    "GET",
    "/customer-reports",
    policy="customer_reports.read",
    query=schemas.ReportQuery,
    answer=page_of(schemas.CustomerReportSchema),
)
def list_reports(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List reports: owners their own customer's, reps those of the customers they see."""
    found = queries.visible_to(actor)
    if "customer_id" in query:
        found = found.where(CustomerReport.customer_id == query["customer_id"])
    if "state" in query:
        found = found.where(CustomerReport.state == query["state"])
    listed = page(session, found, CustomerReport, query)
    return listed | {"items": [_report(session, actor, row) for row in listed["items"]]}


@routes.door(
    "POST",
    "/customer-reports",
    policy="customer_reports.send",
    body=schemas.SendReportSchema,
    answer=schemas.CustomerReportSchema,
    status=201,
)
def send_report(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Report something as an owner. Photos are your own attachments whose bytes have arrived. The same id is one report.

    What was filled in earlier says so by ``made_ms``; it then counts from there.
    """
    if "sent_ms" in body:
        body["skew_ms"] = body.pop("sent_ms") - to_ms(now(session))
    return _report(session, actor, operations.send_report(session, edge_settings(), actor, body))


@routes.door("GET", "/customer-reports/<customer_report_id>", policy="customer_reports.read", answer=schemas.CustomerReportSchema)
def read_report(session: Session, actor: Actor, customer_report_id: str) -> dict[str, Any]:
    """Read one report, and what became of it."""
    return _report(session, actor, queries.access_report(session, actor, customer_report_id))


@routes.door(
    "POST", "/customer-reports/<customer_report_id>/seen", policy="customer_reports.answer", answer=schemas.CustomerReportSchema
)
def see_report(session: Session, actor: Actor, customer_report_id: str) -> dict[str, Any]:
    """Note that you have seen a report."""
    row = queries.access_report(session, actor, customer_report_id)
    return _report(session, actor, operations.see_report(session, actor, row))


@routes.door(
    "POST",
    "/customer-reports/<customer_report_id>/answer",
    policy="customer_reports.answer",
    body=schemas.ReportAnswerSchema,
    answer=schemas.CustomerReportSchema,
)
def answer_report(session: Session, actor: Actor, body: dict[str, Any], customer_report_id: str) -> dict[str, Any]:
    """Answer a report with a short note that the owner reads."""
    row = queries.access_report(session, actor, customer_report_id)
    return _report(session, actor, operations.answer_report(session, actor, row, body["text"]))
