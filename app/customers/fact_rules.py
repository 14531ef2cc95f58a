"""The office's document that says how facts are decided, by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import ChangeCounter, now
from app.core.history import Subject, last_entry, record
from app.customers.models import FactRule
from app.customers.trust import DEFAULT, Rule
from app.users.rights import Actor

ABOUT = Subject("fact_rules", "fact_rules")


class Rules:
    """The rule of each field, read from a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._default = _read(document.get("default", {}), DEFAULT)
        self._fields = {name: _read(part, self._default) for name, part in document.get("fields", {}).items()}

    def of(self, field: str) -> Rule:
        """Return the rule of a field; of a site's, that of all sites."""
        return self._fields.get(kind_of_field(field), self._default)

    def shown(self) -> dict[str, Any]:
        """Return the whole document, with what it leaves to us."""
        return {
            "default": _shown(self._default),
            "fields": {name: _shown(rule) for name, rule in sorted(self._fields.items())},
        }


def kind_of_field(field: str) -> str:
    """Return what a rule calls a field: ``site.<id>.address`` is ``site.address`` whatever the site."""
    if field.startswith("site."):
        return f"site.{field.rpartition('.')[2]}"
    return field


def _read(part: Mapping[str, Any], base: Rule) -> Rule:
    order = tuple(frozenset(tier) for tier in part["order"]) if "order" in part else base.order
    reliability = {**base.reliability, **part.get("reliability", {})}
    return Rule(order, reliability, part.get("half_life_days", base.half_life_days))


def _shown(rule: Rule) -> dict[str, Any]:
    return {
        "order": [sorted(tier) for tier in rule.order],
        "reliability": dict(sorted(rule.reliability.items())),
        "half_life_days": rule.half_life_days,
    }


def newest(session: Session) -> FactRule | None:
    """Return the document in force; None: the office made none, the default holds."""
    return session.scalar(select(FactRule).order_by(FactRule.version.desc()).limit(1))


def rules_of(session: Session) -> Rules:
    """Return the rules in force."""
    row = newest(session)
    return Rules(row.document if row else {})


def set_rules(session: Session, actor: Actor, document: dict[str, Any]) -> FactRule:
    """Let facts be decided by another document from now on; a job decides those that are there anew."""
    session.execute(select(ChangeCounter.n).where(ChangeCounter.id == 1).with_for_update())  # of two versions one comes first
    before = newest(session)
    row = FactRule(
        version=(before.version if before else 0) + 1,
        document=document,
        made_by=actor.id,
        made_at=now(session),
        settled_to="",
    )
    session.add(row)
    session.flush()
    cause = last_entry(session, ABOUT)
    record(session, "fact_rules.set", ABOUT, causes=[cause], actor_id=actor.id, version=row.version)
    return row
