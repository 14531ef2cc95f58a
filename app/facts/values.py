"""Values as other systems and people say them, held against what a field may hold."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core import fields
from app.core.errors import FieldsInvalid
from app.core.problems import flatten_errors
from app.custom_fields.operations import checked_values
from app.customers.facts import PLAIN
from app.customers.models import Customer, Site
from app.customers.schemas import CustomerEditSchema, SiteEditSchema


class _Place(fields.Schema):
    lat = fields.Real(-90, 90, required=True)
    lon = fields.Real(-180, 180, required=True)


def row_of(session: Session, customer: Customer, name: str) -> Customer | Site:
    """Return the row that a field of a fact lies in.

    Raises:
        FieldsInvalid: ``unknown`` when the customer has no such field or site.
    """
    if name in PLAIN or name.startswith("custom."):
        return customer
    start, _, rest = name.partition(".")
    site_id, _, part = rest.rpartition(".")
    if start == "site" and part in {"address", "position"}:
        own = (Site.id == site_id, Site.customer_id == customer.id, Site.deleted_at.is_(None))
        site = session.scalar(select(Site).where(*own))
        if site is not None:
            return site
    raise FieldsInvalid({"field": ["unknown"]})


def checked(session: Session, customer: Customer, name: str, value: Any) -> Any:
    """Return a value as it is kept.

    Raises:
        FieldsInvalid: with what is wrong with ``value``.
    """
    if name.startswith("custom."):
        key = name.removeprefix("custom.")
        try:
            return checked_values(session, "customer", customer.territory_id, {key: value}, {})[key]
        except FieldsInvalid as fault:
            codes = next(iter(fault.errors.values()))
            raise FieldsInvalid({"field" if codes == ["unknown"] else "value": codes}) from None
    try:
        if name.endswith(".position"):
            return dict(_Place().load(value))
        if name.endswith(".address"):
            return SiteEditSchema().load({"address": value})["address"]
        return CustomerEditSchema().load({name: value})[name]
    except ValidationError as fault:
        faults = flatten_errors(fault.messages)
        raise FieldsInvalid({"value": [code for codes in faults.values() for code in codes]}) from None
