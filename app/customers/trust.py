"""Which of several things said about one field survives, and how far it is to be trusted. Pure: facts in, one of them out.

The order in which facts arrive decides nothing: every answer here is a function of the set of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import prod
from typing import Any

SOURCE_KINDS = ("owner_portal", "rep", "office", "erp", "device", "import")
# Who decides for themselves; the others are machines and files.
PEOPLE = frozenset({"owner_portal", "rep", "office"})


@dataclass(frozen=True)
class Said:
    """One source's word on one field.

    Attributes:
        id: of the fact.
        value: what was said; None: that there is nothing.
        kind, ref: who said it; two facts of one kind and ref come from one source.
        said_at: when it was said, by whoever said it.
        pinned: somebody chose it over the others.
        aside: it came with another customer that was merged into this one.
    """

    id: str
    value: Any
    kind: str
    ref: str
    said_at: datetime
    pinned: bool = False
    aside: bool = False

    @property
    def source(self) -> tuple[str, str]:
        """Whoever says something new takes back what they said before."""
        return self.kind, self.ref

    @property
    def text(self) -> str:
        """The value, so that values can be compared and ordered."""
        return json.dumps(self.value, ensure_ascii=False, sort_keys=True)


@dataclass(frozen=True)
class Rule:
    """How a field is decided.

    Attributes:
        order: kinds of sources, best first; those of one tier are equals. A kind that is not named comes last.
        reliability: by kind, the chance that such a source is right on the day it speaks, 0 to 1.
        half_life_days: after so many days half of a source's reliability is left.
    """

    order: tuple[frozenset[str], ...] = (
        frozenset({"owner_portal"}),
        frozenset({"rep", "office"}),
        frozenset({"erp"}),
        frozenset({"device"}),
        frozenset({"import"}),
    )
    reliability: Mapping[str, float] = field(
        default_factory=lambda: {"owner_portal": 0.9, "rep": 0.8, "office": 0.75, "erp": 0.6, "device": 0.5, "import": 0.4}
    )
    half_life_days: float = 365.0

    def tier(self, kind: str) -> int:
        """Return the place of a kind of source, 0 the best."""
        return next((n for n, kinds in enumerate(self.order) if kind in kinds), len(self.order))


DEFAULT = Rule()
_SHORTEST_HALF_LIFE_DAYS = 30.0


def standing(facts: Iterable[Said]) -> list[Said]:
    """Return the newest word of each source; of two of one instant the one whose text is greater."""
    newest: dict[tuple[tuple[str, str], bool], Said] = {}
    for said in facts:
        key = (said.source, said.aside)
        known = newest.get(key)
        if known is None or (said.said_at, said.pinned, said.text, said.id) > (known.said_at, known.pinned, known.text, known.id):
            newest[key] = said
    return sorted(newest.values(), key=lambda said: said.id)


def ranked(facts: Iterable[Said], rule: Rule = DEFAULT) -> list[Said]:
    """Return what stands, the survivor first.

    1. What was said of this customer comes before what came with one that was merged into it.
    2. What somebody chose stands above everything that had been said by then, and above what machines and files say later.
    3. Then the better kind of source, then the newest, then what more other sources say, too.
    """
    present = standing(facts)
    own = [said for said in present if not said.aside]
    chosen = max((said for said in own if said.pinned), key=lambda said: (said.said_at, said.text, said.id), default=None)
    agreeing = {said.id: _agreeing(said, present) for said in present}

    def place(said: Said) -> tuple[Any, ...]:
        beaten = chosen is not None and said is not chosen and (said.kind not in PEOPLE or said.said_at <= chosen.said_at)
        newest = -said.said_at.timestamp()
        return said.aside, beaten, rule.tier(said.kind), newest, -agreeing[said.id], said.text, said.id

    return sorted(present, key=place)


def _agreeing(said: Said, present: Sequence[Said]) -> int:
    return len({other.source for other in present if other.source != said.source and other.text == said.text})


def trust(facts: Iterable[Said], rule: Rule, at: datetime) -> dict[str, int]:
    """Return how far each standing word is to be trusted, 0 to 100, by its fact's id.

    A source of reliability r that spoke t days ago counts r' = r * 2^(-t / h). Sources that say the same are taken as independent
    witnesses: together they are right with 1 - (1 - r1')(1 - r2')...; each that says otherwise takes away half of its own r'.
    h is the rule's half-life, or the mean time between changes of this field where that is shorter (30 days at least): what
    changes often is out of date soon.

    Source: the noisy-or of Pearl, Probabilistic Reasoning in Intelligent Systems, 1988, 4.3.2; the halving is ours.
    """
    told = list(facts)
    present = standing(told)
    half_life = _half_life(told, rule)
    left = {
        said.id: rule.reliability.get(said.kind, 0.3) * 2 ** (-max((at - said.said_at) / timedelta(days=1), 0) / half_life)
        for said in present
    }

    def score(said: Said) -> int:
        with_it: dict[tuple[str, str], float] = {}
        against: dict[tuple[str, str], float] = {}
        for other in present:
            side = with_it if other.text == said.text else against
            side[other.source] = max(side.get(other.source, 0.0), left[other.id])
        witnesses = 1 - prod(1 - weight for weight in with_it.values())
        doubt = prod(1 - weight / 2 for source, weight in against.items() if source not in with_it)
        return round(100 * witnesses * doubt)

    return {said.id: score(said) for said in present}


def _half_life(facts: Sequence[Said], rule: Rule) -> float:
    """Return the days after which half of a word's weight is left."""
    ordered = sorted(facts, key=lambda said: (said.said_at, said.text, said.id))
    changes = [later.said_at for sooner, later in pairwise(ordered) if later.text != sooner.text]
    if not changes or len(ordered) < 3:
        return rule.half_life_days
    mean = (ordered[-1].said_at - ordered[0].said_at) / timedelta(days=1) / len(changes)
    return min(rule.half_life_days, max(mean, _SHORTEST_HALF_LIFE_DAYS))
