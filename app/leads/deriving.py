"""What follows from a lead's fields: completeness, score, and what the pool shows of it."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.core.db import now
from app.core.tracked import add, touch
from app.leads import queries
from app.leads.finding import keep_pool_findable
from app.leads.masking import masked
from app.leads.models import Lead, PoolLead
from app.leads.scoring import score_of


def derive(session: Session, lead: Lead) -> None:
    """Compute a lead's completeness and score from its present fields; the caller writes it."""
    with session.no_autoflush:  # the caller's ``touch`` is to see which fields changed
        version, document = queries.score_in_force(session, lead.territory_id)
    lead.score, lead.score_reasons, lead.completeness, lead.missing = score_of(document, queries.facts_of(lead))
    lead.scored_by = version


def follow_pool(session: Session, lead: Lead) -> None:
    """Let the pool show a lead that is in it, as it is now, and no other."""
    shown = session.get(PoolLead, lead.id)
    if not lead.in_pool:
        if shown is not None and shown.deleted_at is None:
            shown.deleted_at = now(session)
            touch(session, shown)
            keep_pool_findable(session, shown)
        return
    values = {
        "number": lead.number,
        "name_start": lead.name[:1],
        "phone_end": lead.phone[-2:],
        "interest": masked(lead.interest),
        "territory_id": lead.territory_id,
        "source": masked(lead.source) if lead.source else None,
        "score": lead.score,
        "completeness": lead.completeness,
    }
    if shown is None:
        keep_pool_findable(session, add(session, PoolLead(id=lead.id, pooled_at=now(session), **values)))
        return
    if shown.deleted_at is not None:
        shown.deleted_at, shown.pooled_at = None, now(session)
    for name, value in values.items():
        setattr(shown, name, value)
    touch(session, shown)
    keep_pool_findable(session, shown)
