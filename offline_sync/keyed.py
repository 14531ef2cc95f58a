"""Columns of JSON text whose keys are edited one by one, as if each were a field: ``custom`` is ``custom.grade`` and so on.

A phone's library knows only that the column changed. So an app lists the keys its person edited under ``_changed`` in the same
text, where the library keeps them together with the values until they are sent. Values in, values out; knows no database.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.core import wire
from app.core.errors import FieldsInvalid
from app.custom_fields.values import KEY, MOST_VALUES
from offline_sync.merge import Sent, digest

CHANGED = "_changed"
_LIMITS = wire.Limits(size=100_000, depth=3, values=500)


def read(text: Any, column: str) -> tuple[dict[str, Any], frozenset[str] | None]:
    """Return the values in a column's text, and the keys its phone says were edited; None where it does not say.

    Raises:
        FieldsInvalid: by the column.
    """
    if text in (None, ""):
        return {}, None
    if not isinstance(text, str):
        raise FieldsInvalid({column: ["not_text"]})
    try:
        found = wire.parse_json(text.encode(), _LIMITS)
    except wire.WireError as fault:
        raise FieldsInvalid({column: ["too_large" if fault.reason == "too_large" else "invalid"]}) from None
    if not isinstance(found, dict):
        raise FieldsInvalid({column: ["not_object"]})
    changed = found.pop(CHANGED, None)
    if len(found) > MOST_VALUES:
        raise FieldsInvalid({column: ["too_many"]})
    if not all(KEY.fullmatch(key) for key in found):
        raise FieldsInvalid({column: ["unknown"]})
    if changed is not None and not (isinstance(changed, list) and all(isinstance(key, str) for key in changed)):
        raise FieldsInvalid({column: ["not_list"]})
    return found, None if changed is None else frozenset(changed)


def spread(
    columns: Collection[str], present: Mapping[str, Any], sent: Sent, others: Collection[str] | None
) -> tuple[dict[str, Any], Sent, set[str]]:
    """Take columns apart into their keys.

    Args:
        columns: the columns, by their wire names.
        present: the row on the wire.
        sent: what a phone says of it.
        others: fields, and keys as ``column.key``, that somebody else changed unseen by the phone; None: all.

    Returns:
        The row and what was sent, with ``column.key`` in place of the column; and the keys in which the server's value is kept
        if both sides changed them, because nothing tells whether the phone did.

    Raises:
        FieldsInvalid: for a text that cannot be read.
    """
    row, values, last = dict(present), dict(sent.values), dict(sent.last)
    claimed = None if sent.claimed is None else set(sent.claimed)
    base = None if sent.base is None else dict(sent.base)
    doubtful: set[str] = set()
    for column in columns:
        held, _ = read(row.pop(column, None), column)
        row |= {f"{column}.{key}": value for key, value in held.items()}
        if column not in values:
            continue
        text = values.pop(column)
        found, changed = read(text, column)
        known = {} if base is None else read(base.pop(column, None), column)[0]
        repeated = last.get(column) == digest(text)
        for key, value in found.items():
            name = f"{column}.{key}"
            row.setdefault(name, None)
            values[name] = value
            if repeated:
                last[name] = digest(value)
            if base is not None:
                base[name] = known.get(key)
            elif changed is None and (others is None or name in others):
                doubtful.add(name)
        told = found.keys() if changed is None else found.keys() & changed
        if claimed is not None and column in claimed:
            claimed |= {f"{column}.{key}" for key in told}
        if claimed is None and base is None and changed is not None:
            values = {name: value for name, value in values.items() if not _beside(name, column, told)}
    return row, replace(sent, values=values, claimed=claimed, base=base, last=last), doubtful


def _beside(name: str, column: str, told: Collection[str]) -> bool:
    return name.startswith(f"{column}.") and name.removeprefix(f"{column}.") not in told


def split(columns: Collection[str], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields of a row with ``column.key`` in place of the columns; of a text nobody can read, nothing."""
    found = {name: value for name, value in values.items() if name not in columns}
    for column in columns:
        with suppress(FieldsInvalid):
            found |= {f"{column}.{key}": value for key, value in read(values.get(column), column)[0].items()}
    return found


def digests(columns: Collection[str], values: Mapping[str, Any]) -> dict[str, str]:
    """Return, by ``column.key``, digests of the values in the columns of what a phone sent; of a text nobody can read, none."""
    keys = split(columns, {column: values.get(column) for column in columns})
    return {name: digest(value) for name, value in keys.items()}


def gather(values: Mapping[str, Any]) -> dict[str, Any]:
    """Put keys together again: ``{"custom.grade": "A"}`` becomes ``{"custom": {"grade": "A"}}``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        column, dot, key = name.partition(".")
        if dot:
            found.setdefault(column, {})[key] = value
        else:
            found[name] = value
    return found


def text_of(values: Mapping[str, Any]) -> str:
    """Return a column's text as phones get it."""
    return json.dumps(values, ensure_ascii=False, sort_keys=True)
