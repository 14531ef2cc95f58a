"""A lead's score: weighted conditions of a document that the office writes. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from app.core.locales import colon
from app.custom_fields.values import Definition
from app.leads.completeness import completeness_of
from app.leads.conditions import OWN, Condition, check_own, holds, in_words

LEAST, MOST = 0, 100
_MOST_CONDITIONS, _MOST_COUNTED, _HEAVIEST = 60, 50, 100
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


class Counted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field of the company's own that counts for completeness, beside the product's fields, which weigh 100 together."""

    field: str
    weight: int


class ScoreDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Points everybody has, and conditions; the sum is kept between 0 and 100. ``completeness``: own fields that count for it."""

    conditions: list[Weighed]
    base: int = 0
    completeness: list[Counted] = []

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
        if len(self.completeness) > _MOST_COUNTED or len(self.weights) != len(self.completeness):
            raise ValueError(f"completeness: at most {_MOST_COUNTED} fields, each once")
        for counted in self.completeness:
            if not counted.field.startswith(OWN) or not 1 <= counted.weight <= _HEAVIEST:
                raise ValueError(f"completeness: {counted.field!r} is no custom.<key> with a weight from 1 to {_HEAVIEST}")

    @property
    def weights(self) -> dict[str, int]:
        """What each own field weighs that counts for completeness, by ``custom.<key>``."""
        return {one.field: one.weight for one in self.completeness}

    def check_own(self, own: Mapping[str, Definition], everywhere: Collection[str]) -> None:
        """Refuse what names fields of the company's own that leads do not have.

        Args:
            own: the fields that some of the leads concerned have, by ``custom.<key>``.
            everywhere: those that all of them have; only these count for completeness.

        Raises:
            ValueError: saying what is wrong.
        """
        for one in self.conditions:
            check_own(one, own)
        for counted in self.completeness:
            if counted.field not in everywhere:
                raise ValueError(f"completeness: not all leads concerned have {counted.field!r}; it is added first")


class Score(NamedTuple):
    """A score from 0 to 100, and the conditions that hold, as they are stored; completeness in per cent, and what is missing."""

    points: int
    reasons: list[dict[str, Any]]
    completeness: int
    missing: list[str]


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
        facts: the lead's fields by name; ``custom`` holds the company's own. How complete it is follows from them.
    """
    complete, missing = completeness_of(facts, document.weights)
    facts = dict(facts) | {"completeness": complete}
    held = [one for one in document.conditions if holds(one, facts)]
    total = document.base + sum(one.points for one in held)
    reasons = [{"field": one.field, "comparison": one.comparison, "value": one.value, "points": one.points} for one in held]
    return Score(max(LEAST, min(MOST, total)), reasons, complete, missing)


def told(reasons: Sequence[Mapping[str, Any]], locale: str, names: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Return reasons with a sentence each in the reader's language."""
    return [
        dict(reason) | {"text": f"{in_words(reason, locale, names)}{colon(locale)}{reason['points']:+d}"} for reason in reasons
    ]
