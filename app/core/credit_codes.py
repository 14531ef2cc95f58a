"""The 统一社会信用代码 (unified social credit code) that every Chinese organisation has: 18 signs, the last one a check.

Source: GB 32100-2015, 法人和其他组织统一社会信用代码编码规则.
"""

from __future__ import annotations

import unicodedata

# Without I, O, S, V and Z, which look like digits or like each other. A sign's value is its place.
_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_VALUES = {sign: value for value, sign in enumerate(_SIGNS)}
_LENGTH = 18
_MODULUS = 31
_WEIGHTS = tuple(pow(3, place, _MODULUS) for place in range(_LENGTH - 1))


def plain_code(text: str) -> str:
    """Return a code as it is kept: half-width capitals, without blanks."""
    return "".join(unicodedata.normalize("NFKC", text).split()).upper()


def check_sign(first: str) -> str:
    """Return the check sign of the first 17 signs of a code.

    Raises:
        KeyError: for a sign that no code has.
    """
    total = sum(_VALUES[sign] * weight for sign, weight in zip(first, _WEIGHTS, strict=True))
    return _SIGNS[-total % _MODULUS]


def is_credit_code(code: str) -> bool:
    """Tell whether a code, as ``plain_code`` returns it, has the signs it may have and the check it must have."""
    if len(code) != _LENGTH or not set(code) <= set(_SIGNS):
        return False
    return check_sign(code[:-1]) == code[-1]
