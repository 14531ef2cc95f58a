"""Verbs on facts: what people and other systems say of customers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from app.core.db import among, now
from app.core.errors import DomainError, FieldsInvalid, Forbidden, NotFound
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.locales import colon
from app.core.texts import field_text
from app.core.tracked import touch
from app.customers import fact_rules, facts, merging, queries
from app.customers.blocks import rekey
from app.customers.models import Customer, CustomerFact, FactRule, Site
from app.customers.sources import Source, source_of, telling
from app.facts import codes
from app.facts.models import CodeMapping
from app.facts.values import checked, row_of
from app.users.rights import CUSTOMER, REP, Actor

# What an owner says of themselves; the company's own fields may be about them, and not for them.
_OWNERS = ("phone", "email")
# Customers decided anew by one run of the job.
_AT_ONCE = 200


def tell(
    session: Session,
    actor: Actor,
    customer: Customer,
    values: Mapping[str, Any],
    said_at: datetime | None,
    *,
    asked: bool = False,
    because: HistoryEntry | None = None,
) -> facts.Outcome:
    """Say something of a customer or its sites; what a better source said stays, and this is kept as a rival.

    Args:
        values: by field, such as ``phone``, ``custom.grade`` or ``site.<id>.address``.
        said_at: when it was learned; by default now. Only what is newer than what stands, by this time, survives.
        asked: the office asked for these fields, so that owners say them, too.
        because: what it was said in.

    Raises:
        FieldsInvalid: by field; ``forbidden`` for what is not the actor's to say.
    """
    faults: dict[str, list[str]] = {}
    told: dict[Customer | Site, dict[str, Any]] = {}
    for name, value in values.items():
        try:
            if actor.role == CUSTOMER and not asked and name not in _OWNERS and not name.startswith("site."):
                raise FieldsInvalid({"field": ["forbidden"]})
            row = row_of(session, customer, name)
            told.setdefault(row, {})[name] = checked(session, customer, name, value)
        except FieldsInvalid as fault:
            faults[name] = next(iter(fault.errors.values()))
    if faults:
        raise FieldsInvalid(faults)
    for row in (customer, *(one for one in told if one is not customer)):
        session.refresh(row, with_for_update={"key_share": True})  # nobody is refused because another speaks at this moment
    own = source_of(session, actor)
    source = own if said_at is None else replace(own, said_at=said_at, unseen=None)
    outcome = facts.Outcome()
    for row, parts in told.items():
        found = _write(session, actor, row, parts, source, because)
        outcome.written += found.written
        outcome.outranked += found.outranked
    return outcome


def _write(
    session: Session,
    actor: Actor,
    row: Customer | Site,
    values: Mapping[str, Any],
    source: Source,
    because: HistoryEntry | None = None,
) -> facts.Outcome:
    outcome = facts.tell(session, row, values, source)
    home = row.id if isinstance(row, Customer) else row.customer_id
    about = Subject("customer", home)
    if outcome.written:
        touch(session, row)
        rekey(session, [home])
        fields = sorted(outcome.written)
        record(session, "customer.fact_told", about, causes=[because], actor_id=actor.id, fields=fields, source=source.kind)
    facts.note_outranked(session, about, actor.id, outcome.outranked, source.kind, because)
    return outcome


def choose(session: Session, actor: Actor, customer: Customer, name: str, fact_id: str, reason: str) -> facts.Outcome:
    """Let a rival survive, until a person says otherwise.

    Raises:
        Forbidden: to a rep who is not in charge.
        Conflict: ``fact_gone``.
        NotFound: when the customer has no such field.
    """
    if actor.role == REP and customer.owner_id != actor.id:
        raise Forbidden("forbidden")
    try:
        row = row_of(session, customer, name)
    except FieldsInvalid:
        raise NotFound from None
    session.refresh(row, with_for_update={"key_share": True})
    return facts.choose(session, actor, row, name, fact_id, reason)


def tell_by_old_id(
    session: Session, actor: Actor, gone: Customer, heir: Customer, values: Mapping[str, Any], said_at: datetime | None
) -> facts.Outcome:
    """As ``tell``, by the id of a customer that was merged: it reaches the one it is now, and goes back with an undone merge."""
    own: dict[str, Any] = {}
    for name, value in values.items():
        with suppress(FieldsInvalid):  # what is wrong is told below, with all other faults
            if not name.startswith("site."):
                own[name] = checked(session, gone, name, value)
    custom = {name.removeprefix("custom."): value for name, value in own.items() if name.startswith("custom.")}
    core = {name: value for name, value in own.items() if not name.startswith("custom.")}
    merging.pass_on(session, actor, gone, core | ({"custom": custom} if custom else {}), to_live=True)
    with telling(session, about_id=gone.id):
        return tell(session, actor, heir, values, said_at)


def tell_many(session: Session, actor: Actor, system: str, kind: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Take what another system says of many customers; what is wrong with one row keeps no other out.

    Args:
        system: its name; facts of one system replace its older ones.
        kind: ``erp``, ``device`` or ``import``.
        rows: each with ``customer_id`` or ``customer_code``, ``field``, ``value``, and optionally ``said_at``.

    Returns:
        For each row ``{"row", "outcome", "code", "text"}``; outcomes: ``survives``, ``outranked``, ``waiting`` (for its code to
        be mapped), ``ignored`` or ``refused``.
    """
    lists = codes.lists(session)
    met = {pair for row in rows if (pair := _coded(row, lists)) is not None}
    known = codes.known_codes(session, system, met) if met else {}
    found = _named(session, actor, rows)
    answers = []
    for n, row in enumerate(rows):
        source = Source(kind, system, actor.id, row.get("said_at"), None)
        pair = _coded(row, lists)
        try:
            outcome = _take(session, actor, _customer(found, row), row, source, known[pair] if pair else None)
            answers.append({"row": n, "outcome": outcome, "code": None, "text": None})
        except FieldsInvalid as fault:
            field, listed = next(iter(fault.errors.items()))
            text = f"{field}{colon(actor.locale)}{_text(listed[0], actor)}"
            answers.append({"row": n, "outcome": "refused", "code": listed[0], "text": text})
        except DomainError as fault:
            answers.append({"row": n, "outcome": "refused", "code": fault.code, "text": _text(fault.code, actor)})
    return answers


