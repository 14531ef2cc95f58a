"""Verbs on rules: create, edit (a new version), switch on and off."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import FieldsInvalid, Invalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch
from app.rules import queries
from app.rules.defaults import DEFAULT_RULES
from app.rules.documents import Document, read_document
from app.rules.models import Rule, RuleVersion


def create_rule(session: Session, actor_id: str | None, code: str, document: dict[str, Any], enabled: bool = True) -> Rule:
    """Add a rule with its first version.

    Raises:
        FieldsInvalid: ``already_exists`` for the code.
        Invalid: ``rule_invalid`` with what is wrong.
    """
    check_document(document)
    if session.scalar(select(Rule).where(Rule.code == code)):
        raise FieldsInvalid({"code": ["already_exists"]})
    rule = add(session, Rule(code=code, enabled=enabled, number=1))
    session.add(RuleVersion(rule_id=rule.id, number=1, document=document, since=now(session), author_id=actor_id))
    record(session, "rule.created", Subject("rule", rule.id), actor_id=actor_id, code=code, number=1)
    return rule


def edit_rule(session: Session, actor_id: str, rule: Rule, changes: dict[str, Any]) -> Rule:
    """Switch a rule on or off, or give it a new version of its document; older versions stay.

    Raises:
        Invalid: ``rule_invalid`` with what is wrong.
    """
    if changes.get("enabled") and not rule.enabled and "document" not in changes:
        # What came while it was off was not folded: a version of its own makes it fold afresh from now on.
        changes = changes | {"document": queries.version_of(session, rule).document}
    if "enabled" in changes:
        rule.enabled = changes["enabled"]
    if "document" in changes:
        check_document(changes["document"])
        rule.number += 1
        session.add(
            RuleVersion(rule_id=rule.id, number=rule.number, document=changes["document"], since=now(session), author_id=actor_id)
        )
    touch(session, rule)
    record(
        session,
        "rule.edited",
        Subject("rule", rule.id),
        causes=[last_entry(session, Subject("rule", rule.id))],
        actor_id=actor_id,
        number=rule.number,
        enabled=rule.enabled,
    )
    return rule


def check_document(document: dict[str, Any]) -> Document:
    """Read and check a document.

    Raises:
        Invalid: ``rule_invalid`` with what is wrong.
    """
    try:
        return read_document(document)
    except ValueError as fault:
        raise Invalid("rule_invalid", reason=str(fault)) from None


def install_default_rules(session: Session) -> list[Rule]:
    """Add the default rules that are not there yet; return those added."""
    known = set(session.scalars(select(Rule.code)))
    return [create_rule(session, None, code, document) for code, document in DEFAULT_RULES.items() if code not in known]
