"""Up: conducts what a phone sends. Per row: seen? -> validate -> access -> merge or verb -> outcome.

A row that cannot be taken never stops the others: it is kept as a problem with a reason for each field. What a
phone must hear of although the row did not change for others is sent again with the next pull.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

import msgspec
from marshmallow import Schema, ValidationError
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.core import wire
from app.core.db import among, insert_many, insert_once, now, raw_rows
from app.core.errors import DomainError, FieldsInvalid, Forbidden, NotFound
from app.core.ids import new_id
from app.core.scopes import send_away
from app.core.settings import Settings
from app.core.tracked import FieldMark, Tracked, add, renumber, renumber_many, try_transition
from app.users.auth import actor_of
from app.users.models import User
from app.users.rights import Actor, allows
from offline_sync import early
from offline_sync.changes import visible_ids
from offline_sync.collections import COLLECTIONS, to_wire
from offline_sync.intents import decide, read_body
from offline_sync.merge import Loss, Sent, digest, merge
from offline_sync.models import DeletedId, EarlyRow, Installation, Intent, Receipt, SyncConflict, SyncProblem
from offline_sync.writers import WRITERS, Writer

_ORDER = {name: i for i, name in enumerate((*WRITERS, "intents"))}
_CONTENT_LIMIT = 20_000
_ROW_LIMITS = wire.Limits(values=500)
# From so many rows of one collection on, those that need no thought are settled together.
_MANY = 8
# So many rows that waited in vain are given up in one transaction.
_MOST_OVERDUE = 500
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


class Outcome(NamedTuple):
    """What became of an arrival.

    ``refused``: it was kept as a problem, and is not stored. ``early``: it waits for the row it hangs on.
    """

    arrival: Arrival
    refused: bool = False
    early: bool = False


@dataclass
class Sender:
    """Who sends, from which installation, having seen which changes.

    Attributes:
        since: the number the phone stood at when it sent this. What it wrote itself after that came with a later push.
        seen: the number it stood at when the oldest of its edits was made; its library pulls before it pushes. 0: it had seen
            nothing, as in a column that an upgrade of the app has just brought.
        cursor: ``since`` as the phone keeps it, with the epoch; 0 where its protocol has none.
        replayed: an operator sends it, corrected, for somebody else's phone, and knows the row as it is.
        waits: its library sends each collection apart, so that a new row may come before the one it hangs on.
    """

    actor: Actor
    settings: Settings
    installation_id: str
    since: int
    seen: int
    cursor: int = 0
    replayed: bool = False
    waits: bool = False
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
    ids = _ids([*written, *deleted])
    _hold(session, ids)
    if sender.waits:
        for name in sorted(ids):
            early.drop(session, sender.actor, name, sorted(ids[name]))
    written.sort(key=_rank)
    deleted.sort(key=lambda found: -_ORDER.get(found.collection, -1))
    outcomes: list[Outcome] = []
    for name, group in groupby(written, key=lambda found: found.collection):
        rows = list(group)
        settled = _settle(session, sender, name, rows)
        outcomes += [Outcome(row) if i in settled else _one(session, sender, row) for i, row in enumerate(rows)]
    outcomes += [_one(session, sender, arrival) for arrival in deleted]
    _mend(session, sender, outcomes)
    _take_early(session, sender)
    return outcomes


def _rank(arrival: Arrival) -> tuple[int, int]:
    """Parents first. Intents as the person did them: not every library lists them so."""
    made = arrival.values.get("made_at") if arrival.collection == "intents" else 0
    return _ORDER.get(arrival.collection, len(_ORDER)), made if isinstance(made, int) else 0


def _mend(session: Session, sender: Sender, outcomes: Sequence[Outcome]) -> None:
    """Close the problems of rows that this phone has now sent as they can be taken."""
    mine = (SyncProblem.user_id == sender.actor.id, SyncProblem.installation_id == sender.installation_id)
    taken: set[tuple[str, Any]] | None = None
    for problem in session.scalars(select(SyncProblem).where(*mine, SyncProblem.state == "open")):
        if taken is None:
            taken = {
                (found.arrival.collection, found.arrival.row_id)
                for found in outcomes
                if not (found.refused or found.early or found.arrival.deleted) and isinstance(found.arrival.row_id, str)
            }
        if (problem.collection, problem.row_id) in taken:
            try_transition(session, problem, "mended")


def _take_early(session: Session, sender: Sender) -> None:
    """Take the rows of this phone that waited for what has now come; those on which others wait, first."""
    while found := early.due(session, sender.actor, sender.installation_id):
        for row in found:
            take_late(session, sender, row)


def take_late(session: Session, sender: Sender, row: EarlyRow) -> None:
    """Take a row that has waited. Where it is refused after all, it leaves the phone, which thinks that it is stored."""
    arrival = Arrival(row.collection, row.row_id, row.sent)
    if _one(session, replace(sender, waits=False, refusals=sender.refusals), arrival).refused:
        send_away(session, sender.actor.id, row.collection, row.row_id)


def _ids(arrivals: Iterable[Arrival]) -> dict[str, set[str]]:
    """Return the ids in a push by collection, without those that are none."""
    found: dict[str, set[str]] = {}
    for arrival in arrivals:
        if isinstance(arrival.row_id, str) and wire.ID_PATTERN.fullmatch(arrival.row_id):
            found.setdefault(arrival.collection, set()).add(arrival.row_id)
    return found


def _hold(session: Session, wanted: Mapping[str, set[str]]) -> None:
    """Keep all rows of a push from others, in one order for everybody: else pushes of the same rows wait in a circle."""
    if session.get_bind().dialect.name == "sqlite":
        return
    for name in WRITERS:
        if ids := wanted.get(name):
            model = COLLECTIONS[name].model
            held = select(model.id).where(among(session, model.id, sorted(ids))).order_by(model.id)
            session.execute(held.with_for_update(key_share=True))


def _one(session: Session, sender: Sender, arrival: Arrival) -> Outcome:
    try:
        with session.begin_nested():
            return Outcome(arrival, early=not take(session, sender, arrival))
    except FieldsInvalid as fault:
        reasons = fault.errors
    except DomainError as fault:
        sender.refusals.append(fault)
        reasons = {"id": [fault.code]}
    except (IntegrityError, StaleDataError):
        reasons = {"id": ["already_exists"]}
    session.expire_all()
    _refuse(session, sender, arrival, reasons)
    return Outcome(arrival, refused=True)


def _settle(session: Session, sender: Sender, name: str, arrivals: Sequence[Arrival]) -> set[int]:
    """Settle, in a few statements, what pushes of many rows are made of: new rows, and rows that were sent before.

    All others, and those in which anything is wrong, are left to ``take``, row by row.

    Returns:
        The places of the settled ones in ``arrivals``.
    """
    writer = WRITERS.get(name)
    if writer is None or writer.create_many is None or len(arrivals) < _MANY or not allows(sender.actor, writer.right):
        return set()
    times = Counter(arrival.row_id for arrival in arrivals if isinstance(arrival.row_id, str))
    single = [i for i, arrival in enumerate(arrivals) if times.get(arrival.row_id, 0) == 1 and _is_sound(arrival)]
    model: Any = COLLECTIONS[name].model
    ids = [arrivals[i].row_id for i in single]
    own = (DeletedId.user_id == sender.actor.id, DeletedId.collection == name)
    buried = set(session.scalars(select(DeletedId.row_id).where(*own, among(session, DeletedId.row_id, ids))))
    present = set(session.scalars(select(model.id).where(among(session, model.id, ids))))
    known = [i for i in single if arrivals[i].row_id in present]
    no_news = present | buried
    fresh = [i for i in single if arrivals[i].row_id not in no_news]
    return _settle_same(session, sender, writer, arrivals, known) | _settle_new(session, sender, writer, arrivals, fresh)


def _is_sound(arrival: Arrival) -> bool:
    try:
        wire.check_id(arrival.row_id)
        wire.check_value(dict(arrival.values), _ROW_LIMITS)
    except wire.WireError:
        return False
    return True


def _settle_same(
    session: Session, sender: Sender, writer: Writer, arrivals: Sequence[Arrival], places: Sequence[int]
) -> set[int]:
    """Settle rows whose fields that phones may edit are as the phone has them; it hears of the others' values again."""
    if not places or writer.visible is None:
        return set()
    collection = COLLECTIONS[arrivals[places[0]].collection]
    model: Any = collection.model
    ids = [arrivals[i].row_id for i in places]
    seen = writer.visible(sender.actor).with_only_columns(model.id).where(among(session, model.id, ids))
    stored, numbers = {}, {}
    for *values, number in raw_rows(session, collection.query.add_columns(model.change_no).where(model.id.in_(seen))):
        stored[values[0]], numbers[values[0]] = collection.wired(values), number
    editable = sorted(model.MERGED & set(collection.columns))
    same = set()
    unlike = []
    for i in places:
        row, sent = stored.get(arrivals[i].row_id), arrivals[i].values
        if row is None or any(name in sent and sent[name] != row[name] for name in editable):
            continue
        same.add(i)
        if numbers[row["id"]] <= sender.since and any(name in sent and sent[name] != row[name] for name in collection.columns):
            unlike.append(row["id"])
    if unlike:
        renumber_many(session, model, unlike)
    last = _last_of(session, sender, collection.name, [arrivals[i].row_id for i in same])
    again = [(arrivals[i], last.get(arrivals[i].row_id, {})) for i in sorted(same)]
    known = [(one, last) for one, last in again if not _is_old(sender, one, stored[one.row_id]["updated_at"], last)]
    _keep_receipts(session, sender, known, wrote=False)
    return same


