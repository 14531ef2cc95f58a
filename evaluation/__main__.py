"""``python -m evaluation DATA``: the product's rules on real batteries, cars and machines, messages, positions and customers.

Writes docs/quality.md and docs/quality.zh-CN.md, both whole or neither. Of the rules nothing runs here but the detectors, so the
figures are those of the rules themselves. The messages go through a real broker and the ingest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from app.core.clock import Clock
from app.core.locales import EN
from app.core.logs import set_up_logs
from app.core.settings import read_settings
from evaluation.machine import described
from evaluation.page import PAGES, judge, page

_DOCS = Path(__file__).resolve().parent.parent / "docs"


def main(argv: list[str], docs: Path = _DOCS) -> int:
    """Write the pages.

    Where data is missing, the other sections are printed, each missing one with the reason, and the pages stay as they were.

    Returns:
        1 if the product fell short of what it promises; the sections show where.
    """
    set_up_logs(read_settings(log_level="ERROR"), "evaluation")
    clock = Clock()
    began, day = clock.monotonic(), clock.now().date()
    told = judge(Path(argv[0]) if argv else None)
    seconds = clock.monotonic() - began
    if told.sections:
        print(page(told, EN, day, described(), seconds))
    for part, reason in told.skipped:
        print(f"{part.headings[EN]}: skipped, {reason}")
    if told.skipped:
        print("The pages stay as they are; all sections need: make eval DATA=<folder>")
    else:
        for locale, name in PAGES.items():
            (docs / name).write_text(page(told, locale, day, described(), seconds), encoding="utf-8")
        print(f"kept in {docs}")
    return 1 if told.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
