"""Imports over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Response
from sqlalchemy.orm import Session

from app.core import wire
from app.core.http import Routes, StrictParser, check_version
from app.core.paging import PageQuery, page, page_of
from app.core.problems import Malformed, Unsupported
from app.imports import checking, operations, queries, schemas, uploads
from app.imports.files import MOST_BYTES
from app.imports.models import Import, ImportMapping, ImportRow
from app.imports.sheets import MOST_UPLOADED
from app.imports.words import fault_told
from app.users.rights import Actor

_LIMITS = replace(wire.HTTP_LIMITS, text=MOST_BYTES)
_UPLOAD_LIMITS = replace(wire.HTTP_LIMITS, size=MOST_UPLOADED * 4 // 3 + 2000, text=MOST_UPLOADED * 4 // 3 + 4)


class FileParser(StrictParser):
    """The strict input layer with room for one long text."""

    def _raw_load_json(self, req: Any) -> Any:
        if req.mimetype != "application/json":
            raise Unsupported("unsupported_media_type")
        try:
            limits = _UPLOAD_LIMITS if req.path.endswith("/imports") else _LIMITS
            return wire.parse_json(req.get_data(cache=True), limits)
        except wire.WireError as fault:
            raise Malformed("malformed", reason=fault.reason) from None


class FileRoutes(Routes):
    """Routes whose body holds a file."""

    ARGUMENTS_PARSER = FileParser()


routes = FileRoutes("imports", __name__, description="Customers, leads, assets and stations from files")


def _plan(kind: str) -> Callable[[Session, Actor, dict[str, Any]], operations.Plan]:
    """Return what judges a file before the transaction, so that a long one keeps nobody from writing meanwhile."""
    return lambda session, actor, body: operations.plan(session, actor, kind, body["csv"], dry_run=body["dry_run"])


@routes.door(
    "POST",
    "/imports/customers",
    policy="customers.import",
    body=schemas.FileSchema,
    answer=schemas.OutcomeSchema,
    prepare=_plan("customers"),
)
def import_customers(session: Session, actor: Actor, body: operations.Plan) -> operations.Outcome:
    """Bring in customers.

    Columns: code, name, phone, email, territory_code, owner_login; and, all of them or none, site_name,
    site_address, lat, lon. At most 5,000 rows and 900,000 bytes. Nothing is overwritten, and one wrong
    row leaves everything as it was: the errors are listed and ``created`` is 0.
    """
    return operations.bring_in(session, actor, body)


@routes.door(
    "POST",
    "/imports/assets",
    policy="assets.import",
    body=schemas.FileSchema,
    answer=schemas.OutcomeSchema,
    prepare=_plan("assets"),
)
def import_assets(session: Session, actor: Actor, body: operations.Plan) -> operations.Outcome:
    """Bring in assets with the component and the device in them.

    Columns: serial, model, customer_code, site_name, warranty_until; and, all of them or none,
    component_serial, component_kind, component_part_no, component_fitted_at (an instant with its
    offset); and, both or none, device_id, profile_code. Otherwise as for customers.

    The secrets of the devices are not shown: POST /devices/<id>/secret makes and shows a new one when
    the device is set up.
    """
    return operations.bring_in(session, actor, body)


@routes.door(
    "POST",
    "/imports/stations",
    policy="stations.manage",
    body=schemas.FileSchema,
    answer=schemas.OutcomeSchema,
    prepare=_plan("stations"),
)
def import_stations(session: Session, actor: Actor, body: operations.Plan) -> operations.Outcome:
    """Bring in stations with their stock.

    Columns: code, name, address, lat, lon, opening_hours, time_zone, bays, certificates (``a|b``),
    territory_codes (``a|b``), partner_name, stock (``part_no:units|part_no:units``, at most 5,000 in a
    file). Otherwise as for customers.
    """
    return operations.bring_in(session, actor, body)


@routes.door("POST", "/imports", policy="imports.run", body=schemas.UploadSchema, answer=schemas.ImportSchema, status=201)
def upload_file(session: Session, actor: Actor, body: dict[str, Any]) -> dict[str, Any]:
    """Upload a spreadsheet of customers or leads; the answer proposes which column is which field.

    At most 3,000,000 bytes, 5,000 rows, 60 columns. Nothing is written before it is checked and run.
    """
    return _shown(session, uploads.upload(session, actor, body["kind"], body["file_name"], body["content"], body["system"]))


@routes.door("GET", "/imports", policy="imports.read", query=PageQuery, answer=page_of(schemas.ImportSchema))
def list_imports(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List imports, the newest first."""
    found = page(session, queries.visible_to(actor), Import, query)
    return {"items": [_shown(session, row) for row in found["items"]], "next": found["next"]}


@routes.door("GET", "/imports/<import_id>", policy="imports.read", answer=schemas.ImportSchema)
def read_import(session: Session, actor: Actor, import_id: str) -> dict[str, Any]:
    """Read one import and how far it is."""
    return _shown(session, queries.access_import(session, actor, import_id))


