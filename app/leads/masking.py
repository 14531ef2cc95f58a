"""What the pool shows of a text that somebody wrote about a lead: not how to reach it. Pure."""

from __future__ import annotations

import re
import unicodedata

_HIDDEN = "…"
_MAIL = re.compile(r"\S+@\S+")
# Five digits with at most a blank or a hyphen between them, and seven with a little of anything: "139 a1111 b2222".
_NUMBER = re.compile(r"\d(?:\D{0,3}\d){6,}|\d(?:[ -]?\d){4,}")
_SPELT = re.compile(
    r"[〇零○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖](?:[ -]?[〇零○一二三四五六七八九幺两壹贰叁肆伍陆柒捌玖]){4,}"
)


def masked(text: str) -> str:
    """Return a text without telephone numbers, however they are written or spelt, and without e-mail addresses."""
    plain = "".join(sign for sign in text if unicodedata.category(sign) != "Cf")
    for pattern in (_MAIL, _NUMBER, _SPELT):
        # Found in the narrow form of each sign, cut out of what was written.
        for found in reversed(list(pattern.finditer("".join(map(_narrow, plain))))):
            plain = plain[: found.start()] + _HIDDEN + plain[found.end() :]
    return plain


def _narrow(sign: str) -> str:
    narrow = unicodedata.normalize("NFKC", sign)
    return narrow if len(narrow) == 1 else sign
