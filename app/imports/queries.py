"""The only readers of imports, their rows and kept mappings."""

from __future__ import annotations

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session

from app.core.tracked import one_of
from app.imports.models import Import, ImportMapping, ImportRow
from app.users.rights import Actor


def visible_to(actor: Actor) -> Select[Import]:
    """Return the imports an actor may see: those of the principal's office, by its people."""
    found = select(Import).where(Import.deleted_at.is_(None))
    return found if actor.sees_all else found.where(false())


def access_import(session: Session, actor: Actor, import_id: str) -> Import:
    """Load one import the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Import, import_id)


def visible_mappings(actor: Actor) -> Select[ImportMapping]:
    """Return the kept mappings an actor may use."""
    found = select(ImportMapping).where(ImportMapping.deleted_at.is_(None))
    return found if actor.sees_all else found.where(false())


def access_mapping(session: Session, actor: Actor, mapping_id: str) -> ImportMapping:
    """Load one kept mapping.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_mappings(actor), ImportMapping, mapping_id)


def rows_of(import_id: str, *states: str) -> Select[ImportRow]:
    """Return the rows of an import, in their order; in some states only where any are named."""
    found = select(ImportRow).where(ImportRow.import_id == import_id).order_by(ImportRow.number)
    return found.where(ImportRow.state.in_(states)) if states else found


def counts(session: Session, import_id: str) -> dict[str, int]:
    """Return how many rows of an import are in each state, and of those that are ready how many make, change or leave.

    ``outranked``: how many say something of which a better source's value stays; ``to_outrank``: of which it would stay;
    ``waiting``: how many hold a code that stands for nothing yet.
    """
    own = ImportRow.import_id == import_id
    states = session.execute(select(ImportRow.state, func.count()).where(own).group_by(ImportRow.state))
    plans = session.execute(select(ImportRow.plan, func.count()).where(own, ImportRow.plan.is_not(None)).group_by(ImportRow.plan))
    ready = ImportRow.state == "ready"
    marked = {
        "outranked": (ImportRow.outranked.is_not(None), ~ready),
        "to_outrank": (ImportRow.outranked.is_not(None), ready),
        "waiting": (ImportRow.waiting.is_not(None),),
    }
    found = {**dict(states.all()), **{f"to_{plan}": count for plan, count in plans}}
    for name, conditions in marked.items():
        count = session.scalar(select(func.count()).select_from(ImportRow).where(own, *conditions))
        found |= {name: count} if count else {}
    return found
