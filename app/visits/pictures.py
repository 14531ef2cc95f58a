"""Photos by the id a phone gave them: an id alone shows nothing."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import Base, among
from app.visits.models import CheckIn


def pictures_of(session: Session, user_id: str, ids: Collection[str]) -> dict[str, bool]:
    """Return which of some attachments are a person's own pictures, each with whether its bytes have arrived."""
    if not ids:
        return {}
    files = Base.metadata.tables["attachments"].c  # by name: attachments lie in a room above
    own = (among(session, files.id, sorted(ids)), files.user_id == user_id, files.deleted_at.is_(None))
    kind = (files.mime.like("image/%"), files.state != "refused")
    return {row_id: state == "stored" for row_id, state in session.execute(select(files.id, files.state).where(*own, *kind))}


def is_photo(session: Session, user_id: str, attachment_id: str | None) -> bool:
    """Tell whether an attachment is a picture of a person's own whose bytes have arrived."""
    return attachment_id is not None and pictures_of(session, user_id, [attachment_id]).get(attachment_id, False)


def was_shown(session: Session, visit_id: str, attachment_id: str) -> bool:
    """Tell whether a picture, or another file of the same bytes, was shown at a check-in of another visit."""
    files, this = Base.metadata.tables["attachments"], Base.metadata.tables["attachments"].alias()
    same = select(files.c.id, files.c.user_id).join(this, this.c.sha256 == files.c.sha256).where(this.c.id == attachment_id)
    twins = same.subquery()
    shown = select(CheckIn.id).join(twins, (CheckIn.user_id == twins.c.user_id) & (CheckIn.photo_id == twins.c.id))
    return session.scalar(shown.where(CheckIn.visit_id != visit_id).limit(1)) is not None
