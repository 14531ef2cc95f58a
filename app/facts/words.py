"""Where a fact comes from, in words; ``{}`` places the person or the system."""

from __future__ import annotations

from app.core.locales import EN
from app.customers.models import CustomerFact

# kind: (English, Chinese)
SOURCES: dict[str, tuple[str, str]] = {
    "owner_portal": ("the customer: {}", "客户本人：{}"),
    "rep": ("the rep {}", "业务员{}"),
    "office": ("the office: {}", "后台：{}"),
    "erp": ("the system {}", "系统 {}"),
    "device": ("a device: {}", "设备：{}"),
    "import": ("an imported file ({})", "导入文件（{}）"),
}


def source_text(fact: CustomerFact, name: str | None, locale: str) -> str:
    """Return who said a fact, in a language.

    Args:
        name: of the person who said it, where it was one.
    """
    english, chinese = SOURCES[fact.source_kind]
    by_person = fact.source_kind in {"owner_portal", "rep", "office"}
    return (english if locale == EN else chinese).format((name or "–") if by_person else fact.source_ref)
