"""Files as they are uploaded, CSV or .xlsx, to a header and rows of cells. Knows no table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core import wire
from app.core.errors import Invalid
from app.core.locales import ZH
from app.imports.files import MOST_ROWS, REASONS
from app.imports.spreadsheets import MOST_COLUMNS, Cell, Unreadable, is_spreadsheet, rows_of

MOST_UPLOADED = 3_000_000
LONGEST_CELL = 500
LONGEST_NAME = 100
_NAMES_SHOWN = 5
_SEPARATORS = ",;\t"


@dataclass(frozen=True)
class Sheet:
    """A file that was read. ``rows``: number as a spreadsheet counts, and the filled cells by header."""

    encoding: str
    header: list[str]
    rows: list[tuple[int, dict[str, Cell]]]


def read_sheet(raw: bytes, locale: str) -> Sheet:
    """Read an uploaded file.

    Args:
        raw: CSV in UTF-8, GBK or GB18030 with commas, semicolons or tabs; or .xlsx, of which the first sheet is read.
        locale: the language of the refusal.

    Raises:
        Invalid: ``file_invalid`` with a reason in words.
    """
    try:
        if len(raw) > MOST_UPLOADED:
            raise Unreadable("too_many_bytes", most=MOST_UPLOADED)
        encoding, lines = ("xlsx", rows_of(raw)) if is_spreadsheet(raw) else _csv(raw)
        return _sheet(encoding, lines)
    except Unreadable as fault:
        raise Invalid("file_invalid", reason=REASONS[fault.reason][1 if locale == ZH else 0].format(**fault.facts)) from None


def _csv(raw: bytes) -> tuple[str, list[list[Cell]]]:
    encoding, text = _decoded(raw)
    first = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[list[Cell]] = []
    try:
        for line in reader:
            lines.append(list(line))
            if len(lines) > MOST_ROWS * 2:
                raise Unreadable("too_many_rows", most=MOST_ROWS)
    except csv.Error:
        raise Unreadable("not_csv", line=reader.line_num) from None
    return encoding, lines


def _decoded(raw: bytes) -> tuple[str, str]:
    """Return the text of a CSV file: UTF-8 where it is that, else GB18030, of which GBK and GB2312 are parts."""
    for encoding, codec in (("utf-8", "utf-8-sig"), ("gb18030", "gb18030")):
        try:
            text = raw.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:  # UTF-16, or no text at all
            return encoding, text
    raise Unreadable("encoding_unknown")


def _sheet(encoding: str, lines: Sequence[list[Cell]]) -> Sheet:
    header = [str(cell).strip() for cell in lines[0]] if lines else []
    while header and not header[-1]:
        header.pop()
    _check_header(header)
    rows: list[tuple[int, dict[str, Cell]]] = []
    for number, line in enumerate(lines[1:], 2):
        cells = {name: cell for name, cell in zip(header, map(_cell, line), strict=False) if cell != ""}
        if any(_cell(cell) != "" for cell in line[len(header) :]):
            raise Unreadable("cells_beyond", row=number)
        if not cells:
            continue
        if len(rows) == MOST_ROWS:
            raise Unreadable("too_many_rows", most=MOST_ROWS)
        _check_cells(number, cells)
        rows.append((number, cells))
    if not rows:
        raise Unreadable("no_rows")
    return Sheet(encoding, header, rows)


def _cell(cell: Cell) -> Cell:
    return cell.strip() if isinstance(cell, str) else cell


def _check_cells(number: int, cells: Mapping[str, Cell]) -> None:
    for name, cell in cells.items():
        try:
            wire.check_text(str(cell), LONGEST_CELL)
        except wire.WireError:
            raise Unreadable("cell_invalid", row=number, name=name, most=LONGEST_CELL) from None


def _check_header(header: Sequence[str]) -> None:
    if not header:
        raise Unreadable("no_header")
    if len(header) > MOST_COLUMNS:
        raise Unreadable("too_many_columns", most=MOST_COLUMNS)
    if not all(header) or any(len(name) > LONGEST_NAME for name in header):
        raise Unreadable("column_unnamed", most=LONGEST_NAME)
    twice = [name for name, times in Counter(header).items() if times > 1]
    if twice:
        raise Unreadable("columns_twice", names=", ".join(name[:40] for name in twice[:_NAMES_SHOWN]))
