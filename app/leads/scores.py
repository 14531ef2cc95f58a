"""The office's score documents: tried out on the leads there are, switched on, and then every lead is scored anew."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from app.core.db import among, now
from app.core.errors import FieldsInvalid, Invalid
from app.core.history import Subject, last_entry, record
from app.core.ids import new_id
from app.core.tracked import touch
from app.leads import queries
from app.leads.conditions import check_own
from app.leads.deriving import derive, follow_pool
from app.leads.models import LIVE_STATES, Lead, LeadRouting, LeadScoreVersion
from app.leads.routings import read_routing
from app.leads.scoring import ScoreDocument, read_score, score_of
from app.territories import queries as territories
from app.territories.models import Territory
from app.users.models import User
from app.users.rights import REP, Actor

# A trial looks at so many leads, the newest; the job scores so many in one transaction, and so many times at a run.
MOST_TRIED = 2_000
_PAGE, _MOST_PAGES = 100, 20
_MOST_NAMED = 10
_STEP = 10


def set_score(session: Session, actor: Actor, territory_id: str | None, document: dict[str, Any] | None) -> LeadScoreVersion:
    """Switch a new version of a score on, everywhere or in one territory; the worker then scores its leads anew.

    Args:
        territory_id: where; None: wherever no territory has its own.
        document: what counts; None: the territory has no score of its own any more.

    Raises:
        Invalid: ``document_invalid`` with what is wrong.
        FieldsInvalid: ``unknown_reference`` (territory_id); ``required`` (document) where it is for everywhere.
    """
    _check_area(session, actor, territory_id)
    if document is not None:
        check_score(session, territory_id, document)
    elif territory_id is None:
        raise FieldsInvalid({"document": ["required"]})
    area = territory_id or queries.EVERYWHERE
    before = queries.newest_score(session, area)
    version = LeadScoreVersion(
        id=new_id(),
        area=area,
        territory_id=territory_id,
        number=before.number + 1 if before else 1,
        document=document,
        since=now(session),
        author_id=actor.id,
    )
    session.add(version)
    session.flush()
    cause = last_entry(session, Subject("lead_score", before.id)) if before else None
    record(session, "lead_score.set", Subject("lead_score", version.id), causes=[cause], actor_id=actor.id, number=version.number)
    return version


def _check_area(session: Session, actor: Actor, territory_id: str | None) -> None:
    if territory_id and session.scalar(territories.visible_to(actor).where(Territory.id == territory_id)) is None:
        raise FieldsInvalid({"territory_id": ["unknown_reference"]})


def check_score(session: Session, territory_id: str | None, raw: dict[str, Any]) -> ScoreDocument:
    """Read and check a document for the leads of a territory, or for those everywhere.

    Raises:
        Invalid: ``document_invalid`` with what is wrong.
    """
    own = queries.own_fields(session)
    shared = {name for name, field in own.items() if field.territory_id in (None, territory_id)}
    try:
        document = read_score(raw)
        document.check_own({name: own[name] for name in shared} if territory_id else own, shared)
    except ValueError as fault:
        raise Invalid("document_invalid", reason=str(fault)) from None
    return document


def set_routing(session: Session, actor: Actor, document: dict[str, Any]) -> LeadRouting:
    """Switch a new version of the rules on by which new leads find their rep.

    Raises:
        Invalid: ``document_invalid`` with what is wrong.
        FieldsInvalid: ``unknown_reference`` (document) where it names somebody who is no active rep.
    """
    try:
        routing = read_routing(document)
        own = queries.own_fields(session)
        for condition in (one for rule in routing.rules for one in rule.conditions):
            check_own(condition, own)
    except ValueError as fault:
        raise Invalid("document_invalid", reason=str(fault)) from None
    named = {user_id for rule in routing.rules for user_id in rule.reps}
    reps = select(User.id).where(
        among(session, User.id, sorted(named)), User.role == REP, User.state == "active", User.partner_id.is_(None)
    )
    if named and named != set(session.scalars(reps)):
        raise FieldsInvalid({"document": ["unknown_reference"]})
    before = session.scalar(select(LeadRouting.number).order_by(LeadRouting.number.desc()).limit(1)) or 0
    version = LeadRouting(number=before + 1, document=document, since=now(session), author_id=actor.id)
    session.add(version)
    session.flush()
    about = Subject("lead_routing", "lead_routing")
    record(session, "lead_routing.set", about, causes=[last_entry(session, about)], actor_id=actor.id, number=version.number)
    return version


def try_score(session: Session, actor: Actor, territory_id: str | None, raw: dict[str, Any]) -> dict[str, Any]:
    """Show what a draft would make of the live leads it would score; nothing is written.

    Returns:
        How many leads were looked at and whether that were all, how many have which score before and after by tens, and
        who rises and falls most.

    Raises:
        Invalid: ``document_invalid`` with what is wrong.
        FieldsInvalid: ``unknown_reference`` (territory_id).
    """
    _check_area(session, actor, territory_id)
    document = check_score(session, territory_id, raw)
    concerned = _live() & _of_area(session, territory_id)
    leads = list(session.scalars(select(Lead).where(concerned).order_by(Lead.id.desc()).limit(MOST_TRIED + 1)))
    cut, leads = len(leads) > MOST_TRIED, leads[:MOST_TRIED]
    tried = [(lead, lead.score, score_of(document, queries.facts_of(lead)).points) for lead in leads]
    moved = sorted((one for one in tried if one[1] != one[2]), key=lambda one: (one[1] - one[2], one[0].id))
    return {
        "leads": len(leads),
        "cut": cut,
        "changed": len(moved),
        "before": _by_tens([before for _, before, _ in tried]),
        "after": _by_tens([after for _, _, after in tried]),
        "risers": [_moved(*one) for one in moved if one[2] > one[1]][:_MOST_NAMED],
        "fallers": [_moved(*one) for one in reversed(moved) if one[2] < one[1]][:_MOST_NAMED],
    }


def _by_tens(scores: Sequence[int]) -> list[int]:
    """Return how many scores lie in 0-9, 10-19, … 80-89, and 90-100."""
    counts = [0] * 10
    for score in scores:
        counts[min(score // _STEP, 9)] += 1
    return counts


def _moved(lead: Lead, before: int, after: int) -> dict[str, Any]:
    return {"lead_id": lead.id, "number": lead.number, "name": lead.name, "before": before, "after": after}


def _live() -> ColumnElement[bool]:
    return and_(Lead.state.in_(LIVE_STATES), Lead.deleted_at.is_(None))


def _of_area(session: Session, territory_id: str | None) -> ColumnElement[bool]:
    """Return the condition for the leads that a score scores: of a territory, or of all that have none of their own."""
    if territory_id:
        return Lead.territory_id == territory_id
    return or_(Lead.territory_id.is_(None), Lead.territory_id.not_in(sorted(queries.own_areas(session))))


def stale_pages(session: Session) -> list[str]:
    """Return areas whose live leads another version scored than the one in force, each as often as it has pages to do."""
    pages: list[str] = []
    for area in (*sorted(queries.own_areas(session)), queries.EVERYWHERE):
        count = session.scalar(select(func.count()).select_from(Lead).where(_stale(session, area))) or 0
        pages += [area] * math.ceil(count / _PAGE)
    return pages[:_MOST_PAGES]


def _stale(session: Session, area: str) -> ColumnElement[bool]:
    version, _ = queries.score_in_force(session, area or None)
    return and_(_live(), _of_area(session, area or None), Lead.scored_by != version)


def rescore(session: Session, area: str) -> int:
    """Score one page of an area's leads anew, by the version in force; return how many."""
    held = select(Lead).where(_stale(session, area)).order_by(Lead.id).limit(_PAGE)
    leads = session.scalars(held.with_for_update(key_share=True)).all()
    version, _ = queries.score_in_force(session, area or None)
    cause = last_entry(session, Subject("lead_score", version))
    for lead in leads:
        before, known = lead.score, lead.completeness
        derive(session, lead)
        touch(session, lead)
        if (lead.score, lead.completeness) != (before, known):
            follow_pool(session, lead)
        if lead.score != before:
            record(session, "lead.rescored", Subject("lead", lead.id), causes=[cause], score=lead.score, before=before)
    return len(leads)
