"""How much of a lead is known, in per cent, and what is missing. It refuses nothing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def completeness_of(facts: Mapping[str, Any]) -> tuple[int, list[str]]:
    """Return how complete a lead is in per cent, and the fields that are missing, the weightiest first."""
    missing = [name for name in _SHARES if facts.get(name) in (None, "")]
    return sum(_SHARES.values()) - sum(_SHARES[name] for name in missing), missing
