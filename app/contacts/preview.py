"""What another version of the scheme would change at the customers there are, before it is switched on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.contacts.influence import scores
from app.contacts.models import Contact, ContactRelation
from app.contacts.relations import counting
from app.contacts.schemes import edges_of, present_document, weights_of
from app.core.db import among
from app.customers.models import Customer

MOST_CUSTOMERS = 500
_SHOWN, _SHOWN_PEOPLE = 20, 5


def preview(session: Session, document: dict[str, Any]) -> dict[str, Any]:
    """Compare the scores under a document with those under the present one.

    Compared are the customers with the most contacts, at most 500 of them.

    Returns:
        ``customers``: how many were compared; ``cut``: there are more. ``new_first``: at how many another person would come
        first. ``items``: the customers with the greatest change. ``unknown_roles``, ``unknown_relations``: how many contacts
        and relations have a code that the document does not know.
    """
    with_people = (
        select(Contact.customer_id)
        .join(Customer, Customer.id == Contact.customer_id)
        .where(Contact.deleted_at.is_(None), Contact.state == "confirmed", Customer.deleted_at.is_(None))
        .group_by(Contact.customer_id)
        .order_by(func.count().desc(), Contact.customer_id)
    )
    ids = list(session.scalars(with_people.limit(MOST_CUSTOMERS + 1)))
    compared = ids[:MOST_CUSTOMERS]
    contacts, relations = _by_customer(session, Contact, compared), _by_customer(session, ContactRelation, compared)
    present = present_document(session)
    changes = [
        found
        for customer_id in compared
        if (found := _change(customer_id, present, document, counting(contacts[customer_id]), relations[customer_id]))
    ]
    changes.sort(key=lambda found: (-found["greatest"], found["customer_id"]))
    shown = changes[:_SHOWN]
    names = _names(session, [found["customer_id"] for found in shown])
    return {
        "customers": len(compared),
        "cut": len(ids) > MOST_CUSTOMERS,
        "changed": len(changes),
        "new_first": sum(found["new_first"] for found in changes),
        "items": [found | {"customer_name": names[found["customer_id"]]} for found in shown],
        "unknown_roles": _unknown(session, Contact, Contact.role, document["roles"]),
        "unknown_relations": _unknown(session, ContactRelation, ContactRelation.kind, document["relations"]),
    }


def _by_customer(session: Session, model: Any, ids: list[str]) -> Mapping[str, list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    live = select(model).where(among(session, model.customer_id, ids), model.deleted_at.is_(None))
    for row in session.scalars(live.order_by(model.id)):
        found[row.customer_id].append(row)
    return found


def _change(
    customer_id: str, present: dict[str, Any], document: dict[str, Any], people: list[Contact], relations: list[ContactRelation]
) -> dict[str, Any] | None:
    """Return what changes at one customer, or None where nothing does."""
    before = scores(weights_of(present, people), edges_of(present, relations))
    after = scores(weights_of(document, people), edges_of(document, relations))
    sides = {"before": before, "after": after}

    def points(one: Contact) -> dict[str, Any]:
        return {"contact_id": one.id, "name": one.name} | {side: round(of[one.id].points, 1) for side, of in sides.items()}

    rows = [points(one) for one in people]
    moved = [row for row in rows if row["before"] != row["after"]]
    if not moved:
        return None
    moved.sort(key=lambda row: (-abs(row["after"] - row["before"]), row["contact_id"]))

    def first(side: str) -> Any:
        return min(rows, key=lambda row: (-row[side], row["contact_id"]))["contact_id"]

    return {
        "customer_id": customer_id,
        "greatest": round(abs(moved[0]["after"] - moved[0]["before"]), 1),
        "new_first": first("before") != first("after"),
        "people": moved[:_SHOWN_PEOPLE],
    }


def _names(session: Session, ids: list[str]) -> dict[str, str]:
    return {row.id: row.name for row in session.scalars(select(Customer).where(Customer.id.in_(ids)))}


def _unknown(session: Session, model: Any, column: Any, rows: list[dict[str, Any]]) -> int:
    live = select(func.count()).select_from(model).where(model.deleted_at.is_(None), column.is_not(None))
    return session.scalar(live.where(column.not_in([row["code"] for row in rows]))) or 0
