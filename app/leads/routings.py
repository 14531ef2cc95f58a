"""The ordered rules by which a new lead finds its rep, as a document that the office writes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from app.core.wire import ID_PATTERN
from app.leads.conditions import Condition, holds

_MOST_RULES, _MOST_CONDITIONS, _MOST_REPS = 100, 20, 200


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule: where all conditions hold, exactly one of the four ways is taken.

    Attributes:
        code: its name; a turn goes on where it was when a later version keeps the code.
        conditions: all must hold; none: it always holds.
        rep: this rep.
        turn: these reps, one after the other.
        in_charge: the reps who work in the lead's territory, one after the other.
        pool: nobody; whoever wants it claims it.
    """

    code: str
    conditions: list[Condition] = []
    rep: str | None = None
    turn: list[str] = []
    in_charge: bool = False
    pool: bool = False

    @property
    def reps(self) -> list[str]:
        """The reps it names."""
        return [self.rep] if self.rep else list(self.turn)

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: saying what is wrong.
        """
        if not 1 <= len(self.code) <= 40 or not self.code.isprintable():
            raise ValueError("code: from 1 to 40 characters")
        if sum((self.rep is not None, bool(self.turn), self.in_charge, self.pool)) != 1:
            raise ValueError(f"{self.code}: exactly one of rep, turn, in_charge, pool")
        if len(self.conditions) > _MOST_CONDITIONS or len(self.turn) > _MOST_REPS:
            raise ValueError(f"{self.code}: at most {_MOST_CONDITIONS} conditions and {_MOST_REPS} reps")
        if len(set(self.turn)) != len(self.turn) or not all(map(ID_PATTERN.fullmatch, self.reps)):
            raise ValueError(f"{self.code}: reps are ids, each named once")
        for condition in self.conditions:
            condition.check()


class Routing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rules; the first one whose conditions hold decides."""

    rules: list[Rule]

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ValueError: saying what is wrong.
        """
        if len(self.rules) > _MOST_RULES:
            raise ValueError(f"at most {_MOST_RULES} rules")
        codes = [rule.code for rule in self.rules]
        if len(set(codes)) != len(codes):
            raise ValueError("each code once")
        for rule in self.rules:
            rule.check()


# Before the office wrote one: whoever works in the territory, else the pool.
DEFAULT: dict[str, Any] = {"rules": [{"code": "territory", "in_charge": True}]}


def read_routing(raw: Mapping[str, Any]) -> Routing:
    """Read and check a document.

    Raises:
        ValueError: saying what is wrong and where.
    """
    try:
        document = msgspec.convert(raw, Routing)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None
    document.check()
    return document


def rule_for(document: Routing, facts: Mapping[str, Any]) -> Rule | None:
    """Return the first rule whose conditions all hold."""
    return next((rule for rule in document.rules if all(holds(one, facts) for one in rule.conditions)), None)
