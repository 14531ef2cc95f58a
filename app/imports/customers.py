"""One row of a file of customers: a customer, and a site of theirs when its cells are filled."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.core import fields
from app.core.errors import FieldsInvalid
from app.core.wire import fold
from app.customers import operations, queries
from app.customers.models import Customer, Site
from app.customers.schemas import CustomerSchema, SiteSchema
from app.customers.sources import telling
from app.imports.cells import Faults, Part, differs, number, one_by, reference, rows_by, take, taken
from app.imports.files import Columns, Row
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor


class _CustomerRow(CustomerSchema):
    code = fields.Text(40, 1, required=True)  # what a second import of the same file knows its customers by


_CUSTOMER = Part(
    _CustomerRow(),
    {name: name for name in ("code", "name", "phone", "email")} | {"territory_id": "territory_code", "owner_id": "owner_login"},
)
_SITE = Part(
    SiteSchema(), {"name": "site_name", "address": "site_address", "lat": "lat", "lon": "lon"}, {"lat": number, "lon": number}
)
_OPTIONAL = dict.fromkeys(("phone", "email", "owner_id"))


class CustomerRows:
    """Reads and writes the rows of one file; see ``operations.Rows``."""

    key = "code"
    columns = Columns(tuple(_CUSTOMER.columns.values()), (tuple(_SITE.columns.values()),))

    def __init__(self, session: Session, actor: Actor, rows: list[Row]) -> None:
        cells = [row.cells for row in rows]
        reps = users.visible_to(actor).where(User.role == REP, User.state == "active", User.partner_id.is_(None))
        areas = territories.visible_to(actor)
        self.territories = one_by(session, areas, Territory.code, (c.get("territory_code") for c in cells))
        logins = {c["owner_login"] for c in cells if "owner_login" in c}
        folded = one_by(session, reps, User.login_key, (fold(login) for login in logins))
        self.reps = {login: folded[fold(login)] for login in logins if fold(login) in folded}
        self.reps |= one_by(session, reps, User.login, logins)
        self.known = one_by(session, queries.visible_to(actor), Customer.code, (c.get("code") for c in cells))
        self.codes = taken(session, Customer.code, (c.get("code") for c in cells))
        self.sites = rows_by(session, queries.visible_sites(actor), Site.customer_id, (found.id for found in self.known.values()))

    def prepare(self, cells: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any] | None] | None:
        """Return the values of the customer and of the site, or None when both are there already."""
        faults: Faults = {}
        references: dict[str, object] = {}
        if "territory_code" in cells:
            references["territory_id"] = reference(cells, "territory_code", self.territories)
        if "owner_login" in cells:
            references["owner_id"] = reference(cells, "owner_login", self.reps)
        named = {name: cell for name, cell in cells.items() if name not in {"territory_code", "owner_login"}}
        customer = _OPTIONAL | _CUSTOMER.load(named, references, faults)
        site = _SITE.load(cells, {}, faults) if _SITE.given(cells) else None
        if faults:
            raise FieldsInvalid(faults)
        known = self.known.get(cells["code"])
        if known is None:
            take(self.codes, cells["code"], "code", faults)
            if faults:
                raise FieldsInvalid(faults)
            return customer, site
        if differs(known, customer) or (site and all(differs(other, site) for other in self.sites.get(known.id, []))):
            raise FieldsInvalid({"code": ["already_exists"]})
        return None

    @staticmethod
    def create(session: Session, actor: Actor, prepared: tuple[dict[str, Any], dict[str, Any] | None]) -> None:
        """Add the customer and the site."""
        values, site = prepared
        with _CUSTOMER.naming(), telling(session, kind="import", ref="csv"):
            customer = operations.create_customer(session, actor, values)
        if site is not None:
            with _SITE.naming():
                operations.create_site(session, actor, customer, site)
