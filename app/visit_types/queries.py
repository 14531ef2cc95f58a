"""The only readers of visit types and kits."""

from __future__ import annotations

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.users.rights import Actor, allows
from app.visit_types.models import VisitKit, VisitType


def visible_to(actor: Actor) -> Select[VisitType]:
    """Return the visit types: all of them to whoever reads visits, nothing to others."""
    found = select(VisitType).where(VisitType.deleted_at.is_(None))
    return found if allows(actor, "visits.read") else found.where(false())


def visible_kits(actor: Actor) -> Select[VisitKit]:
    """Return every version of the visit types an actor may see."""
    found = select(VisitKit).where(VisitKit.deleted_at.is_(None))
    return found if allows(actor, "visits.read") else found.where(false())


def access_type(session: Session, actor: Actor, type_id: str) -> VisitType:
    """Load one visit type the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), VisitType, type_id)


def kit_of(session: Session, type_id: str, kit_id: str | None = None) -> VisitKit:
    """Return a kit of a visit type.

    Args:
        kit_id: the one a phone had; where it is none of this type's, or None, the newest.
    """
    kits = select(VisitKit).where(VisitKit.type_id == type_id)
    if kit_id is not None and (told := session.scalar(kits.where(VisitKit.id == kit_id))) is not None:
        return told
    return session.scalars(kits.order_by(VisitKit.number.desc()).limit(1)).one()
