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
from app.contacts import operations as contacts
from app.contacts import queries as contact_queries
from app.contacts import relations
from app.contacts import schemas as contact_schemas
from app.contacts.models import Contact
from app.core import fields, wire
from app.core.clock import from_ms
from app.core.errors import Conflict, DomainError, FieldsInvalid, NotFound
from app.core.settings import Settings
from app.custom_fields.values import CustomValues
from app.customers import merging, operations, queries, schemas
from app.customers.models import Customer
from app.leads import operations as lead_verbs
from app.leads import queries as lead_queries
from app.leads import schemas as lead_schemas
from app.users.rights import Actor
from offline_sync import keyed


@dataclass(frozen=True)
class Writer:
    """How rows of one collection are written.

    Attributes:
        right: what the actor must be allowed.
        new: schema of a row that is made; ``made_of`` are the fields taken from the phone for it.
        edit: schema of the fields that may be edited.
        server_first: of these, where both sides changed a field, the server's value is kept.
        parent: collection and id of the row that a new one hangs on, where phones make such rows too.
        keyed: columns of JSON text whose keys are merged one by one; see ``keyed.py``.
        visible: the rows the actor may see.
        create_many: as ``create``, of many rows, for collections of which phones send many.
        heir: the row that a deleted one became, where it was merged; None where it was not, or its heir is not to be seen.
        pass_on: writes what was edited of a merged row to where it is kept beside its heir.
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
    visible: Callable[[Actor], Select[Any]]
    server_first: Collection[str] = ()
    keyed: Collection[str] = ()
    parent: Callable[[Mapping[str, Any]], tuple[str, str] | None] | None = None
    create_many: Callable[[Session, Actor, list[dict[str, Any]]], list[str | DomainError]] | None = None
    heir: Callable[[Session, Actor, Any], Any] | None = None
    pass_on: Callable[[Session, Actor, Any, dict[str, Any], bool], None] | None = None


class _CustomText(CustomValues):
    """Values of the company's own fields, as JSON text or, taken apart already, as an object."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> dict[str, Any]:
        if isinstance(value, str):
            try:
                value, changed = keyed.read(value, "custom")
            except FieldsInvalid as fault:
                raise ValidationError([code for codes in fault.errors.values() for code in codes]) from None
            value = {key: inner for key, inner in value.items() if changed is None or key in changed}
        return super()._deserialize(value, attr, data, **kwargs)


class _NewCustomer(schemas.CustomerSchema):
    custom = _CustomText()


class _CustomerEdit(schemas.CustomerEditSchema):
    custom = _CustomText()


class _NewLead(lead_schemas.LeadSchema):
    custom = _CustomText()


class _LeadEdit(lead_schemas.LeadEditSchema):
    custom = _CustomText()


class _NewSite(schemas.SiteSchema):
    customer_id = fields.Id(required=True)


def _create_site(session: Session, _settings: Settings, actor: Actor, values: dict[str, Any]) -> Any:
    customer = queries.named_customer(session, actor, values.pop("customer_id"))
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


class _Ms(fields.Int):
    """An instant as phones keep it: Unix ms."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return from_ms(wire.check_ms(value))
        except wire.WireError as fault:
            raise ValidationError(fault.reason) from None


class _ContactEdit(contact_schemas.ContactEditSchema):
    left_at = _Ms(allow_none=True)  # type: ignore[assignment]


class _NewContact(contact_schemas.ContactSchema):
    customer_id = fields.Id(required=True)
    left_at = _Ms(allow_none=True)  # type: ignore[assignment]


def _create_contact(session: Session, _settings: Settings, actor: Actor, values: dict[str, Any]) -> Any:
    return contacts.create_contact(session, actor, values.pop("customer_id"), values)


def _heir(session: Session, actor: Actor, customer: Customer) -> Customer | None:
    if customer.merged_into_id is None:
        return None
    try:
        return queries.follow_customer(session, actor, customer.id)
    except NotFound:
        return None


def _pass_on(session: Session, actor: Actor, customer: Customer, changes: dict[str, Any], to_live: bool) -> None:
    queries.named_customer(session, actor, customer.id)
    merging.pass_on(session, actor, customer, changes, to_live=to_live)


def _contact_heir(session: Session, actor: Actor, contact: Contact) -> Contact | None:
    if contact.merged_into_id is None:
        return None
    try:
        return contact_queries.access_contact(session, actor, contact.merged_into_id)
    except NotFound:
        return None


def _pass_on_contact(session: Session, actor: Actor, contact: Contact, _changes: dict[str, Any], _to_live: bool) -> None:
    contact_queries.merged_contact(session, actor, contact.id)  # it must have been theirs; the heir gets what they wrote


def _never(_session: Session, _actor: Actor, *_rest: Any) -> Any:
    raise Conflict("state_conflict", state="deleted", wanted="live")


# Parents before their children: so rows of one push are written, and deleted the other way round.
WRITERS: dict[str, Writer] = {
    "customers": Writer(
        right="customers.write",
        new=_NewCustomer,
        made_of=("code", "name", "phone", "email", "territory_id", "custom"),
        edit=_CustomerEdit,
        keyed=("custom",),
        find=queries.follow_customer,
        create=lambda session, _, actor, values: operations.create_customer(session, actor, values),
        change=operations.edit_customer,
        delete=operations.delete_customer,
        undelete=operations.undelete_customer,
        find_deleted=queries.deleted_customer,
        visible=queries.visible_to,
        create_many=operations.create_customers,
        heir=_heir,
        pass_on=_pass_on,
    ),
    "sites": Writer(
        right="customers.write",
        new=_NewSite,
        made_of=("customer_id", "name", "address", "lat", "lon", "opening_hours"),
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
    "leads": Writer(
        right="leads.write",
        new=_NewLead,
        made_of=("name", "phone", "interest", "company", "email", "address", "territory_id", "source", "budget", "custom"),
        edit=_LeadEdit,
        keyed=("custom",),
        find=lead_queries.access_lead,
        create=lead_verbs.create_lead,
        change=lead_verbs.edit_lead,
        delete=lead_verbs.drop,
        undelete=_never,
        find_deleted=lead_queries.access_lead,
        visible=lead_queries.visible_to,
    ),
    "contacts": Writer(
        right="contacts.write",
        new=_NewContact,
        made_of=(
            "customer_id",
            "name",
            "phone",
            "office_phone",
            "email",
            "job_title",
            "role",
            "note",
            "locale",
            "do_not_call",
            "left_at",
        ),
        edit=_ContactEdit,
        find=contact_queries.access_contact,
        create=_create_contact,
        change=contacts.edit_contact,
        delete=contacts.delete_contact,
        undelete=contacts.undelete_contact,
        find_deleted=contact_queries.deleted_contact,
        visible=contact_queries.visible_to,
        parent=lambda values: ("customers", values["customer_id"]),
        heir=_contact_heir,
        pass_on=_pass_on_contact,
    ),
    "contact_relations": Writer(
        right="contacts.write",
        new=contact_schemas.RelationSchema,
        made_of=("from_id", "to_id", "kind", "strength", "note"),
        edit=contact_schemas.RelationEditSchema,
        find=contact_queries.access_relation,
        create=lambda session, _, actor, values: relations.create_relation(session, actor, values),
        change=relations.edit_relation,
        delete=relations.delete_relation,
        undelete=relations.undelete_relation,
        find_deleted=contact_queries.deleted_relation,
        visible=contact_queries.visible_relations,
        parent=lambda values: ("contacts", values["from_id"]),
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
        visible=attachment_queries.visible_to,
        parent=_subject_of,
    ),
}
