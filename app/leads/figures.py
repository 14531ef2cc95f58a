"""Which leads a figure counts, and which ones a list shows: one set of conditions for both. Leads by when their rep got them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, select, true

from app.core.history import HistoryEntry
from app.core.narrowing import same_or_none, within_days
from app.core.settings import Settings
from app.leads.models import Lead
from app.users.queries import in_team

# Since its rep got the lead: who claimed it before gave it back, or it was taken from them.
_CLAIMED = (
    select(HistoryEntry.id)
    .where(HistoryEntry.subject_kind == "lead", HistoryEntry.subject_id == Lead.id, HistoryEntry.kind == "lead.claimed")
    .where(HistoryEntry.recorded_at >= Lead.assigned_at)
    .exists()
)
FIGURES: dict[str, ColumnElement[bool]] = {
    "leads": true(),
    "leads_claimed": _CLAIMED,
    "leads_touched_in_time": Lead.first_touch_at <= Lead.first_touch_due_at,
    "leads_qualified": Lead.state.in_(("qualified", "converted")),
    "leads_converted": Lead.state == "converted",
    "leads_lost": Lead.state == "lost",
}


def narrowed(settings: Settings, leads: Select[Any], wanted: Mapping[str, Any]) -> Select[Any]:
    """Narrow leads to the days on which their rep got them, a team, a territory and a rep, as far as those are given.

    Args:
        wanted: ``from_day``, ``until_day``; ``team_id`` and ``territory_id``, or ``none``; ``owner_id``.
    """
    if {"from_day", "until_day"} & wanted.keys():
        leads = leads.where(Lead.owner_id.is_not(None), within_days(Lead.assigned_at, settings.time_zone, wanted))
    if "team_id" in wanted:
        leads = leads.where(in_team(Lead.owner_id, wanted["team_id"]))
    if "territory_id" in wanted:
        leads = leads.where(same_or_none(Lead.territory_id, wanted["territory_id"]))
    if "owner_id" in wanted:
        leads = leads.where(Lead.owner_id == wanted["owner_id"])
    return leads
