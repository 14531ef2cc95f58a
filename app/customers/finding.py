"""What customers and their sites are found by."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import among
from app.customers import queries
from app.customers.models import Customer, Site
from app.search.operations import note_stale, rekey
from app.search.searchables import Searchable, declare_searchable
from app.search.terms import Text, custom_texts

# Of one customer: sites that are looked at with every write.
_MOST_SITES = 100


def keep_findable(session: Session, customers: Collection[str]) -> None:
    """Keep the search terms of some customers and of their sites as they are now."""
    told = customer_texts(session, customers)
    rekey(session, "customer", {row_id: told.get(row_id, []) for row_id in customers})
    sites = list(session.scalars(select(Site.id).where(among(session, Site.customer_id, sorted(customers))).order_by(Site.id)))
    if len(customers) == 1 and len(sites) > _MOST_SITES:
        # The worker looks through the many sites of a large customer: an edit of one must not wait for all of them.
        note_stale(session, "site", sites)
        return
    texts = site_texts(session, sites)
    rekey(session, "site", {row_id: texts.get(row_id, []) for row_id in sites})


def customer_texts(session: Session, ids: Collection[str]) -> dict[str, list[Text]]:
    """Return what live customers are found by."""
    rows = session.scalars(select(Customer).where(among(session, Customer.id, sorted(ids)), Customer.deleted_at.is_(None)))
    return {row.id: _of_customer(row) for row in rows}


def _of_customer(row: Customer) -> list[Text]:
    texts = [Text("name", row.name, "name"), Text("code", row.code, "code")]
    texts += [Text("phone", row.phone, "phone")] if row.phone else []
    texts += [Text("credit_code", row.credit_code, "code")] if row.credit_code else []
    texts += [Text("email", row.email, "label")] if row.email else []
    return texts + custom_texts(row.custom)


def site_texts(session: Session, ids: Collection[str]) -> dict[str, list[Text]]:
    """Return what live sites are found by."""
    rows = session.scalars(select(Site).where(among(session, Site.id, sorted(ids)), Site.deleted_at.is_(None)))
    return {
        row.id: [Text("name", row.name, "name"), *([Text("address", row.address, "address")] if row.address else [])]
        for row in rows
    }


declare_searchable(
    Searchable("customer", Customer, "customers.read", queries.visible_to, customer_texts, lambda row: (row.name, row.code))
)
declare_searchable(
    Searchable("site", Site, "customers.read", queries.visible_sites, site_texts, lambda row: (row.name, row.address))
)
