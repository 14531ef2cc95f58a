"""Weeks of field work at random: teams, territories, people, visits with check-ins, follow-ups and leads, written as rows."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import Database
from app.core.history import Subject, record
from app.core.settings import Settings
from app.core.tracked import add
from app.customers.models import Customer, Site
from app.follow_ups.models import FOLLOW_UP_KINDS, FollowUp
from app.leads.models import LEAD_STATES, Lead
from app.teams.models import Team
from app.territories.models import Territory
from app.visit_plans.models import VisitPlan
from app.visit_types.models import VisitType
from app.visits.models import VISIT_STATES, CheckIn, Visit
from tests.factories import make_user


@dataclass
class Fieldwork:
    """Ids of what there is. ``first`` to ``last``: the days it lies in, by the organisation's time zone."""

    first: date
    last: date
    manager: str = ""
    types: list[str] = field(default_factory=list)
    teams: list[str] = field(default_factory=list)
    territories: list[str] = field(default_factory=list)
    reps: list[str] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)


def make_fieldwork(db: Database, settings: Settings, dice: random.Random, first: date, *, days: int, visits: int) -> Fieldwork:
    """Write so many visits into some days, and about half as many follow-ups and leads; some lie just before and after."""
    made = Fieldwork(first, first + timedelta(days=days - 1))
    with db.transaction() as session:
        _make_people(session, settings, made, dice)
        plan = add(
            session,
            VisitPlan(name="p", conditions=[], purpose="", every_days=7, starts_on=first, from_time="09:00", until_time="10:00"),
        )
        begins = datetime.combine(first, datetime.min.time(), settings.time_zone)
        for number in range(visits):
            at = begins + timedelta(minutes=dice.randrange(-1440, (days + 1) * 1440))
            _make_visit(session, made, dice, number, at, plan.id)
            if number % 2:
                _make_follow_up(session, made, dice, at)
                _make_lead(session, made, dice, number, at)
    return made


def _make_people(session: Session, settings: Settings, made: Fieldwork, dice: random.Random) -> None:
    made.manager = make_user(session, settings, "manager", "boss").id
    made.types = [add(session, VisitType(code=f"t{n}", name_zh="x", name_en="x", active=True, number=1)).id for n in range(2)]
    made.teams = [add(session, Team(code=f"team{n}", name=f"Team {n}")).id for n in range(2)]
    areas = [add(session, Territory(code=f"area{n}", name=f"Area {n}")) for n in range(3)]
    made.territories = [area.id for area in areas]
    teams = [*made.teams, None, made.teams[0]]
    for n, team in enumerate(teams):
        made.reps.append(make_user(session, settings, "rep", f"rep{n}", team_id=team, territory_ids=made.territories[:2]).id)
    for n in range(6):
        owner = dice.choice(made.reps)
        customer = add(session, Customer(code=f"c{n}", name=f"C {n}", territory_id=areas[n % 3].id, owner_id=owner, custom={}))
        made.sites.append(add(session, Site(customer_id=customer.id, name="s", address="", lat=22.5, lon=114.0)))


def _make_visit(session: Session, made: Fieldwork, dice: random.Random, number: int, at: datetime, plan_id: str) -> None:
    site, rep = dice.choice(made.sites), dice.choice(made.reps)
    source = dice.choice(("plan", "plan", "plan", "track"))
    state = "finished" if source == "track" else dice.choice([one for one in VISIT_STATES if one != "in_progress"])
    came = at + timedelta(minutes=dice.randrange(-60, 60), seconds=dice.randrange(60)) if state == "finished" else None
    left = came + timedelta(seconds=dice.randrange(-600, 7200)) if came else None
    visit = add(
        session,
        Visit(
            number=f"V-{number}",
            customer_id=site.customer_id,
            site_id=site.id,
            user_id=rep,
            purpose="",
            planned_from=at,
            planned_until=at + timedelta(hours=1),
            state=state,
            source=source,
            began_at=came,
            ended_at=left,
            type_id=dice.choice((None, *made.types)),
            incomplete=state == "finished" and dice.random() < 0.3,
            **({"plan_id": plan_id, "period": f"{number}"} if source == "plan" and dice.random() < 0.5 else {}),
        ),
    )
    for leaving in (False, True):
        if (state == "finished" or (state == "no_show" and not leaving)) and dice.random() < 0.9:
            add(session, _check_in(visit, dice, came or at, leaving=leaving))


def _check_in(visit: Visit, dice: random.Random, at: datetime, *, leaving: bool) -> CheckIn:
    place: dict[str, Any] = {"told_lat": 22.5, "told_lon": 114.0, "lat": 22.5, "lon": 114.0, "datum": "wgs84", "told_ms": 0}
    return CheckIn(
        visit_id=visit.id,
        user_id=visit.user_id,
        leaving=leaving,
        at=at,
        nearness=dice.choice(("inside", "near", "outside", "unsure")),
        reasons=[],
        findings=[],
        score=100,
        grade=dice.choice(("clear", "doubtful")),
        photo_id=dice.choice((None, "a-photo-0001")),
        appeal=dice.choice((None, "it was right")),
        state=dice.choice(("accepted", "needs_review", "refused")),
        **place,
    )


def _make_follow_up(session: Session, made: Fieldwork, dice: random.Random, at: datetime) -> None:
    state = dice.choice(("logged", "open", "done"))
    due = at.date() + timedelta(days=dice.randrange(-3, 3))
    site = dice.choice(made.sites)
    row = FollowUp(customer_id=site.customer_id, user_id=dice.choice(made.reps), kind=dice.choice(FOLLOW_UP_KINDS), state=state)
    row.happened_at, row.next_due = at, None if state == "logged" else due
    add(session, row)


def _make_lead(session: Session, made: Fieldwork, dice: random.Random, number: int, at: datetime) -> None:
    owner = dice.choice((None, *made.reps))
    row = Lead(
        number=f"L-{number}", name="n", phone="+8613800138000", interest="x", owner_id=owner, state=dice.choice(LEAD_STATES)
    )
    row.territory_id = dice.choice((None, *made.territories))
    if owner is not None:
        row.assigned_at, row.first_touch_due_at = at, at + timedelta(hours=4)
        row.first_touch_at = dice.choice((None, at + timedelta(hours=1), at + timedelta(hours=5)))
    add(session, row)
    if owner is not None and dice.random() < 0.5:
        record(session, "lead.claimed", Subject("lead", row.id), actor_id=owner)
    lead = {"lead_id": row.id, "user_id": dice.choice(made.reps), "kind": "call", "happened_at": at}
    add(session, FollowUp(**lead, state="logged"))
