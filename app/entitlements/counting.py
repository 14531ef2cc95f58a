"""Keeping what is stored equal to the fold: under the lock of one balance everything of its customer and kind is counted anew.

Nothing is ever taken from a stored number. So late, doubled and shuffled news, later grants, withdrawals and returns end alike.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from app.core.db import among, insert_once, now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import hold, touch, transition
from app.customers.belongings import declare_follow
from app.customers.models import Customer
from app.entitlements.fold import NOTHING, Cover, Figures, Grant, Spend, Standing, ended_between, figures, fold
from app.entitlements.models import COUNTED, Entitlement, EntitlementGrant, EntitlementKind, EntitlementSpend
from app.entitlements.words import plain
from app.users import queries as users
from push.outbox import enqueue

_NAMES = uuid.UUID("5b0c6c1e-3d57-4c86-9a55-6d3f0c1b7e2a")
# So many at a run; the others are next.
_MOST_TURNED = 500
# So many of the changes that a message tells of are named as its causes, the last ones.
_MOST_CAUSES = 50
_FIGURES = ("granted", "spent", "left", "beyond", "next_end", "turns_on")


def derived_id(*parts: str) -> str:
    """Return the id that always follows from these texts."""
    return str(uuid.uuid5(_NAMES, ":".join(parts)))


@dataclass(frozen=True)
class Count:
    """Everything of one customer and kind, and how it stands."""

    grants: Sequence[Grant]
    spends: Sequence[Spend]
    rows: Sequence[EntitlementSpend]
    standing: Standing

    def on(self, day: date) -> Figures:
        """Return what the balance shows on a day."""
        return figures(self.grants, self.spends, self.standing, day)


class _Changed(NamedTuple):
    """A spend that stands otherwise now, and the entry that says so."""

    row: EntitlementSpend
    entry: HistoryEntry


def count(session: Session, customer_id: str, kind_id: str) -> Count:
    """Read the grants and spends of a customer and kind that count, and fold them."""
    given = session.scalars(
        select(EntitlementGrant).where(
            EntitlementGrant.customer_id == customer_id,
            EntitlementGrant.kind_id == kind_id,
            EntitlementGrant.state == "granted",
            EntitlementGrant.deleted_at.is_(None),
        )
    )
    rows = session.scalars(
        select(EntitlementSpend)
        .where(
            EntitlementSpend.customer_id == customer_id,
            EntitlementSpend.kind_id == kind_id,
            EntitlementSpend.state.in_(COUNTED),
            EntitlementSpend.deleted_at.is_(None),
        )
        .order_by(EntitlementSpend.happened_at, EntitlementSpend.id)
    ).all()
    grants = [Grant(row.id, row.amount, row.valid_from, row.valid_until) for row in given]
    spends = [Spend(row.id, row.happened_at, row.day, row.amount) for row in rows]
    return Count(grants, spends, rows, fold(grants, spends))


def hold_balance(session: Session, customer_id: str, kind_id: str, day: date) -> Entitlement:
    """Keep the balance of a customer and kind from others until the commit, and make it where there is none.

    Who writes a grant or a spend holds it first. The customer is held before it, so that a merge is before or after.
    """
    kept = select(Customer.id).where(Customer.id == customer_id).with_for_update(read=True, key_share=True)
    session.execute(kept)
    row_id = derived_id("balance", customer_id, kind_id)
    present = now(session)
    empty = dict.fromkeys(("granted", "spent", "left", "beyond"), NOTHING)
    insert_once(
        session, Entitlement, id=row_id, customer_id=customer_id, kind_id=kind_id, **empty, state="even", day=day, version=1,
        created_at=present, updated_at=present,
    )  # fmt: skip
    return hold(session, Entitlement, row_id)


def renew(
    session: Session,
    balance: Entitlement,
    day: date,
    because: HistoryEntry | None,
    *,
    actor_id: str | None = None,
    fresh: str | None = None,
) -> None:
    """Count anew, and write what came out other than it stands: spends, the balance, the log, messages to reps.

    Args:
        balance: held; see ``hold_balance``.
        day: which the balance is to show.
        because: the entry of what changed.
        actor_id: who changed it.
        fresh: the id of a spend that was told just now: whoever told it sees its state, and needs no message.
    """
    session.flush()
    found = count(session, balance.customer_id, balance.kind_id)
    changed: defaultdict[str, list[_Changed]] = defaultdict(list)
    for row in found.rows:
        entry = _settle(session, row, found.standing.covers[row.id], because, actor_id, is_fresh=row.id == fresh)
        if entry is not None and row.id != fresh and row.user_id != actor_id:
            changed[row.user_id].append(_Changed(row, entry))
    for user_id in sorted(changed):
        _tell(session, changed[user_id])
    day = max(day, balance.day)
    source = _note_ends(session, found, balance, day) or because
    shown = found.on(day)
    state = "open" if shown.is_open else "even"
    values = {name: getattr(shown, name) for name in _FIGURES} | {"state": state, "day": day}
    if any(getattr(balance, name) != value for name, value in values.items() if name != "day"):
        balance.entry_id = source.id if source is not None else balance.entry_id
        for name, value in values.items():
            setattr(balance, name, value)
        touch(session, balance)
    elif balance.day != day:
        balance.day = day
        session.flush()


def parts_of(cover: Cover) -> list[dict[str, str]]:
    """Return what covers a spend, as it is stored."""
    return [{"grant_id": grant_id, "amount": f"{amount:.2f}"} for grant_id, amount in cover.parts]


def _settle(
    session: Session, row: EntitlementSpend, cover: Cover, because: HistoryEntry | None, actor_id: str | None, *, is_fresh: bool
) -> HistoryEntry | None:
    """Write how a spend stands, where that is not what is stored of it; return the entry, where more or less is covered now."""
    state, parts = ("beyond" if cover.reason else "covered"), parts_of(cover)
    if not is_fresh and (row.state, row.cover, row.lack) == (state, parts, cover.reason):
        return None
    before = None if is_fresh else (row.state, row.covered)
    if row.state != state:
        transition(session, row, state, covered=cover.amount, cover=parts, lack=cover.reason)
    else:
        row.covered, row.cover, row.lack = cover.amount, parts, cover.reason
        touch(session, row)
    if before == (state, cover.amount):
        return None  # other grants cover as much of it: nobody has to know
    return record(
        session,
        "entitlement_spend.beyond" if cover.reason else "entitlement_spend.covered",
        Subject("entitlement_spend", row.id),
        causes=[because],
        actor_id=actor_id,
        amount=f"{row.amount:.2f}",
        covered=f"{cover.amount:.2f}",
        lack=cover.reason,
    )


def _tell(session: Session, changed: Sequence[_Changed]) -> None:
    """Tell a rep in one message that news of others changed how what they used stands.

    Args:
        changed: their spends of one customer and kind, by event time, each with the entry of the change.
    """
    last, entry = changed[-1]
    kind = session.get_one(EntitlementKind, last.kind_id)
    beyond = sum(row.state == "beyond" for row, _ in changed)
    facts: dict[str, Any] = {"spends": len(changed), "beyond": beyond}
    if len(changed) == 1:
        facts = {"amount": plain(last.amount), "covered": plain(last.covered), "beyond": bool(beyond)}
    enqueue(
        session,
        users.still_there(session, last.user_id),
        "entitlement_changed" if len(changed) == 1 else "entitlements_changed",
        Subject("entitlement_spend", last.id),
        dedupe=f"entitlement_spend:{last.id}:{entry.id}",
        causes=[one.entry for one in changed[-_MOST_CAUSES:]],
        customer_name=session.get_one(Customer, last.customer_id).name,
        kind_zh=kind.name_zh,
        kind_en=kind.name_en,
        **facts,
    )


def _note_ends(session: Session, found: Count, balance: Entitlement, day: date) -> HistoryEntry | None:
    """Say of each grant that has ended since the balance was counted last how much of it was left; return the last entry."""
    entry = None
    for grant in ended_between(found.grants, found.standing, balance.day, day):
        about = Subject("entitlement_grant", grant.id)
        entry = record(
            session,
            "entitlement_grant.ended",
            about,
            causes=[last_entry(session, about)],
            left=f"{found.standing.left[grant.id]:.2f}",
            day=str(grant.valid_until),
        )
    return entry


def count_moved(session: Session, customer_ids: Collection[str], because: HistoryEntry | None) -> None:
    """Count anew what customers are owed whose grants and spends went from one to another.

    Their balances show the day they showed; ``turn`` brings them to another one.
    """
    session.flush()
    models: Any = (EntitlementGrant, EntitlementSpend, Entitlement)
    named = union(
        *(
            select(model.customer_id, model.kind_id).where(among(session, model.customer_id, sorted(customer_ids)))
            for model in models
        )
    )
    pairs = sorted((str(customer_id), str(kind_id)) for customer_id, kind_id in session.execute(named))
    days = session.scalars(select(Entitlement.day).where(among(session, Entitlement.customer_id, sorted(customer_ids))))
    if not pairs or (day := max(days, default=None)) is None:
        return
    actor_id = because.actor_id if because is not None else None
    for customer_id, kind_id in pairs:
        renew(session, hold_balance(session, customer_id, kind_id, day), day, because, actor_id=actor_id)


declare_follow(count_moved)


def due_to_turn(session: Session, day: date) -> list[str]:
    """Return the balances that show other figures on a day because of the day alone."""
    due = select(Entitlement.id).where(Entitlement.turns_on <= day, Entitlement.deleted_at.is_(None))
    return list(session.scalars(due.order_by(Entitlement.turns_on, Entitlement.id).limit(_MOST_TURNED)))


def turn(session: Session, balance_id: str, day: date) -> int:
    """Bring a balance to a day; return 1."""
    row = session.get_one(Entitlement, balance_id)
    renew(session, hold_balance(session, row.customer_id, row.kind_id, day), day, None)
    return 1


def differing(session: Session, most: int) -> list[tuple[str, str]]:
    """Count balances anew, those that changed last, and return those that show, or whose spends stand, otherwise.

    Args:
        most: so many are looked at.

    Returns:
        The customer's and the kind's id of each.
    """
    newest = select(Entitlement).where(Entitlement.deleted_at.is_(None)).order_by(Entitlement.change_no.desc(), Entitlement.id)
    return [
        (balance.customer_id, balance.kind_id)
        for balance in session.scalars(newest.limit(most)).all()
        if not _agrees(balance, count(session, balance.customer_id, balance.kind_id))
    ]


def _agrees(balance: Entitlement, found: Count) -> bool:
    shown = found.on(balance.day)
    if any(getattr(balance, name) != getattr(shown, name) for name in _FIGURES):
        return False
    return all(
        (row.covered, row.cover, row.lack) == (cover.amount, parts_of(cover), cover.reason)
        for row in found.rows
        for cover in [found.standing.covers[row.id]]
    )
