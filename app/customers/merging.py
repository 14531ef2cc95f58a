"""Two customers turn out to be one: everything goes to the survivor, a tombstone says where, and all of it can go back.

What comes later for the one that is gone (a site from a phone that was away, an edit) reaches the survivor. It is noted on the
merge, so that it goes back with the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import insert_many, now
from app.core.errors import Conflict, FieldsInvalid, Forbidden
from app.core.tracked import add, mark_fields, renumber, touch, transition
from app.custom_fields.operations import checked_values
from app.customers import facts, queries
from app.customers.belongings import BELONGINGS, Belonging, follow_move
from app.customers.blocks import rekey
from app.customers.duplicates import close_pair
from app.customers.models import Customer, CustomerFact, CustomerMerge, MergedRow, Site
from app.users.rights import REP, Actor

# What a survivor takes over where it has nothing itself.
_FILLED = ("phone", "email", "credit_code")
_RIVALS = ("code", "name", *_FILLED, "territory_id", "owner_id")


def merge(session: Session, actor: Actor, survivor: Customer, other: Customer) -> CustomerMerge:
    """Merge a customer into another one, which keeps its id and its values; the other's values are kept as rivals.

    Raises:
        FieldsInvalid: ``invalid`` when they are one row.
        Forbidden: a rep merges only customers that both are theirs.
        Conflict: ``state_conflict`` when one of them was just deleted or merged.
    """
    if survivor.id == other.id:
        raise FieldsInvalid({"other_id": ["invalid"]})
    _check_charge(actor, survivor, other)
    _hold(session, survivor, other)
    for customer in (survivor, other):
        if customer.deleted_at is not None:
            raise Conflict("state_conflict", state="merged" if customer.merged_into_id else "deleted", wanted="merged")
    close_pair(session, actor, survivor.id, other.id, "merged")
    rivals = {name: getattr(other, name) for name in _RIVALS} | ({"custom": other.custom} if other.custom else {})
    made = add(session, CustomerMerge(survivor_id=survivor.id, other_id=other.id, rivals=rivals, taken={}, merged_by=actor.id))
    rows = sum(_bring(session, made, belonging) for belonging in BELONGINGS)
    _bring_facts(session, survivor, other)
    held = facts.fields_of(survivor)
    filled = {
        name: value
        for name, value in facts.fields_of(other).items()
        if (name in _FILLED or name.startswith("custom.")) and name not in held
    }
    _note_taken(made, survivor, filled)
    _write(session, survivor, filled)
    touch(session, made)
    touch(session, survivor)
    other.deleted_at, other.merged_into_id = now(session), survivor.id
    touch(session, other)
    rekey(session, {survivor.id, other.id})
    told = _tell(session, actor, made, survivor, other, rows)
    follow_move(session, {survivor.id, other.id}, told)
    return made


def _check_charge(actor: Actor, *customers: Customer) -> None:
    if actor.role == REP and any(customer.owner_id != actor.id for customer in customers):
        raise Forbidden("forbidden")


def _hold(session: Session, *customers: Customer) -> None:
    """Read customers as they are this instant and keep them from everybody, in one order."""
    for customer in sorted(customers, key=lambda row: row.id):
        session.refresh(customer, with_for_update=True)


def _tell(
    session: Session, actor: Actor, made: CustomerMerge, survivor: Customer, other: Customer, rows: int
) -> history.HistoryEntry:
    left, stayed = history.Subject("customer", other.id), history.Subject("customer", survivor.id)
    gone = history.record(
        session,
        "customer.merged_away",
        left,
        causes=[history.last_entry(session, left)],
        actor_id=actor.id,
        merge_id=made.id,
        survivor_id=survivor.id,
        name=survivor.name,
        code=survivor.code,
    )
    return history.record(
        session,
        "customer.merged",
        stayed,
        causes=[gone, history.last_entry(session, stayed)],
        actor_id=actor.id,
        merge_id=made.id,
        other_id=other.id,
        name=other.name,
        code=other.code,
        rows=rows,
    )


def _bring(session: Session, made: CustomerMerge, belonging: Belonging) -> int:
    """Let what belongs to the other one belong to the survivor; return how many rows that are."""
    ids = list(session.scalars(select(belonging.rows.c.id).where(belonging.of(made.other_id)).order_by(belonging.rows.c.id)))
    _note(session, made.id, belonging.table, ids)
    _give(session, belonging, made.other_id, made.survivor_id)
    return len(ids)


def _note(session: Session, merge_id: str, table: str, ids: Collection[str]) -> None:
    rows = [{"merge_id": merge_id, "collection": table, "row_id": row_id} for row_id in ids]
    insert_many(session, MergedRow, rows, replacing=("merge_id", "collection", "row_id"))


def _give(session: Session, belonging: Belonging, from_id: str, to_id: str, *where: Any) -> int:
    """Let rows of one customer belong to another one."""
    session.flush()
    rows = belonging.rows
    values = {belonging.column: to_id, "version": rows.c.version + 1, "updated_at": now(session)}
    given = session.execute(update(rows).where(belonging.of(from_id), *where).values(values))
    for row in session.identity_map.values():
        if getattr(row, "__tablename__", None) == belonging.table:
            session.expire(row)
    return int(given.rowcount)  # type: ignore[attr-defined]


def _note_taken(made: CustomerMerge, survivor: Customer, values: dict[str, Any]) -> None:
    """Note values that a survivor gets by a merge, each with what stands there but for this merge."""

    def before(name: str) -> Any:
        present, known = _value(survivor, name), made.taken.get(name)
        return known["before"] if known is not None and known["after"] == present else present

    made.taken = made.taken | {name: {"before": before(name), "after": value} for name, value in values.items()}


def _write(session: Session, customer: Customer, values: dict[str, Any]) -> None:
    """Write values to a customer; the caller dates it (``touch``), which is to see what changed."""
    for name, value in values.items():
        facts.put(customer, name, value)
    if keys := [name for name in values if name.startswith("custom.")]:
        with session.no_autoflush:
            mark_fields(session, customer, keys)


def _value(customer: Customer, name: str) -> Any:
    """Return a customer's value of a field; of one of the company's own, ``custom.<key>``, by its key."""
    return customer.custom.get(name.removeprefix("custom.")) if name.startswith("custom.") else getattr(customer, name)


def _bring_facts(session: Session, survivor: Customer, other: Customer) -> None:
    """Let what was said of the other one be rivals of what was said of the survivor; what was said of sites goes with them."""
    for customer in (survivor, other):
        facts.materialise(session, customer, facts.facts_of(session, customer.id))
    mine = CustomerFact.customer_id == other.id
    session.execute(update(CustomerFact).where(mine, CustomerFact.site_id.is_(None)).values(aside=True))
    session.execute(update(CustomerFact).where(mine).values(customer_id=survivor.id))


def _return_facts(session: Session, survivor: Customer, other: Customer) -> None:
    """Give back what was said of a customer that lives again, also since the merge, and of its sites."""
    gone = {other.id, *queries.merged_into(session, other.id)}
    mine = (CustomerFact.customer_id == survivor.id, CustomerFact.site_id.is_(None), CustomerFact.about_id.in_(sorted(gone)))
    session.execute(update(CustomerFact).where(*mine).values(customer_id=other.id, aside=CustomerFact.about_id != other.id))
    sites = select(Site.id).where(Site.customer_id == other.id)
    session.execute(update(CustomerFact).where(CustomerFact.site_id.in_(sites)).values(customer_id=other.id))


def unmerge(session: Session, actor: Actor, survivor: Customer, other_id: str) -> CustomerMerge:
    """Undo a merge: the other customer lives again with what came from it, and what came for it since.

    What was added to the survivor since stays with it. The pair counts as dismissed.

    Raises:
        FieldsInvalid: ``unknown_reference`` when no such customer was merged into this one.
        Forbidden: a rep undoes only merges of customers that both are theirs.
    """
    made = queries.standing_merge(session, other_id)
    if made is None or made.survivor_id != survivor.id:
        raise FieldsInvalid({"other_id": ["unknown_reference"]})
    other = session.get_one(Customer, other_id)
    _check_charge(actor, survivor, other)
    _hold(session, survivor, other)
    transition(session, made, "undone", undone_by=actor.id)
    other.deleted_at = other.merged_into_id = None
    touch(session, other)
    rows = sum(_return(session, made, belonging) for belonging in BELONGINGS)
    _return_facts(session, survivor, other)
    _give_up_taken(session, made, survivor)
    touch(session, survivor)
    rekey(session, {survivor.id, other.id})
    close_pair(session, actor, survivor.id, other.id, "dismissed")
    left, stayed = history.Subject("customer", other.id), history.Subject("customer", survivor.id)
    gone = history.last_entry(session, left, "customer.merged_away")
    parted = history.record(
        session,
        "customer.unmerged",
        stayed,
        causes=[history.last_entry(session, stayed, "customer.merged")],
        actor_id=actor.id,
        merge_id=made.id,
        other_id=other.id,
        name=other.name,
        code=other.code,
        rows=rows,
    )
    history.record(
        session,
        "customer.came_back",
        left,
        causes=[gone, parted],
        actor_id=actor.id,
        merge_id=made.id,
        survivor_id=survivor.id,
        name=survivor.name,
        code=survivor.code,
    )
    follow_move(session, {survivor.id, other.id}, parted)
    return made


def _give_up_taken(session: Session, made: CustomerMerge, survivor: Customer) -> None:
    """Take back what a survivor got by a merge, where nobody changed it since; also from under what it got by other merges."""
    others = [one for one in queries.merges_of(session, survivor.id) if one.state == "merged"]
    for name, taken in made.taken.items():
        above = [one for one in others if one.taken.get(name, {}).get("before") == taken["after"]]
        if _value(survivor, name) == taken["after"]:
            _write(session, survivor, {name: taken["before"]})
        elif above:
            above[0].taken = above[0].taken | {name: above[0].taken[name] | {"before": taken["before"]}}
            touch(session, above[0])


def _return(session: Session, made: CustomerMerge, belonging: Belonging) -> int:
    """Let rows belong to the other one again: those of the merge, and those that hang on a row that went back."""
    rows = belonging.rows
    if belonging.parent is None:
        back = select(MergedRow.row_id).where(MergedRow.merge_id == made.id, MergedRow.collection == belonging.table)
        return _give(session, belonging, made.survivor_id, made.other_id, rows.c.id.in_(back))
    table, column = belonging.parent
    above = next(parent for parent in BELONGINGS if parent.table == table)
    hang = select(above.rows.c.id).where(above.of(made.other_id))
    return _give(session, belonging, made.survivor_id, made.other_id, rows.c[column].in_(hang))


def _chain(session: Session, customer_id: str) -> Iterator[CustomerMerge]:
    """Yield the merges that lead from a tombstone to who it is now."""
    while (made := queries.standing_merge(session, customer_id)) is not None:
        yield made
        customer_id = made.survivor_id


def note_late(session: Session, gone_id: str, table: str, ids: Collection[str]) -> None:
    """Note rows that came for a merged customer and were given to the one it is now: they go back with a merge on the way."""
    for made in _chain(session, gone_id):
        _note(session, made.id, table, ids)


def pass_on(session: Session, actor: Actor, gone: Customer, changes: dict[str, Any], *, to_live: bool) -> None:
    """Write what somebody edited of a merged customer: to its tombstone, and to each one it became, but the live one.

    Args:
        to_live: note the edit on the last merge, too; the caller then writes it to the live customer.
    """
    custom = checked_values(session, "customer", gone.territory_id, changes.get("custom", {}), gone.custom)
    changes = {name: value for name, value in changes.items() if name != "custom"}
    changes |= {f"custom.{key}": value for key, value in custom.items()}
    _write(session, gone, changes)
    touch(session, gone)
    history.record(
        session,
        "customer.edited_after_merge",
        history.Subject("customer", gone.id),
        causes=[history.last_entry(session, history.Subject("customer", gone.id), "customer.merged_away")],
        actor_id=actor.id,
        fields=sorted(changes),
    )
    for made in _chain(session, gone.id):
        survivor = session.get_one(Customer, made.survivor_id)
        if survivor.merged_into_id is None and not to_live:
            continue
        _note_taken(made, survivor, changes)
        touch(session, made)
        if survivor.merged_into_id is not None:
            _write(session, survivor, changes)
            touch(session, survivor)


def follow_late(session: Session) -> int:
    """Give what still names a merged customer to the one it is now; return how many rows.

    Whoever made such a row had read the customer just before the merge.
    """
    moved = 0
    parties: set[str] = set()
    for belonging in BELONGINGS:
        rows = belonging.rows
        late = select(rows.c.id, rows.c[belonging.column]).join(Customer, Customer.id == rows.c[belonging.column])
        if belonging.only is not None:
            late = late.where(rows.c[belonging.only[0]] == belonging.only[1])
        found = session.execute(late.where(Customer.merged_into_id.is_not(None)).order_by(rows.c.id)).all()
        homes = queries.heirs(session, {gone for _, gone in found})
        for row_id, gone in found:
            note_late(session, gone, belonging.table, [row_id])
            moved += _give(session, belonging, gone, homes[gone], rows.c.id == row_id)
            parties |= {gone, homes[gone]}
        for home in sorted(set(homes.values())):
            renumber(session, session.get_one(Customer, home))
            rekey(session, [home])
    if parties:
        follow_move(session, parties, None)
    return moved


def shown(session: Session, made: CustomerMerge) -> dict[str, Any]:
    """Return a merge with how many rows went with it, and when."""
    count = select(func.count()).select_from(MergedRow).where(MergedRow.merge_id == made.id)
    names = ("id", "version", "created_at", "updated_at", "survivor_id", "other_id", "rivals", "taken", "state")
    told = {name: getattr(made, name) for name in (*names, "merged_by", "undone_by")}
    return told | {"rows": session.scalar(count) or 0}
