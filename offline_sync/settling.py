"""What concerns many rows of a push at once: new rows, rows that were sent before, and those that left its sender's sight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.db import among, raw_rows
from app.core.errors import FieldsInvalid
from app.core.scopes import send_away
from app.core.tracked import renumber_many
from app.users.rights import allows
from offline_sync.checks import is_sound, new_values
from offline_sync.collections import COLLECTIONS
from offline_sync.models import DeletedId
from offline_sync.receipts import is_old, keep_receipts, last_of
from offline_sync.sent import Arrival, Outcome, Sender
from offline_sync.writers import WRITERS, Writer

# From so many rows of one collection on, those that need no thought are settled together.
_MANY = 8


def settle(session: Session, sender: Sender, name: str, arrivals: Sequence[Arrival]) -> set[int]:
    """Settle, in a few statements, what pushes of many rows are made of: new rows, and rows that were sent before.

    All others, and those in which anything is wrong, are left to ``take``, row by row.

    Returns:
        The places of the settled ones in ``arrivals``.
    """
    writer = WRITERS.get(name)
    if writer is None or writer.create_many is None or len(arrivals) < _MANY or not allows(sender.actor, writer.right):
        return set()
    times = Counter(arrival.row_id for arrival in arrivals if isinstance(arrival.row_id, str))
    single = [i for i, arrival in enumerate(arrivals) if times.get(arrival.row_id, 0) == 1 and is_sound(arrival)]
    model: Any = COLLECTIONS[name].model
    ids = [arrivals[i].row_id for i in single]
    own = (DeletedId.user_id == sender.actor.id, DeletedId.collection == name)
    buried = set(session.scalars(select(DeletedId.row_id).where(*own, among(session, DeletedId.row_id, ids))))
    present = set(session.scalars(select(model.id).where(among(session, model.id, ids))))
    known = [i for i in single if arrivals[i].row_id in present]
    no_news = present | buried
    fresh = [i for i in single if arrivals[i].row_id not in no_news]
    return _settle_same(session, sender, writer, arrivals, known) | _settle_new(session, sender, writer, arrivals, fresh)


def _settle_same(
    session: Session, sender: Sender, writer: Writer, arrivals: Sequence[Arrival], places: Sequence[int]
) -> set[int]:
    """Settle rows whose fields that phones may edit are as the phone has them; it hears of the others' values again."""
    if not places:
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
    last = last_of(session, sender, collection.name, [arrivals[i].row_id for i in same])
    again = [(arrivals[i], last.get(arrivals[i].row_id, {})) for i in sorted(same)]
    known = [(one, last) for one, last in again if not is_old(sender, one, stored[one.row_id]["updated_at"], last)]
    keep_receipts(session, sender, known, wrote=False)
    return same


def _settle_new(session: Session, sender: Sender, writer: Writer, arrivals: Sequence[Arrival], places: Sequence[int]) -> set[int]:
    """Make rows that nobody knows yet."""
    if not places or writer.create_many is None:
        return set()
    checked: dict[int, dict[str, Any]] = {}
    for i in places:
        try:
            checked[i] = new_values(writer, arrivals[i], arrivals[i].row_id)
        except FieldsInvalid:
            continue
    try:
        with session.begin_nested():
            answers = writer.create_many(session, sender.actor, list(checked.values()))
            made = {i for i, answer in zip(checked, answers, strict=True) if isinstance(answer, str)}
            keep_receipts(session, sender, [(arrivals[i], {}) for i in sorted(made)])
    except IntegrityError:  # somebody else was quicker with one of them: which, shows row by row
        return set()
    return made


def send_away_unseen(session: Session, sender: Sender, outcomes: Sequence[Outcome]) -> None:
    """Tell the phone of rows it sent that went out of its person's sight in the same push.

    A parent was deleted, or a lead given back. Such a row never lay in a scope: it was made and left in one transaction, so no
    removal would lead to it. On the phone it stays, because its database knows nothing of what hangs on what.
    """
    taken: dict[str, list[str]] = {}
    for arrival, refused, early in outcomes:
        if not (refused or early or arrival.deleted) and arrival.collection in WRITERS:
            taken.setdefault(arrival.collection, []).append(arrival.row_id)
    for name, ids in taken.items():
        model: Any = COLLECTIONS[name].model
        seen = WRITERS[name].visible(sender.actor).with_only_columns(model.id)
        unseen = select(model.id).where(among(session, model.id, ids), model.id.not_in(seen)).order_by(model.id)
        for row_id in session.scalars(unseen).all():
            send_away(session, sender.actor.id, name, row_id)
