"""What is known of a customer, as people read it; and the only readers of codes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.settings import Settings
from app.core.tracked import one_of
from app.customers import facts
from app.customers.fact_rules import Rules, rules_of
from app.customers.models import Customer, CustomerFact, Site
from app.customers.trust import ranked, trust
from app.facts.models import CodeMapping
from app.facts.words import source_text
from app.users.models import User
from app.users.rights import Actor

# So many of a customer's sites are looked at.
_MOST_SITES = 50
_TOLD = ("value", "trust", "said_at", "age_days", "text")


def mappings(wanted: Mapping[str, Any]) -> Select[CodeMapping]:
    """Return the codes of other systems that were met or entered."""
    query = select(CodeMapping).where(CodeMapping.deleted_at.is_(None))
    for name in ("state", "list_name", "system"):
        if wanted.get(name):
            query = query.where(getattr(CodeMapping, name) == wanted[name])
    return query


def access_mapping(session: Session, mapping_id: str) -> CodeMapping:
    """Load one code.

    Raises:
        NotFound: when there is none.
    """
    return one_of(session, mappings({}), CodeMapping, mapping_id)


def facts_shown(session: Session, actor: Actor, customer: Customer) -> dict[str, Any]:
    """Return every field of a customer and its sites of which something was said: the survivor, and its rivals."""
    known = _all_of(session, customer)
    rules = rules_of(session)
    names = _names(session, [fact for found in known.values() for fact in found])
    items = [_field_shown(session, actor, name, known[name], rules, names) for name in sorted(known)]
    return {"items": [shown for shown in items if shown is not None]}


def _all_of(session: Session, customer: Customer) -> dict[str, list[CustomerFact]]:
    """Return the facts of a customer by field, with those that the causal log tells of where none are kept yet."""
    known = facts.facts_of(session, customer.id)
    sites = select(Site).where(Site.customer_id == customer.id, Site.deleted_at.is_(None)).order_by(Site.id).limit(_MOST_SITES)
    for row in (customer, *session.scalars(sites)):
        for fact in facts.baseline(session, row, known):
            fact.id = ""  # it is not kept yet
            known.setdefault(fact.field, []).append(fact)
    return known


def _names(session: Session, found: Collection[CustomerFact]) -> dict[str, str]:
    ids = {fact.actor_id for fact in found if fact.actor_id}
    return {row.id: row.name for row in session.execute(select(User.id, User.name).where(User.id.in_(sorted(ids))))}


def _field_shown(
    session: Session, actor: Actor, name: str, found: list[CustomerFact], rules: Rules, names: Mapping[str, str]
) -> dict[str, Any] | None:
    rule = rules.of(name)
    told = facts.said(found)
    order = ranked(told, rule)
    waiting = [fact for fact in found if fact.waiting]
    if not order and not waiting:
        return None
    by_id = {fact.id: fact for fact in found}
    scores = trust(told, rule, now(session))

    def shown(fact: CustomerFact, score: int | None) -> dict[str, Any]:
        return {
            "fact_id": fact.id or None,
            "value": fact.value,
            "source_kind": fact.source_kind,
            "source": fact.source_ref,
            "text": source_text(fact, names.get(fact.actor_id or ""), actor.locale),
            "said_at": fact.said_at,
            "told_at": fact.told_at,
            "trust": score,
            "pinned": fact.pinned,
            "reason": fact.reason,
            "code": fact.code,
        }

    rivals = [shown(by_id[said.id], scores[said.id]) for said in order[1:]]
    survivor = shown(by_id[order[0].id], scores[order[0].id]) if order else None
    return {"field": name, "survivor": survivor, "rivals": rivals, "waiting": [shown(fact, None) for fact in waiting]}


def known_of(session: Session, settings: Settings, actor: Actor, customer: Customer, wanted: Collection[str]) -> dict[str, Any]:
    """Tell which of some fields need not be asked for again: known, and trusted by at least ``settings.known_trust``."""
    shown = {found["field"]: found["survivor"] for found in facts_shown(session, actor, customer)["items"]}
    present = now(session)
    items: list[dict[str, Any]] = []
    for name in wanted:
        survivor = shown.get(name)
        if survivor is None or survivor["value"] is None:
            items.append({"field": name, "known": False, "ask": True} | dict.fromkeys(_TOLD))
            continue
        age_days = max((present - survivor["said_at"]) // timedelta(days=1), 0)
        told = {part: survivor[part] for part in _TOLD if part in survivor} | {"age_days": age_days}
        items.append({"field": name, "known": True, "ask": survivor["trust"] < settings.known_trust} | told)
    return {"items": items}
