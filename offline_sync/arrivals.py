"""Up: conducts what a phone sends. Per row: seen? -> validate -> access -> merge or verb -> outcome.

A row that cannot be taken never stops the others: it is kept as a problem with a reason for each field. What a
phone must hear of although the row did not change for others is sent again with the next pull.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import groupby
from typing import Any

import msgspec
from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from app.core import wire
from app.core.db import among, insert_once, now
from app.core.errors import DomainError, FieldsInvalid, Forbidden, NotFound
from app.core.ids import new_id
from app.core.scopes import send_away
from app.core.settings import Settings
from app.core.tracked import FieldMark, Tracked, add, renumber, try_transition
from app.customers import queries
from app.customers.sources import telling
from app.users.auth import actor_of
from app.users.models import User
from app.users.rights import allows
from offline_sync import early, heirs
from offline_sync.changes import visible_ids
from offline_sync.checks import ROW_LIMITS, checked, comes_to, new_values
from offline_sync.collections import COLLECTIONS
from offline_sync.collections.base import to_wire
from offline_sync.intent_kinds import INTENTS
from offline_sync.intents import decide, read_body
from offline_sync.keyed import gather, split, spread
from offline_sync.merge import Loss, Merged, Sent, claims, digest, merge
from offline_sync.models import DeletedId, EarlyRow, Installation, Intent, Receipt, SyncConflict, SyncProblem
from offline_sync.receipts import hidden_of, is_old, is_repeated_deletion, keep_receipts, last_sent
from offline_sync.sent import Arrival, Outcome, Sender
from offline_sync.settling import send_away_unseen, settle
from offline_sync.writers import WRITERS, Writer

_ORDER = {name: i for i, name in enumerate((*WRITERS, "intents"))}
_CONTENT_LIMIT = 20_000
# So the content of a problem begins that is of a deletion.
_OF_DELETION = '{"deleted":true,'
# So many rows that waited in vain are given up in one transaction.
_MOST_OVERDUE = 500


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
    _hold(session, ids, written)
    if sender.waits:
        for name in sorted(ids):
            early.drop(session, sender.actor, name, sorted(ids[name]))
    written.sort(key=_rank)
    deleted.sort(key=lambda found: -_ORDER.get(found.collection, -1))
    outcomes: list[Outcome] = []
    for name, group in groupby(written, key=lambda found: found.collection):
        rows = list(group)
        settled = settle(session, sender, name, rows)
        outcomes += [Outcome(row) if i in settled else _one(session, sender, row) for i, row in enumerate(rows)]
    outcomes += [_one(session, sender, arrival) for arrival in deleted]
    _mend(session, sender, outcomes)
    late = _take_early(session, sender)
    if late or any(arrival.deleted or arrival.collection == "intents" for arrival, _, _ in outcomes):
        send_away_unseen(session, sender, [*outcomes, *late])
    return outcomes


def _rank(arrival: Arrival) -> tuple[int, bool, int]:
    """Parents first. Intents that make rows, then the others as the person did them: not every library lists them so."""
    place = _ORDER.get(arrival.collection, len(_ORDER))
    if arrival.collection != "intents":
        return place, False, 0
    kind, made = INTENTS.get(str(arrival.values.get("kind"))), arrival.values.get("made_at")
    return place, kind is None or kind.makes is None or kind.in_turn, made if isinstance(made, int) else 0


def _mend(session: Session, sender: Sender, outcomes: Sequence[Outcome]) -> None:
    """Close the problems of rows that this phone has now sent as they can be taken: of deletions by deletions alone."""
    mine = (SyncProblem.user_id == sender.actor.id, SyncProblem.installation_id == sender.installation_id)
    taken: set[tuple[str, Any, bool]] | None = None
    for problem in session.scalars(select(SyncProblem).where(*mine, SyncProblem.state == "open")):
        if taken is None:
            taken = {
                (found.arrival.collection, found.arrival.row_id, found.arrival.deleted)
                for found in outcomes
                if not (found.refused or found.early) and isinstance(found.arrival.row_id, str)
            }
        if (problem.collection, problem.row_id, problem.content.startswith(_OF_DELETION)) in taken:
            try_transition(session, problem, "mended")


def _take_early(session: Session, sender: Sender) -> list[Outcome]:
    """Take the rows of this phone that waited for what has now come; those on which others wait, first."""
    outcomes: list[Outcome] = []
    while found := early.due(session, sender.actor, sender.installation_id):
        ordered = sorted(found, key=lambda row: _rank(Arrival(row.collection, row.row_id, row.sent)))
        outcomes.extend(take_late(session, sender, row) for row in ordered)
    return outcomes


def take_late(session: Session, sender: Sender, row: EarlyRow) -> Outcome:
    """Take a row that has waited. Where it is refused after all, it leaves the phone, which thinks that it is stored."""
    arrival = Arrival(row.collection, row.row_id, row.sent)
    outcome = _one(session, replace(sender, waits=False, refusals=sender.refusals), arrival)
    if outcome.refused:
        send_away(session, sender.actor.id, row.collection, row.row_id)
    return outcome


def _ids(arrivals: Iterable[Arrival]) -> dict[str, set[str]]:
    """Return the ids in a push by collection, without those that are none."""
    found: dict[str, set[str]] = {}
    for arrival in arrivals:
        if isinstance(arrival.row_id, str) and wire.ID_PATTERN.fullmatch(arrival.row_id):
            found.setdefault(arrival.collection, set()).add(arrival.row_id)
    return found


def _hold(session: Session, wanted: Mapping[str, set[str]], written: Iterable[Arrival]) -> None:
    """Keep all rows of a push from others, in one order for everybody: else pushes of the same rows wait in a circle.

    And their customers, which are compared anew with others when something of them changes.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    held = {**wanted, "customers": _customers_of(session, wanted, written)}
    for name in WRITERS:
        if ids := held.get(name):
            model = COLLECTIONS[name].model
            rows = select(model.id).where(among(session, model.id, sorted(ids))).order_by(model.id)
            session.execute(rows.with_for_update(key_share=True))


