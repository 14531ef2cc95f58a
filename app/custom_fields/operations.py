"""Verbs on the company's own fields, and the one check of their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import ChangeCounter
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch
from app.custom_fields import queries
from app.custom_fields.models import MOST_FIELDS, CustomField
from app.custom_fields.values import checked_value
from app.territories import queries as territories
from app.territories.models import Territory
from app.users.rights import Actor


def add_field(session: Session, actor: Actor, values: Mapping[str, Any]) -> CustomField:
    """Add a field to a kind of subject.

    Args:
        values: ``subject_kind``, ``key``, ``kind``, ``label_zh``, ``label_en``, and optionally ``choices`` and ``territory_id``.

    Raises:
        FieldsInvalid: ``already_exists`` (key), ``unknown_reference`` (territory_id), ``required`` or ``unknown`` (choices).
        Conflict: ``fields_full`` when there are ``MOST_FIELDS`` already.
    """
    _one_at_a_time(session)
    if session.scalar(_same(values).limit(1)) is not None:
        raise FieldsInvalid({"key": ["already_exists"]})
    _check_room(session, values["subject_kind"])
    _check_territory(session, actor, values.get("territory_id"))
    _check_choices(values["kind"], values.get("choices", []))
    row = add(session, CustomField(**({"choices": [], "retired": False} | dict(values))))
    record(session, "custom_field.added", Subject("custom_field", row.id), actor_id=actor.id, key=row.key, label=row.label_en)
    return row


def _same(values: Mapping[str, Any]) -> Any:
    same = (CustomField.subject_kind == values["subject_kind"], CustomField.key == values["key"])
    return select(CustomField.id).where(*same)


def _one_at_a_time(session: Session) -> None:
    """Let whoever else adds or revives a field wait, so that neither the key nor the bound is taken by two."""
    session.execute(select(ChangeCounter.n).where(ChangeCounter.id == 1).with_for_update())


def _check_room(session: Session, subject_kind: str) -> None:
    live = (CustomField.subject_kind == subject_kind, CustomField.retired.is_(False), CustomField.deleted_at.is_(None))
    if (session.scalar(select(func.count()).select_from(CustomField).where(*live)) or 0) >= MOST_FIELDS:
        raise Conflict("fields_full", most=MOST_FIELDS)


def _check_territory(session: Session, actor: Actor, territory_id: str | None) -> None:
    if territory_id and session.scalar(territories.visible_to(actor).where(Territory.id == territory_id)) is None:
        raise FieldsInvalid({"territory_id": ["unknown_reference"]})


def _check_choices(kind: str, choices: list[dict[str, str]]) -> None:
    if kind != "choice":
        if choices:
            raise FieldsInvalid({"choices": ["unknown"]})
        return
    codes = [choice["code"] for choice in choices]
    if not codes:
        raise FieldsInvalid({"choices": ["required"]})
    if len(set(codes)) != len(codes):
        raise FieldsInvalid({"choices": ["duplicate"]})


def edit_field(session: Session, actor: Actor, field: CustomField, changes: Mapping[str, Any]) -> CustomField:
    """Change a field's labels, choices or territory, or retire it. Values that are there stay as they are.

    Raises:
        FieldsInvalid: ``unknown_reference`` (territory_id), ``required``, ``duplicate`` or ``unknown`` (choices).
        Conflict: ``fields_full`` when a retired one is to come back and there is no room.
    """
    if "territory_id" in changes:
        _check_territory(session, actor, changes["territory_id"])
    if "choices" in changes:
        _check_choices(field.kind, changes["choices"])
    if field.retired and changes.get("retired") is False:
        _one_at_a_time(session)
        _check_room(session, field.subject_kind)
    for name, value in changes.items():
        setattr(field, name, value)
    touch(session, field)
    about = Subject("custom_field", field.id)
    before = last_entry(session, about)
    record(session, "custom_field.changed", about, causes=[before], actor_id=actor.id, key=field.key, fields=sorted(changes))
    return field


def same_value(one: Any, other: Any) -> bool:
    """Tell whether two values are one; true is not 1."""
    return type(one) is type(other) and bool(one == other)


def checked_values(
    session: Session, subject_kind: str, territory_id: str | None, values: Mapping[str, Any], present: Mapping[str, Any]
) -> dict[str, Any]:
    """Return values by key as they are kept; a key whose field is retired may be taken away, and be told as it is.

    Args:
        territory_id: of the row that has the values; None: of no territory, it has the fields of everybody alone.
        present: what it has now.

    Raises:
        FieldsInvalid: by ``custom.<key>``, with ``unknown`` for a field that rows there do not have.
    """
    if not values:
        return {}
    known = queries.fields_of(session, subject_kind, retired=True)
    kept: dict[str, Any] = {}
    faults: dict[str, list[str]] = {}
    for key, value in values.items():
        field = known.get(key)
        there = field is not None and not field.retired and field.territory_id in (None, territory_id)
        if value is None or (key in present and same_value(present[key], value)):
            if field is None:
                faults[f"custom.{key}"] = ["unknown"]
            kept[key] = value
        elif field is None or not there:
            faults[f"custom.{key}"] = ["unknown"]
        else:
            try:
                kept[key] = checked_value(field, value)
            except ValidationError as fault:
                faults[f"custom.{key}"] = [str(code) for code in fault.messages]
    if faults:
        raise FieldsInvalid(faults)
    return kept
