"""Rows of a file that are of one customer, or one lead: they belong together for other sites, else one is too many."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from app.imports.cells import Faults
from app.imports.reading import Read, Reader
from app.imports.spreadsheets import Cell

_SITE = ("site_name", "site_address", "lat", "lon")
_Rows = list[tuple[int, Mapping[str, Cell]]]


class Repeats:
    """What is wrong with rows of one key, by the row's number, and which row each further one follows.

    Attributes:
        faults: ``duplicate`` for a row that says nothing of its own; ``contradicts:<row>`` for two rows that say different things
            of one customer, each naming the other.
        follows: the number of the first row of the same customer.
    """

    def __init__(self, reader: Reader, rows: Iterable[tuple[int, Mapping[str, Cell]]], *, sites: bool) -> None:
        """Read what rows of one key say, before anything of the database is known.

        Args:
            sites: rows of one key may be of one customer, each for another site.
        """
        self.faults: dict[int, Faults] = {}
        self.follows: dict[int, int] = {}
        self._reader = reader
        by_key: dict[str, _Rows] = {}
        for row_number, cells in rows:
            key = reader.key_of(cells)
            if key is not None:
                by_key.setdefault(key, []).append((row_number, cells))
        for found in by_key.values():
            if len(found) > 1:
                self._compare(found, sites=sites)

    def _compare(self, rows: _Rows, *, sites: bool) -> None:
        said: dict[str, tuple[Any, int]] = {}
        named: set[str | None] = set()
        for row_number, cells in rows:
            read = self._reader.read(row_number, cells)
            site = _site_of(read, said)
            if row_number != rows[0][0]:
                self.follows[row_number] = rows[0][0]
            if named and (not sites or site in named):
                self._refuse(row_number, self._reader.key, "duplicate")
                continue
            named.add(site)
            for name, value in {**read.given, **read.codes}.items():
                if name in _SITE:
                    continue
                first, above = said.setdefault(name, (value, row_number))
                if (type(first), first) != (type(value), value):
                    self._refuse(row_number, name, f"contradicts:{above}")
                    self._refuse(above, name, f"contradicts:{row_number}")

    def _refuse(self, row_number: int, name: str, code: str) -> None:
        codes = self.faults.setdefault(row_number, {}).setdefault(self._reader.headers.get(name, name), [])
        if not codes:
            codes.append(code)


def _site_of(read: Read, said: Mapping[str, tuple[Any, int]]) -> str | None:
    """Return the name of the site a row is for: without one it is called as the customer; None where it is for none."""
    if not any(name in read.given for name in _SITE):
        return None
    called = read.given.get("name") or said.get("name", ("", 0))[0]
    return str(read.given.get("site_name") or called)
