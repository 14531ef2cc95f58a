"""The wire of RxDB 17's HTTP replication: pull, push and stream of one collection. Shapes: docs/sync-protocol.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import wire
from app.core.db import among
from app.core.errors import DomainError, FieldsInvalid
from app.core.settings import Settings
from app.users.rights import Actor
from offline_sync import early
from offline_sync.changes import EPOCH_BITS, Point, changes_since, head_of, rows_of, visible_ids
from offline_sync.collections import COLLECTIONS
from offline_sync.sent import Arrival, Outcome

MOST_ROWS = 5_000
MOST_KNOWN = 200_000


class CheckpointGone(DomainError):
    """Changes since this checkpoint can no longer be told; see ``reconcile``."""

    status = 410


class Checkpoint(msgspec.Struct):
    """Where a phone is in one collection; always all four keys, because the client merges checkpoints key by key.

    ``since``: everything up to this change number was sent. ``upto`` and ``after``: on the way from ``since`` to ``upto``,
    behind a row (empty: before the first one); 0 and empty else.
    """

    epoch: int
    since: Annotated[int, msgspec.Meta(ge=-1, lt=1 << EPOCH_BITS)]
    upto: Annotated[int, msgspec.Meta(ge=0, lt=1 << EPOCH_BITS)]
    after: Annotated[str, msgspec.Meta(pattern=r"^[^\x00]*$")]


def pull(session: Session, actor: Actor, settings: Settings, name: str, *, checkpoint: str | None, limit: int) -> dict[str, Any]:
    """Return one page of a collection: ``{"documents": [...], "checkpoint": {...}}``, full unless it is the last.

    Args:
        session: reading one snapshot.
        checkpoint: the JSON of the last one; None at the beginning.
        limit: the client's batch size.

    Raises:
        CheckpointGone: ``checkpoint_gone``.
        FieldsInvalid: for a checkpoint that cannot be read.
    """
    head = head_of(session, name)
    given = read_checkpoint(checkpoint)
    if given is None:
        given = Checkpoint(head.epoch, -1, 0, "")
    elif (
        given.epoch != head.epoch
        or given.upto > head.n
        or not head.knows(Point(given.epoch, given.since if given.since >= 0 else None))
    ):
        raise CheckpointGone("checkpoint_gone")
    since = None if given.since < 0 else given.since
    upto = given.upto or head.n
    after = (name, given.after) if given.after else ("", "")
    # Most pulls find that nobody wrote anything.
    found = changes_since(session, actor, since, [name], after=after, limit=limit + 1) if since != head.n else []
    more, found = len(found) > limit, found[:limit]
    following = Checkpoint(head.epoch, given.since, upto, found[-1].row_id) if more else Checkpoint(head.epoch, upto, 0, "")
    live = rows_of(session, actor, settings, name, [change.row_id for change in found if not change.gone])
    documents = [
        document(live[change.row_id]) if not change.gone else tombstone(name, change.row_id)
        for change in found
        if change.gone or change.row_id in live
    ]
    return {"documents": documents, "checkpoint": msgspec.to_builtins(following)}


def reconcile(session: Session, actor: Actor, name: str, ids: Any) -> dict[str, Any]:
    """Return tombstones for those of a phone's rows it should not hold, and a checkpoint to begin again from.

    Raises:
        FieldsInvalid: unless ``ids`` is a list of at most 200,000 ids.
    """
    if not isinstance(ids, list) or len(ids) > MOST_KNOWN or not all(isinstance(found, str) for found in ids):
        raise FieldsInvalid({"ids": ["invalid"]})
    head = head_of(session)
    shown = set(session.scalars(select(visible_ids(session, actor, name).c.row_id))) | early.waiting(session, actor, name)
    gone = [tombstone(name, row_id) for row_id in ids if row_id not in shown and wire.ID_PATTERN.fullmatch(row_id)]
    # The rows that follow are read later. They lead only up to here, so that what goes meanwhile is told by the pull after them.
    return {"documents": gone, "checkpoint": msgspec.to_builtins(Checkpoint(head.epoch, -1, head.n, ""))}


def has_news(session: Session, actor: Actor, name: str, since: str | None) -> bool:
    """Tell whether a collection has something that a phone at this checkpoint was not sent."""
    head = head_of(session, name)
    given = read_checkpoint(since)
    if given is None or given.since < 0 or not head.knows(Point(given.epoch, given.since)):
        return True
    return bool(changes_since(session, actor, given.since, [name], limit=1))


def arrivals(name: str, body: Any) -> Iterator[Arrival]:
    """Read what the push handler sent: ``[{"newDocumentState", "assumedMasterState"?}]``.

    Raises:
        FieldsInvalid: when it is no list of objects at all.
    """
    if not isinstance(body, list):
        raise FieldsInvalid({"body": ["not_list"]})
    for row in body:
        new = row.get("newDocumentState") if isinstance(row, dict) else None
        if not isinstance(new, dict):
            yield Arrival(name, None, {"row": row})
            continue
        base = row.get("assumedMasterState")
        yield Arrival(
            name,
            new.get("id"),
            {field: value for field, value in new.items() if field in COLLECTIONS[name].columns},
            deleted=new.get("_deleted") is True,
            claimed=None,
            base=base if isinstance(base, dict) else None,
        )


def conflicts(
    session: Session, actor: Actor, settings: Settings, name: str, outcomes: list[Outcome], body: list[Any]
) -> list[dict[str, Any]]:
    """Return the server's state of every row that is not as the phone sent it. Scoped like a pull.

    What was refused and may not be seen goes back as the phone sent it, deleted: it leaves the phone, and its queue goes on.
    """
    # A row that waits for another stays on the phone.
    ids = [outcome.arrival.row_id for outcome in outcomes if isinstance(outcome.arrival.row_id, str) and not outcome.early]
    known = [row_id for row_id in ids if wire.ID_PATTERN.fullmatch(row_id)]
    visible = visible_ids(session, actor, name)
    shown = session.scalars(select(visible.c.row_id).where(among(session, visible.c.row_id, known))).all()
    live = rows_of(session, actor, settings, name, shown)
    states = [row["newDocumentState"] for row in body if isinstance(row, dict) and isinstance(row.get("newDocumentState"), dict)]
    sent = {state["id"]: state for state in states if isinstance(state.get("id"), str)}
    answer = []
    for row_id in ids:
        phones = sent.get(row_id, {"id": row_id})
        if row_id in live:
            # Also where only a stamp differs: a pull that overtakes this answer is skipped for a row that waits to be sent.
            if phones.get("_deleted") or any(
                phones.get(field) != value for field, value in live[row_id].items() if field in phones
            ):
                answer.append(document(live[row_id]))
        elif not phones.get("_deleted"):
            answer.append(phones | {"_deleted": True})
    return answer


def document(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a live document."""
    return row | {"_deleted": False}


def tombstone(name: str, row_id: str) -> dict[str, Any]:
    """Return a deleted document that every schema accepts, and that says nothing of what the row held."""
    collection = COLLECTIONS[name]
    empty = {field: None if field in collection.optional else _blank(collection, field) for field in collection.fields}
    return empty | {"id": row_id, "_deleted": True}


def read_checkpoint(text: str | None) -> Checkpoint | None:
    """Read a checkpoint; None and ``null`` are the beginning.

    Raises:
        FieldsInvalid: when it is none of ours.
    """
    if text is None or text in {"", "null", "undefined"}:
        return None
    try:
        return msgspec.json.decode(text.encode(), type=Checkpoint)
    except (ValueError, msgspec.MsgspecError):
        raise FieldsInvalid({"checkpoint": ["invalid"]}) from None


_NUMBERS = (int, float)


def _blank(collection: Any, field: str) -> Any:
    """Return an empty value of a field's type."""
    if field in {"created_at", "updated_at"}:
        return 0
    column = collection.columns.get(field)
    if column is None:
        return ""
    kind = collection.model.__table__.c[column].type.python_type
    if kind is bool:
        return False
    return 0 if kind in _NUMBERS or kind.__name__ == "datetime" else ""
