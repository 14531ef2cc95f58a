"""CSV text in, rows out (RFC 4180, strictly). Knows no table."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from app.core.errors import Invalid
from app.core.locales import ZH

MOST_BYTES = 900_000
MOST_ROWS = 5_000
_NAMES_SHOWN = 5

# Why a file cannot be read: (English, Chinese)
REASONS: dict[str, tuple[str, str]] = {
    "not_csv": ("Line {line} is not CSV; look for a lone quotation mark.", "第 {line} 行不是规范的 CSV，请检查引号是否成对。"),
    "no_header": ("The first row must name the columns.", "首行必须为列名。"),
    "columns_missing": ("Columns are missing: {names}.", "缺少列：{names}。"),
    "columns_unknown": ("Columns are not known here: {names}.", "存在未知列：{names}。"),
    "columns_twice": ("Columns appear twice: {names}.", "列名重复：{names}。"),
    "too_many_rows": ("A file may have {most} rows; split it.", "单个文件最多 {most} 行，请拆分。"),
    "too_many_bytes": ("A file may have {most} bytes; split it.", "文件最多 {most} 字节，请拆分。"),
    "too_many_columns": ("A file may have {most} columns.", "文件最多 {most} 列。"),
    "column_unnamed": (
        "Each column up to the last needs a name of at most {most} characters in the first row.",
        "首行中每一列都须有列名，且不超过 {most} 个字符。",
    ),
    "cells_beyond": ("Row {row} has more cells than the first row names columns.", "第 {row} 行的单元格多于首行的列名。"),
    "cell_invalid": (
        "Row {row}, column “{name}”: the text is longer than {most} characters or cannot be stored.",
        "第 {row} 行“{name}”列：文本超过 {most} 个字符或无法存储。",
    ),
    "no_rows": ("The file has no rows below the first.", "首行以下没有内容。"),
    "not_xlsx": ("The file is damaged, or no .xlsx file as Excel writes it.", "文件已损坏，或不是 Excel 的 .xlsx 文件。"),
    "old_or_locked": (
        "The file is of an old Excel or has a password; save it as .xlsx without one.",
        "文件为旧版 Excel 格式或设有密码，请另存为不带密码的 .xlsx。",
    ),
    "unpacks_too_large": ("The file unpacks to more than is read.", "文件解压后过大，无法读取。"),
    "encoding_unknown": ("The file is neither UTF-8 nor GBK/GB18030.", "文件编码不是 UTF-8 或 GBK/GB18030。"),
    "too_much_stock": ("A file may have {most} entries of stock; split it.", "单个文件最多 {most} 条库存，请拆分。"),
}


@dataclass(frozen=True)
class Columns:
    """The columns of one kind of file. Each of ``groups`` may be left out, as a whole."""

    needed: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Row:
    """One row: its number as a spreadsheet shows it (the header is 1), and its filled cells by column, trimmed."""

    number: int
    cells: dict[str, str]
    whole: bool = True
    """False when it has more or fewer cells than the header."""


def read_rows(text: str, columns: Columns, locale: str) -> list[Row]:
    """Read a file; a byte order mark and empty rows are passed over.

    Args:
        text: the file; its first row names the columns, in any order.
        columns: what the columns may be.
        locale: the language of the refusal.

    Raises:
        Invalid: ``csv_invalid`` with a reason in words.
    """
    lines = _lines(text.removeprefix("\ufeff"), locale)
    header = [name.strip() for name in next(lines, (0, []))[1]]
    _check_header(header, columns, locale)
    rows: list[Row] = []
    for number, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) == MOST_ROWS:
            raise refusal("too_many_rows", locale, most=MOST_ROWS)
        filled = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if cell.strip()}
        rows.append(Row(number, filled, len(cells) == len(header)))
    return rows


def _lines(text: str, locale: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from enumerate(reader, 1)
    except csv.Error:
        raise refusal("not_csv", locale, line=reader.line_num) from None


def _check_header(header: list[str], columns: Columns, locale: str) -> None:
    if not any(header):
        raise refusal("no_header", locale)
    given = set(header)
    wanted = list(columns.needed) + [name for group in columns.groups if given & set(group) for name in group]
    faults = {
        "columns_unknown": [name for name in dict.fromkeys(header) if name not in wanted],
        "columns_missing": [name for name in wanted if name not in given],
        "columns_twice": [name for name, times in Counter(header).items() if times > 1],
    }
    for reason, names in faults.items():
        if names:
            shown = ", ".join((name[:40] or "-") for name in names[:_NAMES_SHOWN])
            raise refusal(reason, locale, names=shown + (", …" if len(names) > _NAMES_SHOWN else ""))


def refusal(reason: str, locale: str, **facts: object) -> Invalid:
    """Return the error that says, in a language, why a whole file is refused; ``reason`` is a key of ``REASONS``."""
    words = REASONS[reason][1 if locale == ZH else 0]
    return Invalid("csv_invalid", reason=words.format(**facts))
