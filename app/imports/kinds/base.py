"""What each kind of file does in its own way: judge a row, write it, take it back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.orm import Session

from app.core.history import HistoryEntry
from app.core.settings import Settings
from app.imports.cells import Faults
from app.imports.models import Import
from app.imports.reading import Read, Reader
from app.imports.spreadsheets import Cell
from app.users.rights import Actor

Effect = dict[str, Any]


@dataclass
class Judged:
    """What would become of one row.

    Attributes:
        plan: create, update or unchanged; None where it has faults.
        subject_id: of the customer, or the lead, that is known; ``values``: what is written of it.
        site_id: of the site that is known; ``site``: what is written of it, None for nothing.
        codes: another system's codes, by the field that is a code list; ``waiting``: those fields whose code stands for nothing
            of ours, and ``ignored`` those of which somebody said so.
        outranked: the fields of which a better source's value would stay.
        faults: codes by column, or by field where no column gives it.
    """

    number: int
    key: str | None = None
    plan: str | None = None
    subject_id: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    site_id: str | None = None
    site: dict[str, Any] | None = None
    codes: dict[str, str] = field(default_factory=dict)
    waiting: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    outranked: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=dict)

    def settle_plan(self, *, known: bool) -> None:
        """Say what a run would do; ``known``: the customer, or the lead, is there by then."""
        changes = bool(self.values or self.site)
        self.plan = None if self.faults else "create" if not known else "update" if changes else "unchanged"


class Judge(Protocol):
    """Judges some rows of an upload together, so that the database is asked once for all of them."""

    read: list[Read]

    def judge(self, one: Read, brought: Mapping[str, Any] | None = None) -> Judged:
        """Return what would become of a row.

        Args:
            one: of ``read``.
            brought: what rows above bring to the same customer; None: no row above is of it.
        """

    def foresee(self, rows: Sequence[Judged]) -> None:
        """Say of each row without faults what of it would be outranked, as if it ran now."""


class Undoing(Protocol):
    """Takes back rows of one import, the last one first."""

    def take_back(self, effects: list[Effect]) -> Faults:
        """Take back what one row of the file wrote.

        Returns:
            What stays, as codes by field.
        """


Rows = Sequence[tuple[int, Mapping[str, Cell]]]


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        reader: reads the cells of an upload's rows.
        judge: reads some rows and looks up whatever they name.
        write: writes a row that has no faults, caused by the entry given, and returns what was written.
        undo: begins to undo an import.
        at_once: rows of one transaction.
        sites: several rows may be of one customer, each for another site.
    """

    reader: Callable[[Session, Import], Reader]
    judge: Callable[[Session, Actor, Import, Rows], Judge]
    write: Callable[[Session, Settings, Actor, Import, Judged, HistoryEntry | None], list[Effect]]
    undo: Callable[[Session, Settings, Actor, Import], Undoing]
    at_once: int
    sites: bool = False


def took_effect(effect: Mapping[str, Any]) -> bool:
    """Tell whether anything was written: of what a better source had said nothing was, nor of a code that waits."""
    left = {*effect["outranked"], *effect.get("waiting", ())}
    return effect["before"] is None or bool(set(effect["after"]) - left)
