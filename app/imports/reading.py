"""The rows of an upload, read: their cells by field, checked by the schema of the HTTP route, and what they name looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from marshmallow import ValidationError
from sqlalchemy.orm import Session

from app.core.fields import Schema
from app.core.problems import flatten_errors
from app.core.wire import fold
from app.custom_fields.models import CustomField
from app.imports.cells import Faults, number, one_by
from app.imports.columns import FIELDS_OF
from app.imports.models import Import
from app.imports.own import PREFIX, own_fields, value_in
from app.imports.spreadsheets import Cell
from app.territories import queries as territories
from app.territories.models import Territory
from app.users import queries as users
from app.users.models import User
from app.users.rights import REP, Actor

LONGEST_CODE = 60
# What a spreadsheet breaks when it takes it for a number: it cuts zeros and rounds what is long.
_NO_NUMBERS = frozenset({"code", "phone", "credit_code"})
_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?[Ee]\+?[0-9]{1,3}")
_REFERENCES = {"territory_code": "territory_id", "owner_login": "owner_id"}


@dataclass
class Read:
    """The filled fields of one row, before anything of the database is known.

    Attributes:
        given: what its cells say; ``values``: and what the defaults say where they are empty.
        codes: another system's codes, by the field that is a code list.
        faults: codes by column, or by field where no column gives it.
    """

    number: int
    key: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)


class Reader:
    """Reads rows of one upload."""

    def __init__(self, session: Session, upload: Import, schema: Schema, texts: Sequence[str]) -> None:
        """Prepare for an upload.

        Args:
            schema: what is checked field by field.
            texts: the fields it checks, by the same names.
        """
        self.key, self.defaults, self.system = upload.key, upload.defaults, upload.system
        self.headers = {name: header for header, name in upload.columns.items()}
        own = any(name.startswith(PREFIX) for name in self.headers)
        self.own: dict[str, CustomField] = own_fields(session, FIELDS_OF[upload.kind].subject) if own else {}
        self._schema, self._texts = schema, frozenset(texts)

    def read(self, row_number: int, cells: Mapping[str, Cell]) -> Read:
        """Turn the cells of a row into texts and numbers by field, and check each as the schema does."""
        found = Read(row_number)
        broken = set()
        for name, header in self.headers.items():
            cell = cells.get(header, "")
            if cell == "":
                continue
            fault = self._read_own(name, cell, found) if name.startswith(PREFIX) else _broken(name, cell)
            if fault:
                found.faults[header] = [fault]
                broken.add(name)
            elif not name.startswith(PREFIX):
                found.given[name] = _value(name, cell)
        # What a default says is an error of the row it is for, as if its cell said so.
        left = {name: text for name, text in self.defaults.items() if name not in found.given and name not in broken}
        found.given = self._each_checked(found.given, found.faults)
        found.values = found.given | self._each_checked(left, found.faults)
        found.key = found.given.get(self.key)
        return found

    def key_of(self, cells: Mapping[str, Cell]) -> str | None:
        """Return only what a row is known by."""
        cell = cells.get(self.headers.get(self.key, ""), "")
        if cell == "" or _broken(self.key, cell):
            return None
        found: str | None = self._each_checked({self.key: _value(self.key, cell)}, {}).get(self.key)
        return found

    def _each_checked(self, values: Mapping[str, Any], faults: Faults) -> dict[str, Any]:
        """Return values as the schema keeps them, without those it refuses."""
        kept: dict[str, Any] = {}
        for name, value in values.items():
            kept |= self.checked(self._schema, {name: value}, {name: name}, faults) if name in self._texts else {name: value}
        return kept

    def _read_own(self, name: str, cell: Cell, found: Read) -> str | None:
        """Read a cell of one of the company's own fields; return what is wrong with it."""
        own = self.own.get(name)
        if own is None:
            return "unknown"
        if self.system is not None and own.kind == "choice":
            return self._read_code(name, cell, found)
        fault = _broken("phone", cell) if own.kind == "phone" else None
        if fault:
            return fault
        try:
            found.given[name] = value_in(own, cell)
        except ValidationError as wrong:
            return str(wrong.messages[0])
        return None

    @staticmethod
    def _read_code(name: str, cell: Cell, found: Read) -> str | None:
        fault = _broken("code", cell) or ("too_long" if len(str(cell)) > LONGEST_CODE else None)
        if fault is None:
            found.codes[name] = str(cell)
        return fault

    def checked(self, schema: Schema, values: Mapping[str, Any], names: Mapping[str, str], faults: Faults) -> dict[str, Any]:
        """Return values as a verb takes them, by the schema's names; what is wrong goes into ``faults`` by column."""
        try:
            return dict(schema.load({names[name]: value for name, value in values.items()}, partial=True))
        except ValidationError as fault:
            fields = {inner: name for name, inner in names.items()}
            for path, codes in flatten_errors(fault.messages).items():
                name = fields.get(path.partition(".")[0], path)
                faults.setdefault(self.headers.get(name, name), []).extend(codes)
            return dict(fault.valid_data) if isinstance(fault.valid_data, dict) else {}

    def refuse(self, faults: Faults, name: str, code: str) -> None:
        """Note what is wrong with a field, by its column."""
        faults.setdefault(self.headers.get(name, name), []).append(code)

    def require(self, faults: Faults, name: str) -> None:
        """Note that a field is needed, unless something else is wrong with it."""
        if self.headers.get(name, name) not in faults:
            self.refuse(faults, name, "required")


class References:
    """The territories and the reps that some rows name."""

    def __init__(self, session: Session, actor: Actor, rows: Sequence[Read]) -> None:
        """Look up all of them at once."""
        areas = territories.visible_to(actor)
        self._territories = one_by(session, areas, Territory.code, (row.values.get("territory_code") for row in rows))
        reps = users.visible_to(actor).where(User.role == REP, User.state == "active", User.partner_id.is_(None))
        logins = (fold(row.values["owner_login"]) for row in rows if "owner_login" in row.values)
        self._reps = one_by(session, reps, User.login_key, logins)

    def resolve(self, reader: Reader, values: Mapping[str, Any], faults: Faults) -> dict[str, str]:
        """Return the ids of what a row names; what leads nowhere goes into ``faults``."""
        found = {}
        for name, target in _REFERENCES.items():
            if name not in values:
                continue
            given = values[name]
            row = self._territories.get(given) if name == "territory_code" else self._reps.get(fold(given))
            if row is None:
                reader.refuse(faults, name, "unknown_reference")
            else:
                found[target] = row.id
        return found


def _broken(name: str, cell: Cell) -> str | None:
    """Tell what a spreadsheet did to a code or a telephone number."""
    if isinstance(cell, bool):
        return "not_text"
    if name not in _NO_NUMBERS:
        return None
    if isinstance(cell, int | float):
        return "number_cell"
    return "number_lost" if _ROUNDED.fullmatch(cell) else None


def _value(name: str, cell: Cell) -> Any:
    if name in {"lat", "lon"}:
        return number(cell) if isinstance(cell, str) else cell
    if name == "budget" and not isinstance(cell, str):
        return format(Decimal(repr(cell)), "f")
    return str(cell)
