"""Wire names of teams."""

from __future__ import annotations

from app.core import fields


class TeamSchema(fields.TrackedSchema):
    """A team."""

    code = fields.Text(40, 1, required=True)
    name = fields.Text(100, 1, required=True)


class TeamEditSchema(fields.Schema):
    """What may change of a team."""

    code = fields.Text(40, 1)
    name = fields.Text(100, 1)
