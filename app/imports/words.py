"""What is wrong with a cell, in words; a fault may name another row."""

from __future__ import annotations

from app.core.texts import field_text


def fault_told(fault: str, locale: str) -> tuple[str, str]:
    """Return a fault as its code and in words.

    Args:
        fault: a code, or ``<code>:<row>``.
        locale: the reader's.
    """
    code, _, row = fault.partition(":")
    text = field_text(code, locale)
    return code, text.format(row=row) if row else text
