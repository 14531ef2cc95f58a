"""Wire names of contacts, relations and schemes."""

from __future__ import annotations

import re

from marshmallow import ValidationError

from app.contacts.models import CONTACT_STATES, SCHEME_STATES
from app.contacts.schemes import BOTH, MOST_CODES, TO_SOURCE, TO_TARGET
from app.core import fields
from app.core.locales import LOCALES
from app.core.paging import PageQuery


def _check_code(text: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", text):
        raise ValidationError("invalid")


class ContactEditSchema(fields.Schema):
    """What may change of a contact."""

    name = fields.Text(100, 1)
    phone = fields.Phone(allow_none=True)
    office_phone = fields.Phone(allow_none=True)
    email = fields.Email(allow_none=True)
    job_title = fields.Text(100, allow_none=True)
    role = fields.Text(40, allow_none=True)
    note = fields.Lines(1000)
    locale = fields.OneOf(*LOCALES, allow_none=True)
    do_not_call = fields.Flag()
    left_at = fields.Instant(allow_none=True)


class ContactSchema(fields.TrackedSchema, ContactEditSchema):
    """A person at a customer."""

    id = fields.Id()
    customer_id = fields.Id(dump_only=True)
    name = fields.Text(100, 1, required=True)
    state = fields.OneOf(*CONTACT_STATES, dump_only=True)
    merged_into_id = fields.Id(allow_none=True, dump_only=True)


class ContactQuery(PageQuery):
    """A page of contacts: of one customer, of one state."""

    customer_id = fields.Id()
    state = fields.OneOf(*CONTACT_STATES)


class OtherContactSchema(fields.Schema):
    """The other record of the same person."""

    other_id = fields.Id(required=True)


class TwinsSchema(fields.Schema):
    """Two contacts that may be one person, and what speaks for it."""

    first = fields.Nested(ContactSchema)
    second = fields.Nested(ContactSchema)
    signs = fields.Listing(fields.Text(20))


class TwinsListSchema(fields.Schema):
    """Which contacts of a customer may be the same person, the likeliest first."""

    items = fields.Listing(fields.Nested(TwinsSchema))


class RelationEditSchema(fields.Schema):
    """What may change of a relation."""

    strength = fields.Int(1, 5)
    note = fields.Text(200)


class RelationSchema(fields.TrackedSchema):
    """How a contact stands to another one: the first reports to, influences, knows the second."""

    id = fields.Id()
    customer_id = fields.Id(dump_only=True)
    from_id = fields.Id(required=True)
    to_id = fields.Id(required=True)
    kind = fields.Text(40, 1, required=True)
    strength = fields.Int(1, 5, load_default=3)
    note = fields.Text(200, load_default="")


class PartSchema(fields.Schema):
    """What a relation lends somebody, in points."""

    contact_id = fields.Id()
    name = fields.Text(100)
    relation_id = fields.Id()
    kind = fields.Text(60)
    points = fields.Real()


class BecauseSchema(fields.Schema):
    """What a score is made of, in points."""

    by_role = fields.Real()
    by_relations = fields.Listing(fields.Nested(PartSchema))
    shared_out = fields.Real()


class NodeSchema(fields.Schema):
    """A person in the graph; ``influence``: points of the customer's 100, null for who is proposed or left."""

    contact = fields.Nested(ContactSchema)
    role_name = fields.Text(60, allow_none=True)
    influence = fields.Real(allow_none=True)
    because = fields.Nested(BecauseSchema, allow_none=True)


class RelationEdgeSchema(fields.Schema):
    """A relation in the graph."""

    id = fields.Id(dump_only=True)
    version = fields.Int(dump_only=True)
    from_id = fields.Id()
    to_id = fields.Id()
    kind = fields.Text(40)
    kind_name = fields.Text(60)
    strength = fields.Int(1, 5)
    note = fields.Text(200)


class MissingRoleSchema(fields.Schema):
    """A role that the business wants known, and nobody has."""

    code = fields.Text(40)
    name = fields.Text(60)


class GraphSchema(fields.Schema):
    """A customer's people and how they stand to each other."""

    scheme_number = fields.Int()
    nodes = fields.Listing(fields.Nested(NodeSchema))
    edges = fields.Listing(fields.Nested(RelationEdgeSchema))
    missing_roles = fields.Listing(fields.Nested(MissingRoleSchema))


class RoleSchema(fields.Schema):
    """A role: its code, names, weight; ``wanted``: a customer where nobody has it is not well known."""

    code = fields.Text(40, required=True, validate=_check_code)
    en = fields.Text(60, 1, required=True)
    zh = fields.Text(60, 1, required=True)
    weight = fields.Int(0, 100, required=True)
    wanted = fields.Flag(load_default=False)


class KindSchema(fields.Schema):
    """A kind of relation: its code, names, weight, and which end it lends influence to."""

    code = fields.Text(40, required=True, validate=_check_code)
    en = fields.Text(60, 1, required=True)
    zh = fields.Text(60, 1, required=True)
    weight = fields.Int(0, 100, required=True)
    lends = fields.OneOf(TO_TARGET, TO_SOURCE, BOTH, required=True)


class DocumentSchema(fields.Schema):
    """The roles and kinds of relation."""

    roles = fields.Listing(fields.Nested(RoleSchema), MOST_CODES, required=True)
    relations = fields.Listing(fields.Nested(KindSchema), MOST_CODES, required=True)


class SchemeSchema(fields.TrackedSchema):
    """A version of them."""

    number = fields.Int(dump_only=True)
    state = fields.OneOf(*SCHEME_STATES, dump_only=True)
    document = fields.Nested(DocumentSchema, required=True)


class MovedSchema(fields.Schema):
    """A person's points before and after."""

    contact_id = fields.Id()
    name = fields.Text(100)
    before = fields.Real()
    after = fields.Real()


class ChangeSchema(fields.Schema):
    """What would change at one customer; ``greatest``: by how many points at most."""

    customer_id = fields.Id()
    customer_name = fields.Text(200)
    greatest = fields.Real()
    new_first = fields.Flag()
    people = fields.Listing(fields.Nested(MovedSchema))


class PreviewSchema(fields.Schema):
    """What would change with a version; ``new_first``: at how many customers another person would come first."""

    customers = fields.Int()
    cut = fields.Flag()
    changed = fields.Int()
    new_first = fields.Int()
    items = fields.Listing(fields.Nested(ChangeSchema))
    unknown_roles = fields.Int()
    unknown_relations = fields.Int()
