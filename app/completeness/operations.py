"""Verbs on completeness: the office says what counts, a job finds the gaps. Nothing is refused for being incomplete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.completeness import queries
from app.completeness.models import CompletenessRule, CompletenessScan, RepairTask
from app.completeness.scores import completeness
from app.core.db import ChangeCounter, insert_many, insert_once, last_change, now
from app.core.errors import FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.ids import new_id
from app.core.spreadsheets import csv_line
from app.core.tracked import touch, transition
from app.custom_fields.queries import fields_of
from app.customers.models import Customer
from app.users.rights import Actor

ABOUT = Subject("completeness_rule", "completeness_rule")
MOST_EXPORTED = 5_000


def set_rule(session: Session, actor: Actor, counted: Sequence[Mapping[str, Any]], least: int) -> CompletenessRule:
    """Say which fields count from now on, how much each, and below which score a customer needs work.

    Raises:
        FieldsInvalid: ``not_each_once`` or ``unknown`` (fields).
    """
    names = [one["field"] for one in counted]
    if len(set(names)) != len(names) or not names:
        raise FieldsInvalid({"fields": ["not_each_once"]})
    known = {f"custom.{key}" for key in fields_of(session, "customer")}
    if any(name.startswith("custom.") and name not in known for name in names):
        raise FieldsInvalid({"fields": ["unknown"]})
    session.execute(select(ChangeCounter.n).where(ChangeCounter.id == 1).with_for_update())  # of two versions one comes first
    version = queries.rule_of(session)[0] + 1
    row = CompletenessRule(
        version=version, fields=[dict(one) for one in counted], least=least, made_by=actor.id, made_at=now(session)
    )
    session.add(row)
    session.flush()
    record(session, "completeness_rule.set", ABOUT, causes=[last_entry(session, ABOUT)], actor_id=actor.id, version=version)
    return row


def unscanned(session: Session, limit: int) -> list[str]:
    """Return customers to be scanned; see ``queries.unscanned``."""
    return queries.unscanned(session, queries.rule_of(session)[0], limit)


def scan(session: Session, customer_id: str) -> int:
    """Count what is there of a customer; open, change or close its repair task. Tell whether anything changed."""
    seen = last_change(session)
    held = select(Customer).where(Customer.id == customer_id)
    customer = session.scalar(held.with_for_update(key_share=True).execution_options(populate_existing=True))
    if customer is None:
        return 0
    task = queries.open_task(session, customer_id)
    if customer.deleted_at is not None:
        session.execute(delete(CompletenessScan).where(CompletenessScan.customer_id == customer_id))
        return _close(session, task, "dropped") if task else 0
    version, counted, least = queries.rule_of(session)
    score, missing = completeness(queries.present_in(session, [customer])[customer_id], counted)
    scanned = {"customer_id": customer_id, "score": score, "missing": missing, "rule_version": version, "seen_no": seen}
    insert_many(session, CompletenessScan, [scanned], replacing=("customer_id",))
    if task is None:
        return _open(session, customer, score, missing) if score < least else 0
    if score >= least or not missing:
        return _close(session, task, "done")
    return _change(session, task, customer, score, missing)


def _open(session: Session, customer: Customer, score: int, missing: list[str]) -> int:
    present, row_id = now(session), new_id()
    made = insert_once(
        session,
        RepairTask,
        id=row_id,
        version=1,
        created_at=present,
        updated_at=present,
        customer_id=customer.id,
        user_id=customer.owner_id,
        missing=missing,
        score=score,
        state="open",
    )
    if made:
        about = Subject("customer", customer.id)
        cause = last_entry(session, about)
        record(session, "customer.repair_needed", about, causes=[cause], score=score, fields=missing)
    return int(made)


def _change(session: Session, task: RepairTask, customer: Customer, score: int, missing: list[str]) -> int:
    """Let an open task say what is missing now, and be of whoever is in charge now."""
    if (task.missing, task.user_id, task.score) == (missing, customer.owner_id, score):
        return 0
    task.missing, task.user_id, task.score = missing, customer.owner_id, score
    touch(session, task)
    return 1


def _close(session: Session, task: RepairTask, state: str) -> int:
    about = Subject("customer", task.customer_id)
    cause = last_entry(session, about)
    transition(session, task, state, closed_at=now(session))
    if state == "done":
        record(session, "customer.repaired", about, causes=[cause], fields=task.missing)
    return 1


def exported(session: Session, actor: Actor, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the repair tasks as a CSV file, the least complete first; ``cut`` tells whether there are more than 5,000."""
    query = queries.visible_tasks(actor, wanted).add_columns(Customer.code, Customer.name)
    rows = session.execute(query.order_by(RepairTask.score, RepairTask.id).limit(MOST_EXPORTED + 1)).all()
    lines = [csv_line(["code", "name", "score", "missing", "state", "user_id"])]
    for task, code, name in rows[:MOST_EXPORTED]:
        lines.append(csv_line([code, name, task.score, "|".join(task.missing), task.state, task.user_id or ""]))
    return {"csv": "".join(lines), "rows": len(rows[:MOST_EXPORTED]), "cut": len(rows) > MOST_EXPORTED}
