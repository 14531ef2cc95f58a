"""What owners report, and what customers are owed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.settings import Settings
from app.customer_reports.models import CustomerReport, ReportForm, ReportFormVersion
from app.customer_reports.queries import of_owners_own
from app.entitlements import queries as entitlements
from app.entitlements.models import Entitlement, EntitlementKind, EntitlementSpend
from app.entitlements.words import left_in_words, stands_in_words
from offline_sync.collections.base import Collection, Withheld, each, json_text, plain


def _balance_words(session: Session, rows: Sequence[Entitlement], locale: str, _settings: Settings) -> list[dict[str, Any]]:
    kinds = entitlements.kinds_by_id(session, [row.kind_id for row in rows])
    return [{"text": left_in_words(row, kinds[row.kind_id], locale)} for row in rows]


def _spend_words(row: EntitlementSpend, locale: str, _settings: Settings) -> dict[str, Any]:
    return {"text": stands_in_words(row, locale)}


OWED = (
    Collection("report_forms", ReportForm, "report_forms.read", plain("code", "name_zh", "name_en", "active", "number")),
    Collection("report_form_versions", ReportFormVersion, "report_forms.read", plain("form_id", "number", steps="asked")),
    Collection(
        "customer_reports",
        CustomerReport,
        "customer_reports.read",
        plain(
            "customer_id",
            "form_id",
            "version_id",
            "user_id",
            "form_zh",
            "form_en",
            "content",
            "grown",
            "happened_at",
            "awaiting",
            "state",
            "seen_at",
            "answer",
            "answered_at",
        ),
        optional=frozenset({"awaiting", "seen_at", "answer", "answered_at"}),
        withheld={"grown": Withheld("customer_reports.answer", lambda text: json_text(of_owners_own(json.loads(text))))},
    ),
    Collection(
        "entitlement_kinds",
        EntitlementKind,
        "entitlements.read",
        plain("code", "name_zh", "name_en", "unit", "active", "visit_type_id", "per_visit", "step_minutes"),
        optional=frozenset({"visit_type_id", "per_visit"}),
    ),
    Collection(
        "entitlements",
        Entitlement,
        "entitlements.read",
        plain("customer_id", "kind_id", "granted", "spent", "left", "beyond", "next_end", "state"),
        words=_balance_words,
        worded=("text",),
        optional=frozenset({"next_end"}),
    ),
    Collection(
        "entitlement_spends",
        EntitlementSpend,
        "entitlements.read",
        plain(
            "customer_id",
            "kind_id",
            "amount",
            "happened_at",
            "user_id",
            "visit_id",
            "note",
            "source",
            "state",
            "covered",
            "cover",
            "lack",
            "settled_reason",
        ),
        words=each(_spend_words),
        worded=("text",),
        optional=frozenset({"visit_id", "note", "lack", "settled_reason"}),
    ),
)
