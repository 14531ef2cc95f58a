"""What a follow-up names beside its customer or lead: whom it was with, and at which visit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.contacts import queries as contacts
from app.core.errors import FieldsInvalid, NotFound
from app.customers import queries as customers
from app.leads.models import Lead
from app.users.rights import Actor

# Returns whose a visit is that the actor may see, by its id; raises NotFound.
VisitHome = Callable[[Session, Actor, str], str]
_visit_homes: list[VisitHome] = []


def declare_visit_home(home_of: VisitHome) -> None:
    """Say how the customer of a visit is found. Called once, by the room of visits, which lies above."""
    _visit_homes.append(home_of)


def named(
    session: Session, actor: Actor, customer_id: str | None, lead: Lead | None, values: Mapping[str, Any]
) -> dict[str, str | None]:
    """Return ``contact_id`` and ``visit_id`` as they are kept; of a contact that was merged, the one it is now.

    Args:
        customer_id: whom the actor may add to; None: it is about the lead.
        lead: whose customer, once it became one, counts as far as the actor may see it.
        values: of the follow-up.

    Raises:
        FieldsInvalid: ``unknown_reference`` for what the actor may not see, or what is another customer's.
    """
    wanted = {name: values.get(name) or None for name in ("contact_id", "visit_id")}
    if not any(wanted.values()):
        return wanted
    home = _seen_customer(session, actor, lead) if lead is not None else customer_id
    kept = {
        "contact_id": _contact(session, wanted["contact_id"], home),
        "visit_id": _visit(session, actor, wanted["visit_id"], home),
    }
    faults = {name: ["unknown_reference"] for name, row_id in wanted.items() if row_id and kept[name] is None}
    if faults:
        raise FieldsInvalid(faults)
    return kept


def _seen_customer(session: Session, actor: Actor, lead: Lead) -> str | None:
    if lead.customer_id is None:
        return None
    try:
        return customers.follow_customer(session, actor, lead.customer_id).id
    except NotFound:
        return None


def _contact(session: Session, contact_id: str | None, home: str | None) -> str | None:
    """Return the contact at a customer; whoever may add to the customer sees its contacts."""
    if contact_id is None or home is None:
        return None
    found = contacts.contact_at(session, contact_id, home) or contacts.heir_of(session, contact_id, home)
    return found.id if found is not None else None


def _visit(session: Session, actor: Actor, visit_id: str | None, home: str | None) -> str | None:
    if visit_id is None or home is None:
        return None
    try:
        return visit_id if any(home_of(session, actor, visit_id) == home for home_of in _visit_homes) else None
    except NotFound:
        return None