def _settle_new(session: Session, sender: Sender, writer: Writer, arrivals: Sequence[Arrival], places: Sequence[int]) -> set[int]:
    """Make rows that nobody knows yet."""
    if not places or writer.create_many is None:
        return set()
    checked: dict[int, dict[str, Any]] = {}
    for i in places:
        try:
            checked[i] = _new_values(writer, arrivals[i], arrivals[i].row_id)
        except FieldsInvalid:
            continue
    try:
        with session.begin_nested():
            answers = writer.create_many(session, sender.actor, list(checked.values()))
            made = {i for i, answer in zip(checked, answers, strict=True) if isinstance(answer, str)}
            _keep_receipts(session, sender, [(arrivals[i], {}) for i in sorted(made)])
    except IntegrityError:  # somebody else was quicker with one of them: which, shows row by row
        return set()
    return made


def take(session: Session, sender: Sender, arrival: Arrival) -> bool:
    """Take one row; tell whether it was, or waits for the row it hangs on.

    Raises:
        FieldsInvalid: with what is wrong with each field.
        DomainError: when it is not the actor's, or a rule refuses it.
    """
    collection = COLLECTIONS.get(arrival.collection)
    if collection is None or not allows(sender.actor, collection.right):
        raise FieldsInvalid({"collection": ["unknown_collection"]})
    try:
        row_id = wire.check_id(arrival.row_id)
        wire.check_value(dict(arrival.values), _ROW_LIMITS)
    except wire.WireError as fault:
        raise FieldsInvalid({"id" if fault.reason == "id_invalid" else "row": [fault.reason]}) from None
    writer = WRITERS.get(arrival.collection)
    if arrival.collection == "intents":
        _intend(session, sender, arrival, row_id)
    elif writer is None:
        _restore_read_only(session, sender, arrival, row_id)
    elif not allows(sender.actor, writer.right):
        raise Forbidden("forbidden")
    else:
        return _write(session, sender, arrival, writer, row_id)
    return True


