"""What a row of words is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Sentence = str | tuple[str, str]


@dataclass(frozen=True)
class Words:
    """Title and sentences in one language."""

    title: str
    body: tuple[Sentence, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of message. ``sample`` documents its facts: exactly these keys are needed."""

    sample: dict[str, Any]
    en: Words
    zh: Words


INSTANT = "2026-05-31T06:30:00Z"
MODEL = {"asset_model": "EV-200"}
"""Of samples."""
