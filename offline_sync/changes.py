"""Down: what changed for one person since a cursor, rows and removals, from one snapshot.

A cursor is a change number: everything up to it was sent. Who came to hold a scope after it gets the whole
scope; who lost one gets removals, unless another scope still shows the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Integer, Select, Subquery, case, false, func, literal, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from app.core.db import ChangeCounter, among, raw_rows
from app.core.scopes import ForgottenRemovals, ScopeEntry, ScopeGrant
from app.core.settings import Settings
from app.users.rights import Actor, allows
from offline_sync.collections import COLLECTIONS, row_to_wire

# The number of an epoch stands above bit 40 of a cursor, so that one integer below 2^53 names history and place.
EPOCH_BITS = 40
_CHUNK = 2000
# Each of so few scopes is read in order and up to the page's end only; of more, all at once.
_FEW_SCOPES = 12
_START = ("", "")


@dataclass(frozen=True)
class Point:
    """A place in the history of changes. ``since`` None: nothing was sent yet."""

    epoch: int
    since: int | None

    @property
    def number(self) -> int:
        """The place as one integer, above 0 and below 2^53."""
        return (self.epoch << EPOCH_BITS) + (self.since or 0)


@dataclass(frozen=True)
class Head:
    """Where this snapshot stands: the history's epoch, the last change number, and the oldest usable cursor."""

    epoch: int
    n: int
    floor: int

    def knows(self, point: Point) -> bool:
        """Tell whether changes since a point can be told: it is of this history, not ahead of it, and not too old."""
        return point.since is None or (point.epoch == self.epoch and self.floor <= point.since <= self.n)


class Change(NamedTuple):
    """One row that is new to a phone, or is to leave it."""

    collection: str
    row_id: str
    gone: bool


def point_of(number: int | None) -> Point:
    """Read a cursor as a phone keeps it; None or 0 is the beginning."""
    if not number:
        return Point(0, None)
    return Point(number >> EPOCH_BITS, number & ((1 << EPOCH_BITS) - 1))


def head_of(session: Session, name: str | None = None) -> Head:
    """Return where the session's snapshot stands. Asked first, it fixes the snapshot for what follows.

    Args:
        name: a collection: then the oldest cursor of use for it alone; else for all of them.
    """
    forgotten = select(func.max(ForgottenRemovals.upto))
    if name is not None:
        forgotten = forgotten.where(ForgottenRemovals.collection == name)
    row = session.execute(
        select(ChangeCounter.epoch, ChangeCounter.n, forgotten.scalar_subquery().label("floor")).where(ChangeCounter.id == 1)
    ).one()
    return Head(row.epoch, row.n, row.floor or 0)


def names_for(actor: Actor) -> list[str]:
    """Return the collections an actor may hold."""
    return _allowed(actor, COLLECTIONS)


def _allowed(actor: Actor, names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if allows(actor, COLLECTIONS[name].right))


def changes_since(
    session: Session,
    actor: Actor,
    since: int | None,
    names: Collection[str],
    *,
    after: tuple[str, str] = _START,
    limit: int | None = None,
) -> list[Change]:
    """Return what changed for an actor, ordered by collection and row.

    Args:
        session: reading one snapshot.
        since: a change number everything up to which was sent; None for all there is, without removals.
        names: collections asked for.
        after: (collection, row id) to go on behind, of a page before.
        limit: at most so many; by default all.
    """
    names = _allowed(actor, names)
    held, gained, lost = _grants(session, actor, since)
    arms: list[_Arm] = []
    if held and since is not None:
        arms.append(_Arm(_entries(held, names).where(ScopeEntry.change_no > since), one=len(held) == 1))
    if gained:
        # What left a scope gained since may be on the phone all the same: it made the row, or an earlier page brought it.
        came = or_(ScopeEntry.gone.is_(False), ScopeEntry.change_no > since) if since is not None else ScopeEntry.gone.is_(False)
        apart = [[scope] for scope in gained] if len(gained) <= _FEW_SCOPES else [gained]
        arms += [_Arm(_entries(some, names).where(came), one=len(some) == 1) for some in apart]
    if lost:
        left = or_(ScopeEntry.gone.is_(False), ScopeEntry.change_no > (since or 0))
        arms.append(_Arm(_entries(lost, names, gone=True).where(left), one=len(lost) == 1))
    if not arms:
        return []
    kept: list[Change] = []
    behind = after
    while True:
        wanted = None if limit is None else limit - len(kept)
        rows = list(raw_rows(session, _page(arms, behind, wanted)))
        kept += _without_still_seen(session, [Change(name, row_id, bool(gone)) for name, row_id, gone in rows], [*held, *gained])
        # A page is full unless it is the last: removals that another scope took back must not make it short.
        if limit is None or len(kept) >= limit or len(rows) == 0:
            return kept
        behind = (rows[-1][0], rows[-1][1])


