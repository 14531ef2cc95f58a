"""Verbs on attachments. The bytes are ``uploads.py``'s business."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from app.assets.queries import access_asset
from app.attachments.models import Attachment
from app.core import history
from app.core.db import now
from app.core.errors import FieldsInvalid, Forbidden, NotFound
from app.core.settings import Settings
from app.core.tracked import add, touch, try_transition
from app.customers.merging import note_late
from app.customers.queries import access_site, heirs, named_customer
from app.users.rights import Actor
from app.work_orders.queries import access_order

_ACCESS: dict[str, Callable[[Session, Actor, str], Any]] = {
    "customer": named_customer,
    "site": access_site,
    "asset": access_asset,
    "work_order": access_order,
}


def create_attachment(session: Session, settings: Settings, actor: Actor, values: dict[str, Any]) -> Attachment:
    """Take note of a file that a phone has; its bytes come by an upload. About a merged customer: about the one it is now.

    Args:
        values: id, subject_kind, subject_id, name, mime, size, sha256, made_ms, and optionally installation_id.

    Raises:
        FieldsInvalid: for a subject the actor may not see, or a file that is larger than allowed.
    """
    if values["size"] > settings.attachment_limit_bytes:
        raise FieldsInvalid({"size": ["too_large"]})
    try:
        _ACCESS[values["subject_kind"]](session, actor, values["subject_id"])
    except NotFound:
        raise FieldsInvalid({"subject_id": ["unknown_reference"]}) from None
    named = values["subject_id"]
    if values["subject_kind"] == "customer":
        values = values | {"subject_id": heirs(session, [named]).get(named, named)}
    row = add(session, Attachment(user_id=actor.id, **({"installation_id": ""} | values)))
    if row.subject_id != named:
        note_late(session, named, "attachments", [row.id])
    history.record(session, "attachment.created", _subject(row), actor_id=actor.id, name=row.name, about=row.subject_kind)
    return row


def delete_attachment(session: Session, actor: Actor, row: Attachment) -> Attachment:
    """Delete an attachment; its bytes go with the next run of ``forget_old_rows`` unless another one needs them.

    Raises:
        Forbidden: unless the actor made it or is of the office.
    """
    if row.user_id != actor.id and not actor.sees_all:
        raise Forbidden("forbidden")
    row.deleted_at = now(session)
    touch(session, row)
    history.record(session, "attachment.deleted", _subject(row), actor_id=actor.id)
    return row


def mark_stored(session: Session, row: Attachment, stored_sha256: str) -> bool:
    """Note that the bytes are here; tell whether the row still waited for them."""
    done = try_transition(session, row, "stored", stored_sha256=stored_sha256)
    if done:
        history.record(session, "attachment.stored", _subject(row), actor_id=row.user_id)
    return done


def mark_refused(session: Session, row: Attachment, code: str) -> None:
    """Note why the bytes were not taken."""
    if try_transition(session, row, "refused", code=code):
        history.record(session, "attachment.refused", _subject(row), actor_id=row.user_id, code=code)


def _subject(row: Attachment) -> history.Subject:
    return history.Subject("attachment", row.id)