def _write(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row_id: str) -> bool:
    model = COLLECTIONS[arrival.collection].model
    present = session.scalar(select(model).where(model.id == row_id).with_for_update(key_share=True))
    if present is None:
        return _make(session, sender, arrival, writer, row_id)
    if present.deleted_at is not None:
        _too_late(session, sender, arrival, present)
    elif arrival.deleted:
        _delete(session, sender, arrival, writer, writer.find(session, sender.actor, row_id))
    else:
        _edit(session, sender, arrival, writer, writer.find(session, sender.actor, row_id))
    return True


def _make(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row_id: str) -> bool:
    key = {"user_id": sender.actor.id, "collection": arrival.collection, "row_id": row_id}
    buried = session.get(DeletedId, key) is not None
    if arrival.deleted or buried:
        # Its creation may still be under way: remembered, so that the row does not rise from the dead.
        insert_once(session, DeletedId, **key, at=now(session))
        if buried and not arrival.deleted:
            send_away(session, sender.actor.id, arrival.collection, row_id)
        return True
    values = _new_values(writer, arrival, row_id)
    parent = writer.parent(values) if sender.waits and writer.parent is not None else None
    if parent is not None and early.may_wait(session, sender.actor, sender.installation_id, parent):
        early.keep(session, sender.actor, sender.installation_id, (arrival.collection, row_id), parent, arrival.values)
        return False
    writer.create(session, sender.settings, sender.actor, values)
    _keep_receipts(session, sender, [(arrival, {})])
    return True


def _new_values(writer: Writer, arrival: Arrival, row_id: str) -> dict[str, Any]:
    values = {name: arrival.values[name] for name in writer.made_of if arrival.values.get(name) not in (None, "")}
    return _checked(writer.new, values | {"id": row_id})


