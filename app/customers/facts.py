"""What is said of customers: kept by source, and the survivor written to the row. The only way their fields are changed.

Who says something never overwrites what a better source said: their word is kept as a rival.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import among, insert_many, now
from app.core.errors import Conflict
from app.core.geo import Position
from app.core.ids import new_id
from app.core.tracked import mark_fields, touch
from app.customers import places
from app.customers.blocks import rekey
from app.customers.fact_rules import Rules, rules_of
from app.customers.models import Customer, CustomerFact, Site
from app.customers.sources import Source, source_of, writers_of_many
from app.customers.trust import Said, ranked
from app.users.rights import Actor

PLAIN = ("name", "phone", "email", "credit_code")
# Of one field of one customer; the oldest words that do not stand any more go first.
MOST_FACTS = 20
_STEP = timedelta(milliseconds=1)


@dataclass
class Outcome:
    """What came of what was said. ``written``: fields whose value changed; ``outranked``: fields where another value stays."""

    written: list[str] = field(default_factory=list)
    outranked: list[str] = field(default_factory=list)


def fields_of(row: Customer | Site) -> dict[str, Any]:
    """Return the fields of a row of which facts are kept, each with its present value; empty ones are left out."""
    if isinstance(row, Site):
        # What was looked up by the address is nobody's word.
        said = row.position is not None and row.is_confirmed
        found: dict[str, Any] = {f"site.{row.id}.position": {"lat": row.lat, "lon": row.lon}} if said else {}
        return found | ({f"site.{row.id}.address": row.address} if row.address else {})
    custom = {f"custom.{key}": value for key, value in row.custom.items()}
    return {name: getattr(row, name) for name in PLAIN if getattr(row, name) is not None} | custom


def put(row: Customer | Site, name: str, value: Any) -> None:
    """Write the value of a field of a fact to its row."""
    if isinstance(row, Site):
        if name.endswith(".position"):
            places.give(row, Position(value["lat"], value["lon"]))
        else:
            places.move(row, value or "")
    elif name.startswith("custom."):
        key = name.removeprefix("custom.")
        rest = {other: kept for other, kept in row.custom.items() if other != key}
        row.custom = rest if value is None else rest | {key: value}
    else:
        setattr(row, name, value)


def tell(session: Session, row: Customer | Site, told: Mapping[str, Any], source: Source) -> Outcome:
    """Keep what a source says of a row, and write what survives to it; the caller dates the row (``touch``).

    Args:
        told: value by field; checked.
        source: who says it.
    """
    if not told:
        return Outcome()
    home = row.id if isinstance(row, Customer) else row.customer_id
    _keep(session, row)
    known = facts_of(session, home, told)
    materialise(session, row, known, told)
    for name, value in told.items():
        _add(session, row, known.setdefault(name, []), name, value, source)
    return settle(session, row, known, rules_of(session), told)


def _keep(session: Session, row: Customer | Site) -> None:
    """Let others wait: of two who speak of one row at once, the second finds what the first said."""
    model = type(row)
    session.execute(select(model.id).where(model.id == row.id).with_for_update(key_share=True))


def facts_of(session: Session, customer_id: str, names: Collection[str] | None = None) -> dict[str, list[CustomerFact]]:
    """Return the facts of a customer by field, those that wait for their code too."""
    query = select(CustomerFact).where(CustomerFact.customer_id == customer_id)
    if names is not None:
        query = query.where(among(session, CustomerFact.field, sorted(names)))
    return _by_field(session.scalars(query.order_by(CustomerFact.id)))


def facts_of_many(session: Session, customer_ids: Collection[str]) -> dict[str, dict[str, list[CustomerFact]]]:
    """As ``facts_of``, of many customers, by id."""
    query = select(CustomerFact).where(among(session, CustomerFact.customer_id, sorted(customer_ids)))
    found: dict[str, list[CustomerFact]] = {}
    for fact in session.scalars(query.order_by(CustomerFact.id)):
        found.setdefault(fact.customer_id, []).append(fact)
    return {customer_id: _by_field(facts) for customer_id, facts in found.items()}


def _by_field(facts: Iterable[CustomerFact]) -> dict[str, list[CustomerFact]]:
    found: dict[str, list[CustomerFact]] = {}
    for fact in facts:
        found.setdefault(fact.field, []).append(fact)
    return found


def said(facts: Iterable[CustomerFact]) -> list[Said]:
    """Return facts as they are compared; those that wait for their code are not."""
    return [
        Said(fact.id, fact.value, fact.source_kind, fact.source_ref, fact.said_at, fact.pinned, fact.aside)
        for fact in facts
        if not fact.waiting
    ]


def materialise(
    session: Session, row: Customer | Site, known: dict[str, list[CustomerFact]], names: Collection[str] | None = None
) -> None:
    """Keep as facts what a row holds already, told by whoever wrote it, where no fact of the field is kept yet."""
    for fact in baseline(session, row, known, names):
        session.add(fact)
        known.setdefault(fact.field, []).append(fact)
    session.flush()


def baseline(
    session: Session, row: Customer | Site, known: Mapping[str, list[CustomerFact]], names: Collection[str] | None = None
) -> list[CustomerFact]:
    """Return, unsaved, what a row holds in fields of which no fact of its own is kept."""
    return baselines(session, [(row, known, names)])[0]


def baselines(
    session: Session, rows: Sequence[tuple[Customer | Site, Mapping[str, list[CustomerFact]], Collection[str] | None]]
) -> list[list[CustomerFact]]:
    """As ``baseline``, of many rows, each with what is known of it and the fields that are asked for."""
    present = [_unexplained(*row) for row in rows]
    writers: dict[str, dict[str, Source]] = {}
    for kind, model in (("customer", Customer), ("site", Site)):
        asked = {
            row.id: {name: _logged(row, name) for name in held}
            for (row, _, _), held in zip(rows, present, strict=True)
            if held and isinstance(row, model)
        }
        writers |= writers_of_many(session, kind, asked)
    return [
        [
            _fact(
                session, row, name, value, writers.get(row.id, {}).get(name) or Source("office", "unknown", None, row.created_at)
            )
            for name, value in held.items()
        ]
        for (row, _, _), held in zip(rows, present, strict=True)
    ]


def _unexplained(row: Customer | Site, known: Mapping[str, list[CustomerFact]], names: Collection[str] | None) -> dict[str, Any]:
    return {
        name: value
        for name, value in fields_of(row).items()
        if (names is None or name in names) and not any(_explains(fact, value) for fact in known.get(name, ()))
    }


def _explains(fact: CustomerFact, value: Any) -> bool:
    """Tell whether a fact is one of the row itself, or where its value came from with a merge."""
    if fact.aside:
        return bool(fact.value == value)
    return not fact.waiting or fact.value is not None


def _logged(row: Customer | Site, name: str) -> str:
    """Return what entries of the causal log call a field."""
    return name if isinstance(row, Customer) else name.rpartition(".")[2].replace("position", "lat")


def _fact(session: Session, row: Customer | Site, name: str, value: Any, source: Source) -> CustomerFact:
    home = row.id if isinstance(row, Customer) else row.customer_id
    present = now(session)
    return CustomerFact(
        id=new_id(),
        customer_id=home,
        about_id=source.about_id or home,
        site_id=row.id if isinstance(row, Site) else None,
        field=name,
        value=value,
        source_kind=source.kind,
        source_ref=source.ref,
        actor_id=source.actor_id,
        said_at=min(source.said_at or present, present),
        told_at=present,
        waiting=False,
        pinned=False,
        aside=False,
    )


def _add(
    session: Session, row: Customer | Site, known: list[CustomerFact], name: str, value: Any, source: Source
) -> CustomerFact:
    fact = word_of(session, row, known, name, value, source)
    again = next((other for other in known if _repeats(other, fact)), None)
    if again is not None:
        again.said_at, again.told_at = max(again.said_at, fact.said_at), fact.told_at
        return again
    session.add(fact)
    known.append(fact)
    _prune(session, known)
    return fact


def word_of(
    session: Session, row: Customer | Site, known: Sequence[CustomerFact], name: str, value: Any, source: Source
) -> CustomerFact:
    """Return, unsaved, what a source says of a field, said when it counts as said beside what is known."""
    fact = _fact(session, row, name, value, source)
    if (source.said_at is None or source.knew(name)) and known:
        # Whoever knew what stood there, or came after it, speaks later, whatever their clock says.
        fact.said_at = max(fact.said_at, max(other.said_at for other in known) + _STEP)
    return fact


def _repeats(other: CustomerFact, fact: CustomerFact) -> bool:
    same = (other.source_kind, other.source_ref, other.about_id) == (fact.source_kind, fact.source_ref, fact.about_id)
    return same and other.value == fact.value and not (other.waiting or other.aside)


def _prune(session: Session, known: list[CustomerFact]) -> None:
    """Let go of what is too much: words that do not stand any more, the oldest first, then the lowest rivals."""
    while len(known) > MOST_FACTS:
        order = {one.id: n for n, one in enumerate(ranked(said(known)))}
        going = max(known, key=lambda fact: (order.get(fact.id, len(known)), -fact.said_at.timestamp(), fact.id))
        known.remove(going)
        if going in session.new:
            session.expunge(going)
        else:
            session.flush()
            session.execute(delete(CustomerFact).where(CustomerFact.id == going.id))
            session.expunge(going)


def settle(
    session: Session,
    row: Customer | Site,
    known: Mapping[str, list[CustomerFact]],
    rules: Rules,
    told: Mapping[str, Any] | None = None,
) -> Outcome:
    """Write what survives of the known facts to the row; nothing is flushed, for ``touch`` is to see what changed.

    Args:
        told: what was just said, so that the answer can say what of it did not survive.
    """
    outcome = Outcome()
    present = fields_of(row)
    for name, facts in known.items():
        order = ranked(said(facts), rules.of(name))
        if not order:
            continue
        if order[0].value != present.get(name):
            put(row, name, order[0].value)
            outcome.written.append(name)
        if told is not None and name in told and told[name] != order[0].value:
            outcome.outranked.append(name)
    if isinstance(row, Customer) and (keys := [name for name in outcome.written if name.startswith("custom.")]):
        with session.no_autoflush:
            mark_fields(session, row, keys)
    return outcome


def note_outranked(
    session: Session,
    subject: history.Subject,
    actor_id: str | None,
    names: Collection[str],
    kind: str,
    because: history.HistoryEntry | None = None,
) -> None:
    """Write to the causal log that something was said, and another value stays."""
    if names:
        causes = [history.last_entry(session, subject), because]
        history.record(
            session, "customer.fact_outranked", subject, causes=causes, actor_id=actor_id, fields=sorted(names), source=kind
        )


def keep_many(session: Session, rows: Iterable[Customer | Site], source: Source) -> None:
    """Keep every field of new rows as facts of a source that is not the person at the door, such as a file."""
    facts = [_fact(session, row, name, value, source) for row in rows for name, value in fields_of(row).items()]
    columns = [column.name for column in CustomerFact.__table__.c]
    insert_many(session, CustomerFact, [{name: getattr(fact, name) for name in columns} for fact in facts])


def pin(session: Session, row: Customer | Site, name: str, value: Any, source: Source, reason: str) -> None:
    """Keep a value that was found out beyond doubt as the survivor of its field, and write it; the caller dates the row."""
    home = row.id if isinstance(row, Customer) else row.customer_id
    session.execute(select(Customer.id).where(Customer.id == home).with_for_update(key_share=True))
    known = facts_of(session, home, [name])
    materialise(session, row, known, [name])
    _pin(session, row, known.setdefault(name, []), name, value, source, reason)
    settle(session, row, known, rules_of(session))


def _pin(
    session: Session, row: Customer | Site, facts: list[CustomerFact], name: str, value: Any, source: Source, reason: str
) -> None:
    fact = _fact(session, row, name, value, source)
    fact.said_at = max([fact.said_at, *(other.said_at + _STEP for other in facts)])
    fact.pinned, fact.reason = True, reason
    session.add(fact)
    facts.append(fact)
    _prune(session, facts)


def choose(session: Session, actor: Actor, row: Customer | Site, name: str, fact_id: str, reason: str) -> Outcome:
    """Let one of the values that were said of a field be the survivor, until a person says otherwise.

    Raises:
        Conflict: ``fact_gone`` when it does not stand any more, or waits for its code.
    """
    home = row.id if isinstance(row, Customer) else row.customer_id
    _keep(session, row)
    known = facts_of(session, home, [name])
    materialise(session, row, known, [name])
    facts = known.get(name, [])
    chosen = next((fact for fact in facts if fact.id == fact_id and not fact.waiting), None)
    if chosen is None:
        raise Conflict("fact_gone")
    _pin(session, row, facts, name, chosen.value, source_of(session, actor), reason)
    outcome = settle(session, row, known, rules_of(session))
    if outcome.written:
        touch(session, row)
        rekey(session, [home])
    about = history.Subject("customer", home)
    history.record(
        session,
        "customer.fact_chosen",
        about,
        causes=[history.last_entry(session, about)],
        actor_id=actor.id,
        fields=[name],
        reason=reason,
        source=chosen.source_kind,
    )
    return outcome
