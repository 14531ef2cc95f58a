"""Codes of other systems: what they stand for, and what becomes of facts that came before anybody knew."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Select, literal, select, update
from sqlalchemy.orm import Session

from app.core.db import among, insert_once, now
from app.core.errors import FieldsInvalid
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.ids import new_id
from app.core.tracked import touch, transition
from app.custom_fields.queries import fields_of
from app.customers import facts
from app.customers.blocks import rekey
from app.customers.fact_rules import rules_of
from app.customers.models import Customer, CustomerFact
from app.facts.models import CodeMapping
from app.users.rights import Actor

# Facts that follow at once when a code is mapped; the rest by a job.
MOST_AT_ONCE = 200


def lists(session: Session) -> dict[str, set[str]]:
    """Return the company's own fields that are code lists, each with its codes."""
    found = fields_of(session, "customer", retired=True)
    return {key: {choice["code"] for choice in field.choices} for key, field in found.items() if field.kind == "choice"}


def known_codes(session: Session, system: str, codes: Collection[tuple[str, str]]) -> dict[tuple[str, str], CodeMapping]:
    """Return what is known of some codes (list, code) of a system; those nobody met before become tasks to map them.

    Nobody maps one of them until the commit: a word written meanwhile by what the code stood for before would never follow.
    Who holds codes and customers takes the codes first, as mapping does.
    """
    _meet_new(session, system, codes)
    held = _of(session, system, codes).order_by(CodeMapping.id).with_for_update(read=True)
    return _by_code(session, held.execution_options(populate_existing=True))


def find_codes(session: Session, system: str, codes: Collection[tuple[str, str]]) -> dict[tuple[str, str], CodeMapping]:
    """As ``known_codes``, but only those that somebody met; writes nothing and keeps nobody waiting."""
    return _by_code(session, _of(session, system, codes))


def _of(session: Session, system: str, codes: Collection[tuple[str, str]]) -> Select[CodeMapping]:
    wanted = {theirs for _, theirs in codes}
    return select(CodeMapping).where(CodeMapping.system == system, among(session, CodeMapping.theirs, sorted(wanted)))


def _by_code(session: Session, query: Select[CodeMapping]) -> dict[tuple[str, str], CodeMapping]:
    return {(row.list_name, row.theirs): row for row in session.scalars(query)}


def _meet_new(session: Session, system: str, codes: Collection[tuple[str, str]]) -> None:
    for name, theirs in sorted(set(codes) - set(find_codes(session, system, codes))):
        _meet(session, name, system, theirs)


def _meet(session: Session, list_name: str, system: str, theirs: str) -> None:
    """Keep a code that nobody knows as a task to map it, unless somebody else does so now."""
    present, row_id = now(session), new_id()
    made = insert_once(
        session,
        CodeMapping,
        id=row_id,
        version=1,
        created_at=present,
        updated_at=present,
        list_name=list_name,
        system=system,
        theirs=theirs,
        state="open",
    )
    if made:
        record(session, "code.met", Subject("code_mapping", row_id), list=list_name, system=system, code=theirs)


def add_mapping(session: Session, actor: Actor, values: Mapping[str, str]) -> CodeMapping:
    """Say what a code of another system stands for, met or not; see ``map_code``.

    Raises:
        FieldsInvalid: ``unknown_reference`` (list_name) when there is no such list.
    """
    if values["list_name"] not in lists(session):
        raise FieldsInvalid({"list_name": ["unknown_reference"]})
    key = (values["list_name"], values["theirs"])
    _meet_new(session, values["system"], [key])
    mapping = find_codes(session, values["system"], [key])[key]
    return map_code(session, actor, mapping, values["ours"])


