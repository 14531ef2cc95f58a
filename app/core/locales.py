"""The two languages of the product and how one is chosen."""

from __future__ import annotations

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
