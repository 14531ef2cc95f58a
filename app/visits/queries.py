"""The only readers of visits and check-ins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import Session

from app.core.db import Base, among
from app.core.errors import Forbidden, NotFound
from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.follow_ups.references import declare_visit_home
from app.users.rights import REP, Actor
from app.visit_types.models import VisitKit
from app.visits.models import CheckIn, StepResult, Visit


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``Visit``: a rep's own, and those at customers they are in charge of."""
    if actor.sees_all:
        return true()
    if actor.role != REP or actor.partner_id is not None:
        return false()
    in_charge = select(Customer.id).where(customers.in_scope(actor))
    return or_(Visit.user_id == actor.id, Visit.customer_id.in_(in_charge))


def visible_to(actor: Actor) -> Select[Visit]:
    """Return the visits an actor may see."""
    return select(Visit).where(Visit.deleted_at.is_(None), in_scope(actor))


def access_visit(session: Session, actor: Actor, visit_id: str) -> Visit:
    """Load one visit the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Visit, visit_id)


def own_visit(session: Session, actor: Actor, visit_id: str) -> Visit:
    """Load one of the actor's own visits: nobody else checks in for them.

    Raises:
        NotFound: when there is none, or it is somebody else's.
    """
    visit = session.scalar(select(Visit).where(Visit.id == visit_id, Visit.user_id == actor.id, Visit.deleted_at.is_(None)))
    if visit is None:
        raise NotFound
    return visit


def writable_visit(session: Session, actor: Actor, visit_id: str) -> Visit:
    """Load one visit the actor may change: the office any, a rep their own.

    Raises:
        NotFound: when there is none, or none to see.
        Forbidden: when it is a colleague's.
    """
    visit = access_visit(session, actor, visit_id)
    if not actor.sees_all and visit.user_id != actor.id:
        raise Forbidden("forbidden")
    return visit


def visible_check_ins(actor: Actor) -> Select[CheckIn]:
    """Return the check-ins an actor may see: their own; the office all."""
    found = select(CheckIn).where(CheckIn.deleted_at.is_(None))
    return found if actor.sees_all else found.where(CheckIn.user_id == actor.id)


def access_check_in(session: Session, actor: Actor, check_in_id: str) -> CheckIn:
    """Load one check-in the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_check_ins(actor), CheckIn, check_in_id)


def in_progress(session: Session, user_id: str) -> Visit | None:
    """Return the visit a rep is at."""
    return session.scalar(select(Visit).where(Visit.user_id == user_id, Visit.state == "in_progress"))


def visible_results(actor: Actor) -> Select[StepResult]:
    """Return the results of the steps of visits an actor may see."""
    visits = visible_to(actor).with_only_columns(Visit.id)
    return select(StepResult).where(StepResult.deleted_at.is_(None), StepResult.visit_id.in_(visits))


def kits_of(session: Session, visits: Sequence[Visit]) -> dict[str, list[dict[str, Any]]]:
    """Return the steps of the kits some visits began with, by the kit's id."""
    ids = {visit.kit_id for visit in visits if visit.kit_id is not None and visit.lacking}
    kits = session.scalars(select(VisitKit).where(among(session, VisitKit.id, sorted(ids)))) if ids else ()
    return {kit.id: kit.steps for kit in kits}


def is_in_shift(session: Session, user_id: str) -> bool:
    """Tell whether a shift of a rep runs, in which their track is recorded."""
    shifts = Base.metadata.tables["track_shifts"].c  # by name: tracks lie in a room above
    running = (shifts.user_id == user_id, shifts.state == "running", shifts.deleted_at.is_(None))
    return session.execute(select(shifts.id).where(*running)).first() is not None


def _home_of(session: Session, actor: Actor, visit_id: str) -> str:
    return access_visit(session, actor, visit_id).customer_id


declare_visit_home(_home_of)
