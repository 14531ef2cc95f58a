"""Pairs of customers that may be one: found by the clock, shown to the office, dismissed by a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.core import history
from app.core.db import among, now
from app.core.errors import Conflict
from app.core.tracked import add, touch, transition
from app.customers import queries
from app.customers.blocks import digests_of, neighbours, records_of, rekey
from app.customers.matching import LIKELY, POSSIBLE, Match, Sign, compare
from app.customers.models import Customer, CustomerPrint, DuplicatePair
from app.customers.signs import sign_text
from app.users.rights import Actor


class Likeness(NamedTuple):
    """A customer that may be the same as another, and why."""

    customer: Customer
    match: Match


def likenesses(session: Session, actor: Actor, customer: Customer) -> list[Likeness]:
    """Return who may be the same as a customer, likeliest first: only whom the actor may see, and nobody who was dismissed."""
    own = records_of(session, [customer.id]).get(customer.id)
    near = neighbours(session, customer.id)
    if own is None or not near:
        return []
    dismissed = _dismissed(session, customer.id, near)
    found = [(other, compare(own, record)) for other, record in records_of(session, near).items() if other not in dismissed]
    likely = {other: match for other, match in found if match.score >= POSSIBLE}
    seen = session.scalars(queries.visible_to(actor).where(among(session, Customer.id, sorted(likely))))
    return sorted(
        (Likeness(other, likely[other.id]) for other in seen), key=lambda found: (-found.match.score, found.customer.id)
    )


def _dismissed(session: Session, customer_id: str, near: Iterable[str]) -> set[str]:
    """Return those about whom a person said that they are not the same, nothing of either having changed since."""
    digests = digests_of(session, {customer_id, *near})
    pairs = queries.pairs_of(session, customer_id)
    return {other for other, pair in pairs.items() if pair.state == "dismissed" and _judged_by(pair, digests)}


def _judged_by(pair: DuplicatePair, digests: Any) -> bool:
    return (digests.get(pair.first_id), digests.get(pair.second_id)) == (pair.first_digest, pair.second_digest)


def dismiss(session: Session, actor: Actor, customer: Customer, other: Customer) -> DuplicatePair:
    """Note that two customers are not the same. They are not shown as a pair again until what is compared of one changes.

    Raises:
        Conflict: ``state_conflict`` when that was said already.
    """
    _hold(session, customer.id, other.id)
    pair = queries.pairs_of(session, customer.id).get(other.id)
    digests = digests_of(session, {customer.id, other.id})
    if pair is not None and pair.state == "dismissed" and _judged_by(pair, digests):
        raise Conflict("state_conflict", state="dismissed", wanted="dismissed")
    pair = _judge(session, customer.id, other.id)
    if pair.state != "open":
        transition(session, pair, "open")
    decide(session, actor, pair, "dismissed")
    for one, two in ((customer, other), (other, customer)):
        history.record(
            session,
            "customer.duplicate_dismissed",
            history.Subject("customer", one.id),
            actor_id=actor.id,
            other_id=two.id,
            name=two.name,
            code=two.code,
            score=pair.score,
        )
    return pair


def decide(session: Session, actor: Actor, pair: DuplicatePair, state: str) -> None:
    """Write who decided on a pair, and how."""
    transition(session, pair, state, decided_by=actor.id, decided_at=now(session))


def close_pair(session: Session, actor: Actor, one_id: str, other_id: str, state: str) -> None:
    """Note on the pair of two live customers what became of it, and make the pair where nobody had found it."""
    pair = _judge(session, one_id, other_id)
    if pair.state != state:
        decide(session, actor, pair, state)


def _hold(session: Session, *ids: str) -> None:
    """Keep customers from others, in one order for everybody."""
    session.execute(select(Customer.id).where(Customer.id.in_(ids)).order_by(Customer.id).with_for_update(key_share=True)).all()


def _judge(session: Session, one_id: str, other_id: str) -> DuplicatePair:
    """Write what two live customers' score is now; make the pair where there is none."""
    rekey(session, {one_id, other_id})
    records = records_of(session, {one_id, other_id})
    match = compare(records[one_id], records[other_id])
    return _keep(session, (one_id, other_id), match, queries.pairs_of(session, one_id).get(other_id))


