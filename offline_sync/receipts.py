"""What a phone sent last of each row: tells a repeat, or an old push that comes late, from an edit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import among, insert_many, now
from offline_sync.collections import COLLECTIONS
from offline_sync.collections.base import to_wire
from offline_sync.keyed import digests
from offline_sync.merge import digest
from offline_sync.models import Receipt
from offline_sync.sent import Arrival, Sender
from offline_sync.writers import WRITERS

# In a receipt, beside the fields: that this phone deleted the row, and where it stood when it sent this. And by field, where
# it stood when what it sent was not written: until it pulls again it takes its own value for the server's.
_DELETED, _STOOD, _HIDDEN = "deleted_at", "stood", "hidden "


def last_sent(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> dict[str, str]:
    """Return the digests of what this phone sent last of a row."""
    return last_of(session, sender, arrival.collection, [row_id]).get(row_id, {})


def last_of(session: Session, sender: Sender, collection: str, ids: Collection[str]) -> dict[str, dict[str, str]]:
    """Return, by row, the digests of what this phone sent last."""
    mine = (Receipt.installation_id == sender.mark, Receipt.collection == collection, among(session, Receipt.row_id, ids))
    return {row.row_id: row.digests for row in session.execute(select(Receipt.row_id, Receipt.digests).where(*mine))}


def hidden_of(sender: Sender, last: Mapping[str, str]) -> dict[str, int]:
    """Return the fields whose value this phone has not seen when it made its edits, and where it stood when it missed it."""
    found = {name.removeprefix(_HIDDEN): int(stood) for name, stood in last.items() if name.startswith(_HIDDEN)}
    return {name: stood for name, stood in found.items() if stood >= sender.seen}


def is_repeated_deletion(sender: Sender, arrival: Arrival, row: Any, last: Mapping[str, str]) -> bool:
    """Tell whether this phone deleted a row that lives again, and has not seen that it does: a repeat must not undo that."""
    if _DELETED not in last:
        return False
    if arrival.base is not None:
        return bool(arrival.base.get("updated_at") != to_wire(row.updated_at))
    return row.change_no is None or row.change_no > sender.seen


def is_old(sender: Sender, arrival: Arrival, updated_ms: int, last: Mapping[str, str]) -> bool:
    """Tell whether a push was made before another one of this phone that was taken already.

    WatermelonDB pulls before each push, so the next one stands behind the change that the last one made. RxDB sends the
    state that it takes the server's row to be, which is dated.
    """
    before = int(last.get(_STOOD, -1))
    if sender.cursor:
        return sender.cursor <= before
    knows = arrival.base is not None and arrival.base.get("updated_at") == updated_ms
    return not sender.replayed and not knows and _stood(sender, arrival) < before


def _stood(sender: Sender, arrival: Arrival) -> int:
    stamp = (arrival.base or {}).get("updated_at")
    return sender.cursor or (stamp if isinstance(stamp, int) else 0)


def keep_receipts(
    session: Session,
    sender: Sender,
    sent: Sequence[tuple[Arrival, Mapping[str, str]]],
    *,
    wrote: bool = True,
    hidden: Mapping[str, int] = MappingProxyType({}),
) -> None:
    """Remember what this phone sent last of some rows; each comes with what it had sent of the row before.

    Args:
        wrote: whether anything of it was written.
        hidden: fields whose value on the server this phone does not know though it stands at that number.
    """
    if sender.replayed:
        return
    present = now(session)
    unseen = {f"{_HIDDEN}{name}": str(stood) for name, stood in hidden.items()}
    rows = [
        {
            "installation_id": sender.mark,
            "collection": arrival.collection,
            "row_id": arrival.row_id,
            "digests": _digests(sender, arrival, last, wrote=wrote) | unseen,
            "at": present,
        }
        for arrival, last in sent
    ]
    insert_many(session, Receipt, rows, replacing=("installation_id", "collection", "row_id"))


def _digests(sender: Sender, arrival: Arrival, last: Mapping[str, str], *, wrote: bool) -> dict[str, str]:
    # A WatermelonDB phone may stand where it stood when nothing was written; an RxDB phone knows a newer state in any case.
    tells = wrote or not sender.cursor
    stood = max(_stood(sender, arrival) if tells else -1, int(last.get(_STOOD, -1)))
    where = {_STOOD: str(stood)} if stood >= 0 else {}
    if arrival.deleted:
        return {**last, _DELETED: ""} | where
    merged = sorted(COLLECTIONS[arrival.collection].model.MERGED)
    deleted = {_DELETED: ""} if _DELETED in last else {}
    keys = digests(WRITERS[arrival.collection].keyed, arrival.values)
    return {name: digest(arrival.values[name]) for name in merged if name in arrival.values} | keys | deleted | where