def _customers_of(session: Session, wanted: Mapping[str, set[str]], written: Iterable[Arrival]) -> set[str]:
    """Return the customers that rows of a push are, or belong to, and those they were merged into."""
    named = (arrival.values.get("customer_id") for arrival in written)
    found = {value for value in named if isinstance(value, str) and wire.ID_PATTERN.fullmatch(value)}
    for name in wanted.keys() & WRITERS.keys():
        model: Any = COLLECTIONS[name].model
        if "customer_id" in model.__table__.c:
            found |= set(session.scalars(select(model.customer_id).where(among(session, model.id, sorted(wanted[name])))))
    found = (found | wanted.get("customers", set())) - {None}
    return found | set(queries.heirs(session, found).values()) if found else found


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
        wire.check_value(dict(arrival.values), ROW_LIMITS)
    except wire.WireError as fault:
        raise FieldsInvalid({"id" if fault.reason == "id_invalid" else "row": [fault.reason]}) from None
    writer = WRITERS.get(arrival.collection)
    if arrival.collection == "intents":
        return _intend(session, sender, arrival, row_id)
    if writer is None:
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
    values = new_values(writer, arrival, row_id)
    parent = writer.parent(values) if sender.waits and writer.parent is not None else None
    if parent is not None and early.may_wait(session, sender.actor, sender.installation_id, parent):
        early.keep(session, sender.actor, sender.installation_id, (arrival.collection, row_id), parent, arrival.values)
        return False
    writer.create(session, sender.settings, sender.actor, values)
    keep_receipts(session, sender, [(arrival, {})])
    return True


def _delete(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row: Any) -> None:
    last = last_sent(session, sender, arrival, row.id)
    if is_repeated_deletion(sender, arrival, row, last):
        renumber(session, row)
        return
    writer.delete(session, sender.actor, row)
    keep_receipts(session, sender, [(arrival, last)])


