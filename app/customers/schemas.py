"""Wire names of customers and sites."""

from __future__ import annotations

from app.core import fields
from app.core.paging import PageQuery


class CustomerSchema(fields.TrackedSchema):
    """A customer."""

    id = fields.Id()
    code = fields.Text(40, 1)
    name = fields.Text(200, 1, required=True)
    phone = fields.Phone(allow_none=True)
    email = fields.Email(allow_none=True)
    territory_id = fields.Id(required=True)
    owner_id = fields.Id(allow_none=True)


class CustomerEditSchema(fields.Schema):
    """What may change of a customer."""

    name = fields.Text(200, 1)
    phone = fields.Phone(allow_none=True)
    email = fields.Email(allow_none=True)
    territory_id = fields.Id()
    owner_id = fields.Id(allow_none=True)


class SiteSchema(fields.TrackedSchema):
    """A place, in WGS-84 degrees."""

    id = fields.Id()
    customer_id = fields.Id(dump_only=True)
    name = fields.Text(200, 1, required=True)
    address = fields.Lines(300, load_default="")
    lat = fields.Real(-90, 90, required=True)
    lon = fields.Real(-180, 180, required=True)


class SiteEditSchema(fields.Schema):
    """What may change of a site."""

    name = fields.Text(200, 1)
    address = fields.Lines(300)
    lat = fields.Real(-90, 90)
    lon = fields.Real(-180, 180)


class SiteQuery(PageQuery):
    """A page of sites, of one customer if named."""

    customer_id = fields.Id()