def _delete(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row: Any) -> None:
    last = _last(session, sender, arrival, row.id)
    if _is_repeated_deletion(sender, arrival, row, last):
        renumber(session, row)
        return
    writer.delete(session, sender.actor, row)
    _keep_receipts(session, sender, [(arrival, last)])


def _edit(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row: Any) -> None:
    columns = COLLECTIONS[arrival.collection].columns
    editable = sorted(row.MERGED & set(columns))
    present = {name: _wire(row, name, arrival) for name in editable}
    sent = {
        name: arrival.values[name]
        for name in editable
        if name in arrival.values and not _comes_to(writer, name, arrival.values[name], present[name])
    }
    last = _last(session, sender, arrival, row.id)
    # What is older than a push that was taken of this phone undoes nothing. Where nothing tells, both values are kept.
    old = _is_old(sender, arrival, to_wire(row.updated_at), last)
    unknown = arrival.base is None and not (sender.cursor and sender.seen) and not sender.replayed
    merged = merge(
        present,
        Sent(sent, arrival.claimed, arrival.base, last),
        others=editable if old or unknown else _unseen(session, sender, arrival.collection, row.id),
        server_first=editable if old else writer.server_first,
    )
    if merged.write:
        changes = _checked(writer.edit, merged.write)
        writer.change(session, sender.actor, row, changes)
    for loss in merged.losses:  # as it is kept: the phone's value may be stored in another form
        _keep_loss(session, sender, arrival.collection, row.id, Loss(loss.field, _wire(row, loss.field, arrival), loss.lost))
    if not old:
        _keep_receipts(session, sender, [(arrival, last)], wrote=bool(merged.write))
    stored = {name: _wire(row, name, arrival) for name in columns if name in arrival.values}
    differs = merged.differs or any(value != arrival.values[name] for name, value in stored.items())
    if differs and not merged.write:
        _tell_again(session, sender, row)


def _comes_to(writer: Writer, name: str, value: Any, present: Any) -> bool:
    """Tell whether a value, stored, would be the present one: blanks at its ends, for one, do not make it another."""
    if value == present:
        return True
    try:
        [checked] = _checked(writer.edit, {name: value}).values()
    except (FieldsInvalid, ValueError):
        return False
    return bool(to_wire(checked) == present)


def _tell_again(session: Session, sender: Sender, row: Tracked) -> None:
    """Let the phone's next pull bring a row, unless it does so anyway."""
    if row.change_no is not None and row.change_no <= sender.since:
        renumber(session, row)


def _too_late(session: Session, sender: Sender, arrival: Arrival, row: Tracked) -> None:
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
            _keep_receipts(session, sender, [(arrival, last)])
    else:
        _keep_receipts(session, sender, [(arrival, last)])
    send_away(session, sender.actor.id, arrival.collection, row.id)


