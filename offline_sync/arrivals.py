"""Up: conducts what a phone sends. Per row: seen? -> validate -> access -> merge or verb -> outcome.

A row that cannot be taken never stops the others: it is kept as a problem with a reason for each field. What a
phone must hear of although the row did not change for others is sent again with the next pull.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.core import wire
from app.core.db import among, insert_into, insert_once, now
from app.core.errors import DomainError, FieldsInvalid, Forbidden, NotFound
from app.core.ids import new_id
from app.core.scopes import send_away
from app.core.settings import Settings
from app.core.tracked import FieldMark, Tracked, add, renumber
from app.users.rights import Actor, allows
from offline_sync.changes import visible_ids
from offline_sync.collections import COLLECTIONS, to_wire
from offline_sync.intents import decide, read_body
from offline_sync.merge import Loss, Sent, digest, merge
from offline_sync.models import DeletedId, Installation, Intent, Receipt, SyncConflict, SyncProblem
from offline_sync.writers import WRITERS, Writer

_ORDER = {name: i for i, name in enumerate((*WRITERS, "intents"))}
_CONTENT_LIMIT = 20_000
# In a receipt, beside the fields: that this phone deleted the row, and where it stood when it sent this.
_DELETED, _STOOD = "deleted_at", "stood"


@dataclass(frozen=True)
class Arrival:
    """One row as a phone sent it, whatever its protocol.

    Attributes:
        collection, row_id: as sent, not yet trusted.
        values: fields by wire name.
        deleted: the phone deleted it.
        claimed: the fields the phone changed; None when it made the row.
        base: what the phone takes the server's row to be, if its protocol says so.
    """

    collection: str
    row_id: Any
    values: Mapping[str, Any]
    deleted: bool = False
    claimed: Collection[str] | None = None
    base: Mapping[str, Any] | None = None


@dataclass
class Outcome:
    """What became of an arrival.

    Attributes:
        refused: it was kept as a problem, and is not stored.
        differs: the server's row is not what the phone sent.
        gone: there is no such row for this person: deleted, or never theirs.
    """

    arrival: Arrival
    refused: bool = False
    differs: bool = False
    gone: bool = False


@dataclass
class Sender:
    """Who sends, from which installation, having seen which changes.

    Attributes:
        since: the number the phone stood at when it sent this. What it wrote itself after that came with a later push.
        seen: the number it stood at when the oldest of its edits was made; its library pulls before it pushes. 0: it had seen
            nothing, as in a column that an upgrade of the app has just brought.
        cursor: ``since`` as the phone keeps it, with the epoch; 0 where its protocol has none.
        replayed: an operator sends it, corrected, for somebody else's phone, and knows the row as it is.
    """

    actor: Actor
    settings: Settings
    installation_id: str
    since: int
    seen: int
    cursor: int = 0
    replayed: bool = False
    refusals: list[DomainError] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Name the local database that sends: people who share a phone have one each, and do not know each other's edits."""
        return hashlib.sha256(f"{self.actor.id} {self.installation_id}".encode()).hexdigest()[:32]


def apply(session: Session, sender: Sender, arrivals: Iterable[Arrival]) -> list[Outcome]:
    """Take what a phone sent, in one transaction; parents first, deletions last.

    Refusals that must leave a trace of their own are collected in ``sender.refusals``, for the caller to write
    once this transaction is committed.
    """
    session.info["installation"], session.info["marked_by"] = sender.installation_id, sender.mark
    written: list[Arrival] = []
    deleted: list[Arrival] = []
    for arrival in arrivals:
        (deleted if arrival.deleted else written).append(arrival)
    _hold(session, [*written, *deleted])
    written.sort(key=lambda found: _ORDER.get(found.collection, len(_ORDER)))
    deleted.sort(key=lambda found: -_ORDER.get(found.collection, -1))
    return [_one(session, sender, arrival) for arrival in (*written, *deleted)]


def _hold(session: Session, arrivals: Iterable[Arrival]) -> None:
    """Keep all rows of a push from others, in one order for everybody: else pushes of the same rows wait in a circle."""
    if session.get_bind().dialect.name == "sqlite":
        return
    wanted: dict[str, set[str]] = {}
    for arrival in arrivals:
        if isinstance(arrival.row_id, str) and wire.ID_PATTERN.fullmatch(arrival.row_id):
            wanted.setdefault(arrival.collection, set()).add(arrival.row_id)
    for name in WRITERS:
        if ids := wanted.get(name):
            model = COLLECTIONS[name].model
            held = select(model.id).where(among(session, model.id, sorted(ids))).order_by(model.id)
            session.execute(held.with_for_update(key_share=True))


