"""What a refused caller reads: title and detail per stable code, in both languages."""

from __future__ import annotations

from app.core.locales import EN, ZH
from app.core.texts.facts import FACTS
from app.core.texts.field_problems import FIELD_PROBLEMS
from app.core.texts.problems import PROBLEMS

_CODED = frozenset({"state", "wanted", "reason", "lacks"})


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def problem_text(code: str, locale: str, facts: dict[str, object]) -> tuple[str, str]:
    """Return (title, detail) of a refusal in a language."""
    row = PROBLEMS.get(code, PROBLEMS["http_error"])
    title, detail = (row[0], row[1]) if locale == EN else (row[2], row[3])
    return title, detail.format_map(
        _Facts({name: _told(value, locale) if name in _CODED else value for name, value in facts.items()})
    )


def _told(value: object, locale: str) -> object:
    """Return a coded fact in words; ``lacks`` is a list of them."""
    if isinstance(value, list | tuple):
        return (", " if locale == EN else "、").join(str(_told(each, locale)) for each in value)
    row = FACTS.get(value) if isinstance(value, str) else None
    return value if row is None else row[0 if locale == EN else 1]


def field_text(code: str, locale: str) -> str:
    """Return what is wrong with a field, in a language."""
    row = FIELD_PROBLEMS.get(code, FIELD_PROBLEMS["invalid"])
    return row[0] if locale != ZH else row[1]
