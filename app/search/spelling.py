"""One way of writing for what people write in many, and how Chinese characters may sound. The only import of pypinyin."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby

from app.search.characters import simplified
from app.search.readings import PLAIN, READINGS, WORDS

_MOST_READINGS = 4
_HAN = re.compile(r"[㐀-鿿]")


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
    if sign in READINGS:
        return tuple(READINGS[sign].split())
    readings = _dictionary().get(ord(sign), sign).split(",")
    found: list[str] = []
    for reading in readings[:1] if sign in PLAIN else readings:
        parts = unicodedata.normalize("NFD", reading.casefold())
        typed = parts.replace("u\u0308", "v")
        plain = "".join(part for part in typed if not unicodedata.combining(part))
        found += [plain, plain.replace("v", "u")]
    return tuple(dict.fromkeys(found))[:_MOST_READINGS]


def said_as(units: Sequence[str]) -> list[str]:
    """Return how each unit of a text sounds where it stands: in 银行 the second character is not read as in 行动.

    Args:
        units: Chinese characters one by one and other words whole, which stay as they are.
    """
    found: list[str] = []
    for is_chinese, run in groupby(units, key=lambda unit: _HAN.match(unit) is not None):
        words = list(run)
        found += _read("".join(words)) if is_chinese else words
    return found


@lru_cache(maxsize=20_000)
def _read(text: str) -> tuple[str, ...]:
    """Return the syllables of Chinese characters, each as the word has it in which it stands, else by itself."""
    from pypinyin import lazy_pinyin
    from pypinyin.constants import PHRASES_DICT
    from pypinyin.seg.mmseg import seg

    found: list[str] = []
    for piece in seg.cut(text):
        found += lazy_pinyin(piece) if piece in PHRASES_DICT else [syllables_of(sign)[0] for sign in piece]
    for word, sound in WORDS.items():
        for at in (match.start() for match in re.finditer(word, text)):
            found[at : at + len(word)] = sound.split()
    return tuple(found)
