"""Rows of an upload, judged: what each would make or change, or what is wrong with it, by the schemas of the HTTP routes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from app.core.fields import Schema
from app.core.problems import flatten_errors
from app.core.wire import fold
from app.customers import queries
from app.customers.models import Customer, Site
from app.customers.schemas import CustomerEditSchema, CustomerSchema, SiteEditSchema, SiteSchema
from app.imports.cells import Faults, number, one_by, rows_by, taken
from app.imports.models import Import
from app.imports.own import PREFIX, differing, own_fields, value_in
from app.imports.spreadsheets import Cell
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor

# What a spreadsheet breaks when it takes it for a number: it cuts zeros and rounds what is long.
_NO_NUMBERS = frozenset({"code", "phone", "credit_code"})
_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?[Ee]\+?[0-9]{1,3}")
_CUSTOMER = {name: name for name in ("code", "name", "phone", "email", "credit_code")}
_SITE = {"site_name": "name", "site_address": "address", "lat": "lat", "lon": "lon"}
_REFERENCES = {"territory_code": "territory_id", "owner_login": "owner_id"}
_CREATE, _EDIT, _NEW_SITE, _EDIT_SITE = CustomerSchema(), CustomerEditSchema(), SiteSchema(), SiteEditSchema()


@dataclass
class Judged:
    """One row.

    Attributes:
        plan: create, update or unchanged; None where it has faults.
        customer_id: of the customer that is known; ``values``: what is written of it.
        site_id: of the site that is known; ``site``: what is written of it, None for nothing.
        faults: codes by column, or by field where no column gives it.
    """

    number: int
    key: str | None = None
    plan: str | None = None
    customer_id: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    site_id: str | None = None
    site: dict[str, Any] | None = None
    faults: Faults = field(default_factory=dict)


@dataclass
class _Read:
    """The filled fields of one row, before anything of the database is known."""

    number: int
    values: dict[str, Any]
    faults: Faults


class Judge:
    """Judges some rows of an upload together, so that the database is asked once for all of them."""

    def __init__(self, session: Session, actor: Actor, upload: Import, rows: Sequence[tuple[int, Mapping[str, Cell]]]) -> None:
        """Read the rows and look up whatever they name."""
        self.key, self.defaults = upload.key, upload.defaults
        self.headers = {name: header for header, name in upload.columns.items()}
        self.own = own_fields(session) if any(name.startswith(PREFIX) for name in self.headers) else {}
        self.read = [self._read(row_number, cells) for row_number, cells in rows]
        values = [one.values for one in self.read]
        areas = territories.visible_to(actor)
        self.territories = one_by(session, areas, Territory.code, (v.get("territory_code") for v in values))
        reps = users.visible_to(actor).where(User.role == REP, User.state == "active", User.partner_id.is_(None))
        self.reps = one_by(session, reps, User.login_key, (fold(v["owner_login"]) for v in values if "owner_login" in v))
        column = getattr(Customer, self.key)
        self.known = rows_by(session, queries.visible_to(actor), column, (v.get(self.key) for v in values))
        self.codes = taken(session, Customer.code, (v.get("code") for v in values))
        ids = [row.id for rows in self.known.values() for row in rows]
        self.sites = rows_by(session, queries.visible_sites(actor), Site.customer_id, ids)

    def judged(self) -> list[Judged]:
        """Return what would become of each row."""
        return [self._judge(one) for one in self.read]

    def _read(self, row_number: int, cells: Mapping[str, Cell]) -> _Read:
        """Turn the cells of a row into texts and numbers by field, and check each as the schemas do."""
        values: dict[str, Any] = dict(self.defaults)
        faults: Faults = {}
        for name, header in self.headers.items():
            cell = cells.get(header, "")
            if name.startswith(PREFIX):
                self._read_own(name, cell, values, faults)
                continue
            fault = _broken(name, cell)
            if fault:
                faults[header] = [fault]
                values.pop(name, None)
            elif cell != "":
                values[name] = _text(name, cell)
        for name in _CUSTOMER.keys() & values.keys():
            checked = self._checked(_CREATE, {name: values[name]}, {name: name}, faults)
            if name in checked:
                values[name] = checked[name]
            else:
                del values[name]
        return _Read(row_number, values, faults)

    def _read_own(self, name: str, cell: Cell, values: dict[str, Any], faults: Faults) -> None:
        """Read a cell of one of the company's own fields."""
        field = self.own.get(name)
        if cell == "":
            return
        fault = "unknown" if field is None else _broken("phone", cell) if field.kind == "phone" else None
        if field is None or fault:
            self._refuse(faults, name, str(fault))
            return
        try:
            values[name] = value_in(field, cell)
        except ValidationError as wrong:
            faults.setdefault(self.headers[name], []).extend(str(code) for code in wrong.messages)

    def _checked(self, schema: Schema, values: Mapping[str, Any], names: Mapping[str, str], faults: Faults) -> dict[str, Any]:
        """Return values as a verb takes them, by the schema's names; what is wrong goes into ``faults`` by column."""
        try:
            return dict(schema.load({names[name]: value for name, value in values.items()}, partial=True))
        except ValidationError as fault:
            fields = {inner: name for name, inner in names.items()}
            for path, codes in flatten_errors(fault.messages).items():
                name = fields.get(path.partition(".")[0], path)
                faults.setdefault(self.headers.get(name, name), []).extend(codes)
            return dict(fault.valid_data) if isinstance(fault.valid_data, dict) else {}

    def _refuse(self, faults: Faults, name: str, code: str) -> None:
        faults.setdefault(self.headers.get(name, name), []).append(code)

    def _judge(self, one: _Read) -> Judged:
        found = Judged(one.number, one.values.get(self.key), faults=dict(one.faults))
        found.values = {name: one.values[name] for name in _CUSTOMER if name in one.values}
        self._resolve(one, found)
        known = self.known.get(found.key or "", [])
        if found.key is None and self.headers.get(self.key, self.key) not in found.faults:
            self._refuse(found.faults, self.key, "required")
        if len(known) > 1:
            self._refuse(found.faults, self.key, "ambiguous")
        customer = known[0] if len(known) == 1 else None
        if customer is None:
            self._judge_new(found)
        else:
            self._judge_known(found, customer)
        self._judge_own(one, found, customer)
        self._judge_site(one, found, customer)
        if found.faults:
            return found
        found.plan = "create" if customer is None else "update" if found.values or found.site else "unchanged"
        return found

    def _resolve(self, one: _Read, found: Judged) -> None:
        """Find the territory and the rep that a row names."""
        for name, target in _REFERENCES.items():
            if name not in one.values:
                continue
            given = one.values[name]
            row = self.territories.get(given) if name == "territory_code" else self.reps.get(fold(given))
            if row is None:
                self._refuse(found.faults, name, "unknown_reference")
            else:
                found.values[target] = row.id

    def _judge_new(self, found: Judged) -> None:
        for name, target in (("name", "name"), ("territory_code", "territory_id")):
            if target not in found.values and self.headers.get(name, name) not in found.faults:
                self._refuse(found.faults, name, "required")
        if found.values.get("code") in self.codes:  # of a customer the actor does not see, or one known by another key
            self._refuse(found.faults, "code", "already_exists")

    def _judge_known(self, found: Judged, customer: Customer) -> None:
        found.customer_id = customer.id
        changed = {name: value for name, value in found.values.items() if getattr(customer, name) != value}
        if "code" in changed:  # a code is never another one
            self._refuse(found.faults, "code", "already_exists")
        found.values = changed

    def _judge_own(self, one: _Read, found: Judged, customer: Customer | None) -> None:
        """Take values of the company's own fields, as far as customers of that territory have these."""
        given = {name: one.values[name] for name in self.own if name in one.values}
        home = found.values.get("territory_id") or (customer.territory_id if customer else None)
        for name in given:
            if self.own[name].territory_id not in (None, home):
                self._refuse(found.faults, name, "unknown")
        told = {name.removeprefix(PREFIX): value for name, value in given.items()}
        changed = differing(told, customer.custom) if customer else told
        if changed:
            found.values["custom"] = changed

    def _judge_site(self, one: _Read, found: Judged, customer: Customer | None) -> None:
        given = {name: one.values[name] for name in _SITE if name in one.values}
        if not given:
            return
        if "site_name" not in given:
            given["site_name"] = one.values.get("name") or (customer.name if customer else "")
        same = [site for site in self.sites.get(customer.id, []) if site.name == given["site_name"]] if customer else []
        if len(same) > 1:
            self._refuse(found.faults, "site_name", "ambiguous")
        elif same:
            values = self._checked(_EDIT_SITE, given, _SITE, found.faults)
            changed = {name: value for name, value in values.items() if getattr(same[0], name) != value}
            found.site_id, found.site = same[0].id, changed or None
        else:
            found.site = self._checked(_NEW_SITE, given, _SITE, found.faults)
            if found.site.get("lat") is None and not found.site.get("address"):
                self._refuse(found.faults, "site_address", "address_or_position")


def _broken(name: str, cell: Cell) -> str | None:
    """Tell what a spreadsheet did to a code or a telephone number."""
    if isinstance(cell, bool):
        return "not_text"
    if name not in _NO_NUMBERS:
        return None
    if isinstance(cell, int | float):
        return "number_cell"
    return "number_lost" if _ROUNDED.fullmatch(cell) else None


def _text(name: str, cell: Cell) -> Any:
    if name in {"lat", "lon"}:
        return number(cell) if isinstance(cell, str) else cell
    return str(cell)
