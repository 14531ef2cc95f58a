"""``python -m bench [--quick] [--only NAMES]``: measure the sections, print, keep in docs/bench.md."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import (
    beside,
    couch,
    entitlements,
    field_day,
    field_figures,
    fleet,
    ingest,
    latency,
    machine,
    reads,
    rule_load,
    shards,
    sync,
    timeline,
    trials,
    web,
    writers,
)
from bench.figures import Table
from bench.lab import KINDS, ROOT, Lab, stop_on_signals

Section = Callable[[Lab, dict[str, fleet.Fleet], bool], tuple[Table, bool]]
SECTIONS: dict[str, Section] = {
    "ingest": ingest.measure,
    "latency": latency.measure,
    "http": web.measure,
    "writers": writers.measure,
    "sync": sync.measure,
    "peer": couch.measure,
    "rules": rule_load.measure,
    "shards": shards.measure,
    "trials": trials.measure,
    "reads": reads.measure,
    "node_red": beside.measure,
    "field_day": field_day.measure,
    "timeline": timeline.measure,
    "field_figures": field_figures.measure,
    "entitlements": entitlements.measure,
}


def sections(text: str) -> list[str]:
    """Read the value of ``--only``.

    Raises:
        argparse.ArgumentTypeError: for a name that is no section.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(f"name some of {', '.join(SECTIONS)}")
    return [name for name in SECTIONS if name in names]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and keep; return 0, or 1 when something was lost or doubled, or could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the speed of Fieldloop on this machine.")
    parser.add_argument("--quick", action="store_true", help="fewer messages and rounds: under a minute, figures are rough")
    parser.add_argument("--only", type=sections, default=list(SECTIONS), metavar="NAMES", help=", ".join(SECTIONS))
    parser.add_argument("--out", type=Path, help="file for the report; a whole run that is not quick writes docs/bench.md")
    given = parser.parse_args(arguments)
    whole = not given.quick and given.only == list(SECTIONS)
    stop_on_signals()
    began = time.monotonic()
    with Lab() as lab:
        tables, good = run(lab, given.only, given.quick)
    command = "python -m bench" + (" --quick" if given.quick else "")
    command += "" if given.only == list(SECTIONS) else f" --only {','.join(given.only)}"
    top = head(command, good, time.monotonic() - began)
    show(top)
    target = given.out or (ROOT / "docs" / "bench.md" if whole else None)
    if target is not None:
        target.write_text("\n".join([top, *(table.markdown() for table in tables)]), encoding="utf-8")
        say(f"kept in {target}")
    return 0 if good else 1


def run(lab: Lab, names: Sequence[str], quick: bool) -> tuple[list[Table], bool]:
    """Measure the named sections and show each table; return them and whether nothing was lost or doubled."""
    # Told of afterwards by the tables; a warning of the ingest in this process would only break the report.
    logging.disable(logging.CRITICAL)
    for name in [name for name in os.environ if name.startswith("FIELDLOOP_")]:
        del os.environ[name]
    found = [machine.describe(lab)]
    show(found[0].markdown())
    fleets = {}
    for kind in KINDS:
        say(f"filling {kind}")
        fleets[kind] = lab.template(kind, lambda database: fleet.fill(database, lab.settings("")))
    good = True
    for name in names:
        say(f"measuring {name}")
        before, began = machine.load_average(), time.monotonic()
        try:
            table, kept = SECTIONS[name](lab, fleets, quick)
        except Exception as fault:  # noqa: BLE001 - the other sections are worth having
            traceback.print_exc()
            table, kept = Table(name, ("FAILED",), [(f"{type(fault).__name__}: {str(fault)[:300]}".replace("\n", " "),)]), False
        took_s = time.monotonic() - began
        table.notes.append(f"Took {took_s:.0f} s. Load average before {before}, after {machine.load_average()}.")
        show(table.markdown())
        found.append(table)
        good &= kept
    return found, good


def head(command: str, good: bool, took_s: float) -> str:
    """Return the first lines of the report as Markdown."""
    verdict = "Every message and every row was stored exactly once." if good else "**FAILED: see the tables.**"
    return (
        f"# Speed\n\nMeasured on {time.strftime('%Y-%m-%d')} by `{command}` in {took_s:.0f} s. {verdict}\n"
        "Publisher, broker, database and product share one machine over loopback; compare ratios, not figures,\n"
        "between machines.\n"
    )


def show(text: str) -> None:
    """Print Markdown, drawn when a person looks at it."""
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(text))
    else:
        print(text, flush=True)


def say(text: str) -> None:
    """Tell a person who waits what is going on."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
