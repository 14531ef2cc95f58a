"""Making the visits of plans: what is due within 14 days, once for each site and period, and following what changes.

One decision serves the job and the preview. A period asks for one visit: one that was made or planned otherwise meanwhile
counts. Two processes that plan at once wait for each other at the plan's row; the key of plan, site and period is unique besides.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.calendar.queries import calendar_of
from app.core.db import among, now
from app.core.history import Subject, last_entry, record
from app.core.locales import EN
from app.core.numbers import next_number
from app.core.settings import Settings
from app.core.tracked import add, hold, touch, try_transition
from app.customers.models import Customer, Site
from app.users.models import User
from app.users.rights import REP
from app.visit_plans.models import VisitPlan
from app.visit_plans.periods import Period, day_in, periods, spread_of
from app.visit_plans.segments import sites_of
from app.visits.days import at_time, begins, day_of
from app.visits.models import Visit

HORIZON_DAYS = 14
_BATCH = 200
# Why a visit that a plan had made was called off: (English, Chinese).
CALLED_OFF = {
    "visited_meanwhile": ("The customer was visited meanwhile.", "该客户近期已拜访。"),
    "plan_switched_off": ("The visit plan was switched off.", "拜访计划已停用。"),
    "left_the_plan": ("The site is not part of the visit plan any more.", "该站点已不在拜访计划范围内。"),
}


@dataclass(frozen=True)
class Proposal:
    """What comes of one site in one period. ``visit``: the one that counts already; ``day``: the one it falls on."""

    site: Site
    user_id: str | None
    period: Period
    outcome: str
    day: date | None = None
    visit: Visit | None = None


def horizon(session: Session, settings: Settings) -> tuple[date, date]:
    """Return the first and the last day for which visits are planned."""
    today = day_of(settings, now(session))
    return today, today + timedelta(days=HORIZON_DAYS - 1)


def propose(session: Session, settings: Settings, plan: VisitPlan, sites: Sequence[Site]) -> list[Proposal]:
    """Decide for some sites of a plan what is due within the horizon, and why not."""
    today, until = horizon(session, settings)
    asked = periods(plan.every_days, plan.times_per_month, plan.starts_on, today, until)
    if not asked or not sites:
        return []
    reps = _reps(session, sites)
    visits = _visits_at(session, settings, plan, sites, asked)
    is_worked = calendar_of(session).is_worked
    found = []
    for site in sites:
        for period in asked:
            counting = _counting(settings, plan, period, visits[site.id])
            if counting is not None:
                found.append(Proposal(site, counting.user_id, period, _already(plan, counting), visit=counting))
                continue
            day = day_in(period, is_worked, spread_of(plan.id, site.id), today)
            found.append(Proposal(site, reps.get(site.customer_id), period, _outcome(reps, site, day, until), day))
    return found


def _outcome(reps: Mapping[str, str], site: Site, day: date | None, until: date) -> str:
    if site.customer_id not in reps:
        return "no_rep"
    if day is None:
        return "no_working_day"
    return "due" if day <= until else "not_yet"


def _already(plan: VisitPlan, visit: Visit) -> str:
    if visit.plan_id == plan.id:
        return "planned_by_this_plan"
    return "planned_otherwise" if visit.state == "planned" else "visited_meanwhile"


def _reps(session: Session, sites: Sequence[Site]) -> dict[str, str]:
    """Return who is in charge of the customers of some sites, where that is an active rep of the organisation's own."""
    active = (User.role == REP, User.state == "active", User.partner_id.is_(None), User.deleted_at.is_(None))
    owned = select(Customer.id, User.id).join(User, User.id == Customer.owner_id)
    ids = sorted({site.customer_id for site in sites})
    return {row[0]: row[1] for row in session.execute(owned.where(among(session, Customer.id, ids), *active))}


def _visits_at(
    session: Session, settings: Settings, plan: VisitPlan, sites: Sequence[Site], asked: Sequence[Period]
) -> defaultdict[str, list[Visit]]:
    """Return, by site, the visits that may count in some periods."""
    since, until = begins(settings, asked[0].first), begins(settings, asked[-1].last + timedelta(days=1))
    then = or_(
        and_(Visit.planned_from >= since, Visit.planned_from < until),
        and_(Visit.began_at >= since, Visit.began_at < until),
        and_(Visit.plan_id == plan.id, Visit.period.in_([period.key for period in asked])),
    )
    ids = [site.id for site in sites]
    visits = select(Visit).where(among(session, Visit.site_id, ids), Visit.deleted_at.is_(None), then)
    found: defaultdict[str, list[Visit]] = defaultdict(list)
    for visit in session.scalars(visits.order_by(Visit.id)):
        found[visit.site_id].append(visit)
    return found


def _counting(settings: Settings, plan: VisitPlan, period: Period, visits: Sequence[Visit]) -> Visit | None:
    """Return the visit that a period asks for, where there is one: the plan's own, whatever became of it, else another."""
    own = [visit for visit in visits if visit.plan_id == plan.id and visit.period == period.key]
    return next(iter(own or [visit for visit in visits if _counts(settings, plan, period, visit)]), None)


def _counts(settings: Settings, plan: VisitPlan, period: Period, visit: Visit) -> bool:
    """Tell whether a visit that is not the plan's own for a period is what the period asks for."""
    if visit.type_id not in {None, plan.type_id} or visit.plan_id == plan.id:
        return False
    if visit.state in {"in_progress", "finished"} and visit.began_at is not None:
        return period.holds(day_of(settings, visit.began_at))
    return visit.state == "planned" and period.holds(day_of(settings, visit.planned_from))