@dataclass(frozen=True)
class _Arm:
    """Rows of some scopes. Those of ``one`` scope are distinct, so that no more than a page of them need be read."""

    query: Select[Any]
    one: bool

    def behind(self, row: tuple[str, str], limit: int | None) -> Select[Any]:
        query = self.query
        if row != _START:
            query = query.where(tuple_(ScopeEntry.collection, ScopeEntry.row_id) > tuple_(*row))
        if limit is None or not self.one:
            return query
        return select(query.order_by(ScopeEntry.collection, ScopeEntry.row_id).limit(limit).subquery())


def _page(arms: Sequence[_Arm], behind: tuple[str, str], limit: int | None) -> Select[Any]:
    """Return a select of up to ``limit`` rows of several arms behind a row, each row once: gone only where all say so."""
    found = union_all(*[arm.behind(behind, limit) for arm in arms]).subquery()
    return (
        select(found.c.collection, found.c.row_id, func.min(found.c.gone))
        .group_by(found.c.collection, found.c.row_id)
        .order_by(found.c.collection, found.c.row_id)
        .limit(limit)
    )


def visible_ids(session: Session, actor: Actor, name: str) -> Subquery:
    """Return the ids of the rows of a collection an actor's phone should hold now."""
    held, gained, _ = _grants(session, actor, None)
    scopes = [*held, *gained]
    return (
        select(ScopeEntry.row_id)
        .where(ScopeEntry.scope.in_(scopes), ScopeEntry.collection.in_(_allowed(actor, [name])), ScopeEntry.gone.is_(False))
        .distinct()
        .subquery()
    )


def rows_of(session: Session, actor: Actor, settings: Settings, name: str, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the rows of a collection by id, as the actor's phone gets them; unchecked ids must not come here."""
    collection = COLLECTIONS[name]
    wanted = list(ids)
    found: dict[str, dict[str, Any]] = {}
    for start in range(0, len(wanted), _CHUNK):
        some = among(session, collection.selected[0], wanted[start : start + _CHUNK])
        if collection.words is not None:
            for row in session.scalars(select(collection.model).where(some)):
                found[row.id] = row_to_wire(collection, row, actor, settings)
        else:
            # Columns, not objects: a first sync is a hundred thousand rows.
            for values in raw_rows(session, collection.query.where(some)):
                found[values[0]] = collection.wired(values)
    return found


def _grants(session: Session, actor: Actor, since: int | None) -> tuple[list[str], list[str], list[str]]:
    """Return the scopes held then and now, those gained since, and those lost since.

    A scope that came and went since counts as lost: rows of it may be on the phone that it made itself, or that a page
    of the pull before brought, which is read later than the number it leads to.
    """
    then: set[str] = set()
    present: set[str] = set()
    ended: set[str] = set()
    for grant in session.execute(
        select(ScopeGrant.scope, ScopeGrant.entered_no, ScopeGrant.left_no).where(ScopeGrant.user_id == actor.id)
    ):
        if grant.left_no is None:
            present.add(grant.scope)
        if since is not None and grant.entered_no <= since and (grant.left_no is None or grant.left_no > since):
            then.add(grant.scope)
        if since is not None and grant.left_no is not None and grant.left_no > since:
            ended.add(grant.scope)
    return sorted(then & present), sorted(present - then), sorted(ended - present)


def _entries(scopes: list[str], names: Collection[str], *, gone: bool | None = None) -> Select[Any]:
    flag = literal(1) if gone else case((ScopeEntry.gone, 1), else_=0)
    columns: tuple[Any, ...] = (ScopeEntry.collection, ScopeEntry.row_id, flag.cast(Integer).label("gone"))
    where = ScopeEntry.scope == scopes[0] if len(scopes) == 1 else ScopeEntry.scope.in_(scopes)
    return select(*columns).where(where, ScopeEntry.collection.in_(sorted(names)))


def _without_still_seen(session: Session, changes: list[Change], scopes: list[str]) -> list[Change]:
    """Drop removals of rows that another scope of the actor still shows."""
    removals = [change for change in changes if change.gone]
    seen: set[tuple[str, str]] = set()
    for start in range(0, len(removals), _CHUNK):
        some = removals[start : start + _CHUNK]
        seen.update(
            (row.collection, row.row_id)
            for row in session.execute(
                select(ScopeEntry.collection, ScopeEntry.row_id).where(
                    tuple_(ScopeEntry.collection, ScopeEntry.row_id).in_([(change.collection, change.row_id) for change in some]),
                    ScopeEntry.scope.in_(scopes) if scopes else false(),
                    ScopeEntry.gone.is_(False),
                )
            )
        )
    return [change for change in changes if not change.gone or (change.collection, change.row_id) not in seen]
