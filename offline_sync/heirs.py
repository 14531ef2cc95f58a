"""What phones still say of a customer that was merged meanwhile: it reaches the one that customer is now."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.core.db import among
from app.core.tracked import Tracked
from app.core.wire import ID_PATTERN
from app.customers import queries
from app.customers.models import Customer
from app.customers.sources import telling
from app.users.rights import Actor
from offline_sync.checks import checked
from offline_sync.collections.base import to_wire
from offline_sync.keyed import split
from offline_sync.merge import Loss
from offline_sync.sent import Arrival
from offline_sync.writers import Writer


def was_merged(row: Tracked) -> bool:
    """Tell whether a deleted row is one that became another."""
    return getattr(row, "merged_into_id", None) is not None


def inherit(
    session: Session, actor: Actor, writer: Writer, row: Any, edits: Mapping[str, Any], unseen: Collection[str], *, late: bool
) -> list[tuple[str, Loss]]:
    """Write what a phone edited of a merged row to that row, where an undone merge finds it, and to the one it is now.

    Where both differ, what arrives is kept, as in any conflict. What comes from somebody who may not see the other, or in an old
    push that comes late, is kept in the journal instead.

    Args:
        edits: fields as they are on the wire.
        unseen: fields of the merged row, each key of ``custom`` for itself, whose value the phone had not seen.
        late: a push that was made before another one of its phone that was taken already.

    Returns:
        For the journal: the row each loss is of, and what lost.

    Raises:
        FieldsInvalid: with what is wrong with each field.
        NotFound: when neither row is the actor's.
    """
    if not edits or writer.pass_on is None or writer.heir is None:
        return []
    changes = checked(writer.edit, edits)
    before = {name: to_wire(getattr(row, name)) for name in changes}
    heir = None if late else writer.heir(session, actor, row)
    if late:
        return [(row.id, Loss("", kept=None, lost=dict(edits)))]
    replaced = [(row.id, loss) for loss in _replaced(writer, row, changes, unseen)]
    writer.pass_on(session, actor, row, changes, heir is not None)
    if heir is None:
        return [*replaced, *((row.id, Loss(name, kept=None, lost=to_wire(value))) for name, value in changes.items())]
    present = {name: to_wire(getattr(heir, name)) for name in changes}
    with telling(session, about_id=row.id):
        writer.change(session, actor, heir, changes)
    kept = {name: to_wire(getattr(heir, name)) for name in changes}
    return replaced + [
        (heir.id, Loss(name, kept=kept[name], lost=value if kept[name] != value else to_wire(changes[name])))
        for name, value in present.items()
        if value not in (None, before[name], kept[name]) or (kept[name] == value != to_wire(changes[name]))
    ]


def _replaced(writer: Writer, row: Any, changes: Mapping[str, Any], unseen: Collection[str]) -> list[Loss]:
    """Return what stands in a merged row, and goes with an edit whose author had not seen it."""
    present = split(writer.keyed, {name: to_wire(getattr(row, name)) for name in changes})
    after = split(writer.keyed, {name: to_wire(value) for name, value in changes.items()})
    return [
        Loss(name, kept=value, lost=present[name])
        for name, value in after.items()
        if name in unseen and present.get(name) not in (None, value)
    ]


def told(session: Session, actor: Actor, arrived: Iterable[Arrival]) -> dict[str, str]:
    """Return, of the customers a push names, those that were merged, each with the one it is now and the actor may see."""
    named = (value for arrival in arrived for value in _named(arrival))
    ids = {value for value in named if isinstance(value, str) and ID_PATTERN.fullmatch(value)}
    if not ids or not (merged := queries.heirs(session, ids)):
        return {}
    own = queries.visible_to(actor).where(among(session, Customer.id, sorted(set(merged.values()))))
    seen = set(session.scalars(own.with_only_columns(Customer.id)))
    return {old: new for old, new in sorted(merged.items()) if new in seen}


def _named(arrival: Arrival) -> list[Any]:
    if arrival.collection == "customers":
        return [arrival.row_id]
    if arrival.collection == "sites":
        return [arrival.values.get("customer_id")]
    about = arrival.values.get("subject_kind") == "customer"
    return [arrival.values.get("subject_id")] if arrival.collection == "attachments" and about else []
