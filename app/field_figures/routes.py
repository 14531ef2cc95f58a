"""The figures of field work over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from app.core.edge import edge_settings
from app.core.http import Routes
from app.field_figures import schemas, tables
from app.users.rights import Actor

routes = Routes("field_figures", __name__, description="How field work goes, in numbers that open into what they count")


@routes.door(
    "GET",
    "/field-figures",
    policy="field_figures.read",
    query=schemas.FieldFiguresQuery,
    answer=schemas.FieldFiguresSchema,
)
def read_figures(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """Read how field work went, by team, territory, person or day; a rep reads their own.

    Each row says by which query it opens one level deeper, down to the visits of a day. At most 366 days and 1,000 rows.
    """
    return tables.table_of(session, edge_settings(), actor, tables.wanted_by(session, actor, query))


@routes.door("GET", "/field-figures/export", policy="field_figures.read", query=schemas.FieldFiguresQuery)
def export_figures(session: Session, actor: Actor, query: dict[str, Any]) -> Response:
    """Download the same as CSV in your language."""
    wanted = tables.wanted_by(session, actor, query)
    text = "".join(tables.csv_of(tables.table_of(session, edge_settings(), actor, wanted), actor.locale))
    name = f"field-figures-{wanted.by}-{wanted.first}-{wanted.last}.csv"
    return Response(text, mimetype="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'})