def _one(session: Session, sender: Sender, arrival: Arrival) -> Outcome:
    try:
        with session.begin_nested():
            return take(session, sender, arrival)
    except FieldsInvalid as fault:
        reasons = fault.errors
    except DomainError as fault:
        sender.refusals.append(fault)
        reasons = {"id": [fault.code]}
    except (IntegrityError, StaleDataError):
        reasons = {"id": ["already_exists"]}
    session.expire_all()
    return _refuse(session, sender, arrival, reasons)


def take(session: Session, sender: Sender, arrival: Arrival) -> Outcome:
    """Take one row.

    Raises:
        FieldsInvalid: with what is wrong with each field.
        DomainError: when it is not the actor's, or a rule refuses it.
    """
    collection = COLLECTIONS.get(arrival.collection)
    if collection is None or not allows(sender.actor, collection.right):
        raise FieldsInvalid({"collection": ["unknown_collection"]})
    try:
        row_id = wire.check_id(arrival.row_id)
        wire.check_value(dict(arrival.values), wire.Limits(values=500))
    except wire.WireError as fault:
        raise FieldsInvalid({"id" if fault.reason == "id_invalid" else "row": [fault.reason]}) from None
    if arrival.collection == "intents":
        return _intend(session, sender, arrival, row_id)
    writer = WRITERS.get(arrival.collection)
    if writer is None:
        return _restore_read_only(session, sender, arrival, row_id)
    if not allows(sender.actor, writer.right):
        raise Forbidden("forbidden")
    model = collection.model
    present = session.scalar(select(model).where(model.id == row_id).with_for_update(key_share=True))
    if present is None:
        return _make(session, sender, arrival, writer, row_id)
    if present.deleted_at is not None:
        return _too_late(session, sender, arrival, present)
    row = writer.find(session, sender.actor, row_id)
    if arrival.deleted:
        last = _last(session, sender, arrival, row_id)
        if _is_repeated_deletion(sender, arrival, row, last):
            renumber(session, row)
            return Outcome(arrival, differs=True)
        writer.delete(session, sender.actor, row)
        _keep_receipt(session, sender, arrival, row, last)
        return Outcome(arrival)
    return _edit(session, sender, arrival, writer, row)


def _make(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row_id: str) -> Outcome:
    buried = session.get(DeletedId, (arrival.collection, row_id)) is not None
    if arrival.deleted or buried:
        # Its creation may still be under way: remembered, so that the row does not rise from the dead.
        insert_once(session, DeletedId, collection=arrival.collection, row_id=row_id, at=now(session))
        if buried and not arrival.deleted:
            send_away(session, sender.actor.id, arrival.collection, row_id)
        return Outcome(arrival, gone=True, differs=not arrival.deleted)
    values = {name: arrival.values[name] for name in writer.made_of if arrival.values.get(name) not in (None, "")}
    row = writer.create(session, sender.settings, sender.actor, _checked(writer.new(), values | {"id": row_id}))
    _keep_receipt(session, sender, arrival, row, {})
    sent = {name: arrival.values.get(name) for name in COLLECTIONS[arrival.collection].columns}
    return Outcome(arrival, differs=any(_wire(row, name, arrival) != sent[name] for name in sent))


def _edit(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row: Any) -> Outcome:
    columns = COLLECTIONS[arrival.collection].columns
    editable = sorted(row.MERGED & set(columns))
    present = {name: _wire(row, name, arrival) for name in editable}
    sent = {name: arrival.values[name] for name in editable if name in arrival.values}
    last = _last(session, sender, arrival, row.id)
    # What is older than a push that was taken of this phone undoes nothing. Where nothing tells, both values are kept.
    old = _is_old(sender, arrival, row, last)
    unknown = arrival.base is None and not (sender.cursor and sender.seen) and not sender.replayed
    merged = merge(
        present,
        Sent(sent, arrival.claimed, arrival.base, last),
        others=editable if old or unknown else _unseen(session, sender, arrival.collection, row.id),
        server_first=editable if old else writer.server_first,
    )
    if merged.write:
        changes = _checked(writer.edit(), merged.write)
        writer.change(session, sender.actor, row, changes)
    for loss in merged.losses:
        _keep_loss(session, sender, arrival.collection, row.id, loss)
    if not old:
        _keep_receipt(session, sender, arrival, row, last, wrote=bool(merged.write))
    stored = {name: _wire(row, name, arrival) for name in columns if name in arrival.values}
    differs = merged.differs or any(value != arrival.values[name] for name, value in stored.items())
    if differs and not merged.write:
        renumber(session, row)
    return Outcome(arrival, differs=differs)


