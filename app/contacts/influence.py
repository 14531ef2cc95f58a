"""Who of a customer's people has influence: personalised PageRank over the relations that are known. Values in, values out.

Source of the formula: Page, Brin, Motwani, Winograd, "The PageRank Citation Ranking: Bringing Order to the Web" (1999), section
6, with the weights of roles as the personalisation: s = (1 - d) p + d W s. p: the weights of the roles, scaled to 1. W: of what
a contact has, each relation passes on the part that its weight has in all that lead away from them; who passes nothing on
gives it back in the proportions of p. d = 0.5 and not the 0.85 of the web: half comes from the role that the business has
weighed, half from the relations, so that a score stays near what a person can follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAMPING = 0.5
_STEPS = 60  # 0.5 to the 60th is below what a float tells apart


@dataclass(frozen=True)
class Edge:
    """Influence is lent by ``giver`` to ``taker``: who reports to somebody lends it to them. ``relation``: its id."""

    giver: str
    taker: str
    weight: float
    relation: str


@dataclass(frozen=True)
class Part:
    """What a relation adds to a score, in points."""

    giver: str
    relation: str
    points: float


@dataclass(frozen=True)
class Score:
    """Influence of one contact: of all the customer's people together 100 points.

    Attributes:
        points: all of it.
        by_role: what comes from their own role.
        by_relations: what each relation lends them, the most first.
        shared_out: what people without relations of their own give back to all, by the weights of roles.
    """

    points: float
    by_role: float
    by_relations: tuple[Part, ...]
    shared_out: float


def scores(weights: Mapping[str, float], edges: Sequence[Edge]) -> dict[str, Score]:
    """Return the score of each contact.

    Args:
        weights: of the role of each contact; 0 where they have none.
        edges: between these contacts; of the others and of weights of 0 nothing is taken.
    """
    if not weights:
        return {}
    used = [edge for edge in edges if edge.weight > 0 and edge.giver in weights and edge.taker in weights]
    lent = dict.fromkeys(weights, 0.0)
    for edge in used:
        lent[edge.giver] += edge.weight
    total = sum(weights.values())
    own = {name: weight / total if total else 1 / len(weights) for name, weight in weights.items()}
    present = dict(own)
    for _ in range(_STEPS):
        idle = sum(share for name, share in present.items() if not lent[name])
        following = {name: (1 - DAMPING + DAMPING * idle) * own[name] for name in weights}
        for edge in used:
            following[edge.taker] += DAMPING * present[edge.giver] * edge.weight / lent[edge.giver]
        present = following
    return _explained(own, present, used, lent)


def _explained(
    own: Mapping[str, float], present: Mapping[str, float], edges: Sequence[Edge], lent: Mapping[str, float]
) -> dict[str, Score]:
    """Return the scores with what they are made of."""
    idle = sum(share for name, share in present.items() if not lent[name])
    parts: dict[str, list[Part]] = {name: [] for name in present}
    for edge in edges:
        points = 100 * DAMPING * present[edge.giver] * edge.weight / lent[edge.giver]
        parts[edge.taker].append(Part(edge.giver, edge.relation, points))
    return {
        name: Score(
            100 * share,
            100 * (1 - DAMPING) * own[name],
            tuple(sorted(parts[name], key=lambda part: (-part.points, part.relation))),
            100 * DAMPING * idle * own[name],
        )
        for name, share in present.items()
    }
