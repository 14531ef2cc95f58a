"""The fields that are suggested, each with the right it needs and the scope it is read through. What is not here is not told.

Left out on purpose: telephone numbers, addresses of mail, names of persons, and notes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.assets import queries as assets
from app.assets.models import Asset
from app.contacts import queries as contacts
from app.contacts.models import Contact
from app.contacts.schemes import present_document
from app.core.errors import FieldsInvalid
from app.core.locales import EN
from app.custom_fields import queries as custom_fields
from app.custom_fields.models import CustomField
from app.customers import queries as customers
from app.customers.models import Customer
from app.follow_ups import queries as follow_ups
from app.follow_ups.models import FollowUp
from app.leads import queries as leads
from app.leads.models import Lead
from app.users.rights import Actor, allows
from app.visits import queries as visits
from app.visits.models import Visit

_CUSTOM = {"customer": "customers", "lead": "leads"}
_SUGGESTED_KINDS = ("text", "choice")


@dataclass(frozen=True)
class Source:
    """Where the values of a field are read.

    Attributes:
        right: what a person must be allowed to be told them.
        model: whose rows.
        visible: the rows an actor may see.
        column: of the values; with ``key``, of the values of the company's own fields by key.
        mine: a column that names whose a row is; None: whose customer it is about.
        customer: a column that names the customer a row is about.
        typed: people type it, so it may hold anything; what looks like a number or an address is left out.
    """

    right: str
    model: Any
    visible: Callable[[Actor], Select[Any]]
    column: Any
    mine: Any
    customer: Any
    typed: bool = True
    key: str | None = None


def _of_lead(column: Any, key: str | None = None) -> Source:
    return Source("leads.read", Lead, leads.visible_to, column, Lead.owner_id, Lead.customer_id, key=key)


def _of_visit(column: Any) -> Source:
    return Source("visits.read", Visit, visits.visible_to, column, Visit.user_id, Visit.customer_id)


def _of_contact(column: Any, *, typed: bool) -> Source:
    return Source("contacts.read", Contact, contacts.visible_to, column, None, Contact.customer_id, typed)


def _of_customer(key: str) -> Source:
    return Source("customers.read", Customer, customers.visible_to, Customer.custom, Customer.owner_id, Customer.id, key=key)


SOURCES: dict[str, Source] = {
    "assets.model": Source("assets.read", Asset, assets.visible_to, Asset.model, None, Asset.customer_id, typed=False),
    "contacts.job_title": _of_contact(Contact.job_title, typed=True),
    "contacts.role": _of_contact(Contact.role, typed=False),
    "follow_ups.next_step": Source(
        "follow_ups.read",
        FollowUp,
        follow_ups.visible_to,
        FollowUp.next_step,
        FollowUp.user_id,
        FollowUp.customer_id,
    ),
    "leads.company": _of_lead(Lead.company),
    "leads.interest": _of_lead(Lead.interest),
    "leads.source": _of_lead(Lead.source),
    "visits.next_step": _of_visit(Visit.next_step),
    "visits.outcome": _of_visit(Visit.outcome),
    "visits.purpose": _of_visit(Visit.purpose),
}


def known_to(session: Session, actor: Actor) -> dict[str, CustomField | None]:
    """Return the fields an actor is told values of, by name; of a company's own fields with its definition."""
    found: dict[str, CustomField | None] = {name: None for name, source in SOURCES.items() if allows(actor, source.right)}
    own = custom_fields.visible_to(actor).where(CustomField.kind.in_(_SUGGESTED_KINDS), CustomField.retired.is_(False))
    for field in session.scalars(own):
        name = _CUSTOM[field.subject_kind]
        if allows(actor, f"{name}.read"):
            found[f"{name}.custom.{field.key}"] = field
    return dict(sorted(found.items()))


def source_of(session: Session, actor: Actor, name: str) -> tuple[Source, dict[str, str] | None]:
    """Return where the values of a field are read; and of one whose values are codes, what these are called.

    Raises:
        FieldsInvalid: ``not_one_of`` (field) for one the actor is told nothing of.
    """
    known = known_to(session, actor)
    if name not in known:
        raise FieldsInvalid({"field": ["not_one_of"]})
    field = known[name]
    side = "en" if actor.locale == EN else "zh"
    if field is not None:
        source = _of_customer(field.key) if field.subject_kind == "customer" else _of_lead(Lead.custom, field.key)
        labels = {choice["code"]: choice[f"label_{side}"] for choice in field.choices}
        return source, labels if field.kind == "choice" else None
    if name == "contacts.role":
        return SOURCES[name], {row["code"]: row[side] for row in present_document(session)["roles"]}
    return SOURCES[name], None


def read_through(source: Source, actor: Actor) -> Select[Any]:
    """Return what is looked at of the rows an actor may see: value, whose row, which customer, when it last changed."""
    mine = source.mine
    if mine is None:
        mine = select(Customer.owner_id).where(Customer.id == source.customer).scalar_subquery()
    columns = (source.column.label("value"), mine.label("mine"), source.customer.label("customer_id"), source.model.updated_at)
    return source.visible(actor).with_only_columns(*columns)
