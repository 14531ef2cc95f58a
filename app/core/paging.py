"""Pages of lists, newest first, by a cursor."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from marshmallow import Schema as AnySchema
from sqlalchemy import Select
from sqlalchemy.orm import Session

from app.core import fields, wire
from app.core.errors import (
    FieldsInvalid,
)


class PageQuery(fields.Schema):
    """Cursor and size of a page."""

    cursor = fields.Text(200)
    limit = fields.Int(1, 200, from_text=True, load_default=50)


def page_of(item: type[AnySchema]) -> type[AnySchema]:
    """Return the schema of a page of ``item``: ``{"items": [...], "next": cursor or null}``."""
    return fields.Schema.from_dict(
        {"items": fields.Listing(fields.Nested(item)), "next": fields.Text(allow_none=True)},
        name=f"{item.__name__.removesuffix('Schema')}Page",
    )


def page(session: Session, query: Select[Any], model: Any, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of a scoped query, newest first, keyed by id.

    Raises:
        Invalid: ``validation_failed`` for a cursor we did not make.
    """
    limit = wanted["limit"]
    cursor = wanted.get("cursor")
    if cursor:
        try:
            after = base64.urlsafe_b64decode(cursor.encode()).decode()
            wire.check_id(after)
        except (ValueError, UnicodeError):
            raise FieldsInvalid({"cursor": ["invalid"]}) from None
        query = query.where(model.id < after)
    rows = list(session.scalars(query.order_by(model.id.desc()).limit(limit + 1)))
    more = len(rows) > limit
    rows = rows[:limit]
    following = base64.urlsafe_b64encode(rows[-1].id.encode()).decode() if more else None
    return {"items": rows, "next": following}
