"""``python -m evaluation DATA``: rules on real batteries, cars and machines, messages of other makers; writes docs/quality.md.

Of the rules nothing runs here but the detectors, so the figures are those of the rules themselves. The messages go through a
real broker and the ingest.
"""

from __future__ import annotations

import sys
from pathlib import Path

from app.core.logs import set_up_logs
from app.core.settings import read_settings
from evaluation import batteries, cars, machines, trends, wire

_PAGE = Path(__file__).resolve().parent.parent / "docs" / "quality.md"
_HEAD = """# Quality of rules on real data

Written by `make eval DATA=<folder>`; the folder holds the public data sets named in each section, which are not part of this
repository. The detectors are those the ingest runs (`app/rules/detectors`). Seeds are fixed, so the page changes only with the
rules and with how messages are read.
"""


def main(argv: list[str]) -> int:
    """Write the page; skip with a reason where the data is not there."""
    set_up_logs(read_settings(log_level="ERROR"), "evaluation")
    folder = Path(argv[0]) if argv else None
    parts = [batteries.judged, trends.judged, cars.judged, machines.judged, wire.judged]
    told = [text for part in parts if folder is not None and (text := part(folder)) is not None]
    if not told:
        print(
            "skipped: name a folder that holds battery_nasa, battery_lab, ev_leaf_log, ev_leaf_survey, machines_pdm or"
            " mqtt_ovms with mqtt_teslamate and mqtt_sparkplug,"
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
