"""Visit types over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import PageQuery, page, page_of
from app.users.rights import Actor
from app.visit_types import operations, queries, schemas
from app.visit_types.models import VisitType

_FIELDS = ("id", "version", "created_at", "updated_at", "code", "name_zh", "name_en", "active", "number")

routes = Routes("visit_types", __name__, description="Types of visits, and the steps they are made of")


def _shown(session: Session, row: VisitType) -> dict[str, Any]:
    kit = queries.kit_of(session, row.id)
    return {name: getattr(row, name) for name in _FIELDS} | {"kit_id": kit.id, "steps": kit.steps}


@routes.door("GET", "/visit-types", policy="visits.read", query=PageQuery, answer=page_of(schemas.VisitTypeSchema))
def list_types(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List visit types, each with the steps of its newest kit."""
    listed = page(session, queries.visible_to(actor), VisitType, query)
    return listed | {"items": [_shown(session, row) for row in listed["items"]]}


@routes.door(
    "POST",
    "/visit-types",
    policy="visits.manage",
    body=schemas.VisitTypeSchema,
    answer=schemas.VisitTypeSchema,
    status=201,
)
def create_type(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Add a visit type with its steps."""
    return _shown(session, operations.create_type(session, actor, body))


@routes.door("GET", "/visit-types/<visit_type_id>", policy="visits.read", answer=schemas.VisitTypeSchema)
def read_type(session: Session, actor: Actor, visit_type_id: str) -> dict[str, Any]:
    """Read one visit type."""
    return _shown(session, queries.access_type(session, actor, visit_type_id))


@routes.door(
    "PATCH",
    "/visit-types/<visit_type_id>",
    policy="visits.manage",
    body=schemas.VisitTypeEditSchema,
    answer=schemas.VisitTypeSchema,
)
def edit_type(session: Session, actor: Actor, body: dict[str, Any], visit_type_id: str) -> dict[str, Any]:
    """Change a visit type. Other steps are a new kit; visits that have begun keep the one they began with."""
    row = queries.access_type(session, actor, visit_type_id)
    check_version(row)
    return _shown(session, operations.edit_type(session, actor, row, body))
