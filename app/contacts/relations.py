"""Relations between contacts: add, edit, delete; and the graph of a customer's people with everybody's influence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.contacts import queries
from app.contacts.influence import Score, scores
from app.contacts.models import Contact, ContactRelation
from app.contacts.operations import MOST_CONTACTS
from app.contacts.schemes import active_scheme, edges_of, label, present_document, weights_of
from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, hold, touch
from app.customers.models import Customer
from app.users.rights import Actor

MOST_RELATIONS = 2000


def create_relation(session: Session, actor: Actor, values: Mapping[str, Any]) -> ContactRelation:
    """Say how a contact stands to another one of the same customer.

    Args:
        values: ``from_id``, ``to_id``, ``kind``, ``strength``, and optionally ``id`` and ``note``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (from_id, to_id), ``invalid`` (to_id) for one contact or two customers,
            ``not_one_of`` (kind), ``already_exists`` (id, to_id).
        Conflict: ``too_many_relations``.
    """
    ends = [session.scalar(queries.visible_to(actor).where(Contact.id == values[name])) for name in ("from_id", "to_id")]
    unknown = {name: ["unknown_reference"] for name, end in zip(("from_id", "to_id"), ends, strict=True) if end is None}
    source, target = ends
    if source is None or target is None:
        raise FieldsInvalid(unknown)
    if source.id == target.id or source.customer_id != target.customer_id:
        raise FieldsInvalid({"to_id": ["invalid"]})
    if values["kind"] not in {row["code"] for row in present_document(session)["relations"]}:
        raise FieldsInvalid({"kind": ["not_one_of"]})
    if values.get("id") and session.get(ContactRelation, values["id"]) is not None:
        raise FieldsInvalid({"id": ["already_exists"]})
    hold(session, Customer, source.customer_id)  # of two that say the same at once one waits here
    _check_room(session, source.customer_id, values)
    row = add(session, ContactRelation(customer_id=source.customer_id, **values))
    record(session, "contact_relation.created", Subject("contact_relation", row.id), actor_id=actor.id, **_facts(session, row))
    return row


def _facts(session: Session, row: ContactRelation) -> dict[str, Any]:
    source, target = _ends(session, row)
    return {"name": source.name, "other": target.name, "relation": row.kind, "strength": row.strength}


def _check_room(session: Session, customer_id: str, values: Mapping[str, Any]) -> None:
    same = select(ContactRelation.id).where(
        ContactRelation.from_id == values["from_id"],
        ContactRelation.to_id == values["to_id"],
        ContactRelation.kind == values["kind"],
        ContactRelation.deleted_at.is_(None),
    )
    if session.scalar(same) is not None:
        raise FieldsInvalid({"to_id": ["already_exists"]})
    count = select(func.count()).where(ContactRelation.customer_id == customer_id, ContactRelation.deleted_at.is_(None))
    if (session.scalar(count) or 0) >= MOST_RELATIONS:
        raise Conflict("too_many_relations", most=MOST_RELATIONS)


def edit_relation(session: Session, actor: Actor, row: ContactRelation, changes: Mapping[str, Any]) -> ContactRelation:
    """Change how strong a relation is, or the note on it."""
    for name, value in changes.items():
        setattr(row, name, value)
    touch(session, row)
    about = Subject("contact_relation", row.id)
    causes = [last_entry(session, about)]
    record(session, "contact_relation.edited", about, causes=causes, actor_id=actor.id, **_facts(session, row))
    return row


def delete_relation(session: Session, actor: Actor, row: ContactRelation) -> ContactRelation:
    """Take a relation away; its row stays as a tombstone."""
    row.deleted_at = now(session)
    touch(session, row)
    about = Subject("contact_relation", row.id)
    causes = [last_entry(session, about)]
    record(session, "contact_relation.deleted", about, causes=causes, actor_id=actor.id, **_facts(session, row))
    return row


def undelete_relation(session: Session, actor: Actor, row: ContactRelation) -> ContactRelation:
    """Bring a relation back.

    Raises:
        Conflict: ``state_conflict`` when one of its contacts is deleted.
        FieldsInvalid: ``already_exists`` (to_id) when it was made anew meanwhile.
    """
    if any(end.deleted_at is not None for end in _ends(session, row)):
        raise Conflict("state_conflict", state="deleted", wanted="live")
    hold(session, Customer, row.customer_id)
    _check_room(session, row.customer_id, {"from_id": row.from_id, "to_id": row.to_id, "kind": row.kind})
    row.deleted_at = None
    touch(session, row)
    record(session, "contact_relation.created", Subject("contact_relation", row.id), actor_id=actor.id, **_facts(session, row))
    return row


def _ends(session: Session, row: ContactRelation) -> tuple[Contact, Contact]:
    return session.get_one(Contact, row.from_id), session.get_one(Contact, row.to_id)


def counting(contacts: list[Contact]) -> list[Contact]:
    """Return who of a customer's people has a score: confirmed, and still there."""
    return [contact for contact in contacts if contact.state == "confirmed" and contact.left_at is None]


def graph(session: Session, actor: Actor, customer_id: str) -> dict[str, Any]:
    """Return a customer's people, how they stand to each other, everybody's influence, and which wanted role nobody has.

    Args:
        customer_id: of a customer the actor may see.

    Returns:
        ``{"scheme_number", "nodes", "edges", "missing_roles"}``; nodes by influence, the most first. Who is proposed or left is
        shown without a score.
    """
    scheme, document = active_scheme(session), present_document(session)
    contacts = queries.contacts_of(session, customer_id, MOST_CONTACTS)
    relations = queries.relations_of(session, customer_id, MOST_RELATIONS)
    counted = counting(contacts)
    found = scores(weights_of(document, counted), edges_of(document, relations))
    names = {contact.id: contact.name for contact in contacts}
    kinds = {relation.id: relation.kind for relation in relations}

    def explained(score: Score) -> dict[str, Any]:
        parts = [
            {
                "contact_id": part.giver,
                "name": names[part.giver],
                "relation_id": part.relation,
                "kind": label(document, "relations", kinds[part.relation], actor.locale),
                "points": round(part.points, 1),
            }
            for part in score.by_relations
        ]
        return {"by_role": round(score.by_role, 1), "by_relations": parts[:20], "shared_out": round(score.shared_out, 1)}

    nodes: list[dict[str, Any]] = [
        {
            "contact": contact,
            "role_name": label(document, "roles", contact.role, actor.locale),
            "influence": round(found[contact.id].points, 1) if contact.id in found else None,
            "because": explained(found[contact.id]) if contact.id in found else None,
        }
        for contact in contacts
    ]
    nodes.sort(key=lambda node: (-(node["influence"] or -1.0), node["contact"].id))
    held = {contact.role for contact in counted}
    wanted = [row for row in document["roles"] if row["wanted"] and row["code"] not in held]
    return {
        "scheme_number": scheme.number if scheme else 0,
        "nodes": nodes,
        "edges": [_edge(document, relation, actor) for relation in relations if {relation.from_id, relation.to_id} <= set(names)],
        "missing_roles": [{"code": row["code"], "name": label(document, "roles", row["code"], actor.locale)} for row in wanted],
    }


def _edge(document: dict[str, Any], relation: ContactRelation, actor: Actor) -> dict[str, Any]:
    shown = {name: getattr(relation, name) for name in ("id", "version", "from_id", "to_id", "kind", "strength", "note")}
    return shown | {"kind_name": label(document, "relations", relation.kind, actor.locale)}
