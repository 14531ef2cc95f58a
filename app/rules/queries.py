"""The only readers of rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.core.logs import get_log
from app.core.tracked import one_of
from app.rules.documents import Document, read_document
from app.rules.models import Rule, RuleVersion

_MOST_READ = 2_000
_READ: dict[tuple[str, int], Document] = {}
# What was said of in the log already.
_TOLD: set[tuple[str, int]] = set()
log = get_log(__name__)


_PRESENT = (
    select(Rule.id, Rule.code, Rule.number, RuleVersion.since, RuleVersion.document)
    .join(RuleVersion, (RuleVersion.rule_id == Rule.id) & (RuleVersion.number == Rule.number))
    .order_by(Rule.id)
)
_ACTIVE = _PRESENT.where(Rule.enabled.is_(True), Rule.deleted_at.is_(None))


@dataclass(frozen=True)
class ActiveRule:
    """A rule that is switched on, with its present version read."""

    id: str
    code: str
    number: int
    since: datetime
    document: Document


def visible() -> Select[Rule]:
    """Return all rules; whoever may read rules may read all."""
    return select(Rule).where(Rule.deleted_at.is_(None))


def access_rule(session: Session, rule_id: str) -> Rule:
    """Load one rule.

    Raises:
        NotFound: when there is none.
    """
    return one_of(session, visible(), Rule, rule_id)


def version_of(session: Session, rule: Rule, number: int | None = None) -> RuleVersion:
    """Return a version of a rule, the present one by default."""
    return session.get_one(RuleVersion, (rule.id, number or rule.number))


def active_rules(session: Session) -> list[ActiveRule]:
    """Return every rule that is switched on and can be read; what cannot be is logged, and keeps the others from nothing."""
    rules = (_active_if_readable(*row) for row in session.execute(_ACTIVE))
    return [rule for rule in rules if rule is not None]


def unreadable_rules(session: Session) -> list[tuple[str, str]]:
    """Return code and fault of each rule that is switched on and is refused now: an older release took it."""
    found = []
    for rule_id, code, number, _, document in session.execute(_ACTIVE):
        try:
            _read(rule_id, number, document)
        except ValueError as fault:
            found.append((code, str(fault)))
    return found


def active_rule(session: Session, rule_id: str) -> ActiveRule | None:
    """Return one rule, None where it is not switched on."""
    row = session.execute(_ACTIVE.where(Rule.id == rule_id)).one_or_none()
    return None if row is None else _active_if_readable(*row)


def present_rule(session: Session, rule_id: str) -> ActiveRule:
    """Return the present version of one rule, whether or not it is switched on."""
    return _active(*session.execute(_PRESENT.where(Rule.id == rule_id)).one())


def _active_if_readable(rule_id: str, code: str, number: int, since: datetime, document: dict[str, Any]) -> ActiveRule | None:
    try:
        return _active(rule_id, code, number, since, document)
    except ValueError as fault:
        if (rule_id, number) not in _TOLD:
            _TOLD.add((rule_id, number))
            log.error("rule cannot be read", rule=code, fault=str(fault))
        return None


def _active(rule_id: str, code: str, number: int, since: datetime, document: dict[str, Any]) -> ActiveRule:
    return ActiveRule(rule_id, code, number, since, _read(rule_id, number, document))


def _read(rule_id: str, number: int, raw: dict[str, Any]) -> Document:
    """Read a version's document once: a version never changes."""
    known = _READ.get((rule_id, number))
    if known is None:
        if len(_READ) >= _MOST_READ:
            _READ.clear()
        known = _READ[rule_id, number] = read_document(raw)
    return known
