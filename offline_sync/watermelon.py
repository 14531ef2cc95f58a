"""The wire of WatermelonDB 0.28: one pull and one push for the whole database. Shapes: docs/sync-protocol.md."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.errors import FieldsInvalid
from app.core.settings import Settings
from app.users.rights import Actor
from offline_sync.changes import (
    EPOCH_BITS,
    Change,
    Head,
    Point,
    changes_since,
    head_of,
    names_for,
    point_of,
    rows_of,
    visible_ids,
)
from offline_sync.collections import COLLECTIONS
from offline_sync.sent import Arrival, Outcome

# A page's rows at most; the app asks for the next one while there is one.
MOST_ROWS = 10_000


_Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << EPOCH_BITS)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]


@dataclass(frozen=True)
class Page:
    """Where a pull of several pages goes on: what it began with, up to where it leads, behind which row."""

    since: _Number | None
    upto: _Number
    epoch: int
    after: tuple[_Name, _Name]
    replacement: bool


def pull(
    session: Session,
    actor: Actor,
    settings: Settings,
    *,
    cursor: int | None,
    migration: Any = None,
    page: str | None = None,
    limit: int = MOST_ROWS,
) -> dict[str, Any]:
    """Return one page of what changed since a cursor.

    Args:
        session: reading one snapshot.
        cursor: ``lastPulledAt``; None or 0 for the first sync.
        migration: ``{"from", "tables", "columns"}`` after the app was upgraded: rows it could not hold before.
        page: ``next_page`` of the answer before.
        limit: rows in this page, at most.

    Returns:
        ``{"changes", "timestamp", "has_more", "next_page"}``, and ``experimentalStrategy`` unless the cursor is of use.

    Raises:
        FieldsInvalid: for a page or a migration that cannot be read.
    """
    head = head_of(session)
    names = names_for(actor)
    here = _read_page(page) if page else _begin(head, point_of(cursor))
    if here.epoch != head.epoch or here.upto > head.n:  # the server was restored between two pages
        raise FieldsInvalid({"page": ["invalid"]})
    # Most pulls find that nobody wrote anything.
    found = changes_since(session, actor, here.since, names, after=here.after, limit=limit + 1) if here.since != head.n else []
    more, found = len(found) > limit, found[:limit]
    if here.since is not None and migration is not None and not more:
        found += _migrated(session, actor, here.since, names, migration)
    answer: dict[str, Any] = {
        "changes": _changes(session, actor, settings, names, found),
        "timestamp": Point(here.epoch, here.upto).number,
        "has_more": more,
        "next_page": None,
    }
    if more:
        last = (found[limit - 1].collection, found[limit - 1].row_id)
        answer["next_page"] = _write_page(Page(here.since, here.upto, here.epoch, last, here.replacement))
    if here.replacement:
        answer["experimentalStrategy"] = "replacement"
    return answer


def arrivals(body: Any) -> Iterator[Arrival]:
    """Read what ``pushChanges`` sent: ``{table: {"created": [row], "updated": [row], "deleted": [id]}}``.

    Raises:
        FieldsInvalid: when it is no such object at all.
    """
    if not isinstance(body, dict):
        raise FieldsInvalid({"body": ["not_object"]})
    for table, lists in body.items():
        if not isinstance(lists, dict):
            raise FieldsInvalid({str(table)[:60]: ["not_object"]})
        for kind in ("created", "updated", "deleted"):
            rows = lists.get(kind) or []
            if not isinstance(rows, list):
                raise FieldsInvalid({f"{table}.{kind}"[:60]: ["not_list"]})
            for row in rows:
                yield Arrival(table, row, {}, deleted=True) if kind == "deleted" else _arrival(table, kind, row)


def rejected(outcomes: list[Outcome]) -> dict[str, list[str]]:
    """Return ``experimentalRejectedIds``: rows the phone keeps as changed because they were not stored.

    Never a deletion: a row that stays deleted there would ignore what pulls bring. Rid of it, the phone gets it anew.
    """
    found: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.refused and not outcome.arrival.deleted and isinstance(outcome.arrival.row_id, str):
            found.setdefault(outcome.arrival.collection, []).append(outcome.arrival.row_id)
    return found


def _arrival(table: str, kind: str, row: Any) -> Arrival:
    if not isinstance(row, dict):
        return Arrival(table, None, {"row": row})
    values = {name: value for name, value in row.items() if name not in {"id", "_status", "_changed", "created_at", "updated_at"}}
    changed = row.get("_changed")
    named = frozenset(changed.split(",")) if isinstance(changed, str) and changed else frozenset()
    # A row the phone made lists only what it edited later: all of it is the phone's.
    return Arrival(table, row.get("id"), values, claimed=None if kind == "created" else named)


def _begin(head: Head, point: Point) -> Page:
    known = head.knows(point)
    since = point.since if known else None
    # Also at the first sync: an app that was killed in it may hold rows, but not the cursor that their removals come after.
    return Page(since, head.n, head.epoch, ("", ""), replacement=since is None)


def _changes(
    session: Session, actor: Actor, settings: Settings, names: list[str], found: list[Change]
) -> dict[str, dict[str, list[Any]]]:
    changes: dict[str, dict[str, list[Any]]] = {name: {"created": [], "updated": [], "deleted": []} for name in names}
    for name in names:
        mine = [change for change in found if change.collection == name]
        rows = rows_of(session, actor, settings, name, [change.row_id for change in mine if not change.gone])
        # Never ``created``: a row that comes back to the phone that made it must not revive what it deleted since.
        changes[name]["updated"] = list(rows.values())
        changes[name]["deleted"] = [change.row_id for change in mine if change.gone]
    return changes


def _migrated(session: Session, actor: Actor, since: int, names: list[str], migration: Any) -> list[Change]:
    """Return the rows an upgraded app could not hold before: all of new tables, and those with a value in a new column.

    They come with the last page, without those that some page brings as changed: no row may come twice.
    """
    tables, columns = _read_migration(migration)
    concerned = [name for name in names if name in tables or name in columns]
    sent = {(change.collection, change.row_id) for change in changes_since(session, actor, since, concerned)}
    more: list[Change] = []
    for name in names:
        collection = COLLECTIONS[name]
        added = [column for column in columns.get(name, ()) if column in collection.columns]
        if name not in tables and not added:
            continue
        shown = visible_ids(session, actor, name)
        query = select(collection.model).where(collection.model.id.in_(select(shown.c.row_id)))
        for row in session.scalars(query):
            news = name in tables or any(getattr(row, collection.columns[column]) not in (None, "", 0, False) for column in added)
            if news and (name, row.id) not in sent:
                more.append(Change(name, row.id, gone=False))
    return more


def _read_migration(migration: Any) -> tuple[set[str], dict[str, list[str]]]:
    fault = FieldsInvalid({"migration": ["invalid"]})
    if not isinstance(migration, dict):
        raise fault
    tables, columns = migration.get("tables") or [], migration.get("columns") or []
    if not isinstance(tables, list) or not isinstance(columns, list):
        raise fault
    found: dict[str, list[str]] = {}
    for entry in columns:
        if not isinstance(entry, dict) or not isinstance(entry.get("columns"), list):
            raise fault
        found[str(entry.get("table"))] = [str(name) for name in entry["columns"]]
    return {str(name) for name in tables}, found


def _write_page(page: Page) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(page)).decode()


def _read_page(text: str) -> Page:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text.encode()), type=Page)
    except (ValueError, msgspec.MsgspecError):
        raise FieldsInvalid({"page": ["invalid"]}) from None
