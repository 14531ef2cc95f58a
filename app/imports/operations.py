"""Bringing in a file: every row through the same verbs as one entered by hand, all of them or none."""

from __future__ import annotations

from collections.abc import Callable
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
    """The rows of one file of a kind: looked up together, then prepared and written one by one.

    ``key`` is the column of the natural key.
    """

    key: str

    def prepare(self, cells: dict[str, str]) -> Any:
        """Return what ``create`` takes, or None when the row is there already; raise ``FieldsInvalid`` by column."""

    def create(self, prepared: Any) -> None:
        """Write a row through the verbs of its room."""


KINDS: dict[str, tuple[Columns, Callable[[Session, Actor, list[Row]], Rows]]] = {
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


def bring_in(session: Session, actor: Actor, kind: str, text: str, *, dry_run: bool) -> Outcome:
    """Bring in a file of customers, assets or stations.

    A row whose natural key is there with the same values counts as unchanged; with other values it is
    an error, for a file overwrites nothing. Any error leaves everything as it was, and so does a dry
    run, which otherwise does the same.

    Args:
        kind: a key of ``KINDS``.
        text: the CSV file.
        dry_run: only tell what would come of it.

    Raises:
        Invalid: ``csv_invalid`` when the file as a whole cannot be read.
    """
    columns, look_up = KINDS[kind]
    rows = read_rows(text, columns, actor.locale)
    outcome = Outcome(dry_run, len(rows))
    # The request's transaction is committed in the end, so what may not stay is undone down to here.
    with session.begin_nested() as trial:
        _bring_in_rows(session, actor, look_up(session, actor, rows), rows, outcome)
        if outcome.errors:
            outcome.created = 0
        if dry_run or outcome.errors:
            trial.rollback()
    return outcome


def _bring_in_rows(session: Session, actor: Actor, kind: Rows, rows: list[Row], outcome: Outcome) -> None:
    seen: set[str] = set()
    for row in rows:
        name = row.cells.get(kind.key)
        try:
            if not row.whole:
                raise FieldsInvalid({"row": ["cells_wrong"]})
            if name in seen:
                raise FieldsInvalid({kind.key: ["duplicate"]})
            prepared = kind.prepare(row.cells)
            if prepared is None:
                outcome.unchanged += 1
            else:
                with session.begin_nested():
                    kind.create(prepared)
                outcome.created += 1
        except FieldsInvalid as fault:
            outcome.refuse(row, fault.errors, actor.locale)
        except DomainError as fault:
            outcome.refuse(row, {"row": [fault.code]}, actor.locale)
        if name is not None:
            seen.add(name)
