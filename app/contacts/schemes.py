"""What the business says of roles and relations: a document, versioned, tried on the customers before it is switched on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.contacts.influence import Edge
from app.contacts.models import Contact, ContactRelation, ContactScheme
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.locales import EN
from app.core.tracked import add, transition
from app.users.rights import Actor

TO_TARGET, TO_SOURCE, BOTH = "to_target", "to_source", "both"
MOST_CODES = 30


def _role(code: str, en: str, zh: str, weight: int, *, wanted: bool = False) -> dict[str, Any]:
    return {"code": code, "en": en, "zh": zh, "weight": weight, "wanted": wanted}


def _kind(code: str, en: str, zh: str, weight: int, lends: str) -> dict[str, Any]:
    return {"code": code, "en": en, "zh": zh, "weight": weight, "lends": lends}


# What holds until the business says otherwise.
DEFAULT: dict[str, Any] = {
    "roles": [
        _role("decider", "decision maker", "决策人", 10, wanted=True),
        _role("approver", "signs off the budget", "预算审批人", 8),
        _role("influencer", "influencer", "影响者", 5, wanted=True),
        _role("buyer", "buyer", "采购负责人", 5, wanted=True),
        _role("user", "user", "使用者", 3, wanted=True),
        _role("gatekeeper", "gatekeeper", "把关人", 2),
    ],
    "relations": [
        _kind("reports_to", "reports to", "汇报给", 3, TO_TARGET),
        _kind("influences", "influences", "影响", 5, TO_SOURCE),
        _kind("trusts", "trusts", "信任", 4, TO_TARGET),
        _kind("knows", "knows", "认识", 1, BOTH),
        _kind("family", "is family of", "亲属", 3, BOTH),
    ],
}


def active_scheme(session: Session) -> ContactScheme | None:
    """Return the version that is switched on."""
    return session.scalar(select(ContactScheme).where(ContactScheme.state == "active"))


def present_document(session: Session) -> dict[str, Any]:
    """Return the document that holds now."""
    found = active_scheme(session)
    return DEFAULT if found is None else found.document


def install_default_scheme(session: Session) -> None:
    """Make the default the first version, where there is none: phones have the list of roles by it."""
    if session.scalar(select(func.count()).select_from(ContactScheme)) == 0:
        add(session, ContactScheme(number=1, state="active", document=DEFAULT))


def draft_scheme(session: Session, actor: Actor, document: dict[str, Any]) -> ContactScheme:
    """Write a new version; it is not switched on by that.

    Raises:
        FieldsInvalid: ``duplicate`` for a code that appears twice.
        Conflict: ``state_conflict`` when another version was just written.
    """
    for name in ("roles", "relations"):
        codes = [row["code"] for row in document[name]]
        if len(set(codes)) < len(codes):
            raise FieldsInvalid({f"document.{name}": ["duplicate"]})
    number = (session.scalar(select(func.max(ContactScheme.number))) or 0) + 1
    try:
        with session.begin_nested():
            row = add(session, ContactScheme(number=number, state="draft", document=document))
    except IntegrityError:
        raise Conflict("state_conflict", state="replayed", wanted="open") from None
    record(session, "contact_scheme.drafted", Subject("contact_scheme", row.id), actor_id=actor.id, number=number)
    return row


def activate_scheme(session: Session, actor: Actor, row: ContactScheme) -> ContactScheme:
    """Switch a version on; the one before is retired, and may be switched on again.

    Raises:
        Conflict: ``state_conflict`` when it is on already, or another one was just switched on.
    """
    about = Subject("contact_scheme", row.id)
    before = active_scheme(session)
    causes = [last_entry(session, about)]
    if before is not None and before.id != row.id:
        transition(session, before, "retired")
        left = Subject("contact_scheme", before.id)
        causes.append(record(session, "contact_scheme.retired", left, actor_id=actor.id, number=before.number))
    try:
        with session.begin_nested():
            transition(session, row, "active")
    except IntegrityError:
        raise Conflict("state_conflict", state=row.state, wanted="active") from None
    record(session, "contact_scheme.activated", about, causes=causes, actor_id=actor.id, number=row.number)
    return row


def weights_of(document: dict[str, Any], contacts: Iterable[Contact]) -> dict[str, float]:
    """Return the weight of each contact's role; 0 where it has none, or one that the document does not know."""
    known = {row["code"]: float(row["weight"]) for row in document["roles"]}
    return {contact.id: known.get(contact.role or "", 0.0) for contact in contacts}


def edges_of(document: dict[str, Any], relations: Iterable[ContactRelation]) -> list[Edge]:
    """Return who lends influence to whom: weight of the kind times strength; both ways, half of it each."""
    known = {row["code"]: row for row in document["relations"]}
    found: list[Edge] = []
    for relation in relations:
        kind = known.get(relation.kind)
        if kind is None:
            continue
        weight = float(kind["weight"] * relation.strength)
        source, target = relation.from_id, relation.to_id
        if kind["lends"] == BOTH:
            found += [Edge(source, target, weight / 2, relation.id), Edge(target, source, weight / 2, relation.id)]
        elif kind["lends"] == TO_TARGET:
            found.append(Edge(source, target, weight, relation.id))
        else:
            found.append(Edge(target, source, weight, relation.id))
    return found


def label(document: dict[str, Any], part: str, code: str | None, locale: str) -> str | None:
    """Return what a role or a kind of relation is called; one the document does not know any more, by its code."""
    if code is None:
        return None
    row = next((row for row in document[part] if row["code"] == code), None)
    return code if row is None else str(row["en" if locale == EN else "zh"])
