"""Verbs on entitlements: grant, withdraw, spend, return, forgive; a visit that ends spends by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.core.db import among, now
from app.core.errors import Conflict, FieldsInvalid, Forbidden, NotFound
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.ids import new_id
from app.core.settings import Settings
from app.core.tracked import add, transition
from app.customers import merging
from app.customers import queries as customers
from app.customers.models import Customer
from app.entitlements.counting import derived_id, hold_balance, renew
from app.entitlements.fold import NOTHING
from app.entitlements.models import LENGTH, Entitlement, EntitlementGrant, EntitlementKind, EntitlementSpend
from app.follow_ups.references import named
from app.users.rights import Actor
from app.visit_types.models import LONGEST_VISIT_H

# Of one customer and kind.
MOST_GRANTS = 200
# So many at a run, which keeps the change counter for some hundred milliseconds.
_MOST_RETIRED = 2000
_HUNDREDTH = Decimal("0.01")


class Ended(NamedTuple):
    """A visit that is over. ``began_at`` and ``ended_at``: by our clock."""

    id: str
    customer_id: str
    type_id: str | None
    user_id: str
    began_at: datetime | None
    ended_at: datetime


def today(session: Session, settings: Settings) -> date:
    """Return the organisation's day."""
    return day_of(settings, now(session))


def day_of(settings: Settings, at: datetime) -> date:
    """Return the organisation's day of an instant."""
    return at.astimezone(settings.time_zone).date()


def grant(session: Session, settings: Settings, actor: Actor, values: Mapping[str, Any]) -> EntitlementGrant:
    """Grant a customer so much of a kind, once: the same id with the same content again is the same grant.

    Args:
        values: ``customer_id``, ``kind_id``, ``amount``, ``valid_from``, and optionally ``id``, ``valid_until``, ``reference``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (customer_id; kind_id, also of a retired one), ``quantity_invalid`` unless above
            zero, ``out_of_range`` (valid_until), ``already_exists`` (id) of another one.
        Conflict: ``too_many_entitlement_grants``.
    """
    if values.get("id") and (known := session.get(EntitlementGrant, values["id"])) is not None:
        return _same_grant(session, known, values)
    customer_id = _home(session, actor, values)
    kind = session.get(EntitlementKind, values["kind_id"])
    if kind is None or not kind.active:
        raise FieldsInvalid({"kind_id": ["unknown_reference"]})
    _check_amount(values["amount"])
    if values.get("valid_until") and values["valid_until"] < values["valid_from"]:
        raise FieldsInvalid({"valid_until": ["out_of_range"]})
    balance = hold_balance(session, customer_id, kind.id, today(session, settings))
    if values.get("id") and (known := session.get(EntitlementGrant, values["id"])) is not None:  # its twin came at the same time
        return _same_grant(session, known, values)
    _check_there(session, customer_id)
    mine = (EntitlementGrant.customer_id == customer_id, EntitlementGrant.kind_id == kind.id, EntitlementGrant.state == "granted")
    if (session.scalar(select(func.count()).select_from(EntitlementGrant).where(*mine)) or 0) >= MOST_GRANTS:
        raise Conflict("too_many_entitlement_grants", most=MOST_GRANTS)
    row = add(session, EntitlementGrant(**dict(values) | {"customer_id": customer_id, "given_by": actor.id, "state": "granted"}))
    if values["customer_id"] != customer_id:
        merging.note_late(session, values["customer_id"], "entitlement_grants", [row.id])
    entry = record(
        session,
        "entitlement_grant.given",
        Subject("entitlement_grant", row.id),
        actor_id=actor.id,
        kind_name=_name(kind),
        amount=f"{row.amount:.2f}",
        valid_from=str(row.valid_from),
        valid_until=str(row.valid_until) if row.valid_until else None,
        reference=row.reference,
    )
    renew(session, balance, today(session, settings), entry, actor_id=actor.id)
    return row


def _same_grant(session: Session, known: EntitlementGrant, values: Mapping[str, Any]) -> EntitlementGrant:
    told = {"valid_until": None, "reference": ""} | dict(values)
    names = ("kind_id", "amount", "valid_from", "valid_until", "reference")
    if not _is_of(session, known.customer_id, values) or any(getattr(known, name) != told[name] for name in names):
        raise FieldsInvalid({"id": ["already_exists"]})
    return known


def _name(kind: EntitlementKind) -> dict[str, str]:
    return {"zh": kind.name_zh, "en": kind.name_en}


def _check_amount(amount: Decimal) -> None:
    if amount <= 0:
        raise FieldsInvalid({"amount": ["quantity_invalid"]})


def _home(session: Session, actor: Actor, values: Mapping[str, Any]) -> str:
    """Return the customer something is written for: of a merged one the one it is now.

    A rep may write for a customer that was given to somebody else meanwhile, where they name a visit of theirs there.
    """
    told = str(values["customer_id"])
    home = customers.heirs(session, [told]).get(told, told)
    try:
        customers.named_customer(session, actor, told)
    except NotFound:
        if not values.get("visit_id"):
            raise FieldsInvalid({"customer_id": ["unknown_reference"]}) from None
    if values.get("visit_id"):
        named(session, actor, home, None, values)
    return home


