"""Whether a text begins with what was typed: as it is written, or as its Chinese characters sound. Pure."""

from __future__ import annotations

from app.search.spelling import fold, syllables_of
from app.search.terms import units_of

_MOST_UNITS = 40


def begins(text: str, typed: str) -> bool:
    """Tell whether a text begins with what was typed; case, width and accents do not matter, nor do blanks in pinyin.

    Each Chinese character may be typed as itself, by a reading without its tone, or by the first letter of one: 冷库, ``lengku``,
    ``lk`` and ``lku`` are the same.
    """
    wanted = fold(typed)
    if fold(text).startswith(wanted):
        return True
    wanted = wanted.replace(" ", "")
    return wanted.isascii() and wanted.isalnum() and _sounds_like(units_of(text)[:_MOST_UNITS], wanted)


def _sounds_like(units: list[str], wanted: str) -> bool:
    """Tell whether units begin to sound like letters, whatever part of each unit was typed.

    The rests that are still to be met are kept, each once, so that many readings cost no more than the letters there are.
    """
    rests = {wanted}
    for unit in units:
        following: set[str] = set()
        for rest in rests:
            for sound in _sounds_of(unit):
                if sound.startswith(rest):
                    return True
                if rest.startswith(sound):
                    following.add(rest[len(sound) :])
        if not following:
            return False
        rests = following
    return False


def _sounds_of(unit: str) -> set[str]:
    """Return what a unit may be typed as: a Chinese character by its readings and their first letters, a word as it is."""
    readings = syllables_of(unit) if len(unit) == 1 else (unit,)
    if readings == (unit,):
        return {unit}
    return {part for reading in readings for part in (reading, reading[:1])}
