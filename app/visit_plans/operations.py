"""Verbs on visit plans: add, change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.errors import Conflict, FieldsInvalid
from app.core.history import Subject, last_entry, record
from app.core.settings import Settings
from app.core.tracked import add, touch
from app.custom_fields.models import CustomField
from app.custom_fields.queries import fields_of
from app.custom_fields.values import checked_value, read_cell
from app.users.rights import Actor
from app.visit_plans.models import VisitPlan
from app.visit_plans.segments import key_of, written
from app.visit_types import queries as types
from app.visit_types.models import VisitType
from app.visits.days import day_of

MOST_PLANS = 100
_FARTHEST = timedelta(days=366)


def create_plan(session: Session, settings: Settings, actor: Actor, values: dict[str, Any]) -> VisitPlan:
    """Add a visit plan; the job that makes its visits finds it.

    Args:
        values: see ``schemas.VisitPlanSchema``; ``starts_on`` is today where it is left away.

    Raises:
        FieldsInvalid: ``already_exists`` (id), and as ``_check``.
        Conflict: ``too_many_visit_plans``.
    """
    if values.get("id") and session.get(VisitPlan, values["id"]):
        raise FieldsInvalid({"id": ["already_exists"]})
    if (session.scalar(select(func.count()).select_from(VisitPlan)) or 0) >= MOST_PLANS:
        raise Conflict("too_many_visit_plans", most=MOST_PLANS)
    plan = VisitPlan(**({"starts_on": day_of(settings, now(session))} | values))
    _check(session, settings, actor, plan)
    add(session, plan)
    record(session, "visit_plan.created", Subject("visit_plan", plan.id), actor_id=actor.id, name=plan.name)
    return plan


def edit_plan(session: Session, settings: Settings, actor: Actor, plan: VisitPlan, changes: dict[str, Any]) -> VisitPlan:
    """Change a visit plan. What it has planned and does not want any more is called off by the job.

    Raises:
        FieldsInvalid: as ``_check``.
    """
    for name, value in changes.items():
        setattr(plan, name, value)
    with session.no_autoflush:  # a check of the table would speak first
        _check(session, settings, actor, plan)
    touch(session, plan)
    about = Subject("visit_plan", plan.id)
    record(
        session,
        "visit_plan.edited",
        about,
        causes=[last_entry(session, about)],
        actor_id=actor.id,
        name=plan.name,
        fields=sorted(changes),
    )
    return plan


def _check(session: Session, settings: Settings, actor: Actor, plan: VisitPlan) -> None:
    """Refuse a plan that says nothing or contradicts itself.

    Raises:
        FieldsInvalid: ``one_frequency``, ``too_short`` (conditions, any_of), ``out_of_range`` (until_time, starts_on),
            ``unknown_reference`` (type_id, field), or what is wrong with a value of a company's own field (any_of).
    """
    faults: dict[str, list[str]] = {}
    if (plan.every_days is None) is (plan.times_per_month is None):
        faults["every_days"] = ["one_frequency"]
    if not plan.conditions:
        faults["conditions"] = ["too_short"]
    faults |= {f"conditions.{n}.any_of": ["too_short"] for n, one in enumerate(plan.conditions) if not one["any_of"]}
    faults |= _check_own_fields(session, plan)
    if plan.from_time > plan.until_time:
        faults["until_time"] = ["out_of_range"]
    if abs(plan.starts_on - day_of(settings, now(session))) > _FARTHEST:
        faults["starts_on"] = ["out_of_range"]
    if plan.type_id is not None and session.scalar(types.visible_to(actor).where(VisitType.id == plan.type_id)) is None:
        faults["type_id"] = ["unknown_reference"]
    if faults:
        raise FieldsInvalid(faults)


def _check_own_fields(session: Session, plan: VisitPlan) -> dict[str, list[str]]:
    """Return what is wrong with conditions on the company's own fields; write their values as customers have them."""
    known = fields_of(session, "customer", retired=True)
    faults: dict[str, list[str]] = {}
    conditions = []
    for n, one in enumerate(plan.conditions):
        key = key_of(one["field"])
        if key is not None and key not in known:
            faults[f"conditions.{n}.field"] = ["unknown_reference"]
        elif key is not None:
            try:
                one = {**one, "any_of": [_as_kept(known[key], value) for value in one["any_of"]]}
            except ValidationError as fault:
                faults[f"conditions.{n}.any_of"] = [str(code) for code in fault.messages]
        conditions.append(dict(one))
    if not faults and conditions != plan.conditions:
        plan.conditions = conditions
    return faults


def _as_kept(field: CustomField, cell: str) -> str:
    try:
        return written(checked_value(field, read_cell(field, cell)))
    except ValueError:
        raise ValidationError("out_of_range") from None
