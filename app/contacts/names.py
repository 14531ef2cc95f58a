"""Whether two records of people at one customer may be the same person. Values in, values out."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from app.customers.matching import spelling
from app.customers.names import syllables
from app.search.characters import simplified

_HAN = re.compile(r"[㐀-鿿]")
# What people write before or behind a name, and what is no part of it.
_HONORIFIC = re.compile(r"(先生|女士|小姐|老师)$|^(mr|mrs|ms|miss|dr|prof)\.? +", re.I)
_APART = re.compile(r"[\s·.．・,，'’_-]+")
_LONGEST = 100
_ALIKE = 0.85


def name_key(name: str) -> str:
    """Return a name as names are compared: one width, case and script, without forms of address, blanks and points.

    A name that is nothing but these is compared as it is written.
    """
    plain = unicodedata.normalize("NFKC", name).strip()
    key = _APART.sub("", _HONORIFIC.sub("", plain))
    return simplified((key or plain).casefold())[:_LONGEST]


@lru_cache(maxsize=4096)
def _spoken(key: str) -> str:
    return "".join(syllables(key)) if _HAN.search(key) else key


@dataclass(frozen=True)
class Person:
    """What of a contact is compared. ``phones``: in E.164."""

    key: str
    phones: frozenset[str]
    email: str | None


def person(name: str, phones: tuple[str | None, ...], email: str | None) -> Person:
    """Return what of a contact is compared."""
    return Person(name_key(name), frozenset(phone for phone in phones if phone), email)


def likeness(one: Person, other: Person) -> list[str]:
    """Return what speaks for two people at one customer being the same: codes, the strongest first; none where nothing does.

    A phone may be shared by an office and a name by two people: it is a person who decides.
    """
    signs = []
    if one.phones & other.phones:
        signs.append("same_phone")
    if one.email and one.email == other.email:
        signs.append("same_email")
    if one.key == other.key:
        signs.append("same_name")
    elif _spoken(one.key) == _spoken(other.key):
        signs.append("same_sound")
    elif len(one.key) > 3 and spelling(one.key, other.key) >= _ALIKE:
        signs.append("similar_name")
    return signs
