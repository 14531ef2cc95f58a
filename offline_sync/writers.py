"""WRITERS: the collections whose rows a phone may make, edit and delete freely, each with the verbs the REST routes run.

Everything else a phone may hold is read-only there, and what must obey a rule is an intent (``intents.py``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema, ValidationError
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.attachments import operations as attachment_verbs
from app.attachments import queries as attachment_queries
from app.attachments.contents import TYPES
from app.attachments.models import SUBJECT_KINDS
from app.core import fields, wire
from app.core.errors import Conflict, DomainError
from app.core.settings import Settings
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
        parent: collection and id of the row that a new one hangs on, where phones make such rows too.
        visible, create_many: as ``find`` and ``create``, of many rows, for collections of which phones send many.
    """

    right: str
    new: type[Schema]
    made_of: tuple[str, ...]
    edit: type[Schema]
    find: Callable[[Session, Actor, str], Any]
    create: Callable[[Session, Settings, Actor, dict[str, Any]], Any]
    change: Callable[[Session, Actor, Any, dict[str, Any]], Any]
    delete: Callable[[Session, Actor, Any], Any]
    undelete: Callable[[Session, Actor, Any], Any]
    find_deleted: Callable[[Session, Actor, str], Any]
    server_first: Collection[str] = ()
    parent: Callable[[Mapping[str, Any]], tuple[str, str] | None] | None = None
    visible: Callable[[Actor], Select[Any]] | None = None
    create_many: Callable[[Session, Actor, list[dict[str, Any]]], list[str | DomainError]] | None = None


class _NewSite(schemas.SiteSchema):
    customer_id = fields.Id(required=True)


def _create_site(session: Session, _settings: Settings, actor: Actor, values: dict[str, Any]) -> Any:
    customer = queries.access_customer(session, actor, values.pop("customer_id"))
    return operations.create_site(session, actor, customer, values)


class _AnyMs(fields.Int):
    """When a phone says it was. Its clock may be years off, and nothing is decided by it: what makes no sense is 0."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        try:
            return wire.check_ms(value)
        except wire.WireError:
            return 0


def _check_hex(text: str) -> None:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValidationError("invalid")


class _NewAttachment(fields.Schema):
    id = fields.Id(required=True)
    subject_kind = fields.OneOf(*SUBJECT_KINDS, required=True)
    subject_id = fields.Id(required=True)
    name = fields.Text(200, 1, required=True)
    mime = fields.OneOf(*TYPES, required=True)
    size = fields.Int(1, required=True)
    sha256 = fields.Text(64, 64, required=True, validate=_check_hex)
    made_at = _AnyMs(load_default=0)


class _NoEdit(fields.Schema):
    """Nothing of an attachment is edited: what a phone changed is sent to it again as it was."""


def _create_attachment(session: Session, settings: Settings, actor: Actor, values: dict[str, Any]) -> Any:
    values["made_ms"] = values.pop("made_at")
    values["installation_id"] = session.info.get("installation", "")
    return attachment_verbs.create_attachment(session, settings, actor, values)


def _subject_of(values: Mapping[str, Any]) -> tuple[str, str] | None:
    collection = {"customer": "customers", "site": "sites"}.get(values["subject_kind"])
    return (collection, values["subject_id"]) if collection else None


def _never(_session: Session, _actor: Actor, *_rest: Any) -> Any:
    raise Conflict("state_conflict", state="deleted", wanted="live")


# Parents before their children: so rows of one push are written, and deleted the other way round.
WRITERS: dict[str, Writer] = {
    "customers": Writer(
        right="customers.write",
        new=schemas.CustomerSchema,
        made_of=("code", "name", "phone", "email", "territory_id"),
        edit=schemas.CustomerEditSchema,
        find=queries.access_customer,
        create=lambda session, _, actor, values: operations.create_customer(session, actor, values),
        change=operations.edit_customer,
        delete=operations.delete_customer,
        undelete=operations.undelete_customer,
        find_deleted=queries.deleted_customer,
        visible=queries.visible_to,
        create_many=operations.create_customers,
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
        parent=lambda values: ("customers", values["customer_id"]),
        visible=queries.visible_sites,
        create_many=operations.create_sites,
    ),
    "attachments": Writer(
        right="attachments.write",
        new=_NewAttachment,
        made_of=("subject_kind", "subject_id", "name", "mime", "size", "sha256", "made_at"),
        edit=_NoEdit,
        find=attachment_queries.access_attachment,
        create=_create_attachment,
        change=_never,
        delete=attachment_verbs.delete_attachment,
        undelete=_never,
        find_deleted=attachment_queries.deleted_attachment,
        parent=_subject_of,
    ),
}
