"""News: which collections changed for the people whose phones listen. One look at the database serves all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from app.core.db import Database, among
from app.core.scopes import ScopeEntry, ScopeGrant
from offline_sync.changes import Head, Point, head_of


@dataclass(eq=False)
class PhoneListener:
    """One phone that listens. ``told``: everything up to this point was said.

    ``names``: the collections it holds; with ``one`` it hears RESYNC of that collection alone, as RxDB's stream wants it.
    """

    database: Database
    user_id: str
    names: frozenset[str]
    told: Point
    one: bool = False

    def event(self, changed: Iterable[str], head: Head) -> bytes:
        """Return what to say of collections that changed, up to ``head``; nothing if there are none."""
        mine = sorted(self.names & set(changed))
        self.told = Point(head.epoch, head.n)
        if not mine:
            return b""
        data = b"RESYNC" if self.one else msgspec.json.encode(mine)
        return b"id: %d\ndata: %s\n\n" % (self.told.number, data)

    @classmethod
    def look(cls, listeners: Sequence[PhoneListener]) -> list[bytes]:
        """Return an event for each listener, or nothing."""
        with listeners[0].database.reading() as session:
            head = head_of(session)
            if all(listener.told == Point(head.epoch, head.n) for listener in listeners):
                return [b""] * len(listeners)
            return changes_told(session, head, listeners)


def changes_told(session: Session, head: Head, listeners: Sequence[PhoneListener]) -> list[bytes]:
    """Return each listener's event, as of a snapshot; it counts as told from then on."""
    known = [listener for listener in listeners if listener.told.since is not None and head.knows(listener.told)]
    oldest = min((listener.told.since or 0 for listener in known), default=head.n)
    newest = _newest(session, sorted({listener.user_id for listener in known}), oldest) if known else {}
    events = []
    for listener in listeners:
        if listener in known:
            since = listener.told.since or 0
            changed = [name for name, n in newest.get(listener.user_id, {}).items() if n > since]
            events.append(listener.event(listener.names if "" in changed else changed, head))
        else:
            events.append(listener.event(listener.names, head))
    return events


def _newest(session: Session, user_ids: Sequence[str], since: int) -> dict[str, dict[str, int]]:
    """Return, by person and collection, the newest change after ``since``; collection "": scopes came or went."""
    found: dict[str, dict[str, int]] = defaultdict(dict)
    rows = session.execute(
        select(ScopeGrant.user_id, ScopeEntry.collection, func.max(ScopeEntry.change_no))
        .join(ScopeEntry, ScopeEntry.scope == ScopeGrant.scope)
        .where(among(session, ScopeGrant.user_id, user_ids), ScopeGrant.left_no.is_(None), ScopeEntry.change_no > since)
        .group_by(ScopeGrant.user_id, ScopeEntry.collection)
    )
    for user_id, name, n in rows:
        found[user_id][name] = n or 0
    grants = session.execute(
        select(ScopeGrant.user_id, func.max(ScopeGrant.entered_no), func.max(ScopeGrant.left_no))
        .where(
            among(session, ScopeGrant.user_id, user_ids),
            or_(ScopeGrant.entered_no > since, ScopeGrant.left_no > since),
        )
        .group_by(ScopeGrant.user_id)
    )
    for user_id, entered, left in grants:
        found[user_id][""] = max(entered, left or 0)
    return found
