"""Which sites a plan visits: conditions over their customers, with the company's own fields, and the assets that stand there.

All of them must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, String, cast, select

from app.assets.models import Asset
from app.custom_fields.values import KEY
from app.customers.models import Customer, Site

Condition = Callable[[Sequence[str]], ColumnElement[bool]]


def _has_model(models: Sequence[str]) -> ColumnElement[bool]:
    there = select(Asset.site_id).where(Asset.deleted_at.is_(None), Asset.model.in_(models))
    return Site.id.in_(there)


FIELDS: dict[str, Condition] = {
    "territory_id": lambda values: Customer.territory_id.in_(values),
    "owner_id": lambda values: Customer.owner_id.in_(values),
    "customer_id": lambda values: Customer.id.in_(values),
    "asset_model": _has_model,
}
_CUSTOM = re.compile(rf"custom\.({KEY.pattern})")
_FLAGS = {"true": "1", "false": "0"}


def _has_value(key: str, values: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that a field of the company's own has one of some values, as ``written`` writes them."""
    # A flag is a word in PostgreSQL and a number in SQLite.
    wanted = [one for value in values for one in ((value, _FLAGS[value]) if value in _FLAGS else (value,))]
    return cast(Customer.custom[key].as_string(), String).in_(wanted)


def written(value: Any) -> str:
    """Return a value of a company's own field as conditions have it: ``true``, ``12``, ``2.5``, ``2026-03-02``, a text, a code.

    Raises:
        ValueError: a number that takes an exponent to write, which the databases write each in their own way.
    """
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, float) and "e" in text:
        raise ValueError(text)
    return text


def key_of(field: str) -> str | None:
    """Return the key of a company's own field, named ``custom.<key>``; None for what the product has itself."""
    found = _CUSTOM.fullmatch(field)
    return found[1] if found else None


def _holds(condition: Mapping[str, Any]) -> ColumnElement[bool]:
    key = key_of(condition["field"])
    return FIELDS[condition["field"]](condition["any_of"]) if key is None else _has_value(key, condition["any_of"])


def sites_of(conditions: Sequence[Mapping[str, Any]]) -> Select[Site]:
    """Return the live sites that all of some conditions hold for.

    Args:
        conditions: each with ``field`` and ``any_of``, of which values one must be there.
    """
    live = select(Site).join(Customer).where(Site.deleted_at.is_(None), Customer.deleted_at.is_(None))
    return live.where(*(_holds(one) for one in conditions))