def _intend(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> None:
    present = session.scalar(select(Intent).where(Intent.id == row_id).with_for_update(key_share=True))
    if present is not None:
        if present.user_id != sender.actor.id:
            raise NotFound
        # Append-only: an edit or a deletion is not written; the next pull brings the row back as it is.
        renumber(session, present)
        return
    if arrival.deleted:
        return
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


def _restore_read_only(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> None:
    """Nothing of this collection is written from phones: what the person may see comes again, the rest is refused."""
    shown = visible_ids(session, sender.actor, arrival.collection)
    model = COLLECTIONS[arrival.collection].model
    row = session.scalar(select(model).where(model.id == row_id, model.id.in_(select(shown.c.row_id))))
    if row is None:
        raise FieldsInvalid({"row": ["read_only"]})
    renumber(session, row)


def _refuse(session: Session, sender: Sender, arrival: Arrival, reasons: Mapping[str, list[str]]) -> None:
    """Keep a row that cannot be taken, once for each content, with what is wrong with it."""
    ours = {"deleted": arrival.deleted, "claimed": sorted(arrival.claimed) if arrival.claimed is not None else None}
    sent = {name: value for name, value in arrival.values.items() if name not in ours}
    content = msgspec.json.encode(
        ours | sent if _encodable(ours | sent) else {"deleted": arrival.deleted, "as_text": ascii(dict(arrival.values))}
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
        collection=wire.plain_text(str(arrival.collection), 40),
        row_id=ascii(arrival.row_id)[1:-1][:60] if isinstance(arrival.row_id, str) else ascii(arrival.row_id)[:60],
        reasons={str(name)[:80]: codes for name, codes in reasons.items()},
        content=content.replace("\x00", ""),
        # People who share a phone have a problem each, also with the same row.
        content_hash=hashlib.sha256(f"{sender.actor.id} {content}".encode()).hexdigest(),
        state="open",
    )
    first = next(iter(reasons.values()), ["invalid"])[0]
    session.execute(
        update(Installation)
        .where(Installation.id == sender.installation_id, Installation.user_id == sender.actor.id)
        .values(last_error=first[:60])
    )
    writer = WRITERS.get(arrival.collection)
    if writer is not None and isinstance(arrival.row_id, str) and wire.ID_PATTERN.fullmatch(arrival.row_id):
        with suppress(NotFound):
            renumber(session, writer.find(session, sender.actor, arrival.row_id))


def _encodable(values: Mapping[str, Any]) -> bool:
    try:
        msgspec.json.encode(dict(values)).decode()
    except (ValueError, TypeError, UnicodeError, OverflowError):
        return False
    return True


def _checked(schema: type[Schema], values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return dict(_instance(schema).load(dict(values)))
    except ValidationError as fault:
        faults: dict[str, list[str]] = fault.normalized_messages()  # type: ignore[no-untyped-call]
        raise FieldsInvalid({str(name): [str(code) for code in codes] for name, codes in faults.items()}) from None


@cache
def _instance(schema: type[Schema]) -> Schema:
    """Return the one instance of a schema: making one costs more than checking a row."""
    return schema()


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
    return _last_of(session, sender, arrival.collection, [row_id]).get(row_id, {})


def _last_of(session: Session, sender: Sender, collection: str, ids: Collection[str]) -> dict[str, dict[str, str]]:
    """Return, by row, the digests of what this phone sent last."""
    mine = (Receipt.installation_id == sender.mark, Receipt.collection == collection, among(session, Receipt.row_id, ids))
    return {row.row_id: row.digests for row in session.execute(select(Receipt.row_id, Receipt.digests).where(*mine))}


def _is_repeated_deletion(sender: Sender, arrival: Arrival, row: Any, last: Mapping[str, str]) -> bool:
    """Tell whether this phone deleted a row that lives again, and has not seen that it does: a repeat must not undo that."""
    if _DELETED not in last:
        return False
    if arrival.base is not None:
        return bool(arrival.base.get("updated_at") != to_wire(row.updated_at))
    return row.change_no is None or row.change_no > sender.seen


def _is_old(sender: Sender, arrival: Arrival, updated_ms: int, last: Mapping[str, str]) -> bool:
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


def _keep_receipts(
    session: Session, sender: Sender, sent: Sequence[tuple[Arrival, Mapping[str, str]]], *, wrote: bool = True
) -> None:
    """Remember what this phone sent last of some rows; each comes with what it had sent of the row before."""
    if sender.replayed:
        return
    present = now(session)
    rows = [
        {
            "installation_id": sender.mark,
            "collection": arrival.collection,
            "row_id": arrival.row_id,
            "digests": _digests(sender, arrival, last, wrote=wrote),
            "at": present,
        }
        for arrival, last in sent
    ]
    insert_many(session, Receipt, rows, replacing=("installation_id", "collection", "row_id"))


def _digests(sender: Sender, arrival: Arrival, last: Mapping[str, str], *, wrote: bool) -> dict[str, str]:
    stood = max(_stood(sender, arrival) if wrote else -1, int(last.get(_STOOD, -1)))
    where = {_STOOD: str(stood)} if stood >= 0 else {}
    if arrival.deleted:
        return {**last, _DELETED: ""} | where
    merged = sorted(COLLECTIONS[arrival.collection].model.MERGED)
    deleted = {_DELETED: ""} if _DELETED in last else {}
    return {name: digest(arrival.values[name]) for name in merged if name in arrival.values} | deleted | where


def _keep_loss(session: Session, sender: Sender, collection: str, row_id: str, loss: Loss) -> None:
    add(
        session,
        SyncConflict(
            collection=collection, row_id=row_id, field=loss.field, kept=loss.kept, lost=loss.lost,
            user_id=sender.actor.id, installation_id=sender.installation_id,
        ),
    )  # fmt: skip


def forget(session: Session, settings: Settings) -> None:
    """Delete old receipts and remembered deletions; give up rows that wait for what never came."""
    for row in early.overdue(session, _MOST_OVERDUE):
        person = actor_of(session, session.get_one(User, row.user_id))
        take_late(session, Sender(person, settings, row.installation_id, 0, 0), row)
    old = now(session) - timedelta(days=settings.sync_keep_days)
    session.execute(delete(Receipt).where(Receipt.at < old))
    session.execute(delete(DeletedId).where(DeletedId.at < old))
