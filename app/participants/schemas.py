"""Wire names of who was met at a visit."""

from __future__ import annotations

from app.contacts.models import CONTACT_STATES
from app.core import fields


class PersonMetSchema(fields.Schema):
    """Somebody whom a rep met: by name, or as a contact."""

    name = fields.Text(100, 1, required=True)
    phone = fields.Phone(allow_none=True)
    job_title = fields.Text(100, allow_none=True)
    contact_id = fields.Id(allow_none=True)


class PeopleMetSchema(fields.Schema):
    """Who was met at a visit."""

    participants = fields.Listing(fields.Nested(PersonMetSchema), 50, required=True)


class ParticipantSchema(fields.Schema):
    """Somebody who was met; ``state``: of the contact they are, such as proposed."""

    id = fields.Id()
    contact_id = fields.Id()
    name = fields.Text(100)
    job_title = fields.Text(100, allow_none=True)
    state = fields.OneOf(*CONTACT_STATES)


class ParticipantsSchema(fields.Schema):
    """Who was met at a visit."""

    items = fields.Listing(fields.Nested(ParticipantSchema))
