"""Why a spend stands as it does: which grants cover it, what was left on its day, and who took the rest before."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.history import Subject, last_entry
from app.entitlements.counting import count
from app.entitlements.fold import NOTHING, Grant, fold
from app.entitlements.models import COUNTED, EntitlementGrant, EntitlementSpend
from app.entitlements.queries import sees_customer, user_names
from app.entitlements.words import stands_in_words
from app.users.rights import CUSTOMER, Actor

MOST_EARLIER = 50


def why(session: Session, actor: Actor, row: EntitlementSpend) -> dict[str, Any]:
    """Explain a spend, as it follows from what is known now.

    Who does not see the customer any more reads how their own spend stands, and nothing of grants and other people.

    Returns:
        ``state`` and a sentence; ``grants`` that hold on its day, each with what was left before it and what it took;
        ``earlier``: the spends before it that took from these, the last first, at most 50; ``entry_id`` of the causal log.
    """
    entry = last_entry(session, Subject("entitlement_spend", row.id))
    own = {
        "id": row.id,
        "state": row.state,
        "amount": row.amount,
        "covered": row.covered,
        "text": stands_in_words(row, actor.locale),
        "entry_id": entry.id if entry is not None else None,
    }
    if not sees_customer(session, actor, row.customer_id):
        return own | {"left_then": None, "grants": [], "earlier": []}
    found = count(session, row.customer_id, row.kind_id)
    before = [one for one in found.spends if (one.happened_at, one.id) < (row.happened_at, row.id)]
    left = fold(found.grants, before).left
    holding = sorted((grant for grant in found.grants if grant.holds_on(row.day)), key=lambda grant: grant.turn)
    taken = {part["grant_id"]: part["amount"] for part in row.cover} if row.state in COUNTED else {}
    ids = {grant.id for grant in holding}
    earlier = [one for one in reversed(before) if any(part in ids for part, _ in found.standing.covers[one.id].parts)]
    rows = {one.id: one for one in found.rows}
    references = {} if actor.role == CUSTOMER else _references(session, ids)
    names = user_names(session, {rows[one.id].user_id for one in earlier[:MOST_EARLIER]})
    return own | {
        "left_then": sum((left[grant.id] for grant in holding), NOTHING),
        "grants": [
            _grant(grant, references.get(grant.id)) | {"left_then": left[grant.id], "taken": taken.get(grant.id, "0.00")}
            for grant in holding
        ],
        "earlier": [
            {
                "id": one.id,
                "happened_at": one.happened_at,
                "amount": one.amount,
                "covered": found.standing.covers[one.id].amount,
                "by": names.get(rows[one.id].user_id, ""),
            }
            for one in earlier[:MOST_EARLIER]
        ],
    }


def _references(session: Session, grant_ids: set[str]) -> dict[str, str]:
    """Return what orders grants come from; that is the organisation's."""
    found = select(EntitlementGrant.id, EntitlementGrant.reference).where(among(session, EntitlementGrant.id, sorted(grant_ids)))
    return {row.id: row.reference for row in session.execute(found)}


def _grant(grant: Grant, reference: str | None) -> dict[str, Any]:
    return {
        "grant_id": grant.id,
        "amount": grant.amount,
        "valid_from": grant.valid_from,
        "valid_until": grant.valid_until,
        "reference": reference,
    }
