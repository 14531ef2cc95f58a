"""Visits and check-ins over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes, check_version
from app.core.paging import page, page_of
from app.users.rights import Actor
from app.visits import check_ins, operations, queries, schemas
from app.visits.models import CheckIn, Visit

routes = Routes("visits", __name__, description="Visits of reps to customers, and check-ins")


@routes.door("GET", "/visits", policy="visits.read", query=schemas.VisitQuery, answer=page_of(schemas.VisitSchema))
def list_visits(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List visits."""
    visits = queries.visible_to(actor)
    if "state" in query:
        visits = visits.where(Visit.state == query["state"])
    if "user_id" in query:
        visits = visits.where(Visit.user_id == query["user_id"])
    if "since" in query:
        visits = visits.where(Visit.planned_until >= query["since"])
    if "until" in query:
        visits = visits.where(Visit.planned_from < query["until"])
    return page(session, visits, Visit, query)


@routes.door("POST", "/visits", policy="visits.write", body=schemas.VisitSchema, answer=schemas.VisitSchema, status=201)
def plan_visit(session: Session, actor: Actor, body: dict[str, Any]) -> Visit:
    """Plan a visit."""
    return operations.plan_visit(session, actor, body)


@routes.door("GET", "/visits/<visit_id>", policy="visits.read", answer=schemas.VisitSchema)
def read_visit(session: Session, actor: Actor, visit_id: str) -> Visit:
    """Read one visit."""
    return queries.access_visit(session, actor, visit_id)


@routes.door("PATCH", "/visits/<visit_id>", policy="visits.write", body=schemas.VisitEditSchema, answer=schemas.VisitSchema)
def move_visit(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> Visit:
    """Move a planned visit to another time, or say what it is for."""
    visit = queries.writable_visit(session, actor, visit_id)
    check_version(visit)
    return operations.move_visit(session, actor, visit, body)


@routes.door(
    "POST", "/visits/<visit_id>/cancel", policy="visits.write", body=schemas.CancelVisitSchema, answer=schemas.VisitSchema
)
def cancel_visit(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> Visit:
    """Cancel a planned visit."""
    return operations.cancel_visit(session, actor, queries.writable_visit(session, actor, visit_id), body["reason"])


@routes.door(
    "POST", "/visits/<visit_id>/check-in", policy="visits.check_in", body=schemas.FixSchema, answer=schemas.CheckInSchema
)
def check_in(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> CheckIn:
    """Check in: the visit begins."""
    return operations.begin_visit(session, edge_settings(), actor, queries.own_visit(session, actor, visit_id), body)


@routes.door(
    "POST", "/visits/<visit_id>/check-out", policy="visits.check_in", body=schemas.EndSchema, answer=schemas.CheckInSchema
)
def check_out(session: Session, actor: Actor, body: dict[str, Any], visit_id: str) -> CheckIn:
    """Check out: the visit ends."""
    visit = queries.own_visit(session, actor, visit_id)
    return operations.end_visit(session, edge_settings(), actor, visit, body, body["outcome"], body["next_step"])


@routes.door("GET", "/check-ins", policy="visits.read", query=schemas.CheckInQuery, answer=page_of(schemas.CheckInSchema))
def list_check_ins(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List check-ins: a rep their own, the office all."""
    found = queries.visible_check_ins(actor)
    if "visit_id" in query:
        found = found.where(CheckIn.visit_id == query["visit_id"])
    if "state" in query:
        found = found.where(CheckIn.state == query["state"])
    return page(session, found, CheckIn, query)


@routes.door(
    "POST", "/check-ins/<check_in_id>/appeal", policy="visits.check_in", body=schemas.AppealSchema, answer=schemas.CheckInSchema
)
def appeal(session: Session, actor: Actor, body: dict[str, Any], check_in_id: str) -> CheckIn:
    """Say why a check-in of one's own is right all the same."""
    return check_ins.appeal(session, actor, queries.access_check_in(session, actor, check_in_id), body["text"])


@routes.door(
    "POST",
    "/check-ins/<check_in_id>/decide",
    policy="visits.decide",
    body=schemas.DecisionSchema,
    answer=schemas.CheckInSchema,
)
def decide(session: Session, actor: Actor, body: dict[str, Any], check_in_id: str) -> CheckIn:
    """Decide as a manager whether a check-in counts."""
    row = queries.access_check_in(session, actor, check_in_id)
    return check_ins.decide(session, actor, row, accepted=body["accepted"], reason=body["reason"])