def _edit(session: Session, sender: Sender, arrival: Arrival, writer: Writer, row: Any) -> None:
    columns = COLLECTIONS[arrival.collection].columns
    editable = sorted(row.MERGED & set(columns))
    present = {name: _wire(row, name, arrival) for name in editable}
    sent = {
        name: arrival.values[name]
        for name in editable
        if name in arrival.values and not comes_to(writer, name, arrival.values[name], present[name])
    }
    last = last_sent(session, sender, arrival, row.id)
    # What is older than a push that was taken of this phone undoes nothing. Where nothing tells, both values are kept.
    old = is_old(sender, arrival, to_wire(row.updated_at), last)
    unknown = arrival.base is None and not (sender.cursor and sender.seen) and not sender.replayed
    hidden = hidden_of(sender, last)
    others = None if old or unknown else _unseen(session, sender, arrival.collection, row.id) | set(hidden)
    present, said, doubtful = spread(writer.keyed, present, Sent(sent, arrival.claimed, arrival.base, last), others)
    merged = merge(
        present,
        said,
        others=present if others is None else others,
        server_first=present if old else {*writer.server_first, *doubtful},
    )
    if merged.write:
        changes = checked(writer.edit, gather(merged.write))
        with telling(session, said_at=sender.edited_at, unseen={loss.field for loss in merged.losses}):
            writer.change(session, sender.actor, row, changes)
    for loss in _losses(writer, row, arrival, merged):
        _keep_loss(session, sender, arrival.collection, row.id, loss)
    if not old:
        missed = dict.fromkeys(set(said.values) & set(said.claimed or ()), sender.since)
        unseen = {name: stood for name, stood in (hidden | missed).items() if name in said.values and name not in merged.write}
        keep_receipts(session, sender, [(arrival, last)], wrote=bool(merged.write), hidden=unseen)
    stored = {name: _wire(row, name, arrival) for name in columns if name in arrival.values}
    differs = merged.differs or any(value != arrival.values[name] for name, value in stored.items())
    if differs and not merged.write:
        _tell_again(session, sender, row)


def _losses(writer: Writer, row: Any, arrival: Arrival, merged: Merged) -> Iterator[Loss]:
    """Yield what lost, as it is kept: the phone's value may be stored in another form, or a better source's value may stay."""
    stood = {loss.field: loss.lost for loss in merged.losses if loss.field in merged.write}
    outranked = set(getattr(row, "outranked", ())) if merged.write else set()
    for name in sorted({*outranked & set(merged.write), *(loss.field for loss in merged.losses)}):
        column, dot, key = name.partition(".")
        kept = getattr(row, column).get(key) if dot else _wire(row, name, arrival)
        if name in outranked:
            yield Loss(name, kept, merged.write[name])
        else:
            yield Loss(name, kept, stood.get(name, next(loss.lost for loss in merged.losses if loss.field == name)))


def _tell_again(session: Session, sender: Sender, row: Tracked) -> None:
    """Let the phone's next pull bring a row, unless it does so anyway."""
    if row.change_no is not None and row.change_no <= sender.since:
        renumber(session, row)


def _too_late(session: Session, sender: Sender, arrival: Arrival, row: Tracked) -> None:
    """The row is deleted: that wins. What the phone had edited meanwhile goes to its heir, if it was merged, or the journal."""
    last = last_sent(session, sender, arrival, row.id)
    if not arrival.deleted:
        sent = Sent(arrival.values, arrival.claimed, arrival.base, last)
        edits = {
            name: arrival.values[name]
            for name in sorted(row.MERGED & set(arrival.values))
            if claims(sent, name) and last.get(name) != digest(arrival.values[name])
        }
        writer = WRITERS[arrival.collection]
        if heirs.was_merged(row):
            old = is_old(sender, arrival, to_wire(row.updated_at), last)
            unseen = _unseen_of_gone(session, sender, arrival, row)
            for row_id, loss in heirs.inherit(session, sender.actor, writer, row, edits, unseen, late=old):
                _keep_loss(session, sender, arrival.collection, row_id, loss)
        else:
            writer.find_deleted(session, sender.actor, row.id)
            if edits:
                _keep_loss(session, sender, arrival.collection, row.id, Loss("", kept=None, lost=edits))
        if edits:
            keep_receipts(session, sender, [(arrival, last)])
    else:
        keep_receipts(session, sender, [(arrival, last)])
    send_away(session, sender.actor.id, arrival.collection, row.id)


