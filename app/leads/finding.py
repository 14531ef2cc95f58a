"""What leads are found by: whole ones by all that is known of them, those in the pool by what the pool shows."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from app.core.db import among
from app.leads import queries
from app.leads.models import Lead, PoolLead
from app.search.operations import rekey
from app.search.searchables import Searchable, declare_searchable
from app.search.terms import Text, custom_texts
from app.users.rights import Actor

# Of an interest: what is written behind it is found on no terms, for all words of it would be too many.
_LONGEST_INTEREST = 120


def keep_findable(session: Session, lead: Lead) -> None:
    """Keep the search terms of a lead as it is now."""
    rekey(session, "lead", {lead.id: lead_texts(session, [lead.id]).get(lead.id, [])})


def keep_pool_findable(session: Session, shown: PoolLead) -> None:
    """Keep the search terms of what the pool shows of a lead; none once it is not in the pool."""
    rekey(session, "pool_lead", {shown.id: pool_texts(session, [shown.id]).get(shown.id, [])})


def lead_texts(session: Session, ids: Collection[str]) -> dict[str, list[Text]]:
    """Return what leads are found by."""
    rows = session.scalars(select(Lead).where(among(session, Lead.id, sorted(ids)), Lead.deleted_at.is_(None)))
    return {row.id: _of_lead(row) for row in rows}


def _of_lead(row: Lead) -> list[Text]:
    texts = [Text("name", row.name, "name"), Text("number", row.number, "code"), Text("phone", row.phone, "phone")]
    texts += [Text("company", row.company, "name")] if row.company else []
    texts += [Text("email", row.email, "label")] if row.email else []
    return [*texts, Text("interest", row.interest[:_LONGEST_INTEREST], "label"), *custom_texts(row.custom)]


def pool_texts(session: Session, ids: Collection[str]) -> dict[str, list[Text]]:
    """Return what leads in the pool are found by: neither name nor telephone number, for the pool shows none."""
    rows = session.scalars(select(PoolLead).where(among(session, PoolLead.id, sorted(ids)), PoolLead.deleted_at.is_(None)))
    return {
        row.id: [Text("number", row.number, "code"), Text("interest", row.interest[:_LONGEST_INTEREST], "label")] for row in rows
    }


def _found_in_pool(actor: Actor) -> Select[PoolLead]:
    """Return what an actor finds of the pool: whoever sees its leads whole finds those, not each twice."""
    pool = queries.visible_pool(actor)
    return pool.where(false()) if actor.sees_all else pool


declare_searchable(Searchable("lead", Lead, "leads.read", queries.visible_to, lead_texts, lambda row: (row.name, row.number)))
declare_searchable(
    Searchable("pool_lead", PoolLead, "leads.read", _found_in_pool, pool_texts, lambda row: (row.number, row.interest))
)
