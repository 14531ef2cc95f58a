"""A person's own: messages, files, what they asked for, what could not be taken."""

from __future__ import annotations

import json
from typing import Any

from app.attachments.models import Attachment
from app.core.locales import colon, semicolon
from app.core.settings import Settings
from app.core.texts import field_text, problem_text
from offline_sync.collections.base import Collection, each, plain
from offline_sync.models import Intent, SyncProblem
from push.models import Notification
from push.queries import in_words


def _notification_words(row: Notification, locale: str, settings: Settings) -> dict[str, Any]:
    words = in_words(row, locale, settings)
    return {"title": words["title"], "body": words["body"]}


def _intent_words(row: Intent, locale: str, _settings: Settings) -> dict[str, Any]:
    if row.code is None:
        return {"text": None}
    facts = row.facts or {}
    title, detail = problem_text(row.code, locale, facts)
    if facts.get("errors"):
        detail = semicolon(locale).join(
            f"{name} {field_text(code, locale)}" for name, codes in facts["errors"].items() for code in codes
        )
    return {"text": f"{title}{colon(locale)}{detail}"}


def _problem_words(row: SyncProblem, locale: str, _settings: Settings) -> dict[str, Any]:
    semi = semicolon(locale)
    reasons = {name: semi.join(field_text(code, locale) for code in codes) for name, codes in row.reasons.items()}
    return {"reasons": json.dumps(reasons, ensure_ascii=False, sort_keys=True), "text": semi.join(sorted(set(reasons.values())))}


OWN = (
    Collection(
        "notifications",
        Notification,
        "notifications.read",
        plain("kind", "subject_kind", "subject_id", "opened_at"),
        words=each(_notification_words),
        worded=("title", "body"),
        optional=frozenset({"opened_at"}),
    ),
    Collection(
        "intents",
        Intent,
        "self",
        plain("kind", "body", "verdict", "code", "decided_at", made_at="made_ms"),
        words=each(_intent_words),
        worded=("text",),
        optional=frozenset({"verdict", "code", "decided_at", "text"}),
    ),
    Collection(
        "attachments",
        Attachment,
        "attachments.read",
        plain("subject_kind", "subject_id", "name", "mime", "size", "sha256", "state", "code", made_at="made_ms"),
        optional=frozenset({"code"}),
    ),
    Collection(
        "sync_problems",
        SyncProblem,
        "self",
        plain("row_id", "content", "state", table_name="collection"),  # "collection" is taken in both libraries
        words=each(_problem_words),
        worded=("reasons", "text"),
    ),
)
