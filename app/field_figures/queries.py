"""The only reader of the figures of field work: a few statements, whatever is asked for; see ``columns.py`` for the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, and_, case, cast, func, literal, or_, select
from sqlalchemy.orm import Session

from app.core.db import in_ms, now
from app.core.errors import Invalid
from app.core.narrowing import day_number, day_of_number
from app.core.settings import Settings
from app.customers.models import Customer
from app.field_figures.columns import COLUMNS, FOLLOW_UPS, LEADS
from app.follow_ups import figures as follow_ups
from app.follow_ups.models import FollowUp
from app.leads import figures as leads
from app.leads.models import Lead
from app.users import queries as users
from app.users.models import User
from app.users.rights import Actor
from app.visit_types.models import LONGEST_VISIT_H
from app.visits import figures as visits
from app.visits.models import Visit

MOST_ROWS = 1_000
_MINUTE_MS = 60_000
_GROUP = "grp"
# In place of a group: all of them.
_ALL = "all"
Key = str | date | None
Figures = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """What is asked for.

    Attributes:
        by: what a row is of: ``team``, ``territory``, ``user`` or ``day``.
        first, last: days of the organisation, both counted.
        only: ``team_id``, ``territory_id``, ``user_id``, ``type_id``, as far as they are given.
    """

    by: str
    first: date
    last: date
    only: Mapping[str, str] = field(default_factory=dict)

    @property
    def narrowing(self) -> dict[str, Any]:
        """The same as lists have it."""
        return {"from_day": self.first, "until_day": self.last, **self.only}


@dataclass(frozen=True)
class _Reading:
    """Who reads what: makes the statements of all figures."""

    settings: Settings
    actor: Actor
    wanted: Wanted
    today: date

    def group(self, team: Any, territory: Any, user: Any, at: Any, by: str) -> ColumnElement[Any]:
        """Return the column by which rows are grouped."""
        if by == "day":
            key = day_number(at, self.settings.time_zone, self.wanted.first, self.wanted.last)
        else:
            key = {"team": team, "territory": territory, "user": user, _ALL: literal(_ALL)}[by]
        return key.label(_GROUP)

    def seen(self, found: Select[Any], user: Any) -> Select[Any]:
        """Narrow to the people an actor may see: a rep oneself."""
        if self.actor.sees_all:
            return found
        return found.where(user.in_(users.visible_to(self.actor).with_only_columns(User.id)))

    def visits(self, by: str, *columns: Any) -> Select[Any]:
        """Return the visits asked for with their group."""
        key = self.group(User.team_id, Customer.territory_id, Visit.user_id, Visit.planned_from, by)
        found = select(key, *columns).select_from(Visit).join(User, User.id == Visit.user_id)
        found = found.join(Customer, Customer.id == Visit.customer_id).where(Visit.deleted_at.is_(None))
        return self.seen(visits.narrowed(self.settings, found, self.wanted.narrowing), Visit.user_id)

    def visit_counts(self) -> Select[Any]:
        """Return the counts of visits, and the minutes they took."""
        counts = [func.count().filter(condition).label(name) for name, condition in visits.FIGURES.items()]
        minutes = cast(func.coalesce(func.sum(case((visits.FIGURES["held"], _minutes()), else_=0)), 0), Integer).label("minutes")
        return visits.with_check_ins(self.visits(self.wanted.by, *counts, minutes)).group_by(_GROUP)

    def medians(self, by: str) -> Select[Any]:
        """Return the median of the minutes of the visits held."""
        minutes = _minutes().label("minutes")
        key = self.group(User.team_id, Customer.territory_id, Visit.user_id, Visit.planned_from, by).element
        place = func.row_number().over(partition_by=key, order_by=(_minutes(), Visit.id)).label("place")
        many = func.count().over(partition_by=key).label("many")
        each = self.visits(by, minutes, place, many).where(visits.FIGURES["held"], Visit.began_at.is_not(None)).subquery()
        middle = or_(each.c.place == (each.c.many + 1) // 2, each.c.place == (each.c.many + 2) // 2)
        grouped = select(each.c[_GROUP], func.avg(each.c.minutes).label("minutes_median")).where(middle)
        return grouped.group_by(each.c[_GROUP])

    def customers(self, by: str) -> Select[Any]:
        """Return how many customers were visited, and how many were due and were not."""
        was_visited = func.max(case((visits.FIGURES["held"], 1), else_=0)).label("was_visited")
        was_due = func.max(case((visits.FIGURES["by_visit_plan"], 1), else_=0)).label("was_due")
        each = self.visits(by, Visit.customer_id, was_visited, was_due).group_by(_GROUP, Visit.customer_id).subquery()
        missed = and_(each.c.was_due == 1, each.c.was_visited == 0)
        return select(
            each.c[_GROUP],
            func.count().filter(each.c.was_visited == 1).label("customers_visited"),
            func.count().filter(missed).label("customers_missed"),
        ).group_by(each.c[_GROUP])

    def follow_ups(self) -> Select[Any]:
        """Return the counts of follow-ups."""
        counts = [func.count().filter(one).label(name) for name, one in follow_ups.conditions(self.today).items()]
        territory = follow_ups.territory_of()
        key = self.group(User.team_id, territory, FollowUp.user_id, FollowUp.happened_at, self.wanted.by)
        found = select(key, *counts).select_from(FollowUp).join(User, User.id == FollowUp.user_id)
        found = follow_ups.with_home(found).where(FollowUp.deleted_at.is_(None))
        found = follow_ups.narrowed(self.settings, found, self.wanted.narrowing)
        return self.seen(found, FollowUp.user_id).group_by(_GROUP)

    def leads(self) -> Select[Any]:
        """Return the counts of leads."""
        counts = [func.count().filter(condition).label(name) for name, condition in leads.FIGURES.items()]
        key = self.group(User.team_id, Lead.territory_id, Lead.owner_id, Lead.assigned_at, self.wanted.by)
        found = select(key, *counts).select_from(Lead).join(User, User.id == Lead.owner_id).where(Lead.deleted_at.is_(None))
        wanted = self.wanted.narrowing
        wanted |= {"owner_id": wanted.pop("user_id")} if "user_id" in wanted else {}
        return self.seen(leads.narrowed(self.settings, found, wanted), Lead.owner_id).group_by(_GROUP)


def _minutes() -> Any:
    """Return how long a visit took in whole minutes; none where its end was told to be before its beginning, or far behind it."""
    took = (in_ms(Visit.ended_at) - in_ms(Visit.began_at)) // _MINUTE_MS
    return case((took.between(0, LONGEST_VISIT_H * 60), took), else_=0)


def figures_of(session: Session, settings: Settings, actor: Actor, wanted: Wanted) -> tuple[dict[Key, Figures], Figures]:
    """Return the figures of each group that has any, and those of all.

    With a type of visits, follow-ups and leads are left out (None): they have none.

    Raises:
        Invalid: ``too_many_rows`` of more than 1,000 groups.
    """
    reading = _Reading(settings, actor, wanted, now(session).astimezone(settings.time_zone).date())
    statements = [reading.visit_counts(), reading.medians(wanted.by), reading.customers(wanted.by)]
    if "type_id" not in wanted.only:
        statements += [reading.follow_ups(), reading.leads()]
    groups: dict[Key, Figures] = {}
    for statement in statements:
        for row in session.execute(statement.limit(MOST_ROWS + 1)):
            values = dict(row._mapping)
            key = values.pop(_GROUP)
            groups.setdefault(day_of_number(key) if wanted.by == "day" else key, {}).update(values)
    if len(groups) > MOST_ROWS:
        raise Invalid("too_many_rows", most=MOST_ROWS)
    whole: Figures = {}
    for statement in (reading.medians(_ALL), reading.customers(_ALL)):
        for row in session.execute(statement):
            whole |= {name: value for name, value in row._mapping.items() if name != _GROUP}
    missing = (FOLLOW_UPS, LEADS) if "type_id" in wanted.only else ()
    rows = {key: _completed(figures, missing) for key, figures in groups.items()}
    added = {name: sum(row[name] or 0 for row in rows.values()) for name in _ADDED}
    return rows, _completed(added | whole, missing)


_ADDED = [column.name for column in COLUMNS if column.adds_up]


def _completed(figures: Figures, missing: Iterable[str]) -> Figures:
    """Return all figures of a group: 0 where there is nothing to count, None where there is nothing to tell."""
    found: Figures = {}
    for column in COLUMNS:
        value = figures.get(column.name)
        empty = None if column.name in {"done_percent", "minutes_median"} else 0
        found[column.name] = None if column.list in missing else empty if value is None else value
    due = found["planned"] - found["cancelled"]
    found["done_percent"] = round(100 * found["finished"] / due, 1) if due else None
    if found["minutes_median"] is not None:
        found["minutes_median"] = float(found["minutes_median"])
    return found