def _check_there(session: Session, customer_id: str) -> None:
    """Refuse what is written for a customer that was deleted before it was held; of a merged one it is brought to the heir."""
    customer = session.get_one(Customer, customer_id, populate_existing=True)
    if customer.deleted_at is not None and customer.merged_into_id is None:
        raise FieldsInvalid({"customer_id": ["unknown_reference"]})


def _is_of(session: Session, customer_id: str, values: Mapping[str, Any]) -> bool:
    told = values["customer_id"]
    return customer_id in {told, customers.heirs(session, [told]).get(told, told)}


def withdraw(session: Session, settings: Settings, actor: Actor, row: EntitlementGrant, reason: str) -> EntitlementGrant:
    """Withdraw a grant: what was spent of it is counted anew, and may be beyond now.

    Raises:
        Conflict: ``state_conflict`` when it is withdrawn already.
    """
    balance = _held(session, settings, row)
    about = Subject("entitlement_grant", row.id)
    before = last_entry(session, about)
    transition(session, row, "withdrawn", withdrawn_reason=reason)
    entry = record(session, "entitlement_grant.withdrawn", about, causes=[before], actor_id=actor.id, reason=reason)
    renew(session, balance, today(session, settings), entry, actor_id=actor.id)
    return row


def spend(session: Session, settings: Settings, actor: Actor, values: Mapping[str, Any]) -> EntitlementSpend:
    """Write down what was used of a kind at a customer, once: the same id with the same content again is the same spend.

    It is never refused for there being too little left: the work was done, and what does not reach is ``beyond``.

    Args:
        values: ``id``, ``customer_id``, ``kind_id``, ``amount``, and optionally ``happened_at`` (by default now; what a phone
            whose clock is ahead tells counts as now), ``visit_id``, ``note``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (customer_id, kind_id; visit_id of another customer), ``quantity_invalid`` unless
            above zero, ``already_exists`` (id) of another spend.
    """
    if (known := session.get(EntitlementSpend, values["id"])) is not None:
        return _same_spend(session, actor, known, values)
    _check_amount(values["amount"])
    customer_id = _home(session, actor, values)
    if session.get(EntitlementKind, values["kind_id"]) is None:
        raise FieldsInvalid({"kind_id": ["unknown_reference"]})
    present = now(session)
    told = {name: values.get(name) for name in ("id", "kind_id", "amount", "visit_id", "note")}
    at = min(values.get("happened_at") or present, present)
    balance = hold_balance(session, customer_id, values["kind_id"], today(session, settings))
    if (known := session.get(EntitlementSpend, values["id"])) is not None:  # its twin came at the same time
        return _same_spend(session, actor, known, values)
    _check_there(session, customer_id)
    row = _write(session, settings, balance, told | {"user_id": actor.id, "source": "rep"}, at, None)
    if values["customer_id"] != row.customer_id:
        merging.note_late(session, values["customer_id"], "entitlement_spends", [row.id])
    return row


def _same_spend(session: Session, actor: Actor, known: EntitlementSpend, values: Mapping[str, Any]) -> EntitlementSpend:
    """Return the spend that was told already under this id.

    Raises:
        FieldsInvalid: ``already_exists`` (id) when it was another one.
    """
    names = ("kind_id", "amount", "visit_id", "note")
    at = values.get("happened_at")
    same_time = at is None or at == known.happened_at or at > known.created_at
    if (
        (known.user_id, known.source) != (actor.id, "rep")
        or not _is_of(session, known.customer_id, values)
        or any(getattr(known, name) != values.get(name) for name in names)
        or not same_time
    ):
        raise FieldsInvalid({"id": ["already_exists"]})
    return known


def _write(
    session: Session,
    settings: Settings,
    balance: Entitlement,
    values: Mapping[str, Any],
    at: datetime,
    cause: HistoryEntry | None,
) -> EntitlementSpend:
    """Write a spend under the lock of its balance, and count anew."""
    kind = session.get_one(EntitlementKind, balance.kind_id)
    beginning = {"state": "beyond", "covered": NOTHING, "cover": [], "customer_id": balance.customer_id}
    row = add(session, EntitlementSpend(**dict(values) | beginning, happened_at=at, day=day_of(settings, at)))
    entry = record(
        session,
        "entitlement_spend.told",
        Subject("entitlement_spend", row.id),
        causes=[cause],
        actor_id=row.user_id,
        occurred_at=at,
        kind_name=_name(kind),
        amount=f"{row.amount:.2f}",
        note=row.note or "–",
    )
    renew(session, balance, today(session, settings), entry, actor_id=row.user_id, fresh=row.id)
    return row


