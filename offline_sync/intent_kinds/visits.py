"""What reps ask for of their visits and days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from app.core import fields
from app.core.settings import Settings
from app.day_plans import operations as day_plans
from app.day_plans import queries as day_plan_queries
from app.day_plans.schemas import PlanDaySchema
from app.participants import operations as participants
from app.participants import schemas as participant_schemas
from app.users.rights import Actor
from app.visit_types.schemas import Code
from app.visits import check_ins
from app.visits import operations as visits
from app.visits import queries as visit_queries
from app.visits import schemas as visit_schemas
from app.visits import steps as visit_steps
from app.visits.results import read_result
from offline_sync.intent_kinds.base import IntentKind


class _Visit(fields.Schema):
    visit_id = fields.Id(required=True)


class _CheckIn(_Visit, visit_schemas.BeginSchema):
    """Where and when; see ``POST /visits/<id>/check-in``."""


class _CheckOut(_Visit, visit_schemas.EndSchema):
    """The same with what came of it; see ``POST /visits/<id>/check-out``."""


class _NoShow(_Visit, visit_schemas.AbsenceSchema):
    """Where the rep stood, and what they found; see ``POST /visits/<id>/no-show``."""


class _MoveVisit(_Visit, visit_schemas.MoveSchema):
    """To what time, and why."""


class _RecordStep(_Visit, visit_schemas.StepBodySchema):
    """What came of a step; see ``POST /visits/<id>/steps/<step>``. The id keeps a result from counting twice."""

    id = fields.Id(required=True)
    made_ms = fields.Int(1, required=True)
    step = Code(required=True)


class _ExplainVisit(_Visit, visit_schemas.ExplainSchema):
    """Why something was left."""


class _CancelVisit(_Visit, visit_schemas.CancelVisitSchema):
    """Why."""


class _DayPlan(fields.Schema):
    day_plan_id = fields.Id(required=True)


class _PeopleMet(_Visit, participant_schemas.PeopleMetSchema):
    """Who was there."""


class _Appeal(visit_schemas.AppealSchema):
    check_in_id = fields.Id(required=True)


def _visit(body: Mapping[str, Any]) -> tuple[str, str]:
    return "visits", body["visit_id"]


def _record_step(session: Session, settings: Settings, actor: Actor, body: dict[str, Any]) -> Any:
    visit = visit_queries.own_visit(session, actor, body["visit_id"])
    return visit_steps.record_step(session, actor, visit, read_result(body["step"], body, settings.currency))


def _move_visit(session: Session, actor: Actor, body: dict[str, Any]) -> Any:
    changes = {name: body[name] for name in ("planned_from", "planned_until", "reason")}
    return visits.move_visit(session, actor, visit_queries.writable_visit(session, actor, body["visit_id"]), changes)


VISITS: dict[str, IntentKind] = {
    "visit.plan": IntentKind(
        "visits.write",
        visit_schemas.VisitSchema,
        lambda s, _, a, b: visits.plan_visit(s, a, b),
        makes="visits",
        about=lambda b: ("sites", b["site_id"]),
    ),
    "visit.check_in": IntentKind(
        "visits.check_in",
        _CheckIn,
        lambda s, c, a, b: visits.begin_visit(s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b),
        happened=True,
        about=_visit,
    ),
    "visit.check_out": IntentKind(
        "visits.check_in",
        _CheckOut,
        lambda s, c, a, b: visits.end_visit(
            s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b, b["outcome"], b["next_step"], b["incomplete_reason"]
        ),
        happened=True,
        about=_visit,
    ),
    "visit.no_show": IntentKind(
        "visits.check_in",
        _NoShow,
        lambda s, c, a, b: visits.note_absence(s, c, a, visit_queries.own_visit(s, a, b["visit_id"]), b, b["reason"]),
        happened=True,
        about=_visit,
    ),
    "visit.record_step": IntentKind("visits.check_in", _RecordStep, _record_step, happened=True, about=_visit),
    "visit.explain": IntentKind(
        "visits.check_in",
        _ExplainVisit,
        lambda s, _, a, b: visits.explain_incomplete(s, a, visit_queries.own_visit(s, a, b["visit_id"]), b["reason"]),
        about=_visit,
    ),
    "visit.move": IntentKind("visits.write", _MoveVisit, lambda s, _, a, b: _move_visit(s, a, b), about=_visit),
    "visit.cancel": IntentKind(
        "visits.write",
        _CancelVisit,
        lambda s, _, a, b: visits.cancel_visit(s, a, visit_queries.writable_visit(s, a, b["visit_id"]), b["reason"]),
        about=_visit,
    ),
    "day.plan": IntentKind(
        "visits.write", PlanDaySchema, lambda s, c, a, b: day_plans.ask_for_plan(s, c, a, b), makes="day_plans"
    ),
    "day_plan.apply": IntentKind(
        "visits.write",
        _DayPlan,
        lambda s, _, a, b: day_plans.apply_plan(s, a, day_plan_queries.access_plan(s, a, b["day_plan_id"])),
    ),
    "visit.participants": IntentKind(
        "visits.write",
        _PeopleMet,
        lambda s, _, a, b: participants.add_participants(
            s, a, visit_queries.writable_visit(s, a, b["visit_id"]), b["participants"]
        ),
        happened=True,
        about=_visit,
    ),
    "check_in.appeal": IntentKind(
        "visits.check_in",
        _Appeal,
        lambda s, _, a, b: check_ins.appeal(s, a, visit_queries.access_check_in(s, a, b["check_in_id"]), b["text"]),
    ),
}
