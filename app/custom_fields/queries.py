"""The only readers of the company's own fields."""

from __future__ import annotations

from sqlalchemy import Select, false, or_, select
from sqlalchemy.orm import Session

from app.core.locales import EN
from app.core.tracked import one_of
from app.custom_fields.models import CustomField
from app.users.rights import Actor


def visible_to(actor: Actor) -> Select[CustomField]:
    """Return the fields an actor may see: all for the office, else those of everybody and of their own territories."""
    found = select(CustomField).where(CustomField.deleted_at.is_(None))
    if actor.sees_all:
        return found
    if actor.partner_id is not None:
        return found.where(false())
    mine = CustomField.territory_id.in_(sorted(actor.territory_ids))
    return found.where(or_(CustomField.territory_id.is_(None), mine))


def access_field(session: Session, actor: Actor, field_id: str) -> CustomField:
    """Load one field the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), CustomField, field_id)


def fields_of(session: Session, subject_kind: str, *, retired: bool = False) -> dict[str, CustomField]:
    """Return the fields of a kind of subject by key, whoever may see them.

    Args:
        retired: those that take no new values, too.
    """
    found = select(CustomField).where(CustomField.subject_kind == subject_kind, CustomField.deleted_at.is_(None))
    if not retired:
        found = found.where(CustomField.retired.is_(False))
    return {field.key: field for field in session.scalars(found.order_by(CustomField.key))}


def labels_of(session: Session, subject_kind: str, locale: str) -> dict[str, str]:
    """Return what the fields of a kind of subject are called in a language, by ``custom.<key>``; retired ones, too."""
    found = fields_of(session, subject_kind, retired=True)
    return {f"custom.{key}": field.label_en if locale == EN else field.label_zh for key, field in found.items()}
