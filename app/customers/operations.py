"""Verbs on customers and sites."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import Base, now
from app.core.errors import Conflict, FieldsInvalid
from app.core.numbers import next_number
from app.core.tracked import add, touch
from app.customers.models import Customer, Site
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor


def create_customer(session: Session, actor: Actor, values: dict[str, Any]) -> Customer:
    """Add a customer. A rep's new customer is theirs, in a territory they work in.

    Args:
        values: name, territory_id, and optionally id, code (else the next number), phone, email, owner_id.

    Raises:
        FieldsInvalid: ``already_exists`` (code, id) or ``unknown_reference``.
    """
    _check_references(session, actor, values)
    if not values.get("code"):
        values = values | {"code": next_number(session, "C")}
    if session.scalar(select(Customer).where(Customer.code == values["code"])):
        raise FieldsInvalid({"code": ["already_exists"]})
    if values.get("id") and session.get(Customer, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    if actor.role == REP:
        values = values | {"owner_id": actor.id}
    customer = add(session, Customer(**values))
    history.record(session, "customer.created", history.Subject("customer", customer.id), actor_id=actor.id)
    return customer


def edit_customer(session: Session, actor: Actor, customer: Customer, changes: dict[str, Any]) -> Customer:
    """Change a customer's fields. Only the office moves a customer to another owner or territory.

    Raises:
        FieldsInvalid: ``unknown_reference``.
    """
    if actor.role == REP and {"owner_id", "territory_id"} & set(changes):
        raise FieldsInvalid({name: ["unknown"] for name in sorted({"owner_id", "territory_id"} & set(changes))})
    _check_references(session, actor, changes)
    for name, value in changes.items():
        setattr(customer, name, value)
    touch(session, customer)
    history.record(
        session, "customer.edited", history.Subject("customer", customer.id), actor_id=actor.id, fields=sorted(changes)
    )
    return customer


def delete_customer(session: Session, actor: Actor, customer: Customer) -> Customer:
    """Delete a customer with its sites. Their rows stay as tombstones, and ``undelete_customer`` brings them back.

    Raises:
        Conflict: ``in_use`` while an asset belongs to it.
    """
    _refuse_used(session, customer, "customer_id")
    at = now(session)  # one instant for all of them: by it, undeleting knows what went together
    for site in session.scalars(select(Site).where(Site.customer_id == customer.id, Site.deleted_at.is_(None))):
        _bury_site(session, actor, site, at)
    _bury(session, customer, at)
    history.record(session, "customer.deleted", history.Subject("customer", customer.id), actor_id=actor.id)
    return customer


def undelete_customer(session: Session, actor: Actor, customer: Customer) -> Customer:
    """Bring a deleted customer back, with the sites that were deleted together with it.

    Raises:
        Conflict: ``state_conflict`` when it is not deleted.
    """
    together = customer.deleted_at
    _dig_out(session, customer)
    history.record(session, "customer.undeleted", history.Subject("customer", customer.id), actor_id=actor.id)
    for site in session.scalars(select(Site).where(Site.customer_id == customer.id, Site.deleted_at == together)):
        _dig_out_site(session, actor, site)
    return customer


def _check_references(session: Session, actor: Actor, values: dict[str, Any]) -> None:
    faults: dict[str, list[str]] = {}
    if "territory_id" in values and not session.scalar(
        territories.visible_to(actor).where(Territory.id == values["territory_id"])
    ):
        faults["territory_id"] = ["unknown_reference"]
    if values.get("owner_id") and not session.scalar(
        users.visible_to(actor)
        .where(User.id == values["owner_id"], User.role == REP, User.state == "active", User.partner_id.is_(None))
        # Locked against leaving: a rep who is being deactivated must not be given a customer meanwhile.
        .with_for_update(read=True)
    ):
        faults["owner_id"] = ["unknown_reference"]
    if faults:
        raise FieldsInvalid(faults)


def create_site(session: Session, actor: Actor, customer: Customer, values: dict[str, Any]) -> Site:
    """Add a site of a customer.

    Args:
        values: name, lat, lon (WGS-84 degrees), and optionally id and address.

    Raises:
        FieldsInvalid: ``already_exists`` (id).
        Conflict: ``state_conflict`` when the customer is just being deleted.
    """
    if values.get("id") and session.get(Site, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    _keep_live(session, customer)
    site = add(session, Site(customer_id=customer.id, **values))
    history.record(session, "site.created", history.Subject("site", site.id), actor_id=actor.id)
    return site


def edit_site(session: Session, actor: Actor, site: Site, changes: dict[str, Any]) -> Site:
    """Change a site's name, address or place."""
    for name, value in changes.items():
        setattr(site, name, value)
    touch(session, site)
    history.record(session, "site.edited", history.Subject("site", site.id), actor_id=actor.id, fields=sorted(changes))
    return site


def delete_site(session: Session, actor: Actor, site: Site) -> Site:
    """Delete a site; its row stays as a tombstone.

    Raises:
        Conflict: ``in_use`` while an asset stands there.
    """
    _refuse_used(session, site, "site_id")
    _bury_site(session, actor, site, now(session))
    return site


def undelete_site(session: Session, actor: Actor, site: Site) -> Site:
    """Bring a deleted site back.

    Raises:
        Conflict: ``state_conflict`` when it is not deleted, or its customer is.
    """
    _keep_live(session, session.get_one(Customer, site.customer_id))
    _dig_out_site(session, actor, site)
    return site


def _keep_live(session: Session, customer: Customer) -> None:
    """Refuse where a customer was deleted, and let nobody delete it meanwhile: its site would be seen by nobody."""
    session.refresh(customer, with_for_update={"read": True, "key_share": True})
    if customer.deleted_at is not None:
        raise Conflict("state_conflict", state="deleted", wanted="live")


def _refuse_used(session: Session, row: Customer | Site, column: str) -> None:
    session.refresh(row, with_for_update=True)  # nothing may be put there meanwhile
    assets = Base.metadata.tables["assets"]  # by name: assets lie in a room above, and this is all that is asked of them here
    if session.execute(select(assets.c.id).where(assets.c[column] == row.id, assets.c.deleted_at.is_(None)).limit(1)).first():
        raise Conflict("in_use")


def _bury(session: Session, row: Customer | Site, at: datetime) -> None:
    row.deleted_at = at
    touch(session, row)


def _bury_site(session: Session, actor: Actor, site: Site, at: datetime) -> None:
    _bury(session, site, at)
    history.record(session, "site.deleted", history.Subject("site", site.id), actor_id=actor.id)


def _dig_out(session: Session, row: Customer | Site) -> None:
    if row.deleted_at is None:
        raise Conflict("state_conflict", state="live", wanted="live")
    row.deleted_at = None
    touch(session, row)


def _dig_out_site(session: Session, actor: Actor, site: Site) -> None:
    _dig_out(session, site)
    history.record(session, "site.undeleted", history.Subject("site", site.id), actor_id=actor.id)
