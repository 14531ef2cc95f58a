"""Verbs on customers and sites."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import history
from app.core.errors import FieldsInvalid
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
        values: code, name, territory_id, and optionally id, phone, email, owner_id.

    Raises:
        FieldsInvalid: ``already_exists`` (code, id) or ``unknown_reference``.
    """
    _check_references(session, actor, values)
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
    """
    if values.get("id") and session.get(Site, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    site = add(session, Site(customer_id=customer.id, **values))
    history.record(session, "site.created", history.Subject("site", site.id), actor_id=actor.id)
    return site
