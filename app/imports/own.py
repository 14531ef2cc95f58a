"""Columns of a file that are the company's own fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.core.wire import fold
from app.custom_fields.models import CustomField
from app.custom_fields.queries import fields_of
from app.custom_fields.values import checked_value, read_cell
from app.imports.spreadsheets import Cell

PREFIX = "custom."


def own_fields(session: Session, subject: str) -> dict[str, CustomField]:
    """Return the company's own fields of a kind of subject that take new values, as mappings name them: ``custom.<key>``."""
    return {f"{PREFIX}{key}": field for key, field in fields_of(session, subject).items()}


def own_names(session: Session, subject: str) -> dict[str, tuple[str, ...]]:
    """Return what columns of the company's own fields are called: their labels, their keys, and as mappings name them."""
    return {name: (field.label_zh, field.label_en, field.key, name) for name, field in own_fields(session, subject).items()}


def value_in(field: CustomField, cell: Cell) -> Any:
    """Return what a cell says of a field; of a choice its code or one of its labels may be there.

    Raises:
        ValidationError: with the code of what is wrong.
    """
    if isinstance(cell, str):
        cell = read_cell(field, _code_of(field.choices, cell) if field.kind == "choice" else cell)
    elif not isinstance(cell, bool) and field.kind in {"text", "choice"}:
        cell = str(cell)
    return checked_value(field, cell)


def _code_of(choices: list[dict[str, str]], cell: str) -> str:
    """Return the code whose label a cell is; a code, and what is neither, as it is."""
    if any(choice["code"] == cell for choice in choices):
        return cell
    asked = fold(cell)
    return next((one["code"] for one in choices if asked in {fold(one["label_zh"]), fold(one["label_en"])}), cell)


def differing(values: Mapping[str, Any], present: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by key that are others than those present; true is not 1."""
    return {key: value for key, value in values.items() if (type(value), value) != (type(present.get(key)), present.get(key))}
