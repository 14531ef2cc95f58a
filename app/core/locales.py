"""The two languages of the product and how one is chosen."""

from __future__ import annotations

import os
from collections.abc import Callable

EN = "en"
ZH = "zh-CN"
LOCALES = (ZH, EN)


def closest(header: str | None, default: str) -> str:
    """Return the supported locale an Accept-Language header asks for first (RFC 9110, 12.5.4)."""
    ranked: list[tuple[float, str]] = []
    for part in (header or "")[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            quality = float(weight) if weight else 1.0
        except ValueError:
            continue
        if tag.lower().startswith("zh"):
            ranked.append((quality, ZH))
        elif tag.lower().startswith("en"):
            ranked.append((quality, EN))
    return max(ranked, key=lambda found: found[0])[1] if ranked else default


def colon(locale: str) -> str:
    """Return the colon between a title and what follows: a full-width one, without a blank, in Chinese."""
    return ": " if locale == EN else "："


def semicolon(locale: str) -> str:
    """Return what stands between two remarks, as ``colon``."""
    return "; " if locale == EN else "；"


def in_terminal() -> Callable[[str, str], str]:
    """Return what picks (English, Chinese) for the person at this terminal, by LC_ALL, LC_MESSAGES or LANG (POSIX's order)."""
    named = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return (lambda _, chinese: chinese) if named.lower().startswith("zh") else (lambda english, _: english)