def plan_batch(session: Session, settings: Settings, plan_id: str, after: str) -> tuple[int, str | None]:
    """Plan for the next sites of a plan; return how many visits that changed, and the last site, None at the end."""
    plan = hold(session, VisitPlan, plan_id)
    if not plan.active:
        return 0, None
    sites = list(session.scalars(sites_of(plan.conditions).where(Site.id > after).order_by(Site.id).limit(_BATCH)))
    done = 0
    for proposal in propose(session, settings, plan, sites):
        if proposal.outcome == "due":
            _make(session, settings, plan, proposal)
            done += 1
    done += _follow(session, settings, plan, sites)
    return done, sites[-1].id if len(sites) == _BATCH else None


def _make(session: Session, settings: Settings, plan: VisitPlan, proposal: Proposal) -> None:
    day, site = proposal.day, proposal.site
    assert day is not None  # noqa: S101 - what is due has a day
    visit = add(
        session,
        Visit(
            number=next_number(session, "V"),
            customer_id=site.customer_id,
            site_id=site.id,
            user_id=proposal.user_id,
            purpose=plan.purpose,
            planned_from=at_time(settings, day, time.fromisoformat(plan.from_time)),
            planned_until=at_time(settings, day, time.fromisoformat(plan.until_time)),
            state="planned",
            type_id=plan.type_id,
            plan_id=plan.id,
            period=proposal.period.key,
        ),
    )
    last = select(Visit.id).where(Visit.site_id == site.id, Visit.state == "finished").order_by(Visit.ended_at.desc()).limit(1)
    before = session.scalar(last)
    record(
        session,
        "visit.planned_by_plan",
        Subject("visit", visit.id),
        causes=[
            last_entry(session, Subject("visit_plan", plan.id)),
            last_entry(session, Subject("visit", before), "visit.ended") if before is not None else None,
        ],
        number=visit.number,
        plan=plan.name,
        first=proposal.period.first.isoformat(),
        last=proposal.period.last.isoformat(),
    )


def _ahead(session: Session, plan: VisitPlan) -> list[Visit]:
    """Return what a plan has planned and nobody has begun, kept from others."""
    mine = select(Visit).where(Visit.plan_id == plan.id, Visit.state == "planned", Visit.deleted_at.is_(None))
    return list(session.scalars(mine.order_by(Visit.id).with_for_update().execution_options(populate_existing=True)))


def _follow(session: Session, settings: Settings, plan: VisitPlan, sites: Sequence[Site]) -> int:
    """Let planned visits at some sites follow who is in charge, and call off those whose customer was visited meanwhile."""
    ids = {site.id for site in sites}
    ahead = [visit for visit in _ahead(session, plan) if visit.site_id in ids]
    if not ahead:
        return 0
    reps = _reps(session, sites)
    today, until = horizon(session, settings)
    first = min(today, *(day_of(settings, visit.planned_from) for visit in ahead))
    asked = {one.key: one for one in periods(plan.every_days, plan.times_per_month, plan.starts_on, first, until)}
    visits = _visits_at(session, settings, plan, sites, sorted(asked.values(), key=lambda one: one.first)) if asked else {}
    done = 0
    for visit in ahead:
        period = asked.get(visit.period or "")
        others = [one for one in visits.get(visit.site_id, ()) if one.state == "finished"]
        made = [one for one in others if period is not None and _counts(settings, plan, period, one)]
        rep = reps.get(visit.customer_id)
        if made:
            done += _cancel(session, visit, "visited_meanwhile", Subject("visit", made[0].id))
        elif rep is not None and rep != visit.user_id:
            _hand_over(session, visit, rep)
            done += 1
    return done


def _hand_over(session: Session, visit: Visit, rep: str) -> None:
    about = Subject("visit", visit.id)
    was, visit.user_id = visit.user_id, rep
    touch(session, visit)
    causes = [last_entry(session, about), last_entry(session, Subject("customer", visit.customer_id))]
    record(session, "visit.handed_over", about, causes=causes, from_id=was, to_id=rep)


def call_off(session: Session, plan_id: str) -> int:
    """Call off what a plan had planned and does not want any more; return how many visits."""
    plan = hold(session, VisitPlan, plan_id)
    ahead = _ahead(session, plan)
    if not ahead:
        return 0
    wanted = set()
    if plan.active:
        still = sites_of(plan.conditions).where(among(session, Site.id, sorted({visit.site_id for visit in ahead})))
        wanted = set(session.scalars(still.with_only_columns(Site.id)))
    reason = "left_the_plan" if plan.active else "plan_switched_off"
    about = Subject("visit_plan", plan.id)
    return sum(_cancel(session, visit, reason, about) for visit in ahead if visit.site_id not in wanted)


def _cancel(session: Session, visit: Visit, reason: str, because: Subject) -> int:
    words = CALLED_OFF[reason][0 if session.get_one(User, visit.user_id).locale == EN else 1]
    about = Subject("visit", visit.id)
    causes = [last_entry(session, about), last_entry(session, because)]
    if not try_transition(session, visit, "cancelled", expect=("planned",), cancel_reason=words):
        return 0
    record(session, "visit.cancelled", about, causes=causes, reason=reason)
    return 1
