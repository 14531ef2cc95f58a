"""What owners report, and what becomes of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core import fields
from app.customer_reports import operations as reports
from app.customer_reports import queries as report_queries
from app.customer_reports.schemas import FileReportSchema, ReportAnswerSchema
from app.users.rights import Actor
from offline_sync.intent_kinds.base import IntentKind


class _Report(fields.Schema):
    report_id = fields.Id(required=True)


class _AnswerReport(_Report, ReportAnswerSchema):
    """The note; see ``POST /customer-reports/<id>/answer``."""


def _report(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    return report_queries.access_report(session, actor, body["report_id"])


REPORTS: dict[str, IntentKind] = {
    "customer_report.file": IntentKind(
        "customer_reports.send",
        FileReportSchema,
        lambda s, c, a, b: reports.send_report(s, c, a, b, offline=True),
        happened=True,
        makes="customer_reports",
        timed=True,
    ),
    "customer_report.see": IntentKind(
        "customer_reports.answer", _Report, lambda s, _, a, b: reports.see_report(s, a, _report(s, a, b))
    ),
    "customer_report.answer": IntentKind(
        "customer_reports.answer", _AnswerReport, lambda s, _, a, b: reports.answer_report(s, a, _report(s, a, b), b["text"])
    ),
}
