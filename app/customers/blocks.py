"""Finding who may be the same customer without comparing all pairs: keys, kept when a customer or a site is written."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import lru_cache

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from app.core.db import among, insert_many, run_text
from app.core.geo import Position
from app.customers.finding import keep_findable
from app.customers.keys import LARGEST_BLOCK, digest_of, keys_of, nearest
from app.customers.matching import Record
from app.customers.models import Customer, CustomerKey, CustomerPrint, Site

# Of one customer's sites so many are looked at; who has more is told apart by the rest.
_MOST_SITES = 20


def records_of(session: Session, ids: Collection[str]) -> dict[str, Record]:
    """Return live customers as they are compared, with their live sites."""
    customers = session.execute(
        select(Customer.id, Customer.name, Customer.phone, Customer.email, Customer.credit_code).where(
            among(session, Customer.id, sorted(ids)), Customer.deleted_at.is_(None)
        )
    ).all()
    sites: dict[str, list[tuple[str, Position | None]]] = defaultdict(list)
    # The centre of a district is where many sites seem to be: it tells nothing of one of them.
    at_district = func.coalesce(Site.position_source, "") == "district"
    found = select(Site.customer_id, Site.address, Site.lat, Site.lon, at_district).where(
        among(session, Site.customer_id, sorted(ids)), Site.deleted_at.is_(None)
    )
    for customer_id, address, lat, lon, doubtful in session.execute(found.order_by(Site.customer_id, Site.id)):
        if len(sites[customer_id]) < _MOST_SITES:
            sites[customer_id].append((address, None if lat is None or lon is None or doubtful else Position(lat, lon)))
    return {
        customer_id: Record(
            name,
            (phone,) if phone else (),
            (email,) if email else (),
            tuple(address for address, _ in sites[customer_id] if address),
            tuple(position for _, position in sites[customer_id] if position is not None),
            code,
        )
        for customer_id, name, phone, email, code in customers
    }


def rekey(session: Session, ids: Collection[str]) -> None:
    """Keep the keys of some customers as they are now, and what they and their sites are found by.

    A customer of whom nothing that is compared changed is left alone.
    """
    if not ids:
        return
    session.flush()
    keep_findable(session, ids)
    records = records_of(session, ids)
    digests = {customer_id: digest_of(record) for customer_id, record in records.items()}
    kept = digests_of(session, ids)
    _forget(session, {row_id for row_id in kept if row_id not in records})
    changed = sorted(row_id for row_id, digest in digests.items() if kept.get(row_id) != digest)
    if known := [row_id for row_id in changed if row_id in kept]:
        session.execute(delete(CustomerKey).where(among(session, CustomerKey.customer_id, known)))
    keys = [{"key": key, "customer_id": row_id} for row_id in changed for key in keys_of(records[row_id])]
    insert_many(session, CustomerKey, keys, replacing=("key", "customer_id"))
    prints = [{"customer_id": row_id, "digest": digests[row_id], "searched": False} for row_id in changed]
    insert_many(session, CustomerPrint, prints, replacing=("customer_id",))


def _prints(session: Session, ids: Collection[str]) -> Select[str, str]:
    return select(CustomerPrint.customer_id, CustomerPrint.digest).where(among(session, CustomerPrint.customer_id, sorted(ids)))


def _forget(session: Session, ids: Collection[str]) -> None:
    for model in (CustomerKey, CustomerPrint):
        session.execute(delete(model).where(among(session, model.customer_id, sorted(ids))))


def digests_of(session: Session, ids: Collection[str]) -> dict[str, str]:
    """Return the digests of what is compared of some customers."""
    return {row.customer_id: row.digest for row in session.execute(_prints(session, ids))}


def neighbours(session: Session, customer_id: str) -> list[str]:
    """Return the customers that share a telling key with one, those with the rarest keys first; at most 100."""
    keys = list(session.scalars(select(CustomerKey.key).where(CustomerKey.customer_id == customer_id).order_by(CustomerKey.key)))
    return meeting(session, keys, customer_id)


def meeting(session: Session, keys: Sequence[str], own: str = "") -> list[str]:
    """Return the customers that have a telling one of some keys, those with the rarest first; at most 100, without ``own``."""
    if not keys:
        return []
    given = {f"k{i}": key for i, key in enumerate(keys)}
    blocks: dict[str, list[str]] = defaultdict(list)
    for key, other in run_text(session.connection(), _blocks(len(keys)), **given, most=LARGEST_BLOCK + 1).all():
        blocks[key].append(other)
    return nearest(own, blocks)


@lru_cache(maxsize=100)
def _blocks(count: int) -> str:
    """Return a select of (key, customer id) of some keys, each no further than shows that it tells too little."""
    one = "SELECT * FROM (SELECT key, customer_id FROM customer_keys WHERE key = :k{0} LIMIT :most) b{0}"
    return " UNION ALL ".join(one.format(i) for i in range(count))
