"""One way of writing for what people write in many, and how Chinese characters may sound. The only import of pypinyin."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from app.search.characters import simplified

_MOST_READINGS = 4


def fold(text: str) -> str:
    """Return a text in one way of writing: half-width, lower case, simplified, accents off, blanks single."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(simplified("".join(sign for sign in plain if not unicodedata.combining(sign))).split())


@lru_cache(maxsize=1)
def _dictionary() -> dict[int, str]:
    # Here, as all of it: the library takes tenths of a second to load, and most processes never ask how a name sounds.
    from pypinyin.constants import PINYIN_DICT

    return PINYIN_DICT


def reading_of(sign: str) -> str:
    """Return the commonest reading of a Chinese character with its tone; a sign without one as it is."""
    return _dictionary().get(ord(sign), sign).partition(",")[0]


@lru_cache(maxsize=20_000)
def syllables_of(sign: str) -> tuple[str, ...]:
    """Return how a Chinese character may sound, as it is typed: without tones, the commonest first, at most four.

    ü is typed as v or, by those who know no better, as u.
    """
    found: list[str] = []
    for reading in _dictionary().get(ord(sign), sign).split(","):
        parts = unicodedata.normalize("NFD", reading.casefold())
        typed = parts.replace("u\u0308", "v")
        plain = "".join(part for part in typed if not unicodedata.combining(part))
        found += [plain, plain.replace("v", "u")]
    return tuple(dict.fromkeys(found))[:_MOST_READINGS]