def spend_for_visit(session: Session, settings: Settings, visit: Ended, cause: HistoryEntry) -> list[EntitlementSpend]:
    """Spend what the end of a visit spends by itself: of each kind that its type is attached to, once.

    A visit and a kind have one spend, whose id follows from both: told again, nothing more is spent.

    Args:
        cause: the entry of its end.
    """
    if visit.type_id is None:
        return []
    attached = (EntitlementKind.visit_type_id == visit.type_id, EntitlementKind.active, EntitlementKind.deleted_at.is_(None))
    made = []
    for kind in session.scalars(select(EntitlementKind).where(*attached).order_by(EntitlementKind.id)).all():
        amount = _amount_of(kind, visit)
        if amount is None:
            about = Subject("visit", visit.id)
            record(
                session, "visit.length_not_counted", about, causes=[cause], occurred_at=visit.ended_at, kind_name=_name(kind),
                most_h=LONGEST_VISIT_H,
            )  # fmt: skip
            continue
        balance = hold_balance(session, visit.customer_id, kind.id, today(session, settings)) if amount > 0 else None
        spend_id = _id_for(session, visit, kind)
        if balance is None or spend_id is None:
            continue
        values = {"id": spend_id, "kind_id": kind.id, "amount": amount, "visit_id": visit.id, "source": "visit"}
        made.append(_write(session, settings, balance, values | {"user_id": visit.user_id}, visit.ended_at, cause))
    return made


def _id_for(session: Session, visit: Ended, kind: EntitlementKind) -> str | None:
    """Return the id of what a visit spends of a kind; None where it has spent already."""
    own = (EntitlementSpend.visit_id == visit.id, EntitlementSpend.kind_id == kind.id, EntitlementSpend.source == "visit")
    if session.scalar(select(EntitlementSpend.id).where(*own)) is not None:
        return None
    spend_id = derived_id("visit", visit.id, kind.id)
    # Somebody who made up a spend of that id must not keep the visit from counting.
    return spend_id if session.get(EntitlementSpend, spend_id) is None else new_id()


def _amount_of(kind: EntitlementKind, visit: Ended) -> Decimal | None:
    """Return how much a visit spends: as the kind says, or as long as it took, in hours, rounded up to the kind's step.

    None: it is told to have taken longer than visits do.
    """
    if kind.per_visit != LENGTH:
        return Decimal(kind.per_visit or 0)
    if visit.began_at is None:
        return NOTHING
    seconds, step_s = (visit.ended_at - visit.began_at).total_seconds(), kind.step_minutes * 60
    if seconds > LONGEST_VISIT_H * 3600:
        return None
    steps = -int(-seconds // step_s)
    return (Decimal(steps * kind.step_minutes) / 60).quantize(_HUNDREDTH)


def give_back(session: Session, settings: Settings, actor: Actor, row: EntitlementSpend, reason: str) -> EntitlementSpend:
    """Say that a spend did not happen, or was a mistake: it takes from no grant. Once it was, nothing changes.

    Raises:
        Forbidden: to a rep of what somebody else told.
    """
    if not actor.sees_all and row.user_id != actor.id:
        raise Forbidden("forbidden")
    return _end(session, settings, actor, row, "returned", reason)


def forgive(session: Session, settings: Settings, actor: Actor, row: EntitlementSpend, reason: str) -> EntitlementSpend:
    """Let a spend be at the company's cost: it takes from no grant. Once it was, nothing changes.

    Raises:
        Conflict: ``state_conflict`` when it was returned.
    """
    return _end(session, settings, actor, row, "forgiven", reason)


def _end(session: Session, settings: Settings, actor: Actor, row: EntitlementSpend, state: str, reason: str) -> EntitlementSpend:
    balance = _held(session, settings, row)
    if row.state == state:
        return row
    about = Subject("entitlement_spend", row.id)
    before = last_entry(session, about)
    transition(session, row, state, covered=NOTHING, cover=[], lack=None, settled_reason=reason, settled_by=actor.id)
    entry = record(
        session,
        "entitlement_spend.returned" if state == "returned" else "entitlement_spend.forgiven",
        about,
        causes=[before],
        actor_id=actor.id,
        reason=reason,
    )
    renew(session, balance, today(session, settings), entry, actor_id=actor.id)
    return row


def _held(session: Session, settings: Settings, row: EntitlementGrant | EntitlementSpend) -> Entitlement:
    """Hold the balance a row counts in, as both are this instant: a merge may have moved the row meanwhile."""
    while True:
        balance = hold_balance(session, row.customer_id, row.kind_id, today(session, settings))
        session.refresh(row)
        if row.customer_id == balance.customer_id:
            return balance


def retire_spends(session: Session, settings: Settings) -> int:
    """Take spends that are older than phones keep them from the phones, at most ``_MOST_RETIRED``; return how many."""
    first = date.fromordinal(today(session, settings).toordinal() - settings.entitlement_days)
    old = select(EntitlementSpend.id).where(EntitlementSpend.recent, EntitlementSpend.day < first)
    some = session.scalars(old.order_by(EntitlementSpend.day, EntitlementSpend.id).limit(_MOST_RETIRED)).all()
    if some:
        retired = update(EntitlementSpend).where(among(session, EntitlementSpend.id, some)).values(recent=False)
        session.execute(retired.execution_options(synchronize_session=False))
    return len(some)