def _too_late(session: Session, sender: Sender, arrival: Arrival, row: Tracked) -> Outcome:
    """The row is deleted: that wins. What the phone had edited meanwhile goes to the journal."""
    last = _last(session, sender, arrival, row.id)
    if not arrival.deleted:
        names = arrival.claimed if arrival.claimed is not None else sorted(row.MERGED)
        edits = {
            name: arrival.values[name]
            for name in sorted(names)
            if name in row.MERGED and name in arrival.values and last.get(name) != digest(arrival.values[name])
        }
        WRITERS[arrival.collection].find_deleted(session, sender.actor, row.id)
        if edits:
            _keep_loss(session, sender, arrival.collection, row.id, Loss("", kept=None, lost=edits))
            _keep_receipt(session, sender, arrival, row, last)
    else:
        _keep_receipt(session, sender, arrival, row, last)
    send_away(session, sender.actor.id, arrival.collection, row.id)
    return Outcome(arrival, gone=True, differs=not arrival.deleted)


def _intend(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> Outcome:
    present = session.scalar(select(Intent).where(Intent.id == row_id).with_for_update(key_share=True))
    if present is not None:
        if present.user_id != sender.actor.id:
            raise NotFound
        # Append-only: an edit or a deletion is not written; the next pull brings the row back as it is.
        same = not arrival.deleted and all(arrival.values.get(name) == getattr(present, name) for name in ("kind", "body"))
        renumber(session, present)
        return Outcome(arrival, differs=not same or present.verdict is not None)
    if arrival.deleted:
        return Outcome(arrival, gone=True)
    kind, body = arrival.values.get("kind"), arrival.values.get("body")
    if not isinstance(kind, str) or not isinstance(body, str):
        raise FieldsInvalid({name: ["not_text"] for name in ("kind", "body") if not isinstance(arrival.values.get(name), str)})
    read_body(kind, body)
    try:
        made_ms = wire.check_ms(arrival.values.get("made_at"))
    except wire.WireError:
        made_ms = 0  # a phone's clock may be years off; nothing is decided by it
    intent = add(
        session,
        Intent(id=row_id, user_id=sender.actor.id, installation_id=sender.installation_id, kind=kind, body=body, made_ms=made_ms),
    )
    refusal = decide(session, sender.settings, sender.actor, intent)
    if refusal is not None:
        sender.refusals.append(refusal)
    return Outcome(arrival, differs=True)


def _restore_read_only(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> Outcome:
    """Nothing of this collection is written from phones: what the person may see comes again, the rest is refused."""
    shown = visible_ids(session, sender.actor, arrival.collection)
    model = COLLECTIONS[arrival.collection].model
    row = session.scalar(select(model).where(model.id == row_id, model.id.in_(select(shown.c.row_id))))
    if row is None:
        raise FieldsInvalid({"row": ["read_only"]})
    renumber(session, row)
    return Outcome(arrival, differs=True)


def _refuse(session: Session, sender: Sender, arrival: Arrival, reasons: Mapping[str, list[str]]) -> Outcome:
    """Keep a row that cannot be taken, once for each content, with what is wrong with it."""
    content = msgspec.json.encode(
        {
            "deleted": arrival.deleted,
            "claimed": sorted(arrival.claimed) if arrival.claimed is not None else None,
            **arrival.values,
        }
        if _encodable(arrival.values)
        else {"deleted": arrival.deleted, "as_text": ascii(dict(arrival.values))}
    ).decode()[:_CONTENT_LIMIT]
    present = now(session)
    insert_once(
        session,
        SyncProblem,
        id=new_id(),
        version=1,
        created_at=present,
        updated_at=present,
        user_id=sender.actor.id,
        installation_id=sender.installation_id,
        collection=str(arrival.collection)[:40],
        row_id=ascii(arrival.row_id)[1:-1][:60] if isinstance(arrival.row_id, str) else ascii(arrival.row_id)[:60],
        reasons={str(name)[:80]: codes for name, codes in reasons.items()},
        content=content.replace("\x00", ""),
        content_hash=hashlib.sha256(content.encode()).hexdigest(),
        state="open",
    )
    first = next(iter(reasons.values()), ["invalid"])[0]
    session.execute(
        update(Installation)
        .where(Installation.id == sender.installation_id, Installation.user_id == sender.actor.id)
        .values(last_error=first[:60])
    )
    writer = WRITERS.get(arrival.collection)
    gone = True
    if writer is not None and isinstance(arrival.row_id, str) and wire.ID_PATTERN.fullmatch(arrival.row_id):
        try:
            renumber(session, writer.find(session, sender.actor, arrival.row_id))
            gone = False
        except NotFound:
            pass
    return Outcome(arrival, refused=True, differs=True, gone=gone)


def _encodable(values: Mapping[str, Any]) -> bool:
    try:
        msgspec.json.encode(dict(values)).decode()
    except (ValueError, TypeError, UnicodeError, OverflowError):
        return False
    return True


def _checked(schema: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    faults = schema.validate(dict(values))
    if faults:
        raise FieldsInvalid({str(name): [str(code) for code in codes] for name, codes in faults.items()})
    return dict(schema.load(dict(values)))


def _wire(row: Any, name: str, arrival: Arrival) -> Any:
    return to_wire(getattr(row, COLLECTIONS[arrival.collection].columns[name]))


def _unseen(session: Session, sender: Sender, collection: str, row_id: str) -> set[str]:
    return set(
        session.scalars(
            select(FieldMark.field).where(
                FieldMark.collection == collection,
                FieldMark.row_id == row_id,
                or_(
                    # An old push that is late finds this phone's own newer values: it knew nothing of them, either.
                    FieldMark.change_no > sender.since,
                    and_(FieldMark.change_no > sender.seen, FieldMark.installation_id != sender.mark),
                ),
            )
        )
    )


def _last(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> dict[str, str]:
    """Return the digests of what this phone sent last of a row."""
    receipt = session.get(Receipt, (sender.mark, arrival.collection, row_id))
    return receipt.digests if receipt else {}


def _is_repeated_deletion(sender: Sender, arrival: Arrival, row: Any, last: Mapping[str, str]) -> bool:
    """Tell whether this phone deleted a row that lives again, and has not seen that it does: a repeat must not undo that."""
    if _DELETED not in last:
        return False
    if arrival.base is not None:
        return bool(arrival.base.get("updated_at") != to_wire(row.updated_at))
    return row.change_no is None or row.change_no > sender.seen


def _is_old(sender: Sender, arrival: Arrival, row: Any, last: Mapping[str, str]) -> bool:
    """Tell whether a push was made before another one of this phone that was taken already.

    WatermelonDB pulls before each push, so the next one stands behind the change that the last one made. RxDB sends the
    state that it takes the server's row to be, which is dated.
    """
    before = int(last.get(_STOOD, -1))
    if sender.cursor:
        return sender.cursor <= before
    knows = arrival.base is not None and arrival.base.get("updated_at") == to_wire(row.updated_at)
    return not sender.replayed and not knows and _stood(sender, arrival) < before


def _stood(sender: Sender, arrival: Arrival) -> int:
    stamp = (arrival.base or {}).get("updated_at")
    return sender.cursor or (stamp if isinstance(stamp, int) else 0)


def _keep_receipt(
    session: Session, sender: Sender, arrival: Arrival, row: Any, last: Mapping[str, str], *, wrote: bool = True
) -> None:
    if sender.replayed:
        return
    sent = {name: digest(arrival.values[name]) for name in sorted(row.MERGED) if name in arrival.values}
    if arrival.deleted:
        sent = {**last, _DELETED: ""}
    elif _DELETED in last:
        sent |= {_DELETED: ""}
    stood = max(_stood(sender, arrival) if wrote else -1, int(last.get(_STOOD, -1)))
    if stood >= 0:
        sent[_STOOD] = str(stood)
    insert = insert_into(session, Receipt).values(
        installation_id=sender.mark, collection=arrival.collection, row_id=row.id, digests=sent, at=now(session)
    )
    session.execute(
        insert.on_conflict_do_update(
            index_elements=["installation_id", "collection", "row_id"],
            set_={"digests": insert.excluded.digests, "at": insert.excluded.at},
        )
    )


def _keep_loss(session: Session, sender: Sender, collection: str, row_id: str, loss: Loss) -> None:
    add(
        session,
        SyncConflict(
            collection=collection, row_id=row_id, field=loss.field, kept=loss.kept, lost=loss.lost,
            user_id=sender.actor.id, installation_id=sender.installation_id,
        ),
    )  # fmt: skip


def forget(session: Session, days: int) -> None:
    """Delete receipts and remembered deletions older than ``days``."""
    old = now(session) - timedelta(days=days)
    session.execute(delete(Receipt).where(Receipt.at < old))
    session.execute(delete(DeletedId).where(DeletedId.at < old))
