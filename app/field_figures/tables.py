"""Figures as people read them: rows with names, and the queries by which each opens, down to single visits."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.errors import FieldsInvalid, Forbidden
from app.core.locales import EN
from app.core.narrowing import NONE
from app.core.settings import Settings
from app.core.spreadsheets import csv_line
from app.field_figures.columns import ANSWERED_BY, COLUMNS, FOLLOW_UPS, LEADS, NOBODYS, TOTAL, VISITS
from app.field_figures.queries import Figures, Key, Wanted, figures_of
from app.teams import queries as teams
from app.teams.models import Team
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor
from app.visit_types import queries as types

MOST_DAYS = 366
BY = ("team", "territory", "user", "day")
_WITHIN = dict(itertools.pairwise(BY))
_NAMED: dict[str, Any] = {"team": Team, "territory": Territory, "user": User}
_PATHS = {VISITS: "/visits", FOLLOW_UPS: "/follow-ups", LEADS: "/leads"}
_FILTERS = {
    "team_id": teams.access_team,
    "territory_id": territories.access_territory,
    "user_id": users.access_user,
    "type_id": types.access_type,
}


def wanted_by(session: Session, actor: Actor, query: Mapping[str, Any]) -> Wanted:
    """Check what is asked for.

    Args:
        query: ``by``, ``first``, ``last``, and the filters.

    Raises:
        FieldsInvalid: ``out_of_range`` (until) of no day, or of more than 366.
        Forbidden: to a rep who asks by team or territory.
        NotFound: for a filter that names what the actor may not see.
    """
    if not 1 <= (query["last"] - query["first"]).days + 1 <= MOST_DAYS:
        raise FieldsInvalid({"until": ["out_of_range"]})
    if actor.role == REP and query["by"] not in {"user", "day"}:
        raise Forbidden("forbidden")
    only = {name: query[name] for name in _FILTERS if name in query}
    for name, value in only.items():
        if value != NONE:
            _FILTERS[name](session, actor, value)
    if actor.role == REP:
        only["user_id"] = actor.id  # the lists show more: also what others did at customers they are in charge of
    return Wanted(query["by"], query["first"], query["last"], only)


def table_of(session: Session, settings: Settings, actor: Actor, wanted: Wanted) -> dict[str, Any]:
    """Return rows by name, a total, and what the figures are; see ``schemas.FieldFiguresSchema``."""
    groups, total = figures_of(session, settings, actor, wanted)
    names = _names(session, wanted.by, groups)
    side = 0 if actor.locale == EN else 1
    rows = [
        {"id": _told(key), "name": name if key is not None else NOBODYS[wanted.by][side], "figures": groups[key]}
        | _opened(_narrowed(wanted, key), wanted.by)
        for key, name in sorted(names.items(), key=lambda one: (one[0] is None, one[1].casefold(), one[1], str(one[0])))
    ]
    described = [
        {name: getattr(column, name) for name in ("name", "list", "figure", "adds_up", "counts")} | {"label": column.label[side]}
        for column in COLUMNS
    ]
    whole = {"id": None, "name": TOTAL[side], "figures": total, "within": None, "opens": _opened(wanted, wanted.by)["opens"]}
    return {"by": wanted.by, "first": wanted.first, "last": wanted.last, "rows": rows, "total": whole, "columns": described}


def csv_of(table: Mapping[str, Any], locale: str) -> Iterator[str]:
    """Yield the same as a CSV file in a language, the total last; its first sign tells spreadsheets that it is UTF-8."""
    side = 0 if locale == EN else 1
    yield "\ufeff" + csv_line([ANSWERED_BY[table["by"]][side], *(column.label[side] for column in COLUMNS)])
    for row in (*table["rows"], table["total"]):
        figures: Figures = row["figures"]
        yield csv_line([row["name"], *("" if figures[one.name] is None else str(figures[one.name]) for one in COLUMNS)])


def _names(session: Session, by: str, groups: Mapping[Key, Figures]) -> dict[Key, str]:
    """Return what groups are called."""
    if by == "day":
        return {key: str(key) for key in groups}
    model = _NAMED[by]
    ids = sorted(str(key) for key in groups if key is not None)
    known = {row.id: row.name for row in session.execute(select(model.id, model.name).where(among(session, model.id, ids)))}
    return {key: known[key] if key is not None else "" for key in groups}


def _told(key: Key) -> str | None:
    return key.isoformat() if isinstance(key, date) else key


def _narrowed(wanted: Wanted, key: Key) -> Wanted:
    """Return the same of one group alone."""
    if isinstance(key, date):
        return Wanted(wanted.by, key, key, wanted.only)
    return Wanted(wanted.by, wanted.first, wanted.last, {**wanted.only, f"{wanted.by}_id": NONE if key is None else key})


def _opened(group: Wanted, by: str) -> dict[str, Any]:
    """Return the query that opens a group one level deeper, and the lists of what its figures count."""
    span = (group.first.isoformat(), group.last.isoformat())
    filters = sorted(group.only.items())
    lists: dict[str, str | None] = {}
    for name, path in _PATHS.items():
        its = [("owner_id" if name == LEADS and key == "user_id" else key, value) for key, value in filters]
        query = urlencode([("from_day", span[0]), ("until_day", span[1]), *its])
        lists[name] = None if name != VISITS and "type_id" in group.only else f"{path}?{query}"
    within = lists[VISITS]
    if by in _WITHIN:
        within = f"/field-figures?{urlencode([('by', _WITHIN[by]), ('from', span[0]), ('until', span[1]), *filters])}"
    return {"within": within, "opens": lists}
