"""The only readers of customers and sites."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from app.core.db import Base, among
from app.core.errors import NotFound
from app.core.tracked import one_of
from app.customers.models import Customer, CustomerMerge, DuplicatePair, Site, StationGrant
from app.stations.models import Station
from app.users.rights import ADMIN, CUSTOMER, MANAGER, REP, STAFF, Actor


def in_scope(actor: Actor) -> ColumnElement[bool]:
    """Return the condition on ``Customer`` for the customers an actor is in charge of, is, or was given a task for."""
    if actor.sees_all:
        return true()
    if actor.role == REP and actor.partner_id is None:
        in_charge = (Customer.owner_id == actor.id, Customer.territory_id.in_(sorted(actor.territory_ids)))
        return or_(*in_charge, Customer.id.in_(_ahead_for(actor)))
    if actor.role == CUSTOMER and actor.customer_id:
        return Customer.id == actor.customer_id
    if granted_stations(actor) is not None:
        return Customer.id.in_(_granted(actor, StationGrant.customer_id))
    return false()


def _ahead_for(actor: Actor) -> Select[str]:
    """Return the customers that a rep has a visit ahead at."""
    visits = Base.metadata.tables["visits"].c  # by name: visits lie in a room above
    mine = (visits.user_id == actor.id, visits.state.in_(("planned", "in_progress")), visits.deleted_at.is_(None))
    return select(visits.customer_id).where(*mine)


def granted_stations(actor: Actor) -> Select[str] | None:
    """Return the stations whose grants an actor shares: staff their own, a partner's office the partner's."""
    if actor.role == STAFF and actor.station_id:
        return select(Station.id).where(Station.id == actor.station_id)
    if actor.role in {ADMIN, MANAGER} and actor.partner_id is not None:
        return select(Station.id).where(Station.partner_id == actor.partner_id)
    return None


def _granted(actor: Actor, column: InstrumentedAttribute[str]) -> Select[str]:
    stations = granted_stations(actor)
    assert stations is not None  # noqa: S101 - callers asked before
    return select(column).where(StationGrant.station_id.in_(stations), StationGrant.ended_at.is_(None))


def granted_assets(actor: Actor) -> Select[str] | None:
    """Return the ids of the assets an actor may see through a station task, or None when there is no such way."""
    return None if granted_stations(actor) is None else _granted(actor, StationGrant.asset_id)


def visible_to(actor: Actor) -> Select[Customer]:
    """Return the customers an actor may see."""
    return select(Customer).where(Customer.deleted_at.is_(None), in_scope(actor))


def access_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Load one customer the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), Customer, customer_id)


def visible_sites(actor: Actor) -> Select[Site]:
    """Return the sites of the customers an actor may see."""
    return select(Site).join(Customer).where(Site.deleted_at.is_(None), Customer.deleted_at.is_(None), in_scope(actor))


def access_site(session: Session, actor: Actor, site_id: str) -> Site:
    """Load one site the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_sites(actor), Site, site_id)


def deleted_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Load a deleted customer that was not merged, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    customer = session.scalar(
        select(Customer).where(
            Customer.id == customer_id, Customer.deleted_at.is_not(None), Customer.merged_into_id.is_(None), in_scope(actor)
        )
    )
    if customer is None:
        raise NotFound
    return customer


def deleted_site(session: Session, actor: Actor, site_id: str) -> Site:
    """Load a deleted site, for whoever may see it if it were not.

    Raises:
        NotFound: when there is none, or none to see.
    """
    site = session.scalar(select(Site).join(Customer).where(Site.id == site_id, Site.deleted_at.is_not(None), in_scope(actor)))
    if site is None:
        raise NotFound
    return site


