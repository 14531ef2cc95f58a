"""Imports over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from app.core import wire
from app.core.http import Routes, StrictParser
from app.core.problems import Malformed, Unsupported
from app.imports import operations, schemas
from app.imports.files import MOST_BYTES
from app.users.rights import Actor

_LIMITS = replace(wire.HTTP_LIMITS, text=MOST_BYTES)


class FileParser(StrictParser):
    """The strict input layer with room for one long text."""

    def _raw_load_json(self, req: Any) -> Any:
        if req.mimetype != "application/json":
            raise Unsupported("unsupported_media_type")
        try:
            return wire.parse_json(req.get_data(cache=True), _LIMITS)
        except wire.WireError as fault:
            raise Malformed("malformed", reason=fault.reason) from None


class FileRoutes(Routes):
    """Routes whose body holds a file."""

    ARGUMENTS_PARSER = FileParser()


routes = FileRoutes("imports", __name__, description="Customers, assets and stations from CSV files")


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
