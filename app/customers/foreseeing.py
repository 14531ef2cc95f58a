"""What would survive if a source said something now: the rule is asked, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from app.customers import facts
from app.customers.fact_rules import Rules, rules_of
from app.customers.models import Customer, CustomerFact, Site
from app.customers.sources import Source
from app.customers.trust import ranked

_Named = dict[str, tuple[Any, tuple[str, ...]]]


def foreseen(session: Session, told: Sequence[tuple[Customer | Site, Mapping[str, Any]]], source: Source) -> list[list[str]]:
    """Return, for each row and the changes a source would make, the fields where a better source's value would stay.

    Args:
        told: rows with their changes, as ``edit_customer`` and ``edit_site`` take them.
        source: who would say it, now.
    """
    named = [(row, _facts_in(row, changes)) for row, changes in told]
    homes = {_home(row) for row, words in named if words}
    kept = facts.facts_of_many(session, homes) if homes else {}
    known = [{name: kept.get(_home(row), {}).get(name, []) for name in words} for row, words in named]
    asked = [(row, mine, list(words)) for (row, words), mine in zip(named, known, strict=True)]
    rules = rules_of(session)
    return [
        _outranked(session, row, words, _with(mine, stood), rules, source)
        for (row, words), mine, stood in zip(named, known, facts.baselines(session, asked), strict=True)
    ]


def _home(row: Customer | Site) -> str:
    return row.id if isinstance(row, Customer) else row.customer_id


def _facts_in(row: Customer | Site, changes: Mapping[str, Any]) -> _Named:
    """Return what changes say by field of a fact: the value, and what the changes call the field."""
    if isinstance(row, Site):
        found: _Named = {f"site.{row.id}.address": (changes["address"], ("address",))} if "address" in changes else {}
        if {"lat", "lon"} & set(changes):
            after = {name: changes.get(name, getattr(row, name)) for name in ("lat", "lon")}
            found[f"site.{row.id}.position"] = (after, ("lat", "lon"))
        return found
    custom: _Named = {f"custom.{key}": (value, (f"custom.{key}",)) for key, value in changes.get("custom", {}).items()}
    plain: _Named = {name: (changes[name], (name,)) for name in facts.PLAIN if name in changes}
    return plain | custom


def _with(known: Mapping[str, list[CustomerFact]], stood: Sequence[CustomerFact]) -> dict[str, list[CustomerFact]]:
    found = {name: list(said) for name, said in known.items()}
    for fact in stood:
        found[fact.field].append(fact)
    return found


def _outranked(
    session: Session,
    row: Customer | Site,
    words: _Named,
    known: Mapping[str, list[CustomerFact]],
    rules: Rules,
    source: Source,
) -> list[str]:
    names: list[str] = []
    for name, (value, called) in words.items():
        word = facts.word_of(session, row, known[name], name, value, source)
        first = ranked(facts.said([*known[name], word]), rules.of(name))[0]
        names += called if first.value != value else ()
    return sorted(names)
