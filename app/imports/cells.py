"""From the cells of a row to the values a verb takes, through the schemas of the HTTP routes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from marshmallow import ValidationError
from sqlalchemy import Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.core.errors import FieldsInvalid
from app.core.fields import Schema
from app.core.problems import flatten_errors

_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,17})?")
_WHOLE = re.compile(r"-?[0-9]{1,9}")
_AT_ONCE = 500

Faults = dict[str, list[str]]


def number(cell: str) -> object:
    """Return the number a cell holds; a cell that holds none as it is, for the schema to refuse."""
    return float(cell) if _NUMBER.fullmatch(cell) else cell


def whole(cell: str) -> object:
    """Return the whole number a cell holds; a cell that holds none as it is, for the schema to refuse."""
    return int(cell) if _WHOLE.fullmatch(cell) else cell


def listed(cell: str) -> list[str]:
    """Return the entries of a cell, which ``|`` separates."""
    return [entry.strip() for entry in cell.split("|") if entry.strip()]


@dataclass(frozen=True)
class Part:
    """What one verb takes of a row: field of its schema -> column, and how a cell is read."""

    schema: Schema
    columns: Mapping[str, str]
    read: Mapping[str, Callable[[str], object]] = field(default_factory=dict)

    def given(self, cells: Mapping[str, str]) -> bool:
        """Tell whether any of its cells is filled."""
        return any(column in cells for column in self.columns.values())

    def load(
        self, cells: Mapping[str, str], references: Mapping[str, object], faults: Faults, absent: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Validate the part.

        Args:
            cells: the filled cells of the row.
            references: values of fields that a cell names by a code; None for a name that leads nowhere.
            faults: what is wrong is added here, by column.
            absent: fields that another part will know.

        Returns:
            The values; what is in ``faults`` is not among them.
        """
        lost = [name for name, value in references.items() if value is None]
        values = {name: self.read.get(name, str)(cells[column]) for name, column in self.columns.items() if column in cells}
        values |= references
        wrong: Faults = {name: ["unknown_reference"] for name in lost}
        try:
            kept = {name: value for name, value in values.items() if name not in lost}
            loaded: dict[str, Any] = self.schema.load(kept, partial=(*lost, *absent))
        except ValidationError as fault:
            loaded = {}
            wrong |= flatten_errors(fault.messages)
        faults.update(self.by_column(wrong))
        return loaded

    def by_column(self, wrong: Faults) -> Faults:
        """Name faults by column instead of field."""
        found: Faults = {}
        for path, codes in wrong.items():
            name = path.partition(".")[0]
            listed_so_far = found.setdefault(self.columns.get(name, name), [])
            listed_so_far += [code for code in codes if code not in listed_so_far]
        return found

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Name the faults a verb raises by column."""
        try:
            yield
        except FieldsInvalid as fault:
            raise FieldsInvalid(self.by_column(fault.errors)) from None


def rows_by(
    session: Session, query: Select[Any], column: InstrumentedAttribute[Any], names: Iterable[str | None]
) -> dict[str, list[Any]]:
    """Return the rows of a scoped query by the value of a column, for the values named; 500 in one statement.

    Args:
        query: what the actor may see.
        column: of the query's model.
        names: the values wanted; None is left out.
    """
    wanted = sorted({name for name in names if name is not None})
    found: dict[str, list[Any]] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        for row in session.scalars(query.where(column.in_(wanted[start : start + _AT_ONCE]))):
            found.setdefault(getattr(row, column.key), []).append(row)
    return found


def one_by(
    session: Session, query: Select[Any], column: InstrumentedAttribute[Any], names: Iterable[str | None]
) -> dict[str, Any]:
    """As ``rows_by``, for a column whose values are unique."""
    return {name: rows[0] for name, rows in rows_by(session, query, column, names).items()}


def taken(session: Session, column: InstrumentedAttribute[Any], names: Iterable[str | None]) -> set[str]:
    """Return which of these values a unique column holds, in rows the actor need not see; 500 in one statement."""
    wanted = sorted({name for name in names if name is not None})
    found: set[str] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        found |= set(session.scalars(select(column).where(column.in_(wanted[start : start + _AT_ONCE]))))
    return found


def take(names: set[str], name: str, column: str, faults: Faults) -> None:
    """Take a name for a row of this file; a name that is taken already is a fault of the column."""
    if name in names:
        faults[column] = ["already_exists"]
    names.add(name)


def reference(named: Mapping[str, str], column: str, found: Mapping[str, Any]) -> Any:
    """Return the id of what a cell names, or None when it leads nowhere."""
    row = found.get(named[column])
    return None if row is None else row.id


def differs(row: Any, values: Mapping[str, Any]) -> bool:
    """Tell whether a row of the database holds other values."""
    return any(getattr(row, name) != value for name, value in values.items())
