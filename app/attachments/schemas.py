"""Wire names of attachments. Uploads have no JSON; see ``routes.py``."""

from __future__ import annotations

from app.attachments.models import SUBJECT_KINDS
from app.attachments.queries import MOST_OF_VISIT
from app.core import fields


class AttachmentSchema(fields.TrackedSchema):
    """A file about something. ``made_ms``: Unix ms by the phone's clock; ``content``: where its bytes are, once they came."""

    subject_kind = fields.OneOf(*SUBJECT_KINDS)
    subject_id = fields.Id()
    user_id = fields.Id()
    name = fields.Text(200)
    mime = fields.Text(60)
    size = fields.Int()
    state = fields.OneOf("waiting", "stored", "refused")
    made_ms = fields.Int()
    content = fields.Text(200, allow_none=True)


class AttachmentsSchema(fields.Schema):
    """Attachments, the oldest first. ``cut``: there are more."""

    items = fields.Listing(fields.Nested(AttachmentSchema), most=MOST_OF_VISIT)
    cut = fields.Flag()
