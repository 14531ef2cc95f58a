"""The only readers of territories."""

from __future__ import annotations

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.territories.models import Territory
from app.users.rights import Actor


def visible_to(actor: Actor) -> Select[Territory]:
    """Return the territories an actor may see: all for the office, else those assigned."""
    territories = select(Territory).where(Territory.deleted_at.is_(None))
    if actor.sees_all:
        return territories
    return territories.where(Territory.id.in_(sorted(actor.territory_ids)))


def every() -> Select[Territory]:
    """Return all territories, for what the product does by itself."""
    return select(Territory).where(Territory.deleted_at.is_(None))


def access_territory(session: Session, actor: Actor, territory_id: str) -> Territory:
    """Load one territory the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Territory, territory_id)
