"""Verbs on plans of a day: ask for one, work it out (the worker), take it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.calendar.days import Calendar
from app.calendar.queries import calendar_of
from app.core.clock import from_ms, to_ms
from app.core.db import database_now, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.geo import Position
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, hold, touch, transition
from app.customers.models import Site
from app.day_plans import queries
from app.day_plans.models import DayPlan
from app.day_plans.planning import Request, Wish
from app.positions.datum import Datum, to_wgs84
from app.positions.regions import Region
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor
from app.visits import operations as visits
from app.visits.models import Visit
from push.outbox import enqueue

MOST_VISITS = 60
MOST_BREAKS = 5
_LONGEST = timedelta(hours=24)
_PAST, _AHEAD = timedelta(days=1), timedelta(days=31)
_MOST_WAITING = 5
_MOST_TRIES = 3
_LEASE = timedelta(seconds=60)
# How wide the window is that a visit gets when a plan is taken over.
_WINDOW = timedelta(minutes=15)
_MOST_NAMED = 10
_KEPT = timedelta(days=30)


def ask_for_plan(session: Session, settings: Settings, actor: Actor, wanted: Mapping[str, Any]) -> DayPlan:
    """Ask for the order of a day's visits: a rep for their own, the office for anybody's. The worker answers in the row.

    Args:
        wanted: see ``schemas.PlanDaySchema``.

    Raises:
        FieldsInvalid: ``already_exists`` (id), ``unknown_reference`` (user_id, visit_ids, locked_ids), ``out_of_range``
            (starts_at, ends_at, breaks), ``required`` (user_id, end_lat, end_lon), ``duplicate`` (visit_ids).
        Conflict: ``day_empty``, ``day_too_full``, ``day_plans_waiting``.
    """
    user_id = _rep(session, actor, wanted.get("user_id"))
    _check_times(session, wanted)
    if wanted.get("id") and session.get(DayPlan, wanted["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    session.refresh(session.get_one(User, user_id), with_for_update={"key_share": True})  # so that the bound holds
    if queries.waiting(session, user_id) >= _MOST_WAITING:
        raise Conflict("day_plans_waiting", most=_MOST_WAITING)
    day, since, until = _day_of(settings, wanted["starts_at"])
    found = _visits(session, actor, user_id, wanted, since, until)
    locked = set(wanted.get("locked_ids", ()))
    if locked - {visit.id for visit, _ in found}:
        raise FieldsInvalid({"locked_ids": ["unknown_reference"]})
    start, end = _places(settings, wanted)
    row = DayPlan(
        user_id=user_id,
        day=day,
        starts_at=wanted["starts_at"],
        ends_at=wanted["ends_at"],
        start_lat=start.lat,
        start_lon=start.lon,
        end_lat=end.lat if end else None,
        end_lon=end.lon if end else None,
        breaks=[{"from_ms": to_ms(one["since"]), "until_ms": to_ms(one["until"])} for one in wanted.get("breaks", ())],
        whole_day=not wanted.get("visit_ids"),
        keep_windows=wanted["keep_windows"],
        grace_minutes=wanted["grace_minutes"],
        given={
            "visits": [_as_given(settings, visit, site, visit.id in locked) for visit, site in found],
            "km_h": settings.travel_km_h,
            "time_zone": settings.time_zone.key,
        },
        state="queued",
    )
    if wanted.get("id"):
        row.id = wanted["id"]
    add(session, row)
    record(session, "day_plan.asked", Subject("day_plan", row.id), actor_id=actor.id, day=day.isoformat(), visits=len(found))
    return row


def _rep(session: Session, actor: Actor, user_id: str | None) -> str:
    if user_id is None or user_id == actor.id:
        if actor.role != REP:
            raise FieldsInvalid({"user_id": ["required"]})
        return actor.id
    rep = users.visible_to(actor).where(User.id == user_id, User.role == REP, User.state == "active", User.partner_id.is_(None))
    if not actor.sees_all or session.scalar(rep.with_only_columns(User.id)) is None:
        raise FieldsInvalid({"user_id": ["unknown_reference"]})
    return user_id


def _check_times(session: Session, wanted: Mapping[str, Any]) -> None:
    starts, ends, present = wanted["starts_at"], wanted["ends_at"], now(session)
    faults: dict[str, list[str]] = {}
    if not present - _PAST <= starts <= present + _AHEAD:
        faults["starts_at"] = ["out_of_range"]
    if not starts < ends <= starts + _LONGEST:
        faults["ends_at"] = ["out_of_range"]
    at = starts
    for one in wanted.get("breaks", ()):
        if not at <= one["since"] < one["until"] <= ends:
            faults["breaks"] = ["out_of_range"]
        at = one["until"]
    if (wanted.get("end_lat") is None) != (wanted.get("end_lon") is None):
        faults["end_lat" if wanted.get("end_lat") is None else "end_lon"] = ["required"]
    if faults:
        raise FieldsInvalid(faults)


def _day_of(settings: Settings, at: datetime) -> tuple[Any, datetime, datetime]:
    """Return the local day of an instant, and when it begins and ends."""
    day = at.astimezone(settings.time_zone).date()
    begins = datetime.combine(day, time(), settings.time_zone)
    ends = datetime.combine(day + timedelta(days=1), time(), settings.time_zone)
    return day, begins.astimezone(UTC), ends.astimezone(UTC)


def _visits(
    session: Session, actor: Actor, user_id: str, wanted: Mapping[str, Any], since: datetime, until: datetime
) -> list[tuple[Visit, Site]]:
    """Return the visits to be ordered, in the order given."""
    ids: Sequence[str] = wanted.get("visit_ids") or ()
    if len(set(ids)) < len(ids):
        raise FieldsInvalid({"visit_ids": ["duplicate"]})
    if ids:
        known = queries.visits_by_id(session, actor, user_id, ids)
        if set(ids) - set(known) or any(visit.state not in {"planned", "in_progress"} for visit, _ in known.values()):
            raise FieldsInvalid({"visit_ids": ["unknown_reference"]})
        return [known[visit_id] for visit_id in ids]
    found = queries.visits_of_day(session, user_id, since, until, MOST_VISITS + 1)
    if not found:
        raise Conflict("day_empty")
    if len(found) > MOST_VISITS:
        raise Conflict("day_too_full", most=MOST_VISITS)
    return found


def _places(settings: Settings, wanted: Mapping[str, Any]) -> tuple[Position, Position | None]:
    """Return where the day starts and ends in WGS-84; of an unknown datum as told, for some hundred metres matter little."""
    shifted, datum = frozenset(map(Region, settings.shifted_regions)), Datum(wanted["datum"])
    start = to_wgs84(Position(wanted["start_lat"], wanted["start_lon"]), datum, shifted).position
    if wanted.get("end_lat") is None:
        return start, None
    return start, to_wgs84(Position(wanted["end_lat"], wanted["end_lon"]), datum, shifted).position


def _as_given(settings: Settings, visit: Visit, site: Site, is_locked: bool) -> dict[str, Any]:
    lacks = "in_progress" if visit.state == "in_progress" else "site_gone" if site.deleted_at is not None else None
    if lacks is None and site.lat == 0 and site.lon == 0:  # what forms and imports hold that were never filled in
        lacks = "no_position"
    return {
        "visit_id": visit.id,
        "number": visit.number,
        "version": visit.version,
        "site_id": site.id,
        "site_version": site.version,
        "lat": site.lat,
        "lon": site.lon,
        "opening_hours": site.opening_hours,
        "from_ms": to_ms(visit.planned_from),
        "until_ms": to_ms(visit.planned_until),
        "length_minutes": visit.length_minutes or settings.visit_minutes,
        "locked": is_locked,
        "lacks": lacks,
    }


def take_next(session: Session) -> tuple[str, int, Request] | None:
    """Take the plan that waits longest, for a minute; of several workers each gets another one.

    Returns:
        Its id, which try it is, and what is to be planned; None when nothing waits. A plan that was begun three times without
        an answer is given up.
    """
    while (row := queries.next_due(session)) is not None:
        if row.tries < _MOST_TRIES:
            until = database_now(session) + _LEASE
            transition(session, row, "running", tries=row.tries + 1, leased_until=until)
            return row.id, row.tries, _request(row, calendar_of(session))
        asked = last_entry(session, Subject("day_plan", row.id))
        transition(session, row, "failed", leased_until=None)
        record(session, "day_plan.failed", Subject("day_plan", row.id), causes=[asked], tries=row.tries)
    return None


def _request(row: DayPlan, calendar: Calendar) -> Request:
    grace_s = row.grace_minutes * 60
    return Request(
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        start=Position(row.start_lat, row.start_lon),
        back=None if row.end_lat is None or row.end_lon is None else Position(row.end_lat, row.end_lon),
        breaks=tuple((from_ms(one["from_ms"]), from_ms(one["until_ms"])) for one in row.breaks),
        wishes=tuple(
            Wish(
                visit_id=one["visit_id"],
                number=one["number"],
                place=Position(one["lat"], one["lon"]),
                opening_hours=one["opening_hours"],
                from_ms=one["from_ms"],
                until_ms=one["until_ms"],
                length_s=one["length_minutes"] * 60,
                is_bound=row.keep_windows or one["locked"],
                grace_s=0 if one["locked"] else grace_s,
                lacks=one["lacks"],
            )
            for one in row.given["visits"]
        ),
        km_h=row.given["km_h"],
        time_zone=row.given["time_zone"],
        calendar=calendar,
    )


def answer(session: Session, plan_id: str, attempt: int, found: dict[str, Any]) -> bool:
    """Write what was worked out, unless somebody else has taken the plan since; tell whether it was written.

    Args:
        attempt: which try it is of, as ``take_next`` told.
    """
    row = hold(session, DayPlan, plan_id)
    if row.state != "running" or row.tries != attempt:
        return False
    about = Subject("day_plan", row.id)
    asked = last_entry(session, about)
    transition(session, row, "ready", answer=found, leased_until=None)
    stops, left = len(found["stops"]), len(found["left_out"])
    record(session, "day_plan.ready", about, causes=[asked], stops=stops, left_out=left)
    return True


def apply_plan(session: Session, actor: Actor, plan: DayPlan) -> DayPlan:
    """Take a plan over: each of its visits gets the window in which it is to begin. A locked one keeps its own.

    Raises:
        Conflict: ``state_conflict`` unless it is ready; ``day_changed`` with the numbers of the visits that are not as they were
            when it was asked for, that are new on the day, or whose sites changed.
    """
    row = hold(session, DayPlan, plan.id)
    about = Subject("day_plan", row.id)
    ready = last_entry(session, about)
    transition(session, row, "applied")
    held = _held_visits(session, row)
    if changed := _changed(session, row, held):
        raise Conflict("day_changed", numbers=", ".join(changed[:_MOST_NAMED]), count=len(changed))
    entry = record(session, "day_plan.applied", about, causes=[ready], actor_id=actor.id)
    found = row.answer or {"stops": [], "left_out": []}
    moved = [stop for stop in found["stops"] if not _given(row, stop["visit_id"])["locked"]]
    for stop in moved:
        _move(session, actor, row, held[stop["visit_id"]], stop["begins_ms"], entry)
    if actor.id != row.user_id:
        enqueue(
            session,
            [session.get_one(User, row.user_id)],
            "route_set",
            about,
            dedupe=f"day_plan:{row.id}:applied",
            causes=[entry],
            starts_at=row.starts_at.isoformat(),
            visits=len(moved),
            left_out=len(found["left_out"]),
        )
    return row


def _given(row: DayPlan, visit_id: str) -> dict[str, Any]:
    return next(one for one in row.given["visits"] if one["visit_id"] == visit_id)


def _held_visits(session: Session, row: DayPlan) -> dict[str, Visit]:
    """Load the plan's visits as they are this instant, and keep them from others until the commit."""
    ids = [one["visit_id"] for one in row.given["visits"]]
    query = select(Visit).where(Visit.id.in_(ids)).order_by(Visit.id).with_for_update(key_share=True)
    return {visit.id: visit for visit in session.scalars(query.execution_options(populate_existing=True))}


