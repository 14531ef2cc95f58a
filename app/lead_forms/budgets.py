"""Reading what people choose or write as a budget: one amount, a range, or one bound of it; Chinese and English. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from app.core.wire import fold

RULES = ("lower", "middle", "upper")
_LONGEST = 60
_LIMIT = Decimal(10) ** 10
_CENT = Decimal("0.01")
_WRITTEN_OUT = 1000
_UNITS = {
    "千": 10**3, "k": 10**3, "thousand": 10**3,
    "万": 10**4, "萬": 10**4, "w": 10**4,
    "百万": 10**6, "m": 10**6, "mio": 10**6, "million": 10**6,
    "千万": 10**7, "亿": 10**8, "億": 10**8,
}  # fmt: skip
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))
# A comma parts groups of three. A point is followed by one or two digits: "1.000" may mean a thousand, so it is not read.
_NUMBER = r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,12})(\.[0-9]{1,2})?(?![0-9.,])"
_AMOUNT = rf"{_NUMBER}\s*({_UNIT})?"
_MONEY = re.compile(r"人民币|rmb|cny|usd|eur|元|块|[¥$€£]")
_ABOUT = re.compile(r"^(?:约|大约|about|approx\.?|ca\.?|~)\s*|\s*(?:左右)$")
_SINGLE = re.compile(_AMOUNT)
_RANGE = re.compile(rf"(?:from\s+|between\s+|从)?{_AMOUNT}\s*(?:-|–|—|−|~|至|到|to|and)+\s*{_AMOUNT}(?:之间)?")
_LEAST = re.compile(
    rf"(?:≥|>=|>|不低于|不少于|至少|超过|大于|高于|over|above|more than|at least|from)\s*{_AMOUNT}"
    rf"|{_AMOUNT}\s*(?:及以上|以上|起|\+|or more|and more|and above|and up)"
)
_MOST = re.compile(
    rf"(?:≤|<=|<|不超过|不高于|至多|最多|小于|低于|少于|under|below|up to|less than|at most)\s*{_AMOUNT}"
    rf"|{_AMOUNT}\s*(?:及以下|以下|以内|之内|or less|and below)"
)


class Bounds(NamedTuple):
    """From where to where a budget goes, both among it. None: that end is open."""

    least: Decimal | None
    most: Decimal | None


def read_budget(text: str) -> Bounds | None:
    """Return the bounds a text names, None where it cannot be read without guessing.

    In a range a unit behind the second number is the first one's, too. Where the first would then be the greater one, it is
    written out ("5000-1万") if it is a thousand or more.
    """
    plain = " ".join(_MONEY.sub(" ", fold(text)).split())
    if not plain or len(plain) > _LONGEST:
        return None
    if found := _RANGE.fullmatch(plain):
        return _bounds(found.groups())
    if found := _LEAST.fullmatch(plain):
        return _open(found.groups(), least=True)
    if found := _MOST.fullmatch(plain):
        return _open(found.groups(), least=False)
    if found := _SINGLE.fullmatch(_ABOUT.sub("", plain)):
        one = _amount(*found.groups())
        return None if one is None else Bounds(one, one)
    return None


def amount_of(bounds: Bounds, rule: str) -> Decimal:
    """Return one amount for a range: its ``lower`` or ``upper`` bound or the ``middle``; of an open one the bound it has."""
    least, most = bounds
    if least is None or most is None:
        return least if least is not None else most if most is not None else Decimal(0)
    if rule == "middle":
        return ((least + most) / 2).quantize(_CENT)
    return least if rule == "lower" else most


def _bounds(parts: tuple[str | None, ...]) -> Bounds | None:
    whole, fraction, unit, whole_2, fraction_2, unit_2 = parts
    most = _amount(whole_2, fraction_2, unit_2)
    least, alone = _amount(whole, fraction, unit or unit_2), _amount(whole, fraction, unit)
    if most is None or alone is None:
        return None
    if least is not None and least <= most:
        return Bounds(least, most)
    return Bounds(alone, most) if _WRITTEN_OUT <= alone <= most else None


def _open(parts: tuple[str | None, ...], *, least: bool) -> Bounds | None:
    bound = _amount(*(parts[:3] if parts[0] else parts[3:]))
    if bound is None:
        return None
    return Bounds(bound, None) if least else Bounds(None, bound)


def _amount(whole: str | None, fraction: str | None, unit: str | None) -> Decimal | None:
    """Return a number with its unit, None beyond what a lead can hold."""
    if whole is None:
        return None
    found = Decimal(whole.replace(",", "") + (fraction or "")) * _UNITS.get(unit or "", 1)
    return found.quantize(_CENT) if found < _LIMIT else None
