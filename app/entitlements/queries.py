"""The only readers of entitlements: kinds, grants, spends, balances."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.tracked import one_of
from app.customers import queries as customers
from app.customers.models import Customer
from app.entitlements.models import Entitlement, EntitlementGrant, EntitlementKind, EntitlementSpend
from app.users.models import User
from app.users.rights import REP, Actor, allows


def visible_kinds(actor: Actor) -> Select[EntitlementKind]:
    """Return the kinds: all of them to whoever may read what is owed, retired ones, too."""
    found = select(EntitlementKind).where(EntitlementKind.deleted_at.is_(None))
    return found if allows(actor, "entitlements.read") else found.where(false())


def access_kind(session: Session, actor: Actor, kind_id: str) -> EntitlementKind:
    """Load one kind the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_kinds(actor), EntitlementKind, kind_id)


def _of_customers(actor: Actor) -> Select[str]:
    return select(Customer.id).where(customers.in_scope(actor))


def visible_grants(actor: Actor) -> Select[EntitlementGrant]:
    """Return the grants an actor may see: reps those of the customers they see, the office all."""
    found = select(EntitlementGrant).where(EntitlementGrant.deleted_at.is_(None))
    if not allows(actor, "entitlement_grants.read"):
        return found.where(false())
    return found.where(EntitlementGrant.customer_id.in_(_of_customers(actor)))


def access_grant(session: Session, actor: Actor, grant_id: str) -> EntitlementGrant:
    """Load one grant the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_grants(actor), EntitlementGrant, grant_id)


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``EntitlementSpend``: of the customers an actor sees or is, and a rep's own."""
    if not allows(actor, "entitlements.read"):
        return false()
    if actor.sees_all:
        return true()
    of_theirs = EntitlementSpend.customer_id.in_(_of_customers(actor))
    return or_(EntitlementSpend.user_id == actor.id, of_theirs) if actor.role == REP else of_theirs


def visible_spends(actor: Actor) -> Select[EntitlementSpend]:
    """Return the spends an actor may see."""
    return select(EntitlementSpend).where(EntitlementSpend.deleted_at.is_(None), in_scope(actor))


def access_spend(session: Session, actor: Actor, spend_id: str) -> EntitlementSpend:
    """Load one spend the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_spends(actor), EntitlementSpend, spend_id)


def visible_balances(actor: Actor) -> Select[Entitlement]:
    """Return the balances an actor may see: of the customers they see or are."""
    found = select(Entitlement).where(Entitlement.deleted_at.is_(None))
    if not allows(actor, "entitlements.read"):
        return found.where(false())
    return found.where(Entitlement.customer_id.in_(customers.visible_to(actor).with_only_columns(Customer.id)))


def sees_customer(session: Session, actor: Actor, customer_id: str) -> bool:
    """Tell whether an actor sees a customer now, or is one."""
    seen = customers.visible_to(actor).where(Customer.id == customer_id).with_only_columns(Customer.id)
    return session.scalar(seen) is not None


def of_today(session: Session, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the filters of a list with the customer that a merged one is now."""
    if "customer_id" not in wanted:
        return dict(wanted)
    given = wanted["customer_id"]
    return {**wanted, "customer_id": customers.heirs(session, [given]).get(given, given)}


def of_customer(session: Session, customer_id: str) -> list[tuple[Entitlement, EntitlementKind]]:
    """Return the balances of a customer with their kinds, by the kinds' codes."""
    query = select(Entitlement, EntitlementKind).join(EntitlementKind, EntitlementKind.id == Entitlement.kind_id)
    rows = session.execute(query.where(Entitlement.customer_id == customer_id).order_by(EntitlementKind.code))
    return [(balance, kind) for balance, kind in rows]


def kinds_by_id(session: Session, ids: Collection[str]) -> dict[str, EntitlementKind]:
    """Return kinds by their ids."""
    some = session.scalars(select(EntitlementKind).where(among(session, EntitlementKind.id, sorted(set(ids)))))
    return {kind.id: kind for kind in some}


def user_names(session: Session, ids: Collection[str]) -> Mapping[str, str]:
    """Return what people are called, by their ids."""
    some = select(User.id, User.name).where(among(session, User.id, sorted(set(ids))))
    return dict(session.execute(some).all())
