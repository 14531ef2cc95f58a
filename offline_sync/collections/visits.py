"""Visits, check-ins, days and tracks."""

from __future__ import annotations

import json
from typing import Any

from app.core.settings import Settings
from app.day_plans.models import DayPlan
from app.day_plans.words import in_words as plan_in_words
from app.tracks.models import Shift, TrackConsent, VisitProposal
from app.visit_types.models import VisitKit, VisitType
from app.visits.models import StepResult, Visit
from offline_sync.collections.base import Collection, each, plain


def _plan_words(row: DayPlan, locale: str, _settings: Settings) -> dict[str, Any]:
    found = plan_in_words(row.answer, locale)
    return {"answer": None if found is None else json.dumps(found, ensure_ascii=False, sort_keys=True)}


VISITS = (
    Collection(
        "day_plans",
        DayPlan,
        "visits.read",
        plain("user_id", "day", "starts_at", "ends_at", "keep_windows", "grace_minutes", "state"),
        words=each(_plan_words),
        worded=("answer",),
        optional=frozenset({"answer"}),
    ),
    Collection(
        "visits",
        Visit,
        "visits.read",
        plain(
            "number",
            "customer_id",
            "site_id",
            "user_id",
            "purpose",
            "planned_from",
            "planned_until",
            "length_minutes",
            "state",
            "began_at",
            "ended_at",
            "outcome",
            "next_step",
            "cancel_reason",
            "type_id",
            "kit_id",
            "moved_count",
            "incomplete",
            "lacking",
            "source",
            "plan_id",
        ),
        optional=frozenset(
            {
                "length_minutes",
                "began_at",
                "ended_at",
                "outcome",
                "next_step",
                "cancel_reason",
                "type_id",
                "kit_id",
                "plan_id",
            }
        ),
    ),
    Collection("visit_types", VisitType, "visits.read", plain("code", "name_zh", "name_en", "active", "number")),
    Collection("visit_kits", VisitKit, "visits.read", plain("type_id", "number", "steps")),
    Collection(
        "step_results",
        StepResult,
        "visits.read",
        plain("visit_id", "user_id", "step", "kind", "content", "standing", made_at="made_ms"),
    ),
    Collection(
        "track_consents",
        TrackConsent,
        "tracks.record",
        plain("text_version", "digest", "given_at", "ended_at", "state"),
        optional=frozenset({"ended_at"}),
    ),
    Collection(
        "track_shifts",
        Shift,
        "tracks.record",
        plain("began_at", "latest_end_at", "ended_at", "end_reason", "state", "fixes", "distance_m", "unseen_m", "grade"),
        optional=frozenset({"ended_at", "end_reason", "distance_m", "unseen_m", "grade"}),
    ),
    Collection(
        "visit_proposals",
        VisitProposal,
        "tracks.record",
        plain("shift_id", "customer_id", "site_id", "came_at", "left_at", "state", "visit_id"),
        optional=frozenset({"visit_id"}),
    ),
)
