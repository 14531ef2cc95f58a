"""Who says something of a customer, when they said it, and whether they knew what stood there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.history import HistoryEntry
from app.users.models import User
from app.users.rights import CUSTOMER, REP, Actor

_BY_ROLE = {REP: "rep", CUSTOMER: "owner_portal"}
# So many entries of a row's story are looked through for who wrote its fields.
_MOST_ENTRIES = 200


@dataclass(frozen=True)
class Source:
    """Whoever says something.

    Attributes:
        kind, ref: see ``CustomerFact``.
        actor_id: the person at the door.
        said_at: when it was said, where that is known; None: as it comes.
        unseen: the fields whose present value they did not know when they said it; None: they knew none.
        about_id: a merged customer they still take this one for.
    """

    kind: str
    ref: str
    actor_id: str | None = None
    said_at: datetime | None = None
    unseen: frozenset[str] | None = frozenset()
    about_id: str | None = None

    def knew(self, field: str) -> bool:
        """Tell whether it was said over what stands there."""
        return self.unseen is not None and field not in self.unseen


def source_of(session: Session, actor: Actor) -> Source:
    """Return the actor as a source, as the door has told it (``telling``)."""
    told: Source | None = session.info.get("telling")
    own = Source(kind_of(actor.role), actor.id[:60], actor.id)
    if told is None:
        return own
    return replace(told, kind=told.kind or own.kind, ref=told.ref or own.ref, actor_id=actor.id)


@contextmanager
def telling(
    session: Session,
    *,
    kind: str = "",
    ref: str = "",
    said_at: datetime | None = None,
    unseen: Collection[str] | None = (),
    about_id: str | None = None,
) -> Iterator[None]:
    """Say, for the verbs called within, what their actor's word is: see ``Source``; by default the actor's own, of now."""
    before = session.info.get("telling")
    seen = None if unseen is None else frozenset(unseen)
    session.info["telling"] = Source(kind, ref, None, said_at, seen, about_id)
    try:
        yield
    finally:
        session.info["telling"] = before


def kind_of(role: str | None) -> str:
    """Return what kind of source people of a role are."""
    return _BY_ROLE.get(role or "", "office")


def writers_of_many(session: Session, kind: str, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, Source]]:
    """Return who wrote fields of rows before facts were kept of them, by row and field, by the causal log.

    Args:
        kind: of the rows, as the log names it.
        wanted: for each row's id, field of a fact -> what entries of the log call it.
    """
    if not wanted:
        return {}
    number = func.row_number().over(partition_by=HistoryEntry.subject_id, order_by=HistoryEntry.id.desc()).label("number")
    query = (
        select(
            HistoryEntry.id, HistoryEntry.subject_id, HistoryEntry.kind, HistoryEntry.actor_id, HistoryEntry.occurred_at,
            HistoryEntry.facts, number,
        )
        .where(HistoryEntry.subject_kind == kind, among(session, HistoryEntry.subject_id, sorted(wanted)))
        .where(HistoryEntry.kind.in_([f"{kind}.created", f"{kind}.edited"]))
        .subquery()
    )  # fmt: skip
    entries = session.execute(select(query).where(query.c.number <= _MOST_ENTRIES).order_by(query.c.id.desc())).all()
    actors = {entry.actor_id for entry in entries if entry.actor_id}
    named = select(User.id, User.role).where(among(session, User.id, sorted(actors)))
    roles = {row.id: row.role for row in session.execute(named)}
    found: dict[str, dict[str, Source]] = {row_id: {} for row_id in wanted}
    for entry in entries:
        fields, own = wanted[entry.subject_id], found[entry.subject_id]
        wrote = set(fields.values()) if entry.kind.endswith(".created") else set(entry.facts.get("fields", ()))
        for field, name in fields.items():
            if field not in own and name in wrote:
                ref = (entry.actor_id or "unknown")[:60]
                own[field] = Source(kind_of(roles.get(entry.actor_id)), ref, entry.actor_id, entry.occurred_at)
    return found
