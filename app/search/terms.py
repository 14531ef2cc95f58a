"""Terms under which a text is found: each is the rest of the text from a place where people begin to remember it. Pure.

What somebody types is compared with the beginnings of terms. So a term for each Chinese character on finds an inner part of a
name, a term for each word on an English one, and terms of digits the end of a number. How Chinese names sound is kept in the
same way: full pinyin and initials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import IntEnum
from itertools import combinations, islice, product
from typing import Any, NamedTuple

from app.search.spelling import fold, said_as, syllables_of

LONGEST_TERM = 32
MOST_TERMS = 200
# Of one text: how many terms tell how it sounds, of how many that are tried; how many characters of it may be read in a rarer
# way, and how far behind the beginning of a term.
_MOST_SOUNDS, _SOUNDS_TRIED, _MOST_RARER, _SOUNDS_WITHIN = 48, 400, 2, 4
_LEAST_DIGITS = 4
_MOST_CUSTOM, _LONGEST_CUSTOM = 30, 100
_UNITS = re.compile(r"[㐀-鿿]|(?:(?![㐀-鿿])[^\W_])+")
_HAN = re.compile(r"[㐀-鿿]")
# Nobody looks for a company by the words that all companies have; terms that begin inside them would find half of all rows.
_FORM = re.compile(r"(?:股份|有限|责任|集团|控股|总|分|子)*公司$")
_AREA_ENDS = frozenset("省市区县镇乡村街道路号巷弄座栋楼")


class Tier(IntEnum):
    """How good a match with a term is: names before other fields, beginnings before inner parts."""

    NAME_START = 0
    OTHER_START = 1
    NAME_INSIDE = 2
    OTHER_INSIDE = 3


class Text(NamedTuple):
    """One field of a row: what it is called, its text, and how it is taken apart (a key of ``FORMS``)."""

    field: str
    text: str
    form: str


class Term(NamedTuple):
    """A term, how good a match with it is, and of which field it is."""

    tier: Tier
    term: str
    field: str


def custom_texts(values: Mapping[str, Any]) -> list[Text]:
    """Return what a row is found by of the values of the company's own fields: texts and numbers, 30 of 100 characters."""
    told = [(key, value) for key, value in sorted(values.items())[:_MOST_CUSTOM] if isinstance(value, str | int | float)]
    return [
        Text(f"custom.{key}"[:60], str(value)[:_LONGEST_CUSTOM], "label")
        for key, value in told
        if not isinstance(value, bool) and str(value).strip()
    ]


def terms_of(texts: Iterable[Text]) -> list[Term]:
    """Return the terms of a row, each once, at most 200; the fields' order is their importance."""
    found: dict[Term, None] = {}
    for text in texts:
        start, inside = (Tier.NAME_START, Tier.NAME_INSIDE) if text.form == "name" else (Tier.OTHER_START, Tier.OTHER_INSIDE)
        for place, term in FORMS[text.form](text.text):
            cut = term[:LONGEST_TERM].rstrip()
            if cut:
                found[Term(inside if place else start, cut, text.field)] = None
            if len(found) == MOST_TERMS:
                return list(found)
    return list(found)


def units_of(text: str) -> list[str]:
    """Return Chinese characters one by one and other words whole, folded."""
    return _UNITS.findall(fold(text))


def joined(units: Sequence[str]) -> str:
    """Return units as one text: a blank stands only between two words that are not Chinese."""
    parts: list[str] = []
    for unit in units:
        if parts and not _HAN.match(unit) and not _HAN.match(parts[-1]):
            parts.append(" ")
        parts.append(unit)
    return "".join(parts)


def _of_name(text: str) -> Iterator[tuple[int, str]]:
    units = units_of(text)
    form = _FORM.search("".join(unit if _HAN.match(unit) else "_" for unit in units))
    starts = range(max(form.start() if form else len(units), 1))
    yield from ((start, joined(units[start:])) for start in starts if start < len(units))
    if any(_HAN.match(unit) for unit in units):
        sounds: dict[tuple[int, str], None] = {}
        for sound in islice(_sounds(units, starts), _SOUNDS_TRIED):
            sounds[sound] = None
            if len(sounds) == _MOST_SOUNDS:
                break
        yield from sounds


def _sounds(units: Sequence[str], starts: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield initials and full pinyin from each start on: as they are read there, then in rarer ways, of the beginning first."""
    # Of each unit how it may sound, with the first letter; words that are not Chinese are both as they are. First where it
    # stands, then otherwise.
    readings = [
        [(each, each[:1]) for each in dict.fromkeys((here, *syllables_of(unit)))] if _HAN.match(unit) else [(unit, unit)]
        for unit, here in zip(units, said_as(units), strict=True)
    ]
    usual = [each[0] for each in readings]
    steps = [(0, start) for start in starts]
    steps += [(rarer, start) for part in (starts[:1], starts[1:]) for rarer in range(1, _MOST_RARER + 1) for start in part]
    for rarer, start in steps:
        within = range(start, min(start + _SOUNDS_WITHIN, len(units)))
        for places in combinations([at for at in within if len(readings[at]) > 1], rarer):
            for chosen in product(*(readings[at][1:] for at in places)):
                spoken = usual[start : start + LONGEST_TERM]
                for at, sound in zip(places, chosen, strict=True):
                    spoken[at - start] = sound
                if len(spoken) > 1:
                    yield start, "".join([first for _, first in spoken])
                yield start, "".join([whole for whole, _ in spoken])


def _of_label(text: str) -> Iterator[tuple[int, str]]:
    units = units_of(text)
    yield from ((start, joined(units[start:])) for start in range(len(units)))


def _of_code(text: str) -> Iterator[tuple[int, str]]:
    units = units_of(text)
    whole = "".join(units)
    yield 0, joined(units)
    yield 0, whole
    yield from ((start, joined(units[start:])) for start in range(1, len(units)))
    yield from ((start, whole[start:]) for start in range(1, len(whole) - _LEAST_DIGITS + 1))


def _of_phone(text: str) -> Iterator[tuple[int, str]]:
    digits = "".join(sign for sign in text if sign.isdigit())
    yield 0, digits
    if text.startswith("+86"):
        yield 0, digits[2:]
        if digits[2:3] != "1":  # a landline is written with a 0 before its area's number, which E.164 leaves out
            yield 0, "0" + digits[2:]
    yield from ((start, digits[start:]) for start in range(1, len(digits) - _LEAST_DIGITS + 1))


def _of_address(text: str) -> Iterator[tuple[int, str]]:
    units = units_of(text)
    for start, unit in enumerate(units):
        if start == 0 or units[start - 1][-1] in _AREA_ENDS or not _HAN.match(unit):
            yield start, joined(units[start:])


FORMS: dict[str, Callable[[str], Iterator[tuple[int, str]]]] = {
    "name": _of_name,
    "label": _of_label,
    "code": _of_code,
    "phone": _of_phone,
    "address": _of_address,
}
