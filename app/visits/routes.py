"""Visits and check-ins over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.paging import page, page_of
from app.positions.signals.words import sentence
from app.users.rights import Actor
from app.visits import check_ins, days, figures, operations, queries, schemas, steps, words
from app.visits.models import CheckIn, StepResult, Visit
from app.visits.results import read_result, total_of

_FIELDS = tuple(schemas.CheckInSchema().fields)


def _shown(actor: Actor, row: CheckIn) -> dict[str, Any]:
    """Return a check-in with what speaks against it in the reader's language."""
    told = [finding | {"text": sentence(finding["code"], finding["facts"], actor.locale)} for finding in row.findings]
    return {name: getattr(row, name) for name in _FIELDS} | {"findings": told}


_VISIT_FIELDS = tuple(schemas.VisitSchema().fields)
_LINKS = {
    "check_ins": "/check-ins?visit_id={}",
    "steps": "/visits/{}/steps",
    "participants": "/visits/{}/participants",
    "follow_ups": "/follow-ups?visit_id={}",
    "attachments": "/visits/{}/attachments",
    "new_information": "/visits/{}/new-information",
    "history": "/history/visit/{}",
}


def _told(session: Session, actor: Actor, *rows: Visit) -> list[dict[str, Any]]:
    """Return visits with what they lack in the reader's language."""
    kits = queries.kits_of(session, rows)
    return [
        {name: getattr(row, name) for name in _VISIT_FIELDS}
        | {"lacking": words.told(row.lacking, kits.get(row.kit_id or "", ()), actor.locale)}
        for row in rows
    ]


routes = Routes("visits", __name__, description="Visits of reps to customers, and check-ins")


