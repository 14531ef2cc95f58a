"""Which follow-ups a figure counts, and which ones a list shows: one set of conditions for both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, select, true
from sqlalchemy.orm import aliased

from app.core.narrowing import same_or_none, within_days
from app.core.settings import Settings
from app.customers.models import Customer
from app.follow_ups.models import FollowUp
from app.leads.models import Lead
from app.users.queries import in_team

_HOME, _LEAD = aliased(Customer, name="home"), aliased(Lead, name="home_lead")
FIGURES = (
    "follow_ups",
    "calls",
    "messages",
    "meetings",
    "notes",
    "next_steps_open",
    "next_steps_overdue",
)


def conditions(today: date) -> dict[str, ColumnElement[bool]]:
    """Return what each figure counts. ``today``: next steps that were due before it are overdue."""
    is_open = FollowUp.state == "open"
    kinds = (FollowUp.kind == kind for kind in ("call", "message", "meeting", "note"))
    return dict(zip(FIGURES, (true(), *kinds, is_open, and_(is_open, FollowUp.next_due < today)), strict=True))


def territory_of() -> Any:
    """Return the territory of a follow-up's customer, else of its lead; of follow-ups that ``with_home`` joined to them."""
    return func.coalesce(_HOME.territory_id, _LEAD.territory_id)


def with_home(follow_ups: Select[Any]) -> Select[Any]:
    """Join the customers and the leads of follow-ups, where there are any."""
    return follow_ups.outerjoin(_HOME, _HOME.id == FollowUp.customer_id).outerjoin(_LEAD, _LEAD.id == FollowUp.lead_id)


def narrowed(settings: Settings, follow_ups: Select[Any], wanted: Mapping[str, Any]) -> Select[Any]:
    """Narrow follow-ups to the days they happened on, a team, a territory and a person, as far as those are given.

    Args:
        wanted: ``from_day``, ``until_day``; ``team_id`` and ``territory_id``, or ``none``; ``user_id``.
    """
    follow_ups = follow_ups.where(within_days(FollowUp.happened_at, settings.time_zone, wanted))
    if "team_id" in wanted:
        follow_ups = follow_ups.where(in_team(FollowUp.user_id, wanted["team_id"]))
    if "territory_id" in wanted:
        there = with_home(select(FollowUp.id)).where(same_or_none(territory_of(), wanted["territory_id"]))
        follow_ups = follow_ups.where(FollowUp.id.in_(there))
    if "user_id" in wanted:
        follow_ups = follow_ups.where(FollowUp.user_id == wanted["user_id"])
    return follow_ups
