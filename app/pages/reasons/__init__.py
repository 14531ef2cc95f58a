"""The reason of each entry of the causal log as a sentence, in both languages; ``{name}`` places a fact.

A kind without a row here fails a test. What the facts read as: ``app.pages.codes``, ``app.pages.conditions``.
"""

from __future__ import annotations

from datetime import tzinfo
from typing import Any

from app.core.locales import EN
from app.pages.codes import coded
from app.pages.conditions import condition_of
from app.pages.reasons.company import COMPANY
from app.pages.reasons.customers import CUSTOMERS
from app.pages.reasons.owed import OWED
from app.pages.reasons.sales import SALES
from app.pages.reasons.service import SERVICE
from app.pages.reasons.telemetry import TELEMETRY
from app.pages.reasons.visits import VISITS

# kind: (English, Chinese)
REASONS: dict[str, tuple[str, str]] = TELEMETRY | SERVICE | VISITS | OWED | SALES | CUSTOMERS | COMPANY


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "–"


def reason_of(kind: str, facts: dict[str, Any], locale: str, time_zone: tzinfo) -> str:
    """Return the sentence that says why, or what, an entry of the causal log is.

    Args:
        time_zone: instants inside the sentence are told in this zone.
    """
    row = REASONS.get(kind)
    if row is None:
        return kind
    # A fact that holds nothing is told like one that is missing.
    told = {name: coded(value, locale, time_zone) for name, value in facts.items() if value is not None and value != ""}
    if isinstance(facts.get("condition"), dict):
        told["condition"] = condition_of(facts["condition"], facts.get("metric"), locale, time_zone)
    return (row[0] if locale == EN else row[1]).format_map(_Facts(told))
