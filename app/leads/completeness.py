"""How much of a lead is known, in per cent, and what is missing. It refuses nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.leads.conditions import value_of

# A field's share. The three that a lead cannot be without are worth half.
_SHARES = {
    "name": 15,
    "phone": 20,
    "interest": 15,
    "company": 10,
    "territory_id": 10,
    "budget": 10,
    "email": 8,
    "address": 7,
    "source": 5,
}


def completeness_of(facts: Mapping[str, Any], own: Mapping[str, int]) -> tuple[int, list[str]]:
    """Return how complete a lead is in per cent, rounded down, and the fields that are missing, the weightiest first.

    Args:
        facts: the lead's fields by name; ``custom`` holds those of the company's own.
        own: the weight of each of these that counts, by ``custom.<key>``; the others weigh 100 together.
    """
    weights = _SHARES | dict(own)
    missing = sorted((name for name in weights if value_of(name, facts) is None), key=lambda name: -weights[name])
    whole = sum(weights.values())
    return 100 * (whole - sum(weights[name] for name in missing)) // whole, missing