def _keep(session: Session, ids: tuple[str, str], match: Match, pair: DuplicatePair | None) -> DuplicatePair:
    first, second = sorted(ids)
    digests = digests_of(session, {first, second})
    values = {
        "score": match.score,
        "signs": [shown(sign) for sign in match.signs],
        "first_digest": digests[first],
        "second_digest": digests[second],
    }
    if pair is None:
        return add(session, DuplicatePair(first_id=first, second_id=second, state="open", **values))
    if any(getattr(pair, name) != value for name, value in values.items()):
        for name, value in values.items():
            setattr(pair, name, value)
        touch(session, pair)
    return pair


def shown(sign: Sign) -> dict[str, Any]:
    """Return a sign as it is stored and shown."""
    return {"code": sign.code, "bits": sign.bits, "value": sign.value}


def _told(signs: Iterable[dict[str, Any]], locale: str) -> list[dict[str, Any]]:
    return [sign | {"text": sign_text(sign["code"], sign["value"], locale)} for sign in signs]


def likeness_shown(found: Likeness, locale: str) -> dict[str, Any]:
    """Return a likeness with its signs in words."""
    customer, match = found
    signs = _told((shown(sign) for sign in match.signs), locale)
    return {"customer": customer, "score": match.score, "likely": match.score >= LIKELY, "signs": signs}


def pair_shown(session: Session, pair: DuplicatePair, locale: str) -> dict[str, Any]:
    """Return a pair with names, and with its signs in words."""
    names = ("id", "version", "created_at", "updated_at", "first_id", "second_id", "score", "state", "decided_by", "decided_at")
    first, second = (session.get_one(Customer, customer_id).name for customer_id in (pair.first_id, pair.second_id))
    told = {"first_name": first, "second_name": second, "likely": pair.score >= LIKELY, "signs": _told(pair.signs, locale)}
    return {name: getattr(pair, name) for name in names} | told


def unsearched(session: Session, most: int) -> list[str]:
    """Return customers that changed since their pairs were looked for."""
    return list(
        session.scalars(
            select(CustomerPrint.customer_id)
            .where(CustomerPrint.searched.is_(False))
            .order_by(CustomerPrint.customer_id)
            .limit(most)
        )
    )


def look_for_pairs(session: Session, customer_id: str) -> int:
    """Look for the pairs of one customer and keep them; return how many it has that the office is shown.

    A pair that was dismissed opens again where what is compared of one of the two has changed since.
    """
    held = session.scalar(
        select(Customer.id).where(Customer.id == customer_id, Customer.deleted_at.is_(None)).with_for_update(key_share=True)
    )
    rekey(session, [customer_id])
    if held is None:
        return 0
    session.execute(update(CustomerPrint).where(CustomerPrint.customer_id == customer_id).values(searched=True))
    pairs = queries.pairs_of(session, customer_id)
    standing = {other for other, pair in pairs.items() if pair.state != "merged"}
    records = records_of(session, {customer_id, *neighbours(session, customer_id), *standing})
    own = records.pop(customer_id)
    found = 0
    for other, record in sorted(records.items()):
        match, pair = compare(own, record), pairs.get(other)
        if pair is None and match.score < POSSIBLE:
            continue
        found += _follow(session, (customer_id, other), match, pair)
    return found


def _follow(session: Session, ids: tuple[str, str], match: Match, pair: DuplicatePair | None) -> bool:
    if not {*ids} <= digests_of(session, ids).keys():
        return False  # its keys are not made yet; its own turn finds the pair
    if pair is not None and pair.state == "dismissed":
        if _judged_by(pair, digests_of(session, ids)) or match.score < POSSIBLE:
            return False
        transition(session, pair, "open", decided_by=None, decided_at=None)
    if pair is not None and pair.state == "merged":
        return False
    return _keep(session, ids, match, pair).score >= POSSIBLE
