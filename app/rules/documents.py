"""Rule documents: any of the kinds, read from JSON and checked."""

from __future__ import annotations

from typing import Any

import msgspec

from app.rules.kinds import (
    Conditioned,
    Duration,
    Fenced,
    MOfN,
    Rate,
    Silence,
    Threshold,
    Trending,
    UsageSinceFitted,
    Window,
)

Document = Threshold | Duration | Rate | MOfN | Window | UsageSinceFitted | Trending | Fenced | Conditioned | Silence


def read_document(raw: dict[str, Any]) -> Document:
    """Read and check a rule document.

    Raises:
        ValueError: saying what is wrong and where.
    """
    try:
        document: Document = msgspec.convert(raw, Document)
    except msgspec.ValidationError as fault:
        raise ValueError(str(fault)) from None
    document.check()
    return document
