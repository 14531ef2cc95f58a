"""Wire names of people, partners and sign-in."""

from __future__ import annotations

from app.core import fields
from app.core.locales import LOCALES
from app.users.models import ROLES


class SignInSchema(fields.Schema):
    """A name and a password."""

    login = fields.Text(200, 1, required=True)
    password = fields.Secret(200, required=True)
    label = fields.Text(100, load_default="")


class RefreshSchema(fields.Schema):
    """The refresh token that was shown last."""

    refresh_token = fields.Secret(200, required=True)


class UserSchema(fields.TrackedSchema):
    """A person, without anything secret."""

    login = fields.Text(200)
    name = fields.Text(100)
    role = fields.OneOf(*ROLES)
    state = fields.Text(20)
    locale = fields.OneOf(*LOCALES)
    email = fields.Text(200, allow_none=True)
    phone = fields.Text(20, allow_none=True)
    partner_id = fields.Id(allow_none=True)
    station_id = fields.Id(allow_none=True)
    customer_id = fields.Id(allow_none=True)
    team_id = fields.Id(allow_none=True)


class TokensSchema(fields.Schema):
    """Access and refresh token."""

    access_token = fields.Text(4096)
    refresh_token = fields.Text(200)
    expires_in_s = fields.Int()
    user = fields.Nested(UserSchema)


class OwnEditSchema(fields.Schema):
    """What a person may change of themselves."""

    name = fields.Text(100, 1)
    locale = fields.OneOf(*LOCALES)
    email = fields.Email(allow_none=True)
    phone = fields.Phone(allow_none=True)


class PasswordChangeSchema(fields.Schema):
    """The old and the new password."""

    old_password = fields.Secret(200, required=True)
    new_password = fields.Secret(200, required=True)


class PartnerSchema(fields.TrackedSchema):
    """A partner organisation."""

    name = fields.Text(200, 1, required=True)
