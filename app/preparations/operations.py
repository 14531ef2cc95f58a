"""Verbs on rules about what to bring: add, change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.tracked import add, touch
from app.custom_fields.queries import fields_of
from app.preparations.models import BringRule
from app.users.rights import Actor

MOST_RULES = 200


def create_rule(session: Session, actor: Actor, values: dict[str, Any]) -> BringRule:
    """Add a rule about what to bring.

    Raises:
        FieldsInvalid: ``already_exists`` (id), and as ``_check``.
        Conflict: ``too_many_bring_rules``.
    """
    if values.get("id") and session.get(BringRule, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    if (session.scalar(select(func.count()).select_from(BringRule)) or 0) >= MOST_RULES:
        raise Conflict("too_many_bring_rules", most=MOST_RULES)
    _check(session, values["change"], values["any_of"])
    rule = add(session, BringRule(**values))
    record(session, "bring_rule.created", Subject("bring_rule", rule.id), actor_id=actor.id, name=rule.name)
    return rule


def edit_rule(session: Session, actor: Actor, rule: BringRule, changes: dict[str, Any]) -> BringRule:
    """Change a rule about what to bring, or switch it off.

    Raises:
        FieldsInvalid: as ``_check``.
    """
    _check(session, rule.change, changes.get("any_of", ()))
    for name, value in changes.items():
        setattr(rule, name, value)
    touch(session, rule)
    about = Subject("bring_rule", rule.id)
    causes = [last_entry(session, about)]
    record(session, "bring_rule.edited", about, causes=causes, actor_id=actor.id, name=rule.name, fields=sorted(changes))
    return rule


def _check(session: Session, change: str, any_of: Sequence[str]) -> None:
    """Refuse a rule that waits for a field of the company's own that there is not.

    Raises:
        FieldsInvalid: ``unknown_reference`` (any_of).
    """
    if change != "customer_edited":
        return
    known = {f"custom.{key}" for key in fields_of(session, "customer", retired=True)}
    faults = {
        f"any_of.{n}": ["unknown_reference"] for n, name in enumerate(any_of) if name.startswith("custom.") and name not in known
    }
    if faults:
        raise FieldsInvalid(faults)
