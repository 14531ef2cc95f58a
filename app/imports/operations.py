"""Bringing in a file: every row through the same verbs as one entered by hand, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.core.errors import DomainError, FieldsInvalid
from app.core.texts import field_text
from app.imports.assets import AssetRows
from app.imports.customers import CustomerRows
from app.imports.files import Columns, Row, read_rows
from app.imports.stations import StationRows
from app.users.rights import Actor

_MOST_ERRORS = 1_000


class Rows(Protocol):
    """The rows of one file of a kind: looked up together, then prepared one by one, and later written one by one.

    ``key`` is the column of the natural key.
    """

    key: str

    def prepare(self, cells: dict[str, str]) -> Any:
        """Return what ``create`` takes, or None when the row is there already; raise ``FieldsInvalid`` by column."""

    @staticmethod
    def create(session: Session, actor: Actor, prepared: Any) -> None:
        """Write a row through the verbs of its room."""


KINDS: dict[str, tuple[Columns, type[CustomerRows | AssetRows | StationRows]]] = {
    "customers": (CustomerRows.columns, CustomerRows),
    "assets": (AssetRows.columns, AssetRows),
    "stations": (StationRows.columns, StationRows),
}


@dataclass
class Outcome:
    """What came of a file. ``errors`` holds the first 1,000; ``cut`` tells whether there are more."""

    dry_run: bool
    rows: int
    created: int = 0
    unchanged: int = 0
    errors: list[dict[str, object]] = field(default_factory=list)
    cut: bool = False

    def refuse(self, row: Row, faults: dict[str, list[str]], locale: str) -> None:
        """Note what is wrong with a row."""
        for column, codes in faults.items():
            for code in codes:
                if len(self.errors) == _MOST_ERRORS:
                    self.cut = True
                    return
                self.errors.append({"row": row.number, "field": column, "code": code, "text": field_text(code, locale)})


@dataclass
class Plan:
    """A file that was read and judged: what came of it so far, and the rows that are still to be written."""

    kind: str
    outcome: Outcome
    rows: list[tuple[Row, Any]] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether nothing is to be written: it was a dry run, has an error, or is all there already."""
        return self.outcome.dry_run or bool(self.outcome.errors) or not self.rows


def plan(session: Session, actor: Actor, kind: str, text: str, *, dry_run: bool) -> Plan:
    """Read a file of customers, assets or stations and judge every row; writes nothing and holds no lock.

    A row whose natural key is there with the same values counts as unchanged; with other values it is
    an error, for a file overwrites nothing.

    Args:
        kind: a key of ``KINDS``.
        text: the CSV file.
        dry_run: only tell what would come of it.

    Raises:
        Invalid: ``csv_invalid`` when the file as a whole cannot be read.
    """
    columns, look_up = KINDS[kind]
    rows = read_rows(text, columns, actor.locale)
    found = Plan(kind, Outcome(dry_run, len(rows)))
    known, seen = look_up(session, actor, rows), set()
    for row in rows:
        name = row.cells.get(known.key)
        try:
            if not row.whole:
                raise FieldsInvalid({"row": ["cells_wrong"]})
            if name in seen:
                raise FieldsInvalid({known.key: ["duplicate"]})
            prepared = known.prepare(row.cells)
            if prepared is None:
                found.outcome.unchanged += 1
            else:
                found.rows.append((row, prepared))
        except FieldsInvalid as fault:
            found.outcome.refuse(row, fault.errors, actor.locale)
        if name is not None:
            seen.add(name)
    if dry_run and not found.outcome.errors:
        found.outcome.created = len(found.rows)
    return found


def bring_in(session: Session, actor: Actor, found: Plan) -> Outcome:
    """Write the rows of a plan, all of them or none; one that is settled already is left as it is.

    A row that is refused although the plan had no error was overtaken by somebody else: it is named,
    and the file may be sent again.
    """
    outcome = found.outcome
    if found.settled:
        return outcome
    create = KINDS[found.kind][1].create
    # The request's transaction is committed in the end, so what may not stay is undone down to here.
    with session.begin_nested() as trial:
        for row, prepared in found.rows:
            try:
                create(session, actor, prepared)
            except FieldsInvalid as fault:
                outcome.refuse(row, fault.errors, actor.locale)
            except DomainError as fault:
                outcome.refuse(row, {"row": [fault.code]}, actor.locale)
            if outcome.errors:
                trial.rollback()
                return outcome
    outcome.created = len(found.rows)
    return outcome
