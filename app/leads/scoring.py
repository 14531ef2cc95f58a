"""A lead's score: weighted conditions of a document that the office writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from app.core.locales import EN
from app.leads.conditions import Condition, holds, in_words

LEAST, MOST = 0, 100
_MOST_CONDITIONS = 60
# What says something of a lead before anybody wrote a document: known fields, and a budget.
DEFAULT: dict[str, Any] = {
    "base": 20,
    "conditions": [
        {"field": "budget", "comparison": "filled", "points": 20},
        {"field": "company", "comparison": "filled", "points": 15},
        {"field": "territory_id", "comparison": "filled", "points": 10},
        {"field": "email", "comparison": "filled", "points": 10},
        {"field": "address", "comparison": "filled", "points": 10},
        {"field": "source", "comparison": "filled", "points": 5},
    ],
}


class Weighed(Condition, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition with the points it gives, or takes, while it holds."""

    points: int


class ScoreDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points everybody has, and conditions; the sum is kept between 0 and 100."""

    conditions: list[Weighed]
    base: int = 0

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: saying what is wrong.
        """
        if len(self.conditions) > _MOST_CONDITIONS:
            raise ValueError(f"at most {_MOST_CONDITIONS} conditions")
        if not LEAST <= self.base <= MOST:
            raise ValueError(f"base: from {LEAST} to {MOST}")
        for one in self.conditions:
            one.check()
            if not -MOST <= one.points <= MOST or one.points == 0:
                raise ValueError(f"{one.field}: points from -{MOST} to {MOST}, and not 0")


class Score(NamedTuple):
    """A score from 0 to 100, and the conditions that hold, as they are stored."""

    points: int
    reasons: list[dict[str, Any]]


def read_score(raw: Mapping[str, Any]) -> ScoreDocument:
    """Read and check a document.

    Raises:
        ValueError: saying what is wrong and where.
    """
    try:
        document = msgspec.convert(raw, ScoreDocument)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None
    document.check()
    return document


def score_of(document: ScoreDocument, facts: Mapping[str, Any]) -> Score:
    """Score a lead.

    Args:
        document: what counts.
        facts: the lead's fields by name; ``custom`` holds the further ones.
    """
    held = [one for one in document.conditions if holds(one, facts)]
    total = document.base + sum(one.points for one in held)
    reasons = [{"field": one.field, "comparison": one.comparison, "value": one.value, "points": one.points} for one in held]
    return Score(max(LEAST, min(MOST, total)), reasons)


def told(reasons: Sequence[Mapping[str, Any]], locale: str, names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return reasons with a sentence each in the reader's language."""
    colon = ": " if locale == EN else "："
    return [dict(reason) | {"text": f"{in_words(reason, locale, names)}{colon}{reason['points']:+d}"} for reason in reasons]
