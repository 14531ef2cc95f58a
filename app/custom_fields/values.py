"""What a value of a company's own field may be. Pure: a definition and a value in, the value as it is kept out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import marshmallow.fields
from marshmallow import ValidationError

from app.core import fields
from app.custom_fields.models import LONGEST_KEY

LONGEST_TEXT = 500
# Of one row.
MOST_VALUES = 100
KEY = re.compile(rf"[a-z][a-z0-9_]{{0,{LONGEST_KEY - 1}}}")
_FLAGS = {"yes": True, "true": True, "1": True, "是": True, "no": False, "false": False, "0": False, "否": False}
_NUMBER = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")


class Definition(Protocol):
    """What of a field its values are held against."""

    @property
    def kind(self) -> str:
        """One of ``FIELD_KINDS``."""

    @property
    def choices(self) -> list[dict[str, str]]:
        """Of the kind ``choice``: each with its ``code``."""


def checked_value(field: Definition, value: Any) -> Any:
    """Return a value as it is kept: a number without a fraction whole, a phone number in E.164, a day as text.

    Raises:
        ValidationError: with the code of what is wrong.
    """
    if value is None:
        return None
    if field.kind == "choice":
        return fields.OneOf(*(choice["code"] for choice in field.choices)).deserialize(value)
    found = _KINDS[field.kind]().deserialize(value)
    if field.kind == "number":
        return int(found) if found.is_integer() and abs(found) <= 2**53 else found
    if field.kind == "day":
        return found.isoformat()
    return None if found == "" else found  # a flag that is false says something


def read_cell(field: Definition, cell: str) -> Any:
    """Return what a cell of a file says of a field; what cannot be read as it is, for ``checked_value`` to refuse."""
    if field.kind == "number":
        return float(cell) if _NUMBER.fullmatch(cell) else cell
    if field.kind == "flag":
        return _FLAGS.get(cell.casefold(), cell)
    return cell


_KINDS: Mapping[str, Callable[[], Any]] = {
    "text": lambda: fields.Text(LONGEST_TEXT),
    "number": lambda: fields.Real(),
    "flag": fields.Flag,
    "day": fields.Day,
    "phone": lambda: fields.Phone(),
}


class CustomValues(marshmallow.fields.Field[dict[str, Any]]):
    """Values by key: those named are written, null takes one away, the others stay. The verb knows which keys there are."""

    default_error_messages = {"required": "required", "null": "null", "validator_failed": "invalid"}

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": "object", "maxProperties": MOST_VALUES, "additionalProperties": True}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("not_object")
        if len(value) > MOST_VALUES:
            raise ValidationError("too_many")
        for key, inner in value.items():
            if not KEY.fullmatch(key):
                raise ValidationError("unknown")
            if inner is not None and not isinstance(inner, str | int | float | bool):
                raise ValidationError("not_scalar")
        return dict(value)
