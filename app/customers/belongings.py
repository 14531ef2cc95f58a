"""What belongs to a customer, in whatever room its table is. A merge moves it; the rooms above say so beside their models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table

from app.core.db import Base


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
