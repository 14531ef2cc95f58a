"""WRITERS: the collections whose rows a phone may make, edit and delete freely, each with the verbs the REST routes run.

Everything else a phone may hold is read-only there, and what must obey a rule is an intent (``intents.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema
from sqlalchemy.orm import Session

from app.core import fields
from app.customers import operations, queries, schemas
from app.users.rights import Actor


@dataclass(frozen=True)
class Writer:
    """How rows of one collection are written.

    Attributes:
        right: what the actor must be allowed.
        new: schema of a row that is made; ``made_of`` are the fields taken from the phone for it.
        edit: schema of the fields that may be edited.
        server_first: of these, where both sides changed a field, the server's value is kept.
    """

    right: str
    new: type[Schema]
    made_of: tuple[str, ...]
    edit: type[Schema]
    find: Callable[[Session, Actor, str], Any]
    create: Callable[[Session, Actor, dict[str, Any]], Any]
    change: Callable[[Session, Actor, Any, dict[str, Any]], Any]
    delete: Callable[[Session, Actor, Any], Any]
    undelete: Callable[[Session, Actor, Any], Any]
    find_deleted: Callable[[Session, Actor, str], Any]
    server_first: Collection[str] = ()


class _NewSite(schemas.SiteSchema):
    customer_id = fields.Id(required=True)


def _create_site(session: Session, actor: Actor, values: dict[str, Any]) -> Any:
    customer = queries.access_customer(session, actor, values.pop("customer_id"))
    return operations.create_site(session, actor, customer, values)


# Parents before their children: so rows of one push are written, and deleted the other way round.
WRITERS: dict[str, Writer] = {
    "customers": Writer(
        right="customers.write",
        new=schemas.CustomerSchema,
        made_of=("code", "name", "phone", "email", "territory_id"),
        edit=schemas.CustomerEditSchema,
        find=queries.access_customer,
        create=operations.create_customer,
        change=operations.edit_customer,
        delete=operations.delete_customer,
        undelete=operations.undelete_customer,
        find_deleted=queries.deleted_customer,
    ),
    "sites": Writer(
        right="customers.write",
        new=_NewSite,
        made_of=("customer_id", "name", "address", "lat", "lon"),
        edit=schemas.SiteEditSchema,
        find=queries.access_site,
        create=_create_site,
        change=operations.edit_site,
        delete=operations.delete_site,
        undelete=operations.undelete_site,
        find_deleted=queries.deleted_site,
    ),
}
