"""The company's own fields over HTTP."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core.http import Routes, check_version
from app.core.paging import page, page_of
from app.custom_fields import operations, queries, schemas
from app.custom_fields.models import CustomField
from app.users.rights import Actor

routes = Routes("custom_fields", __name__, description="Fields a company adds itself")


@routes.door(
    "GET",
    "/custom-fields",
    policy="custom_fields.read",
    query=schemas.CustomFieldQuery,
    answer=page_of(schemas.CustomFieldSchema),
)
def list_fields(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List the fields a company added, retired ones too."""
    found = queries.visible_to(actor)
    if "subject_kind" in query:
        found = found.where(CustomField.subject_kind == query["subject_kind"])
    return page(session, found, CustomField, query)


@routes.door(
    "POST",
    "/custom-fields",
    policy="custom_fields.manage",
    body=schemas.CustomFieldSchema,
    answer=schemas.CustomFieldSchema,
    status=201,
)
def add_field(session: Session, actor: Actor, body: dict[str, Any]) -> CustomField:
    """Add a field. Phones of everybody whom it concerns get it with their next sync."""
    return operations.add_field(session, actor, body)


@routes.door(
    "PATCH",
    "/custom-fields/<custom_field_id>",
    policy="custom_fields.manage",
    body=schemas.CustomFieldEditSchema,
    answer=schemas.CustomFieldSchema,
)
def edit_field(session: Session, actor: Actor, body: dict[str, Any], custom_field_id: str) -> CustomField:
    """Change a field's words, choices or territory, or retire it; values that are there stay."""
    field = queries.access_field(session, actor, custom_field_id)
    check_version(field)
    return operations.edit_field(session, actor, field, body)