def map_code(session: Session, actor: Actor, mapping: CodeMapping, ours: str) -> CodeMapping:
    """Say what a code stands for. Facts that came with it follow: the first ``MOST_AT_ONCE`` now, the others soon.

    Raises:
        FieldsInvalid: ``not_one_of`` (ours) when it is none of the list's codes.
    """
    if ours not in lists(session).get(mapping.list_name, set()):
        raise FieldsInvalid({"ours": ["not_one_of"]})
    about = Subject("code_mapping", mapping.id)
    before = last_entry(session, about)
    transition(session, mapping, "mapped", ours=ours, decided_by=actor.id, settled_at=None)
    record(
        session, "code.mapped", about, causes=[before], actor_id=actor.id,
        ours=ours, list=mapping.list_name, system=mapping.system, code=mapping.theirs,
    )  # fmt: skip
    session.execute(update(CustomerFact).where(*_with_code(mapping)).values(waiting=True))
    settle_code(session, mapping)
    return mapping


def ignore_code(session: Session, actor: Actor, mapping: CodeMapping) -> CodeMapping:
    """Say that a code stands for nothing of ours: facts with it are kept, and do not count.

    Raises:
        Conflict: ``state_conflict`` when it is ignored already.
    """
    about = Subject("code_mapping", mapping.id)
    before = last_entry(session, about)
    transition(session, mapping, "ignored", ours=None, decided_by=actor.id, settled_at=now(session))
    record(
        session, "code.ignored", about, causes=[before], actor_id=actor.id,
        list=mapping.list_name, system=mapping.system, code=mapping.theirs,
    )  # fmt: skip
    return mapping


def _with_code(mapping: CodeMapping) -> Sequence[Any]:
    return (
        CustomerFact.field == f"custom.{mapping.list_name}",
        CustomerFact.code_system == mapping.system,
        CustomerFact.code == mapping.theirs,
    )


def unsettled(session: Session) -> list[str]:
    """Return the mapped codes whose facts have not all followed yet."""
    waits = (CodeMapping.state == "mapped", CodeMapping.settled_at.is_(None))
    return list(session.scalars(select(CodeMapping.id).where(*waits).order_by(CodeMapping.id).limit(20)))


def settle_late(session: Session, system: str) -> None:
    """Let words follow, soon, that came to wait for a code of a system while somebody was mapping it."""
    waits = select(CustomerFact.id).where(
        CustomerFact.field == literal("custom.") + CodeMapping.list_name,
        CustomerFact.code_system == CodeMapping.system,
        CustomerFact.code == CodeMapping.theirs,
        CustomerFact.waiting,
    )
    late = (CodeMapping.system == system, CodeMapping.state == "mapped", CodeMapping.settled_at.is_not(None), waits.exists())
    session.execute(update(CodeMapping).where(*late).values(settled_at=None).execution_options(synchronize_session=False))


def settle_code(session: Session, mapping: CodeMapping) -> int:
    """Let facts that wait for a code follow what it stands for; return how many customers changed."""
    query = select(CustomerFact.customer_id).where(*_with_code(mapping), CustomerFact.waiting)
    homes = sorted(set(session.scalars(query.order_by(CustomerFact.customer_id).limit(MOST_AT_ONCE))))
    held = select(Customer).where(among(session, Customer.id, homes)).order_by(Customer.id)
    customers = session.scalars(held.with_for_update(key_share=True).execution_options(populate_existing=True)).all()
    rules, cause = rules_of(session), last_entry(session, Subject("code_mapping", mapping.id), "code.mapped")
    changed = sum(_follow(session, mapping, customer, rules, cause) for customer in customers)
    if len(homes) < MOST_AT_ONCE and session.scalar(query.limit(1)) is None:
        mapping.settled_at = now(session)
        touch(session, mapping)
    return changed


def _follow(session: Session, mapping: CodeMapping, customer: Customer, rules: Any, cause: HistoryEntry | None) -> int:
    name = f"custom.{mapping.list_name}"
    known = facts.facts_of(session, customer.id, [name])
    facts.materialise(session, customer, known, [name])
    for fact in known[name]:
        if fact.code_system == mapping.system and fact.code == mapping.theirs:
            fact.value, fact.waiting = mapping.ours, False
    outcome = facts.settle(session, customer, known, rules)
    if outcome.written:
        touch(session, customer)
        rekey(session, [customer.id])
        about = Subject("customer", customer.id)
        record(session, "customer.code_understood", about, causes=[cause], fields=outcome.written, code=mapping.theirs)
    return bool(outcome.written)