@routes.door(
    "PATCH", "/imports/<import_id>", policy="imports.run", body=schemas.ImportMappingEditSchema, answer=schemas.ImportSchema
)
def map_import(session: Session, actor: Actor, body: dict[str, Any], import_id: str) -> dict[str, Any]:
    """Say which column is which field, and which knows a row again: code, credit_code or phone; of leads phone."""
    row = queries.access_import(session, actor, import_id)
    check_version(row)
    return _shown(session, uploads.map_columns(session, actor, row, body))


@routes.door("POST", "/imports/<import_id>/check", policy="imports.run", answer=schemas.ImportSchema)
def check_import(session: Session, actor: Actor, import_id: str) -> dict[str, Any]:
    """Judge every row as a run would, without writing: a dry run."""
    return _shown(session, checking.check(session, actor, queries.access_import(session, actor, import_id)))


@routes.door("POST", "/imports/<import_id>/run", policy="imports.run", body=schemas.StartSchema, answer=schemas.ImportSchema)
def run_import(session: Session, actor: Actor, body: dict[str, Any], import_id: str) -> dict[str, Any]:
    """Bring in the rows that are right; the worker does it, and ``done`` tells how far it is."""
    row = queries.access_import(session, actor, import_id)
    return _shown(session, uploads.start(session, actor, row, skip_faulty=body["skip_faulty"]))


@routes.door("POST", "/imports/<import_id>/undo", policy="imports.run", answer=schemas.ImportSchema)
def undo_import(session: Session, actor: Actor, import_id: str) -> dict[str, Any]:
    """Take back what an import wrote, where nobody touched it since; rows that stay are listed as ``kept`` with the reason."""
    return _shown(session, uploads.undo(session, actor, queries.access_import(session, actor, import_id)))


@routes.door("GET", "/imports/<import_id>/rows", policy="imports.read", query=schemas.RowQuery, answer=schemas.ImportRowsSchema)
def list_import_rows(session: Session, actor: Actor, query: dict[str, Any], import_id: str) -> dict[str, Any]:
    """List the rows of an import with what is wrong with them."""
    row = queries.access_import(session, actor, import_id)
    states = [query["state"]] if "state" in query else []
    found = queries.rows_of(row.id, *states).where(ImportRow.number > query["after"]).limit(query["limit"] + 1)
    rows = list(session.scalars(found))
    shown, more = rows[: query["limit"]], len(rows) > query["limit"]
    return {"items": [_row_shown(one, actor.locale) for one in shown], "next": shown[-1].number if more else None}


@routes.door("GET", "/imports/<import_id>/errors", policy="imports.read")
def download_errors(session: Session, actor: Actor, import_id: str) -> Response:
    """Download the rows that are wrong, or that were not taken back, as CSV with the reasons in your language."""
    row = queries.access_import(session, actor, import_id)
    text = "".join(uploads.errors_csv(session, row, actor.locale))
    headers = {"Content-Disposition": f'attachment; filename="{row.number}-errors.csv"'}
    return Response(text, mimetype="text/csv", headers=headers)


@routes.door("GET", "/import-mappings", policy="imports.read", query=PageQuery, answer=page_of(schemas.ImportMappingSchema))
def list_mappings(session: Session, actor: Actor, query: dict[str, Any]) -> dict[str, Any]:
    """List mappings of columns that are kept."""
    return page(session, queries.visible_mappings(actor), ImportMapping, query)


@routes.door(
    "POST",
    "/import-mappings",
    policy="imports.run",
    body=schemas.ImportMappingSchema,
    answer=schemas.ImportMappingSchema,
    status=201,
)
def keep_mapping(session: Session, actor: Actor, body: dict[str, Any]) -> ImportMapping:
    """Keep a mapping by name, for the next file with these columns; one of that name is replaced."""
    return uploads.keep_mapping(session, actor, body)


@routes.door("DELETE", "/import-mappings/<mapping_id>", policy="imports.run", answer=schemas.ImportMappingSchema)
def forget_mapping(session: Session, actor: Actor, mapping_id: str) -> ImportMapping:
    """Forget a kept mapping."""
    row = queries.access_mapping(session, actor, mapping_id)
    check_version(row)
    return uploads.forget_mapping(session, actor, row)


def _shown(session: Session, row: Import) -> dict[str, Any]:
    names = schemas.ImportSchema().fields.keys() - {"counts", "unmapped"}
    counts, unmapped = queries.counts(session, row.id), row.unmapped or []
    counts |= {"unmapped": len(unmapped)} if unmapped else {}
    return {name: getattr(row, name) for name in names} | {"counts": counts, "unmapped": unmapped[: schemas.MOST_UNMAPPED]}


def _row_shown(row: ImportRow, locale: str) -> dict[str, Any]:
    errors = [_fault_shown(name, fault, locale) for name, faults in row.faults.items() for fault in faults]
    told = {"row": row.number, "state": row.state, "plan": row.plan, "cells": row.cells, "errors": errors}
    return told | {"outranked": row.outranked or [], "waiting": row.waiting or [], "follows": row.follows}


def _fault_shown(name: str, fault: str, locale: str) -> dict[str, Any]:
    code, text = fault_told(fault, locale)
    other = fault.partition(":")[2]
    return {"field": name, "code": code, "text": text, "other_row": int(other) if other else None}
