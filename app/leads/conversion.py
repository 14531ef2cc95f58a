"""A lead becomes a customer: a new one, made of its fields, or one that is there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from app.core.db import among
from app.core.errors import Conflict, FieldsInvalid, NotFound
from app.core.history import Subject, last_entry, record, tell_of_customer
from app.core.tracked import hold, transition
from app.custom_fields.operations import same_value
from app.custom_fields.queries import fields_of
from app.custom_fields.values import checked_value
from app.customers import operations as customers
from app.customers import queries as customer_queries
from app.customers.blocks import meeting, records_of
from app.customers.duplicates import Likeness
from app.customers.keys import keys_of
from app.customers.matching import POSSIBLE, Record, compare
from app.customers.models import Customer
from app.customers.schemas import CustomerSchema
from app.leads.assigning import end_holding
from app.leads.deriving import follow_pool
from app.leads.models import Lead
from app.users.rights import Actor

# Field of a customer -> fields of a lead it is taken from, the first that is filled.
MADE_OF: dict[str, tuple[str, ...]] = {
    "name": ("company", "name"),
    "phone": ("phone",),
    "email": ("email",),
    "territory_id": ("territory_id",),
}


def record_of(lead: Lead) -> Record:
    """Return a lead as customers are compared."""
    return Record(
        lead.company or lead.name,
        (lead.phone,),
        (lead.email,) if lead.email else (),
        (lead.address,) if lead.address else (),
    )


def likely_customers(session: Session, actor: Actor, lead: Lead) -> list[Likeness]:
    """Return the customers a lead may be already, likeliest first: only whom the actor may see."""
    own = record_of(lead)
    near = meeting(session, keys_of(own))
    found = {customer_id: compare(own, other) for customer_id, other in records_of(session, near).items()} if near else {}
    likely = {customer_id: match for customer_id, match in found.items() if match.score >= POSSIBLE}
    seen = session.scalars(customer_queries.visible_to(actor).where(among(session, Customer.id, sorted(likely))))
    return sorted((Likeness(one, likely[one.id]) for one in seen), key=lambda one: (-one.match.score, one.customer.id))


def customer_values(lead: Lead, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a customer is made of: what is given, else the lead's fields, each checked as at the customers' door.

    Raises:
        FieldsInvalid: by the customer's field.
    """
    taken = {name: next((getattr(lead, one) for one in ones if getattr(lead, one)), None) for name, ones in MADE_OF.items()}
    values = {name: value for name, value in (taken | dict(given)).items() if value is not None}
    try:
        return dict(CustomerSchema(only=(*MADE_OF, "code", "credit_code")).load(values))
    except ValidationError as fault:
        faults: dict[str, list[str]] = fault.normalized_messages()  # type: ignore[no-untyped-call]
        raise FieldsInvalid({f"values.{name}": [str(code) for code in codes] for name, codes in faults.items()}) from None


def own_values(session: Session, lead: Lead, territory_id: str) -> dict[str, Any]:
    """Return what of a lead's own fields a customer of a territory can hold: it has a field of the same key and kind."""
    theirs, ours = fields_of(session, "customer"), fields_of(session, "lead", retired=True)
    kept = {}
    for key, value in lead.custom.items():
        field = theirs.get(key)
        if field is None or key not in ours or field.kind != ours[key].kind or field.territory_id not in (None, territory_id):
            continue
        try:
            kept[key] = checked_value(field, value)
        except ValidationError:  # a choice that customers do not have
            continue
    return kept


def left_behind(session: Session, lead: Lead) -> list[str]:
    """Return the own fields of a converted lead, as ``custom.<key>``, whose values its customer did not take."""
    entry = last_entry(session, Subject("lead", lead.id), "lead.converted")
    return list(entry.facts.get("left_behind", [])) if entry is not None else []


def convert(
    session: Session, actor: Actor, lead: Lead, customer_id: str | None = None, given: Mapping[str, Any] | None = None
) -> Lead:
    """Turn a lead into a customer. Asked again for the same, it answers the same.

    Of the company's own fields a customer takes what it has a field of the same key and kind for, and no value yet; what it
    did not take, ``left_behind`` tells.

    Args:
        lead: a qualified one.
        customer_id: the customer it is already; None: a new one is made.
        given: values of the new customer that are to differ from the lead's.

    Raises:
        Conflict: ``state_conflict`` unless it is qualified; ``lead_converted`` when it became another customer.
        FieldsInvalid: ``unknown_reference`` (customer_id), ``unknown`` (values, where a customer is named), or what is wrong with
            a field of the new customer.
    """
    if customer_id is not None and given:
        raise FieldsInvalid({"values": ["unknown"]})
    lead = hold(session, Lead, lead.id)
    if lead.state == "converted":
        if customer_id in (None, lead.customer_id):
            return lead
        raise Conflict("lead_converted")
    if lead.state != "qualified":
        raise Conflict("state_conflict", state=lead.state, wanted="converted")
    about = Subject("lead", lead.id)
    before = last_entry(session, about)
    customer = _customer(session, actor, lead, customer_id, given or {})
    made = last_entry(session, Subject("customer", customer.id), "customer.created") if customer_id is None else None
    transition(session, lead, "converted", customer_id=customer.id)
    end_holding(session, lead, "converted")
    follow_pool(session, lead)
    left = [f"custom.{key}" for key, value in sorted(lead.custom.items()) if not same_value(customer.custom.get(key), value)]
    record(
        session,
        "lead.converted",
        about,
        causes=[before, made],
        actor_id=actor.id,
        customer_id=customer.id,
        name=customer.name,
        left_behind=left,
    )
    tell_of_customer(session, about, customer.id)
    return lead


def _customer(session: Session, actor: Actor, lead: Lead, customer_id: str | None, given: Mapping[str, Any]) -> Customer:
    if customer_id is not None:
        try:
            customer = customer_queries.follow_customer(session, actor, customer_id)
        except NotFound:
            raise FieldsInvalid({"customer_id": ["unknown_reference"]}) from None
        own = own_values(session, lead, customer.territory_id)
        if gaps := {key: value for key, value in own.items() if key not in customer.custom}:
            customers.edit_customer(session, actor, customer, {"custom": gaps})
        return customer
    values = customer_values(lead, given)
    if lead.owner_id and actor.sees_all:
        values["owner_id"] = lead.owner_id
    values["custom"] = own_values(session, lead, values["territory_id"])
    try:
        return customers.create_customer(session, actor, values)
    except FieldsInvalid as fault:
        raise FieldsInvalid({f"values.{name}": codes for name, codes in fault.errors.items()}) from None
