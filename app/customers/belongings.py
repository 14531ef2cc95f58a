"""What belongs to a customer, in whatever room its table is. A merge moves it; the rooms above say so beside their models."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table
from sqlalchemy.orm import Session

from app.core.db import Base
from app.core.history import HistoryEntry


@dataclass(frozen=True)
class Belonging:
    """Rows of one table that name a customer.

    Attributes:
        table: its name.
        column: holds the customer's id.
        only: where the column names other things, too: a column and the value it has for customers.
        parent: table and column of the row they hang on, where that belongs to a customer itself: they go where it goes.
        keeps: a column and the values of it with which a row keeps its customer from being deleted: somebody still waits for it.
    """

    table: str
    column: str = "customer_id"
    only: tuple[str, str] | None = None
    parent: tuple[str, str] | None = None
    keeps: tuple[str, tuple[str, ...]] | None = None

    @property
    def rows(self) -> Table:
        """The table."""
        return Base.metadata.tables[self.table]

    def of(self, customer_id: Any) -> ColumnElement[bool]:
        """Return the condition for the rows of a customer."""
        mine: ColumnElement[bool] = self.rows.c[self.column] == customer_id
        return mine if self.only is None else mine & (self.rows.c[self.only[0]] == self.only[1])


BELONGINGS: list[Belonging] = []


def declare_belonging(
    table: str,
    column: str = "customer_id",
    *,
    only: tuple[str, str] | None = None,
    parent: tuple[str, str] | None = None,
    keeps: tuple[str, tuple[str, ...]] | None = None,
) -> None:
    """Let the rows of a tracked table go with their customer. Called once beside the model, after that of its parent."""
    BELONGINGS.append(Belonging(table, column, only, parent, keeps))


# Tables whose rows do not move: (table, column of the customer, (column, values with which a row keeps its customer)).
KEEPERS: list[tuple[str, str, tuple[str, tuple[str, ...]]]] = []


def declare_keeper(table: str, column: str, keeps: tuple[str, tuple[str, ...]]) -> None:
    """Let rows that do not go with a merge keep their customer from being deleted; see ``Belonging.keeps``."""
    KEEPERS.append((table, column, keeps))


Follow = Callable[[Session, Collection[str], HistoryEntry | None], None]
_follows: list[Follow] = []


def declare_follow(follow: Follow) -> None:
    """Let a room count anew what it counts of customers, once their rows went from one to another. Called once, by the room."""
    _follows.append(follow)


def follow_move(session: Session, customer_ids: Collection[str], because: HistoryEntry | None) -> None:
    """Tell the rooms above between which customers rows moved.

    Args:
        because: the entry that tells of it.
    """
    for follow in _follows:
        follow(session, customer_ids, because)
