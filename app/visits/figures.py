"""Which visits a figure counts, and which visits a list shows: one set of conditions for both.

So a number opens into a list of exactly the visits it counts: ``GET /visits`` with the same filters and ``figure``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, true
from sqlalchemy.orm import aliased

from app.core.narrowing import same_or_none, within_days
from app.core.settings import Settings
from app.customers.models import Customer
from app.users.queries import in_team
from app.visits.models import CheckIn, Visit

# A visit has at most one of each.
ARRIVAL, LEAVING = aliased(CheckIn, name="arrival"), aliased(CheckIn, name="leaving")
_PLANNED = Visit.source == "plan"


def _either(*conditions: Any) -> ColumnElement[bool]:
    """Return the condition that the check-in at the beginning or the one at the end fits; each takes the row."""
    return or_(*(and_(*(condition(row) for condition in conditions)) for row in (ARRIVAL, LEAVING)))


def _appealed(row: Any) -> ColumnElement[bool]:
    return row.appeal.is_not(None)  # type: ignore[no-any-return]


def _decided(state: str) -> ColumnElement[bool]:
    return _either(_appealed, lambda row: row.state == state)


# What each figure counts; of visits with both check-ins joined.
FIGURES: dict[str, ColumnElement[bool]] = {
    "visits": true(),
    "planned": _PLANNED,
    "finished": and_(_PLANNED, Visit.state == "finished"),
    "no_show": and_(_PLANNED, Visit.state == "no_show"),
    "missed": and_(_PLANNED, Visit.state == "missed"),
    "cancelled": and_(_PLANNED, Visit.state == "cancelled"),
    "open": and_(_PLANNED, Visit.state.in_(("planned", "in_progress"))),
    "unplanned": Visit.source == "track",
    "held": Visit.state == "finished",
    "incomplete": Visit.incomplete.is_(True),
    "check_in_inside": ARRIVAL.nearness == "inside",
    "check_in_near": ARRIVAL.nearness == "near",
    "check_in_outside": ARRIVAL.nearness == "outside",
    "check_in_unsure": ARRIVAL.nearness == "unsure",
    "outside_with_photo": and_(ARRIVAL.nearness == "outside", ARRIVAL.photo_id.is_not(None)),
    "flagged": _either(lambda row: row.grade != "clear"),
    "appealed": _either(_appealed),
    "appeal_accepted": _decided("accepted"),
    "appeal_refused": _decided("refused"),
    "appeal_waiting": _decided("needs_review"),
    "by_visit_plan": and_(Visit.plan_id.is_not(None), Visit.state != "cancelled"),
}


def with_check_ins(visits: Select[Any]) -> Select[Any]:
    """Join the check-ins of visits at their beginning and at their end, where there are any."""
    for row, leaving in ((ARRIVAL, False), (LEAVING, True)):
        its = and_(row.visit_id == Visit.id, row.leaving.is_(leaving), row.deleted_at.is_(None))
        visits = visits.outerjoin(row, its)
    return visits


def narrowed(settings: Settings, visits: Select[Any], wanted: Mapping[str, Any]) -> Select[Any]:
    """Narrow visits to the days they were planned for, a team, a territory, a rep and a type, as far as those are given.

    Args:
        wanted: ``from_day``, ``until_day``; ``team_id`` and ``territory_id``, or ``none``; ``user_id``; ``type_id``.
    """
    visits = visits.where(within_days(Visit.planned_from, settings.time_zone, wanted))
    if "team_id" in wanted:
        visits = visits.where(in_team(Visit.user_id, wanted["team_id"]))
    if "territory_id" in wanted:
        of_territory = select(Customer.id).where(same_or_none(Customer.territory_id, wanted["territory_id"]))
        visits = visits.where(Visit.customer_id.in_(of_territory))
    for name in ("user_id", "type_id"):
        if name in wanted:
            visits = visits.where(getattr(Visit, name) == wanted[name])
    return visits


def counted(visits: Select[Any], figure: str) -> Select[Any]:
    """Narrow visits to those that a figure counts."""
    return with_check_ins(visits).where(FIGURES[figure])
