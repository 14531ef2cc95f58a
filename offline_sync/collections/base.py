"""What a synced noun is, and how its values are put on the wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import JSON, Boolean, Column, ColumnElement, Date, Select, String, cast, select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import Moment, Money, among_given, in_ms
from app.core.settings import Settings
from app.core.tracked import Tracked
from app.users.rights import Actor

Words = Callable[[Session, Sequence[Any], str, Settings], list[dict[str, Any]]]


class Withheld(NamedTuple):
    """``right``: who has it gets a field whole; ``rest``: what of its text is left for others."""

    right: str
    rest: Callable[[str], str]


@dataclass(frozen=True)
class Collection:
    """One synced noun.

    Attributes:
        name: of the collection; its table has the same.
        model: the tracked table.
        right: what an actor must be allowed to hold it.
        columns: wire name -> column, in the order they are sent.
        words: further fields of some rows that are put into the reader's language.
        optional: fields that may be null.
        withheld: fields of JSON text of which whoever lacks a right gets less.
    """

    name: str
    model: type[Tracked]
    right: str
    columns: Mapping[str, str]
    words: Words | None = None
    worded: tuple[str, ...] = ()
    optional: frozenset[str] = field(default_factory=frozenset)
    withheld: Mapping[str, Withheld] = field(default_factory=dict)

    @property
    def fields(self) -> tuple[str, ...]:
        """Every name a row has on the wire."""
        return ("id", "created_at", "updated_at", *self.columns, *self.worded)

    @cached_property
    def selected(self) -> tuple[ColumnElement[Any], ...]:
        """The columns of a row on the wire, the id first, as SQL that already yields what phones keep."""
        return tuple(_in_sql(column) for column in self._stored)

    @cached_property
    def query(self) -> Select[Any]:
        """A select of them, without conditions."""
        return select(*self.selected)

    def by_ids(self, dialect: str) -> Select[Any]:
        """The same of the rows whose ids are in the parameter ``ids`` (``as_list``)."""
        return self._by_ids[dialect]

    @cached_property
    def _by_ids(self) -> dict[str, Select[Any]]:
        return {dialect: self.query.where(among_given(dialect, self.selected[0], "ids")) for dialect in ("postgresql", "sqlite")}

    def wired(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return a row on the wire from what the driver has for ``selected``."""
        row = dict(zip(self._names, values, strict=True))
        for name, convert in self._converted:
            if row[name] is not None:
                row[name] = convert(row[name])
        return row

    @cached_property
    def _stored(self) -> tuple[Any, ...]:
        table = self.model.__table__
        return tuple(table.c[name] for name in ("id", "created_at", "updated_at", *self.columns.values()))

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return ("id", "created_at", "updated_at", *self.columns)

    @cached_property
    def _converted(self) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        """The fields whose values no SQL of both databases makes, each with what makes them."""
        kinds = zip(self._names, (column.type for column in self._stored), strict=True)
        return tuple((name, _CONVERTERS[type(kind)]) for name, kind in kinds if type(kind) in _CONVERTERS)


def _in_sql(column: Column[Any]) -> ColumnElement[Any]:
    """Return a column as phones keep its value, as far as SQL can say it."""
    if isinstance(column.type, Moment):
        return in_ms(column)
    if isinstance(column.type, Money | Date):
        return cast(column, String)
    return column


def json_text(value: Any) -> str:
    """Return a JSON column's value as text; SQLite's driver has it as text already, in an order of its own."""
    return json.dumps(json.loads(value) if isinstance(value, str) else value, ensure_ascii=False, sort_keys=True)


_CONVERTERS: dict[type[Any], Callable[[Any], Any]] = {Boolean: bool, JSON: json_text}


def plain(*names: str, **renamed: str) -> dict[str, str]:
    """Return wire names by column, where most are the same."""
    return {name: name for name in names} | renamed


def each(told: Callable[[Any, str, Settings], dict[str, Any]]) -> Words:
    """Return how many rows are told, from how one is."""
    return lambda _session, rows, locale, settings: [told(row, locale, settings) for row in rows]


def to_wire(value: Any) -> Any:
    """Return a column's value as phones keep it."""
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return value


def rows_to_wire(
    session: Session, collection: Collection, rows: Sequence[Any], actor: Actor, settings: Settings
) -> list[dict[str, Any]]:
    """Return rows as the actor's phone gets them."""
    told = collection.words(session, rows, actor.locale, settings) if collection.words is not None else [{} for _ in rows]
    return [
        {"id": row.id, "created_at": to_ms(row.created_at), "updated_at": to_ms(row.updated_at)}
        | {name: to_wire(getattr(row, column)) for name, column in collection.columns.items()}
        | words
        for row, words in zip(rows, told, strict=True)
    ]