@routes.door("GET", "/visits", policy="visits.read", query=schemas.VisitQuery, answer=page_of(schemas.VisitSchema))
def list_visits(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List visits, the newest first; of a day of the organisation, in the order of their plan."""
    visits = figures.narrowed(edge_settings(), queries.visible_to(actor), query)
    if "figure" in query:
        visits = figures.counted(visits, query["figure"])
    if "customer_id" in query:
        visits = visits.where(Visit.customer_id == query["customer_id"])
    if "state" in query:
        visits = visits.where(Visit.state == query["state"])
    if "since" in query:
        visits = visits.where(Visit.planned_until >= query["since"])
    if "until" in query:
        visits = visits.where(Visit.planned_from < query["until"])
    if "day" in query:
        listed = days.page_by_time(session, days.of_day(edge_settings(), visits, query["day"]), query)
    else:
        listed = page(session, visits, Visit, query)
    return listed | {"items": _told(session, actor, *listed["items"])}


@routes.door("POST", "/visits", policy="visits.write", body=schemas.VisitSchema, answer=schemas.VisitSchema, status=201)
def plan_visit(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Plan a visit."""
    return _told(session, actor, operations.plan_visit(session, actor, body))[0]


@routes.door("GET", "/visits/<visit_id>", policy="visits.read", answer=schemas.OneVisitSchema)
def read_visit(session: Session, actor: Actor, visit_id: str) -> dict[str, Any]:
    """Read one visit, and where its check-ins, steps, participants, follow-ups and attachments are read."""
    links = {name: path.format(visit_id) for name, path in _LINKS.items()}
    return _told(session, actor, queries.access_visit(session, actor, visit_id))[0] | {"links": links}


@routes.door("PATCH", "/visits/<visit_id>", policy="visits.write", body=schemas.VisitEditSchema, answer=schemas.VisitSchema)
def edit_visit(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Move a visit to another time, or say what it is for."""
    visit = queries.writable_visit(session, actor, visit_id)
    check_version(visit)
    return _told(session, actor, operations.move_visit(session, actor, visit, body))[0]


@routes.door("POST", "/visits/<visit_id>/move", policy="visits.write", body=schemas.MoveSchema, answer=schemas.VisitSchema)
def move_visit(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Put a visit to another time, and say why. One that was missed is planned again."""
    visit = queries.writable_visit(session, actor, visit_id)
    return _told(session, actor, operations.move_visit(session, actor, visit, body))[0]


@routes.door(
    "POST", "/visits/<visit_id>/cancel", policy="visits.write", body=schemas.CancelVisitSchema, answer=schemas.VisitSchema
)
def cancel_visit(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Cancel a planned visit."""
    visit = queries.writable_visit(session, actor, visit_id)
    return _told(session, actor, operations.cancel_visit(session, actor, visit, body["reason"]))[0]


@routes.door(
    "POST", "/visits/<visit_id>/check-in", policy="visits.check_in", body=schemas.BeginSchema, answer=schemas.CheckedInSchema
)
def check_in(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Check in: the visit begins. The answer says whether to offer that a shift begins as well."""
    visit = queries.own_visit(session, actor, visit_id)
    row = operations.begin_visit(session, edge_settings(), actor, visit, body)
    return _shown(actor, row) | {"shift_offered": not queries.is_in_shift(session, actor.id)}


@routes.door("POST", "/visits/<visit_id>/check-out", policy="visits.check_in", body=schemas.EndSchema, answer=schemas.EndedSchema)
def check_out(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Check out: the visit ends. What its kit still asks for is in the answer; say why in ``incomplete_reason``."""
    visit = queries.own_visit(session, actor, visit_id)
    came = (body["outcome"], body["next_step"], body["incomplete_reason"])
    row = operations.end_visit(session, edge_settings(), actor, visit, body, *came)
    [seen] = _told(session, actor, visit)
    return _shown(actor, row) | {name: seen[name] for name in ("incomplete", "lacking")}


@routes.door(
    "POST",
    "/visits/<visit_id>/no-show",
    policy="visits.check_in",
    body=schemas.AbsenceSchema,
    answer=schemas.CheckInSchema,
)
def note_absence(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Say that you were there and the customer was not; where you are is checked as at a check-in."""
    visit = queries.own_visit(session, actor, visit_id)
    return _shown(actor, operations.note_absence(session, edge_settings(), actor, visit, body, body["reason"]))


@routes.door(
    "POST", "/visits/<visit_id>/explain", policy="visits.check_in", body=schemas.ExplainSchema, answer=schemas.VisitSchema
)
def explain_visit(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> dict[str, Any]:
    """Say why your visit was left without what its kit asks for."""
    visit = queries.own_visit(session, actor, visit_id)
    return _told(session, actor, operations.explain_incomplete(session, actor, visit, body["reason"]))[0]


@routes.door("GET", "/visits/<visit_id>/steps", policy="visits.read", answer=schemas.StepResultsSchema)
def list_results(session: Session, actor: Actor, visit_id: str) -> dict[str, Any]:
    """List what was recorded for the steps of a visit, corrected results, too."""
    visit = queries.access_visit(session, actor, visit_id)
    return {"items": [_result(row) for row in steps.results_of(session, visit)]}


@routes.door(
    "POST",
    "/visits/<visit_id>/steps/<step>",
    policy="visits.check_in",
    body=schemas.StepBodySchema,
    answer=schemas.StepResultSchema,
    status=201,
)
def record_step(session: Session, actor: Actor, body: dict[str, Any], visit_id: str, step: str) -> dict[str, Any]:
    """Record what came of one step of your visit; a later one corrects it. Forms are checked at the check-out."""
    visit = queries.own_visit(session, actor, visit_id)
    values = read_result(step, body, edge_settings().currency)
    return _result(steps.record_step(session, actor, visit, values))


def _result(row: StepResult) -> dict[str, Any]:
    names = ("id", "version", "created_at", "updated_at", "visit_id", "user_id", "step", "kind", "content", "made_ms", "standing")
    return {name: getattr(row, name) for name in names} | {"total": total_of(row.content)}


@routes.door("GET", "/check-ins", policy="visits.read", query=schemas.CheckInQuery, answer=page_of(schemas.CheckInSchema))
def list_check_ins(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List check-ins: a rep their own, the office all."""
    found = queries.visible_check_ins(actor)
    if "visit_id" in query:
        found = found.where(CheckIn.visit_id == query["visit_id"])
    if "state" in query:
        found = found.where(CheckIn.state == query["state"])
    if "site_fix" in query:
        found = found.where(CheckIn.site_fix == query["site_fix"])
    listed = page(session, found, CheckIn, query)
    return listed | {"items": [_shown(actor, row) for row in listed["items"]]}


@routes.door(
    "POST", "/check-ins/<check_in_id>/appeal", policy="visits.check_in", body=schemas.AppealSchema, answer=schemas.CheckInSchema
)
def appeal(session: Session, actor: Actor, body: dict[str, Any], check_in_id: str) -> dict[str, Any]:
    """Say why a check-in of one's own is right all the same."""
    row = queries.access_check_in(session, actor, check_in_id)
    return _shown(actor, check_ins.appeal(session, actor, row, body["text"]))


@routes.door(
    "POST",
    "/check-ins/<check_in_id>/decide",
    policy="visits.decide",
    body=schemas.DecisionSchema,
    answer=schemas.CheckInSchema,
)
def decide(session: Session, actor: Actor, body: dict[str, Any], check_in_id: str) -> dict[str, Any]:
    """Decide as a manager whether a check-in counts, and with ``set_site`` that its site is where it was."""
    row = queries.access_check_in(session, actor, check_in_id)
    decided = check_ins.decide(session, actor, row, accepted=body["accepted"], reason=body["reason"], set_site=body["set_site"])
    return _shown(actor, decided)