def _text(code: str, actor: Actor) -> str:
    return field_text(code, actor.locale)


def _named(session: Session, actor: Actor, rows: Sequence[Mapping[str, Any]]) -> dict[str, Customer]:
    """Return the customers that rows name, by id and by code, kept from others in one order."""
    ids = sorted({row["customer_id"] for row in rows if "customer_id" in row})
    names = sorted({row["customer_code"] for row in rows if "customer_code" in row})
    wanted = or_(among(session, Customer.id, ids), among(session, Customer.code, names))
    held = queries.visible_to(actor).where(wanted).order_by(Customer.id).with_for_update(key_share=True)
    customers = session.scalars(held.execution_options(populate_existing=True)).all()
    return {customer.id: customer for customer in customers} | {f"code {customer.code}": customer for customer in customers}


def _customer(found: Mapping[str, Customer], row: Mapping[str, Any]) -> Customer:
    key = row["customer_id"] if "customer_id" in row else f"code {row['customer_code']}"
    if key not in found:
        raise NotFound
    return found[key]


def _coded(row: Mapping[str, Any], lists: Mapping[str, set[str]]) -> tuple[str, str] | None:
    """Return the list and the code of a row whose field is a code list."""
    key = row["field"].removeprefix("custom.")
    return (key, row["value"]) if row["field"] != key and key in lists and isinstance(row["value"], str) else None


def _take(
    session: Session, actor: Actor, customer: Customer, row: Mapping[str, Any], source: Source, mapping: CodeMapping | None
) -> str:
    name, value = row["field"], row["value"]
    target = row_of(session, customer, name)
    if mapping is not None and mapping.state != "mapped":
        keep_code(session, customer, name, mapping, source)
        return "ignored" if mapping.state == "ignored" else "waiting"
    value = checked(session, customer, name, value if mapping is None else mapping.ours)
    outcome = _write(session, actor, target, {name: value}, source)
    if mapping is not None:
        keep_code(session, customer, name, mapping, source)
    return "outranked" if name in outcome.outranked else "survives"


def keep_code(session: Session, customer: Customer, name: str, mapping: CodeMapping, source: Source) -> None:
    """Keep the code a source used, with its word or as a word that waits: either follows when the code is mapped otherwise.

    Args:
        name: the field, whose value, where the code stands for one, the source has said already.

    Raises:
        FieldsInvalid: as ``_keep_raw``.
    """
    if mapping.state == "mapped":
        _note_code(session, customer, name, mapping, source)
    else:
        _keep_raw(session, customer, name, mapping, source)


