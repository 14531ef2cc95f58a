"""New rows, and intents, that came before the row they hang on.

RxDB pushes each collection by itself, so a site may arrive before the customer that was made with it. It is kept until that
one is here; a phone that was told "no" would drop it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from app.core.db import among, insert_many, now
from app.core.errors import NotFound
from app.core.scopes import ScopeEntry, ScopeGrant
from app.entitlements import queries as entitlements
from app.follow_ups import queries as follow_ups
from app.tracks import queries as tracks
from app.users.rights import Actor
from app.visits import queries as visits
from offline_sync.models import DeletedId, EarlyRow, SyncProblem
from offline_sync.writers import WRITERS

# Rows that phones make, freely or by an intent.
_FINDERS: dict[str, Callable[[Session, Actor, str], Any]] = {
    **{name: writer.find for name, writer in WRITERS.items()},
    "visits": visits.access_visit,
    "follow_ups": follow_ups.access_follow_up,
    "entitlement_spends": entitlements.access_spend,
    "track_shifts": tracks.own_shift,
}
# Of one person; what comes beyond is refused at once.
_MOST = 5000
# So long a phone may stay away between the two.
PATIENCE = timedelta(days=30)


def may_wait(session: Session, actor: Actor, installation_id: str, parent: tuple[str, str]) -> bool:
    """Tell whether a new row is to be kept until its parent comes: that is not here, and may come yet.

    One that exists and was never the actor's to see is waited for like one that does not exist.
    """
    if is_here(session, actor, parent) or _is_given_up(session, actor, installation_id, parent):
        return False
    return _count(session, actor) < _MOST


def is_here(session: Session, actor: Actor, parent: tuple[str, str]) -> bool:
    """Tell whether the actor may see a row."""
    try:
        _FINDERS[parent[0]](session, actor, parent[1])
    except NotFound:
        return False
    return True


def keep(
    session: Session, actor: Actor, installation_id: str, row: tuple[str, str], parent: tuple[str, str], sent: Mapping[str, Any]
) -> None:
    """Keep what a phone sent of a row until its parent comes; what it sent of it before is replaced."""
    key = {"user_id": actor.id, "installation_id": installation_id, "collection": row[0], "row_id": row[1]}
    values = {"parent_collection": parent[0], "parent_id": parent[1], "sent": dict(sent), "at": now(session)}
    insert_many(session, EarlyRow, [key | values], replacing=tuple(key))


def drop(session: Session, actor: Actor, collection: str, ids: Collection[str]) -> None:
    """Forget rows that their phone sends anew, or deletes."""
    mine = (EarlyRow.user_id == actor.id, EarlyRow.collection == collection, among(session, EarlyRow.row_id, ids))
    session.execute(delete(EarlyRow).where(*mine).execution_options(synchronize_session=False))


def waiting(session: Session, actor: Actor, collection: str) -> set[str]:
    """Return the ids of a person's rows that wait."""
    return set(session.scalars(select(EarlyRow.row_id).where(EarlyRow.user_id == actor.id, EarlyRow.collection == collection)))


def due(session: Session, actor: Actor, installation_id: str) -> list[EarlyRow]:
    """Take out the rows of a phone whose parent is here, or will never be."""
    mine = (EarlyRow.user_id == actor.id, EarlyRow.installation_id == installation_id)
    waiting = session.scalars(select(EarlyRow).where(*mine).order_by(EarlyRow.at)).all()
    parents = {(row.parent_collection, row.parent_id) for row in waiting}
    settled = {
        parent for parent in parents if is_here(session, actor, parent) or _is_given_up(session, actor, installation_id, parent)
    }
    found = [row for row in waiting if (row.parent_collection, row.parent_id) in settled]
    _take_out(session, found)
    return found


def overdue(session: Session, most: int) -> list[EarlyRow]:
    """Take out rows that have waited for too long."""
    old = select(EarlyRow).where(EarlyRow.at < now(session) - PATIENCE).order_by(EarlyRow.at).limit(most)
    found = list(session.scalars(old))
    _take_out(session, found)
    return found


def _take_out(session: Session, rows: Sequence[EarlyRow]) -> None:
    for row in rows:
        session.delete(row)
    session.flush()


def _is_given_up(session: Session, actor: Actor, installation_id: str, parent: tuple[str, str]) -> bool:
    """Tell whether a row will not come: it was refused, its maker deleted it, or the actor saw it and does no more."""
    collection, row_id = parent
    refused = select(SyncProblem.id).where(
        SyncProblem.user_id == actor.id,
        SyncProblem.installation_id == installation_id,
        SyncProblem.collection == collection,
        SyncProblem.row_id == row_id,
        SyncProblem.state.in_(["open", "dismissed"]),
    )
    seen = (
        select(ScopeEntry.row_id)
        .join(ScopeGrant, ScopeGrant.scope == ScopeEntry.scope)
        .where(ScopeGrant.user_id == actor.id, ScopeEntry.collection == collection, ScopeEntry.row_id == row_id)
    )
    deleted = session.get(DeletedId, {"user_id": actor.id, "collection": collection, "row_id": row_id})
    return deleted is not None or any(session.scalar(query.limit(1)) is not None for query in (refused, seen))


def _count(session: Session, actor: Actor) -> int:
    return session.scalar(select(func.count()).select_from(EarlyRow).where(EarlyRow.user_id == actor.id)) or 0
