"""Wire names of an account's life."""

from __future__ import annotations

from app.core import fields
from app.core.locales import LOCALES
from app.users.models import ROLES
from app.users.schemas import UserSchema


class InvitationSchema(fields.Schema):
    """Who is invited. Station staff need a station, customers a customer; nobody else has one."""

    login = fields.Login(200, 1, required=True)
    name = fields.Text(100, 1, required=True)
    role = fields.OneOf(*ROLES, required=True)
    locale = fields.OneOf(*LOCALES)
    email = fields.Email(allow_none=True)
    phone = fields.Phone(allow_none=True)
    partner_id = fields.Id(allow_none=True)
    station_id = fields.Id(allow_none=True)
    customer_id = fields.Id(allow_none=True)
    territory_ids = fields.Listing(fields.Id(), load_default=list)


class InvitedSchema(UserSchema):
    """A person, and the code of their link when there is no address to mail it to. It is shown this once."""

    link_code = fields.Text(40, dump_only=True, allow_none=True)


class PersonEditSchema(fields.Schema):
    """What an administrator may change of a person. Role and organisation stay what they are."""

    name = fields.Text(100, 1)
    locale = fields.OneOf(*LOCALES)
    email = fields.Email(allow_none=True)
    phone = fields.Phone(allow_none=True)
    station_id = fields.Id()
    customer_id = fields.Id()
    team_id = fields.Id(allow_none=True)
    territory_ids = fields.Listing(fields.Id())


class LinkSchema(fields.Schema):
    """The code of a link and the password it sets."""

    code = fields.Text(40, 1, required=True, load_only=True)
    password = fields.Secret(200, required=True)


class ResetRequestSchema(fields.Schema):
    """Whose password was lost."""

    login = fields.Text(200, 1, required=True)


class ResetAnswerSchema(fields.Schema):
    """The same for everybody."""

    status = fields.OneOf("accepted", dump_only=True)


class DeactivationSchema(fields.Schema):
    """Who takes over the customers of somebody who leaves."""

    successor_id = fields.Id(allow_none=True)
