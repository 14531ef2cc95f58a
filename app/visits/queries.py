"""The only readers of visits and check-ins."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import Session

from app.core.errors import Forbidden, NotFound
from app.customers import queries as customers
from app.customers.models import Customer
from app.users.rights import REP, Actor
from app.visits.models import CheckIn, Visit


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
    visit = session.scalar(visible_to(actor).where(Visit.id == visit_id))
    if visit is None:
        raise NotFound
    return visit


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
    check_in = session.scalar(visible_check_ins(actor).where(CheckIn.id == check_in_id))
    if check_in is None:
        raise NotFound
    return check_in


def in_progress(session: Session, user_id: str) -> Visit | None:
    """Return the visit a rep is at."""
    return session.scalar(select(Visit).where(Visit.user_id == user_id, Visit.state == "in_progress"))
