"""``python -m evaluation DATA``: rules on real batteries, cars and machines; writes docs/quality.md.

Nothing of the product runs here but its detectors, so the figures are those of the rules themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path

from evaluation import batteries, cars, machines, trends

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "quality.md"
_HEAD = """# Quality of rules on real data

Written by `make eval DATA=<folder>`; the folder holds the public data sets named in each section, which are not part of this
repository. The detectors are those the ingest runs (`app/rules/detectors`). Seeds are fixed, so the page changes only with the
rules.
"""


def main(argv: list[str]) -> int:
    """Write the page; skip with a reason where the data is not there."""
    folder = Path(argv[0]) if argv else None
    parts = [batteries.judged, trends.judged, cars.judged, machines.judged]
    told = [text for part in parts if folder is not None and (text := part(folder)) is not None]
    if not told:
        print(
            "skipped: name a folder that holds battery_nasa, battery_lab, ev_leaf_log, ev_leaf_survey or machines_pdm,"
            " as in: make eval DATA=<folder>"
        )
        return 0
    page = "\n".join([_HEAD, *(text for text, _ in told)])
    print(page)
    if len(told) == len(parts):
        _PAGE.write_text(page)
        print(f"kept in {_PAGE}")
    return 1 if any(wrong for _, wrong in told) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
