"""Taking back what a source said of a customer or a site, as if it had never said it; what others said decides then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.core import history
from app.core.tracked import mark_fields, touch
from app.customers import facts, places
from app.customers.blocks import rekey
from app.customers.fact_rules import rules_of
from app.customers.models import Customer, CustomerFact, Site, SiteLookup
from app.customers.trust import ranked
from app.users.rights import Actor


def withdraw(
    session: Session,
    actor: Actor,
    row: Customer | Site,
    source: tuple[str, str],
    before: Mapping[str, Any],
    causes: Sequence[history.HistoryEntry | None],
) -> None:
    """Take back the facts of a source, and write what survives without them.

    Args:
        row: held by the caller.
        source: its kind and ref.
        before: fields of facts, each with what the row held before the source spoke; it stands again where nobody else says
            anything. A position that nobody gave is looked up anew instead.
        causes: entries it follows from.
    """
    home = row.id if isinstance(row, Customer) else row.customer_id
    known = facts.facts_of(session, home, before)
    gone = {name: [fact for fact in found if _is_of(fact, source, home)] for name, found in known.items()}
    gone = {name: found for name, found in gone.items() if found}
    if not gone:
        return
    left = {name: [fact for fact in known[name] if fact not in found] for name, found in gone.items()}
    told = {name: [fact.value for fact in found] for name, found in gone.items()}
    for fact in (one for found in gone.values() for one in found):
        session.delete(fact)
    session.flush()
    written = facts.settle(session, row, left, rules_of(session)).written
    present = facts.fields_of(row)
    for name in sorted(gone):
        if not ranked(facts.said(left[name])) and present.get(name) in told[name]:
            _put(session, row, name, before[name])
            written.append(name)
    if written:
        touch(session, row)
        rekey(session, [home])
    about = history.Subject("customer", home)
    names, kind = sorted(gone), source[0]
    history.record(session, "customer.fact_withdrawn", about, causes=causes, actor_id=actor.id, fields=names, source=kind)


def _is_of(fact: CustomerFact, source: tuple[str, str], home: str) -> bool:
    return (fact.source_kind, fact.source_ref, fact.about_id) == (*source, home)


def _put(session: Session, row: Customer | Site, name: str, value: Any) -> None:
    """Write what nobody says any more, or nothing."""
    if isinstance(row, Site) and name.endswith(".position"):
        for column, empty in places.UNPLACED.items():
            setattr(row, column, empty)
        session.execute(delete(SiteLookup).where(SiteLookup.site_id == row.id))
        return
    facts.put(row, name, value)
    if name.startswith("custom."):
        mark_fields(session, row, [name])