def _intend(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> bool:
    present = session.scalar(select(Intent).where(Intent.id == row_id).with_for_update(key_share=True))
    if present is not None:
        if present.user_id != sender.actor.id:
            raise NotFound
        # Append-only: an edit or a deletion is not written; the next pull brings the row back as it is.
        renumber(session, present)
        return True
    if arrival.deleted:
        return True
    kind, body = arrival.values.get("kind"), arrival.values.get("body")
    if not isinstance(kind, str) or not isinstance(body, str):
        raise FieldsInvalid({name: ["not_text"] for name in ("kind", "body") if not isinstance(arrival.values.get(name), str)})
    asked, about = read_body(kind, body), INTENTS[kind].about
    if sender.waits and about is not None and early.may_wait(session, sender.actor, sender.installation_id, about(asked)):
        early.keep(session, sender.actor, sender.installation_id, (arrival.collection, row_id), about(asked), arrival.values)
        return False
    try:
        made_ms = wire.check_ms(arrival.values.get("made_at"))
    except wire.WireError:
        made_ms = 0  # a phone's clock may be years off
    intent = add(
        session,
        Intent(
            id=row_id, user_id=sender.actor.id, installation_id=sender.installation_id, kind=kind, body=body, made_ms=made_ms,
            skew_ms=sender.skew_ms,
        ),
    )  # fmt: skip
    refusal = decide(session, sender.settings, sender.actor, intent)
    if refusal is not None:
        sender.refusals.append(refusal)
        if (makes := INTENTS[kind].makes) is not None and asked.get("id"):
            # It will not come: who waits for it waits no longer.
            insert_once(session, DeletedId, user_id=sender.actor.id, collection=makes, row_id=asked["id"], at=now(session))
    return True


def _restore_read_only(session: Session, sender: Sender, arrival: Arrival, row_id: str) -> None:
    """Nothing of this collection is written from phones: what the person may see comes again, the rest is refused."""
    shown = visible_ids(session, sender.actor, arrival.collection)
    model = COLLECTIONS[arrival.collection].model
    row = session.scalar(select(model).where(model.id == row_id, model.id.in_(select(shown.c.row_id))))
    if row is None:
        raise FieldsInvalid({"row": ["read_only"]})
    renumber(session, row)


def _refuse(session: Session, sender: Sender, arrival: Arrival, reasons: Mapping[str, list[str]]) -> None:
    """Keep a row that cannot be taken, once for each content, with what is wrong with it; tried again, it is open again."""
    ours = {"deleted": arrival.deleted, "claimed": sorted(arrival.claimed) if arrival.claimed is not None else None}
    sent = {name: value for name, value in arrival.values.items() if name not in ours}
    content = msgspec.json.encode(
        ours | sent if _encodable(ours | sent) else {"deleted": arrival.deleted, "as_text": ascii(dict(arrival.values))}
    ).decode()[:_CONTENT_LIMIT]
    present = now(session)
    key: dict[str, Any] = {
        "installation_id": sender.installation_id,
        "collection": wire.plain_text(str(arrival.collection), 40),
        "row_id": ascii(arrival.row_id)[1:-1][:60] if isinstance(arrival.row_id, str) else ascii(arrival.row_id)[:60],
        # People who share a phone have a problem each, also with the same row.
        "content_hash": hashlib.sha256(f"{sender.actor.id} {content}".encode()).hexdigest(),
    }
    told = {str(name)[:80]: codes for name, codes in reasons.items()}
    is_new = insert_once(
        session,
        SyncProblem,
        id=new_id(),
        version=1,
        created_at=present,
        updated_at=present,
        user_id=sender.actor.id,
        reasons=told,
        content=content.replace("\x00", ""),
        state="open",
        **key,
    )
    if not is_new:
        # An edit that WatermelonDB keeps comes with every push: what the office settled of it stays settled.
        stays = not (arrival.deleted or sender.waits)
        known = session.scalars(select(SyncProblem).filter_by(**key)).one()
        try_transition(session, known, "open", expect=("mended",) if stays else None, reasons=told)
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


def _unseen_of_gone(session: Session, sender: Sender, arrival: Arrival, row: Tracked) -> set[str]:
    """Return the fields of a merged row, each key of ``custom`` for itself, whose last value its phone had not seen."""
    if arrival.base is None:
        return _unseen(session, sender, arrival.collection, row.id)
    present = {name: _wire(row, name, arrival) for name in row.MERGED & set(arrival.base)}
    columns = WRITERS[arrival.collection].keyed
    now_there, then = split(columns, present), split(columns, arrival.base)
    return {name for name, value in now_there.items() if value != then.get(name)}


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
