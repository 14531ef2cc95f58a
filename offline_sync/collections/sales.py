"""Leads and what follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.core.locales import semicolon
from app.core.settings import Settings
from app.follow_ups.models import FollowUp
from app.leads.models import Lead, PoolLead
from app.leads.queries import names_in
from app.leads.scoring import told
from offline_sync.collections.base import Collection, plain


def _lead_words(session: Session, rows: Sequence[Lead], locale: str, _settings: Settings) -> list[dict[str, Any]]:
    names = names_in(session, rows, locale)
    semi = semicolon(locale)
    return [{"score_text": semi.join(reason["text"] for reason in told(row.score_reasons, locale, names))} for row in rows]


SALES = (
    Collection(
        "leads",
        Lead,
        "leads.read",
        plain(
            "number",
            "name",
            "phone",
            "interest",
            "company",
            "email",
            "address",
            "territory_id",
            "source",
            "budget",
            "custom",
            "state",
            "owner_id",
            "completeness",
            "missing",
            "score",
            "first_touch_at",
            "first_touch_due_at",
            "recycle_at",
            "customer_id",
            "lost_reason",
        ),
        words=_lead_words,
        worded=("score_text",),
        optional=frozenset(
            {
                "company",
                "email",
                "address",
                "territory_id",
                "source",
                "budget",
                "owner_id",
                "first_touch_at",
                "first_touch_due_at",
                "recycle_at",
                "customer_id",
                "lost_reason",
            }
        ),
    ),
    Collection(
        "pool_leads",
        PoolLead,
        "leads.read",
        plain("number", "name_start", "phone_end", "interest", "territory_id", "source", "score", "completeness", "pooled_at"),
        optional=frozenset({"territory_id", "source"}),
    ),
    Collection(
        "follow_ups",
        FollowUp,
        "follow_ups.read",
        plain(
            "customer_id",
            "lead_id",
            "user_id",
            "kind",
            "happened_at",
            "summary",
            "duration_s",
            "next_step",
            "next_due",
            "contact_id",
            "visit_id",
            "state",
            "done_at",
        ),
        optional=frozenset(
            {
                "customer_id",
                "lead_id",
                "duration_s",
                "next_step",
                "next_due",
                "contact_id",
                "visit_id",
                "done_at",
            }
        ),
    ),
)
