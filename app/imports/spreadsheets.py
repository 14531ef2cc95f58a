"""The first sheet of an .xlsx file, cell by cell. The only import of python_calamine.

An .xlsx file is a ZIP of XML. What it says of itself is not believed: before the reader gets it, every part is unpacked up to a
bound, and no cell may stand so far out that the rectangle around all cells would fill the memory.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from typing import Any

Cell = str | int | float | bool

MOST_ROWS = 5_000
MOST_COLUMNS = 60
_MOST_PARTS = 500
_MOST_UNPACKED = 60_000_000
_PIECE = 1 << 16
_LOCAL_HEADER = 30
_SHEET = re.compile(r"xl/worksheets/[^/]+\.xml", re.IGNORECASE)
_REFERENCE = re.compile(rb"""\br\s*=\s*["']\s*([A-Za-z]{0,9})([0-9]{1,12})""")
_OLD = b"\xd0\xcf\x11\xe0"  # an OLE file: .xls, or an .xlsx with a password


class Unreadable(Exception):
    """A file that is not read; ``reason`` is a key of ``files.REASONS``."""

    def __init__(self, reason: str, **facts: object) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


def is_spreadsheet(raw: bytes) -> bool:
    """Tell whether a file is one of Excel's, by its first bytes."""
    return raw.startswith((b"PK\x03\x04", _OLD))


def rows_of(raw: bytes) -> list[list[Cell]]:
    """Return the rows of the first sheet, from the first one on.

    Formulas are the values they had when the file was saved; days and instants are ISO texts, by the cell's type.

    Raises:
        Unreadable: when it is no .xlsx file, or larger than is read.
    """
    if raw.startswith(_OLD):
        raise Unreadable("old_or_locked")
    _check_parts(raw)
    # Here, as all of it: most processes never read a spreadsheet.
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(raw)).get_sheet_by_index(0)
        found = sheet.to_python(skip_empty_area=False)
    except (CalamineError, ValueError, OSError, IndexError) as fault:
        raise Unreadable("not_xlsx") from fault
    return [[_plain(cell) for cell in row] for row in found]


def _plain(cell: Any) -> Cell:
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    if isinstance(cell, float) and cell.is_integer():
        return int(cell)
    return cell if isinstance(cell, str | int | float | bool) else ""


def _check_parts(raw: bytes) -> None:
    """Unpack every part up to a bound, whatever the directory says of its size; look at where the sheets' cells stand."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            parts = packed.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as fault:
        raise Unreadable("not_xlsx") from fault
    if len(parts) > _MOST_PARTS or len({part.filename for part in parts}) < len(parts):
        raise Unreadable("not_xlsx")
    left = _MOST_UNPACKED
    for part in parts:
        text = _unpacked(raw, part, left)
        left -= len(text)
        if _SHEET.fullmatch(part.filename):
            _check_places(text)


def _unpacked(raw: bytes, part: zipfile.ZipInfo, most: int) -> bytes:
    at = part.header_offset
    head = raw[at : at + _LOCAL_HEADER]
    if part.flag_bits & 1:
        raise Unreadable("old_or_locked")
    if len(head) < _LOCAL_HEADER or part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Unreadable("not_xlsx")
    begin = at + _LOCAL_HEADER + int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
    packed = raw[begin : begin + part.compress_size]
    if part.compress_type == zipfile.ZIP_STORED:
        found = packed
    else:
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            found = unpack.decompress(packed, most + 1)
        except zlib.error as fault:
            raise Unreadable("not_xlsx") from fault
    if len(found) > most or part.file_size > _MOST_UNPACKED:
        raise Unreadable("unpacks_too_large")
    return found


def _check_places(sheet: bytes) -> None:
    """Refuse a sheet with a cell beyond the bounds: its reader makes room for all cells up to there."""
    if b"\x00" in sheet[:200]:  # UTF-16, in which nothing would be seen below
        raise Unreadable("not_xlsx")
    for letters, digits in _REFERENCE.findall(sheet):
        if int(digits) > MOST_ROWS + 1:
            raise Unreadable("too_many_rows", most=MOST_ROWS)
        if _column(letters) > MOST_COLUMNS:
            raise Unreadable("too_many_columns", most=MOST_COLUMNS)
    # Cells may leave away where they stand; then they follow each other.
    if sheet.count(b"<row") > MOST_ROWS + 1 or sheet.count(b":row") > MOST_ROWS + 1:
        raise Unreadable("too_many_rows", most=MOST_ROWS)


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