def _keep_raw(session: Session, customer: Customer, name: str, mapping: CodeMapping, source: Source) -> None:
    """Keep a fact whose code nobody has mapped, once for each code of a system; mapping the code brings it to life.

    Raises:
        FieldsInvalid: ``too_many`` when ``facts.MOST_FACTS`` of them wait already.
    """
    present = now(session)
    said_at = min(source.said_at or present, present)
    own = (CustomerFact.customer_id == customer.id, CustomerFact.field == name, CustomerFact.source_ref == source.ref)
    same = select(CustomerFact).where(
        *own, CustomerFact.waiting, CustomerFact.code == mapping.theirs, CustomerFact.code_system == mapping.system
    )
    known = session.scalar(same.limit(1))
    if known is not None:
        known.said_at, known.told_at = max(known.said_at, said_at), present
        session.flush()
        return
    waiting = select(func.count()).select_from(CustomerFact).where(*own, CustomerFact.waiting)
    if (session.scalar(waiting) or 0) >= facts.MOST_FACTS:
        raise FieldsInvalid({"value": ["too_many"]})
    others = facts.facts_of(session, customer.id, [name]).get(name, [])
    fact = facts.word_of(session, customer, others, name, None, source)
    fact.code, fact.code_system, fact.waiting = mapping.theirs, mapping.system, True
    session.add(fact)
    session.flush()
    _forget_oldest(session, customer, name)


def _forget_oldest(session: Session, customer: Customer, name: str) -> None:
    """Let go of the oldest words that wait, beyond ``facts.MOST_FACTS``: file after file may bring the same unknown code."""
    waits = (CustomerFact.customer_id == customer.id, CustomerFact.field == name, CustomerFact.waiting)
    newest = select(CustomerFact.id).where(*waits).order_by(CustomerFact.said_at.desc(), CustomerFact.id.desc())
    gone = session.scalars(newest.offset(facts.MOST_FACTS)).all()
    if gone:
        session.execute(delete(CustomerFact).where(CustomerFact.id.in_(gone)))


def _note_code(session: Session, customer: Customer, name: str, mapping: CodeMapping, source: Source) -> None:
    own = (CustomerFact.customer_id == customer.id, CustomerFact.field == name, CustomerFact.source_ref == source.ref)
    for fact in session.scalars(select(CustomerFact).where(*own, CustomerFact.code.is_(None))):
        if fact.value == mapping.ours:
            fact.code, fact.code_system = mapping.theirs, mapping.system
    session.flush()


def settle_rules(session: Session) -> int:
    """Decide the next customers by the newest rules, where they were decided by older ones; return how many changed."""
    rule = session.scalar(
        select(FactRule).where(FactRule.settled_to.is_not(None)).order_by(FactRule.version.desc()).limit(1).with_for_update()
    )
    if rule is None or rule is not fact_rules.newest(session):
        return 0
    following = select(CustomerFact.customer_id).where(CustomerFact.customer_id > (rule.settled_to or "")).distinct()
    homes = list(session.scalars(following.order_by(CustomerFact.customer_id).limit(_AT_ONCE)))
    held = select(Customer).where(among(session, Customer.id, homes)).order_by(Customer.id)
    customers = session.scalars(held.with_for_update(key_share=True).execution_options(populate_existing=True)).all()
    rules = fact_rules.Rules(rule.document)
    changed = sum(_decide_anew(session, customer, rules) for customer in customers if customer.deleted_at is None)
    rule.settled_to = homes[-1] if len(homes) == _AT_ONCE else None
    session.flush()
    return changed


def _decide_anew(session: Session, customer: Customer, rules: fact_rules.Rules) -> int:
    known = facts.facts_of(session, customer.id)
    written: list[str] = []
    sites = session.scalars(select(Site).where(Site.customer_id == customer.id, Site.deleted_at.is_(None))).all()
    rows: list[Customer | Site] = [customer, *sites]
    for row in rows:
        mine = {name: found for name, found in known.items() if _lies_in(name, row)}
        outcome = facts.settle(session, row, mine, rules)
        if outcome.written:
            touch(session, row)
        written += outcome.written
    if written:
        rekey(session, [customer.id])
        cause = last_entry(session, fact_rules.ABOUT, "fact_rules.set")
        record(session, "customer.decided_anew", Subject("customer", customer.id), causes=[cause], fields=sorted(written))
    return bool(written)


def _lies_in(name: str, row: Customer | Site) -> bool:
    return name.startswith(f"site.{row.id}.") if isinstance(row, Site) else not name.startswith("site.")
