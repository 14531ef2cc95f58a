"""Wire names of territories."""

from __future__ import annotations

from app.core import fields


class TerritorySchema(fields.TrackedSchema):
    """A territory."""

    code = fields.Text(40, 1, required=True)
    name = fields.Text(100, 1, required=True)


class AssignmentSchema(fields.Schema):
    """The territories of a person."""

    territory_ids = fields.Listing(fields.Id(), required=True)
