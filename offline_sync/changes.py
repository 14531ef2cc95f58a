"""Down: what changed for one person since a cursor, rows and removals, from one snapshot.

A cursor is a change number: everything up to it was sent. Who came to hold a scope after it gets the whole
scope; who lost one gets removals, unless another scope still shows the row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, bindparam, false, func, select, tuple_
from sqlalchemy.orm import Session

from app.core.db import ChangeCounter, among, as_list, raw_rows, run_text
from app.core.scopes import ForgottenRemovals, ScopeEntry, ScopeGrant
from app.core.settings import Settings
from app.users.rights import Actor, allows
from offline_sync.collections import COLLECTIONS
from offline_sync.collections.base import rows_to_wire

# The number of an epoch stands above bit 40 of a cursor, so that one integer below 2^53 names history and place.
EPOCH_BITS = 40
_CHUNK = 2000
# Each of so few scopes is read in order and up to the page's end only; of more, all at once.
_FEW_SCOPES = 12
_START = ("", "")


def _head(*where: ColumnElement[bool]) -> Select[Any]:
    counter, forgotten = ChangeCounter.__table__.c, ForgottenRemovals.__table__.c
    floor = select(func.max(forgotten.upto)).where(*where).scalar_subquery().label("floor")
    return select(counter.epoch, counter.n, floor).where(counter.id == 1)


# Built once: they are asked with every pull.
_HEAD, _HEAD_OF_ONE = _head(), _head(ForgottenRemovals.__table__.c.collection == bindparam("name"))
_grant = ScopeGrant.__table__.c
_GRANTS = select(_grant.scope, _grant.entered_no, _grant.left_no).where(_grant.user_id == bindparam("actor_id"))


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
    row = session.connection().execute(_HEAD if name is None else _HEAD_OF_ONE, {} if name is None else {"name": name}).one()
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
    values: dict[str, Any] = {"since": since or 0}
    if held and since is not None:
        arms.append(_arm(values, "held", held, "change_no > :since"))
    # What left a scope gained since may be on the phone all the same: it made the row, or an earlier page brought it.
    came = "(NOT gone OR change_no > :since)" if since is not None else "NOT gone"
    for i, some in enumerate([[scope] for scope in gained] if len(gained) <= _FEW_SCOPES else [gained]):
        arms.append(_arm(values, f"gained{i}", some, came))
    if lost:
        arms.append(_arm(values, "lost", lost, "(NOT gone OR change_no > :since)", leave=True))
    if not arms or not names:
        return []
    kept: list[Change] = []
    values["name_after"], values["id_after"] = after
    while True:
        values["most"] = None if limit is None else limit - len(kept)
        statement = _page(tuple(arms), tuple(names), is_first=values["name_after"] == "", is_whole=limit is None)
        rows = run_text(session.connection(), statement, **values).all()
        changes = [Change(name, row_id, bool(gone)) for name, row_id, gone in rows]
        kept += _without_still_seen(session, changes, [*held, *gained])
        # A page is full unless it is the last: removals that another scope took back must not make it short.
        if limit is None or len(kept) >= limit or len(rows) == 0:
            return kept
        values["name_after"], values["id_after"] = rows[-1][:2]


class _Arm(NamedTuple):
    """Entries of some scopes: the names of the parameters that hold them, a condition, whether the rows leave the phone."""

    scopes: tuple[str, ...]
    where: str
    leave: bool


def _arm(values: dict[str, Any], name: str, scopes: Sequence[str], where: str, *, leave: bool = False) -> _Arm:
    named = {f"{name}_{i}": scope for i, scope in enumerate(scopes)}
    values.update(named)
    return _Arm(tuple(named), where, leave)


@lru_cache(maxsize=512)
def _page(arms: tuple[_Arm, ...], names: tuple[str, ...], *, is_first: bool, is_whole: bool) -> str:
    """Return a select of (collection, row id, gone) of a page behind a row, each row once: gone only where all arms say so.

    As text, because it is asked with every pull: to build it of objects takes longer than to run it.
    """
    listed = ", ".join(f"'{name}'" for name in names)
    behind = "" if is_first else " AND (collection, row_id) > (:name_after, :id_after)"
    selects = []
    for i, arm in enumerate(arms):
        scopes = ", ".join(f":{name}" for name in arm.scopes)
        flag = "1" if arm.leave else "CASE WHEN gone THEN 1 ELSE 0 END"
        select = f"SELECT collection, row_id, {flag} AS gone FROM scope_entries WHERE scope IN ({scopes})"
        select += f" AND collection IN ({listed}) AND {arm.where}{behind}"
        if len(arm.scopes) == 1 and not is_whole:  # its rows are distinct: no more than a page of them need be read
            select = f"SELECT * FROM ({select} ORDER BY collection, row_id LIMIT :most) arm{i}"
        selects.append(select)
    found = " UNION ALL ".join(selects)
    page = f"SELECT collection, row_id, min(gone) FROM ({found}) found GROUP BY collection, row_id ORDER BY collection, row_id"
    return page if is_whole else f"{page} LIMIT :most"


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
        if collection.words is not None:
            some = among(session, collection.selected[0], wanted[start : start + _CHUNK])
            rows = session.scalars(select(collection.model).where(some)).all()
            found |= {row["id"]: row for row in rows_to_wire(session, collection, rows, actor, settings)}
        else:
            # Columns, not objects: a first sync is a hundred thousand rows.
            ids = as_list(session.get_bind().dialect.name, wanted[start : start + _CHUNK])
            for values in raw_rows(session, collection.by_ids(session.get_bind().dialect.name), ids=ids):
                found[values[0]] = collection.wired(values)
    for name, withheld in collection.withheld.items():
        if not allows(actor, withheld.right):
            for row in found.values():
                row[name] = withheld.rest(row[name])
    return found


def _grants(session: Session, actor: Actor, since: int | None) -> tuple[list[str], list[str], list[str]]:
    """Return the scopes held all the time since, those held now but not all the time, and those lost since.

    A scope that came and went since counts as lost: rows of it may be on the phone that it made itself, or that a page
    of the pull before brought, which is read later than the number it leads to. For the same reason one that went and came
    back is sent whole: a page in between, or a pull whose app was killed, has taken rows of it away.
    """
    held: set[str] = set()
    gained: set[str] = set()
    ended: set[str] = set()
    for grant in session.connection().execute(_GRANTS, {"actor_id": actor.id}):
        if grant.left_no is None:
            (held if since is not None and grant.entered_no <= since else gained).add(grant.scope)
        elif since is not None and grant.left_no > since:
            ended.add(grant.scope)
    return sorted(held), sorted(gained), sorted(ended - held - gained)


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
