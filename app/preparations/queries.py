"""The only readers of what to bring, and of what a rep should know before a visit."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from app.core.locales import EN
from app.core.settings import Settings
from app.core.tracked import one_of
from app.preparations.changes import MOST_LINES, Line, Reading, agreed, last_visit
from app.preparations.models import BringRule
from app.users.rights import Actor
from app.visit_types.models import VisitKit
from app.visits.models import Visit


def visible_to(actor: Actor) -> Select[BringRule]:
    """Return the rules on what to bring that an actor may see: the office all, others none."""
    rules = select(BringRule).where(BringRule.deleted_at.is_(None))
    return rules if actor.sees_all else rules.where(false())


def access_rule(session: Session, actor: Actor, rule_id: str) -> BringRule:
    """Load one rule the actor may see.

    Raises:
        NotFound: when there is none, or none to see.
    """
    return one_of(session, visible_to(actor), BringRule, rule_id)


def preparation(session: Session, settings: Settings, actor: Actor, visit: Visit) -> dict[str, Any]:
    """Return what changed at a visit's customer since the last finished visit to its site, and what to bring.

    Before the first visit it is what changed in 90 days.
    """
    before = last_visit(session, visit)
    reading = Reading(session, actor, visit, before, settings.time_zone)
    lines = reading.lines()
    left = agreed(session, before, labels_of(session, before, actor.locale)) if before is not None else []
    left += [*reading.steps(), *reading.owed()]
    return {
        "visit_id": visit.id,
        "last_visit_id": before.id if before is not None else None,
        "since": reading.since,
        "items": [_shown(line, actor.locale) for line in [*left, *lines][:MOST_LINES]],
        "bring": _bring(session, lines, actor.locale),
        "cut": reading.cut or len(left) + len(lines) > MOST_LINES,
    }


def labels_of(session: Session, visit: Visit, locale: str) -> dict[str, str]:
    """Return what the steps of a visit's kit are called in a language, by their codes."""
    kit = session.get(VisitKit, visit.kit_id) if visit.kit_id is not None else None
    return {step["code"]: step["label_en" if locale == EN else "label_zh"] for step in (kit.steps if kit else ())}


def _shown(line: Line, locale: str) -> dict[str, Any]:
    return {
        "change": line.change,
        "subject_kind": line.about.kind,
        "subject_id": line.about.id,
        "at": line.at,
        "count": line.count,
        "text": line.text(locale),
        "entry_ids": line.entries,
    }


def _bring(session: Session, lines: list[Line], locale: str) -> list[dict[str, Any]]:
    """Return what the office wants brought, for each rule whose changes are found often enough."""
    found = []
    for rule in session.scalars(select(BringRule).where(BringRule.active, BringRule.deleted_at.is_(None)).order_by(BringRule.id)):
        fitting = [line for line in lines if line.change == rule.change and _fits(rule, line)]
        count = sum(line.count for line in fitting)
        if count >= rule.least:
            text = rule.advice_en if locale == EN else rule.advice_zh
            because = [entry for line in fitting for entry in line.entries]
            found.append({"rule_id": rule.id, "name": rule.name, "text": text, "count": count, "entry_ids": because})
    return found


def _fits(rule: BringRule, line: Line) -> bool:
    return not rule.any_of or not set(rule.any_of).isdisjoint(line.values)
