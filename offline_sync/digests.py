"""Proof and explanation: whether a phone holds what it should, and why a row is on it or not."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.scopes import ScopeEntry, ScopeGrant
from app.users.models import User
from app.users.queries import access_user
from app.users.rights import Actor, allows
from offline_sync.changes import visible_ids
from offline_sync.collections import COLLECTIONS
from offline_sync.models import EarlyRow


def digest_of(session: Session, actor: Actor, name: str) -> dict[str, Any]:
    """Return ``{"collection", "count", "hash"}`` of the rows of a collection an actor's phone should hold.

    ``hash``: exclusive or, over all rows, of the first 8 bytes of SHA-256 of the JSON text ``["<id>",<updated_at>]``;
    16 hexadecimal digits. Rows that were refused are not in it.
    """
    model = COLLECTIONS[name].model
    shown = visible_ids(session, actor, name)
    count, total = 0, 0
    for row in session.execute(select(model.id, model.updated_at).where(model.id.in_(select(shown.c.row_id)))):
        text = msgspec.json.encode([row.id, to_ms(row.updated_at)])
        total ^= int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
        count += 1
    return {"collection": name, "count": count, "hash": f"{total:016x}"}


def explain(session: Session, actor: Actor, name: str, row_id: str, user_id: str) -> dict[str, Any]:
    """Return why a row is or is not on a person's phone: its scopes, theirs, and what they have in common.

    Raises:
        NotFound: for a person the actor may not see.
    """
    user = access_user(session, actor, user_id)
    entries = session.execute(
        select(ScopeEntry.scope, ScopeEntry.change_no, ScopeEntry.gone).where(
            ScopeEntry.collection == name, ScopeEntry.row_id == row_id
        )
    ).all()
    grants = {
        grant.scope: grant
        for grant in session.execute(
            select(ScopeGrant.scope, ScopeGrant.entered_no, ScopeGrant.left_no)
            .where(ScopeGrant.user_id == user.id)
            .order_by(ScopeGrant.entered_no)
        )
    }
    scopes = [
        {
            "scope": entry.scope,
            "since": entry.change_no,
            "in_scope": not entry.gone,
            "held": entry.scope in grants and grants[entry.scope].left_no is None,
            "lost_at": grants[entry.scope].left_no if entry.scope in grants else None,
        }
        for entry in entries
    ]
    return {
        "collection": name,
        "id": row_id,
        "user": user.id,
        "on_phone": (reason := _waits(session, user, name, row_id) or _reason(user, name, scopes)) == "shared_scope",
        "reason": reason,
        "scopes": scopes,
        "held": sorted(scope for scope, grant in grants.items() if grant.left_no is None),
    }


def _waits(session: Session, user: User, name: str, row_id: str) -> str | None:
    mine = (EarlyRow.user_id == user.id, EarlyRow.collection == name, EarlyRow.row_id == row_id)
    return "waits_for_parent" if session.scalar(select(EarlyRow.row_id).where(*mine)) is not None else None


def _reason(user: User, name: str, scopes: list[dict[str, Any]]) -> str:
    actor = Actor(user.id, user.role, user.name, user.locale, user.partner_id, user.station_id, user.customer_id)
    if user.state != "active":
        return "user_not_active"
    if not allows(actor, COLLECTIONS[name].right):
        return "collection_not_for_role"
    if any(found["held"] and found["in_scope"] for found in scopes):
        return "shared_scope"
    if not scopes:
        return "no_such_row"
    if not any(found["in_scope"] for found in scopes):
        return "row_deleted"
    if any(found["held"] for found in scopes):
        return "row_left_scope"
    if any(found["lost_at"] is not None and found["in_scope"] for found in scopes):
        return "user_lost_scope"
    return "no_shared_scope"
