"""How complete a customer is. Pure: what is there and what counts in, a score and the gaps out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

# What may count, beside ``custom.<key>``: ``site``, one live site at least; ``owner_id``, a rep in charge.
COUNTED = ("name", "phone", "email", "credit_code", "owner_id", "site")
DEFAULT: tuple[Mapping[str, Any], ...] = (
    {"field": "name", "weight": 30},
    {"field": "phone", "weight": 30},
    {"field": "site", "weight": 20},
    {"field": "email", "weight": 10},
    {"field": "owner_id", "weight": 10},
)
# Below this score a customer gets a repair task.
DEFAULT_LEAST = 80


def completeness(present: Collection[str], counted: Sequence[Mapping[str, Any]]) -> tuple[int, list[str]]:
    """Return a score of 0 to 100 and the missing fields, the weightiest first.

    The score is the weight of what is there over that of all that counts, rounded down: 100 means that nothing is missing.
    """
    whole = sum(one["weight"] for one in counted)
    missing = sorted((one for one in counted if one["field"] not in present), key=lambda one: (-one["weight"], one["field"]))
    left = whole - sum(one["weight"] for one in missing)
    return (left * 100 // whole if whole else 100), [one["field"] for one in missing]