def _changed(session: Session, row: DayPlan, held: Mapping[str, Visit]) -> list[str]:
    """Return the numbers of the visits by which the day is another one than was planned."""
    sites = {one["site_id"] for one in row.given["visits"]}
    rows = session.execute(select(Site.id, Site.version).where(Site.id.in_(sorted(sites))))
    versions = {site.id: site.version for site in rows}
    changed = []
    for one in row.given["visits"]:
        visit = held.get(one["visit_id"])
        if visit is None or visit.version != one["version"] or versions.get(one["site_id"]) != one["site_version"]:
            changed.append(one["number"])
    if row.whole_day:
        zone = ZoneInfo(row.given["time_zone"])
        since = datetime.combine(row.day, time(), zone).astimezone(UTC)
        until = datetime.combine(row.day + timedelta(days=1), time(), zone).astimezone(UTC)
        of_day = queries.visits_of_day(session, row.user_id, since, until, MOST_VISITS + 1)
        changed += [visit.number for visit, _ in of_day if visit.id not in held]
    return changed


def _move(session: Session, actor: Actor, row: DayPlan, visit: Visit, begins_ms: int, because: HistoryEntry) -> None:
    begins = from_ms(begins_ms)
    until = begins + _WINDOW
    if row.keep_windows:  # what was promised is not stretched
        until = max(begins, min(until, visit.planned_until))
    visits.move_visit(session, actor, visit, {"planned_from": begins, "planned_until": until}, because)


def forget_old(session: Session) -> int:
    """Bury plans of days long past, so that phones drop them; return how many."""
    oldest = (now(session) - _KEPT).date()
    query = select(DayPlan).where(DayPlan.day < oldest, DayPlan.deleted_at.is_(None)).limit(500)
    found = list(session.scalars(query))
    for row in found:
        row.deleted_at = now(session)
        touch(session, row)
    return len(found)