def heirs(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Return, for those of some customers that were merged, which one each is now; that one may be deleted."""
    found: dict[str, str] = {}
    asked = set(ids)
    while asked:
        merged = select(Customer.id, Customer.merged_into_id).where(
            among(session, Customer.id, sorted(asked)), Customer.merged_into_id.is_not(None)
        )
        steps = {old: new for old, new in session.execute(merged) if new is not None}
        found = {old: steps.get(new, new) for old, new in found.items()} | {old: new for old, new in steps.items() if old in ids}
        asked = set(steps.values())
    return found


def follow_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """As ``access_customer``; for one that was merged, the one it is now.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return access_customer(session, actor, heirs(session, [customer_id]).get(customer_id, customer_id))


def named_customers(session: Session, actor: Actor, ids: Collection[str]) -> set[str]:
    """Return those of some customers that an actor may add to: visible ones, and merged ones that are or would be theirs.

    Who was in charge of a customer when they went offline does not know what it was merged into, and may not see that one.
    """
    seen = set(session.scalars(visible_to(actor).where(among(session, Customer.id, sorted(ids))).with_only_columns(Customer.id)))
    if not (merged := heirs(session, set(ids) - seen)):
        return seen
    heirs_seen = among(session, Customer.id, sorted(set(merged.values())))
    kept = set(session.scalars(visible_to(actor).where(heirs_seen).with_only_columns(Customer.id)))
    own = select(Customer.id).where(among(session, Customer.id, sorted(merged)), in_scope(actor))
    return seen | {old for old, new in merged.items() if new in kept} | set(session.scalars(own))


def named_customer(session: Session, actor: Actor, customer_id: str) -> Customer:
    """Load one customer the actor may add to; for one that was merged, its tombstone.

    Raises:
        NotFound: when there is none, or none to add to.
    """
    if customer_id not in named_customers(session, actor, [customer_id]):
        raise NotFound
    return session.get_one(Customer, customer_id)


def told_to(actor: Actor) -> Select[Customer]:
    """Return the customers of which an actor may read what happened: visible ones, and those merged into them."""
    if actor.sees_all:
        return select(Customer).where(or_(Customer.deleted_at.is_(None), Customer.merged_into_id.is_not(None)))
    seen = visible_to(actor).with_only_columns(Customer.id)
    # Two steps; what was merged into that again is read by the office.
    step = aliased(Customer)
    second = select(step.id).where(step.merged_into_id.in_(seen))
    return select(Customer).where(
        or_(Customer.id.in_(seen), Customer.merged_into_id.in_(seen), Customer.merged_into_id.in_(second))
    )


def merged_into(session: Session, customer_id: str) -> list[str]:
    """Return the customers that were found to be this one, directly or by way of another."""
    found: list[str] = []
    asked = [customer_id]
    while asked:
        asked = list(session.scalars(select(Customer.id).where(Customer.merged_into_id.in_(asked)).order_by(Customer.id)))
        found += asked
    return found


def open_pairs(least: int) -> Select[DuplicatePair]:
    """Return the open pairs of live customers with at least this score."""
    gone = select(Customer.id).where(Customer.deleted_at.is_not(None))
    return select(DuplicatePair).where(
        DuplicatePair.state == "open",
        DuplicatePair.score >= least,
        DuplicatePair.first_id.not_in(gone),
        DuplicatePair.second_id.not_in(gone),
    )


def pairs_of(session: Session, customer_id: str) -> dict[str, DuplicatePair]:
    """Return the pairs that a customer is in, by the other one's id."""
    rows = session.scalars(
        select(DuplicatePair).where(or_(DuplicatePair.first_id == customer_id, DuplicatePair.second_id == customer_id))
    )
    return {row.second_id if row.first_id == customer_id else row.first_id: row for row in rows}


def standing_merge(session: Session, other_id: str) -> CustomerMerge | None:
    """Return the merge by which a customer is a tombstone now."""
    return session.scalar(select(CustomerMerge).where(CustomerMerge.other_id == other_id, CustomerMerge.state == "merged"))


def merges_of(session: Session, survivor_id: str) -> list[CustomerMerge]:
    """Return what was merged into a customer, the last one first; undone merges, too."""
    return list(
        session.scalars(select(CustomerMerge).where(CustomerMerge.survivor_id == survivor_id).order_by(CustomerMerge.id.desc()))
    )
