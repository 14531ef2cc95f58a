"""The fields of a lead that a form may fill, and what each can hold. Pure: what the office added is handed in."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError

from app.custom_fields.models import CustomField
from app.custom_fields.values import checked_value, read_cell
from app.lead_forms.budgets import amount_of, read_budget
from app.leads.schemas import LeadSchema

NEEDED = ("name", "phone", "interest")
# Text that goes beside the interest, with the name of its form field before it.
NOTE = "note"
CUSTOM = "custom."
OWN = (*NEEDED, "company", "email", "address", "territory_id", "source", "budget")
# Several fields of the form may fill these; the texts stand one after the other.
JOINED = frozenset({"name", "address", "interest", NOTE})
LONGEST_INTEREST = 500
_HELD = LeadSchema().fields


@dataclass(frozen=True)
class Targets:
    """What may be filled. ``custom``: the office's own fields of leads, by key; ``territories``: ids of those there are."""

    territories: frozenset[str] = frozenset()
    custom: Mapping[str, CustomField] = field(default_factory=dict)

    def has(self, target: str) -> bool:
        """Tell whether there is such a field."""
        if target.startswith(CUSTOM):
            return target.removeprefix(CUSTOM) in self.custom
        return target in OWN or target == NOTE

    def value(self, target: str, text: str) -> Any:
        """Return what the lead gets for a text that is written as the lead holds it.

        Raises:
            ValidationError: with the code of what is wrong.
        """
        if target.startswith(CUSTOM):
            definition = self.custom[target.removeprefix(CUSTOM)]
            return checked_value(definition, read_cell(definition, text))
        if target in {NOTE, "interest"}:
            return text
        found = _HELD[target].deserialize(text)
        if target == "territory_id" and found not in self.territories:
            raise ValidationError("unknown_reference")
        return found

    def read(self, target: str, text: str, budget: str) -> Any:
        """As ``value``, of a text that people wrote or chose: a budget may be a range, of which ``budget`` says what counts."""
        if target != "budget":
            return self.value(target, text)
        bounds = read_budget(text)
        if bounds is None:
            raise ValidationError("budget_unreadable")
        return amount_of(bounds, budget)


def tidy(text: str) -> str:
    """Return a text as one line without control characters: forms send what was typed into boxes of several lines."""
    return " ".join("".join(sign for sign in line if unicodedata.category(sign) != "Cc") for line in text.split()).strip()
