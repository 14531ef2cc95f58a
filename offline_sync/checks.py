"""Rows as phones send them, held against the schemas of the verbs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from marshmallow import Schema, ValidationError

from app.core import wire
from app.core.errors import FieldsInvalid
from app.core.problems import flatten_errors
from offline_sync.collections.base import to_wire
from offline_sync.sent import Arrival
from offline_sync.writers import Writer

# Of one row.
ROW_LIMITS = wire.Limits(values=500)


def is_sound(arrival: Arrival) -> bool:
    """Tell whether a row has an id, and values that can be stored everywhere."""
    try:
        wire.check_id(arrival.row_id)
        wire.check_value(dict(arrival.values), ROW_LIMITS)
    except wire.WireError:
        return False
    return True


def checked(schema: type[Schema], values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return values as a verb takes them.

    Args:
        path: the field they are all inside of.

    Raises:
        FieldsInvalid: with what is wrong with each field, by its place.
    """
    try:
        return dict(_instance(schema).load(dict(values)))
    except ValidationError as fault:
        raise FieldsInvalid(flatten_errors(fault.messages, path)) from None


def new_values(writer: Writer, arrival: Arrival, row_id: str) -> dict[str, Any]:
    """Return what a new row is made of, as ``checked``: only fields that phones may set, and of these not the empty ones."""
    values = {name: arrival.values[name] for name in writer.made_of if arrival.values.get(name) not in (None, "")}
    return checked(writer.new, values | {"id": row_id})


def comes_to(writer: Writer, name: str, value: Any, present: Any) -> bool:
    """Tell whether a value, stored, would be the present one: blanks at its ends, for one, do not make it another."""
    if value == present:
        return True
    try:
        [found] = checked(writer.edit, {name: value}).values()
    except (FieldsInvalid, ValueError):
        return False
    return bool(to_wire(found) == present)


@cache
def _instance(schema: type[Schema]) -> Schema:
    """Return the one instance of a schema: making one costs more than checking a row."""
    return schema()
