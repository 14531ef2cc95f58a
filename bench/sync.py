"""Sync as a phone meets it: whole HTTP requests to the web process, on databases of several sizes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from bench import pulls, pushes, stamps
from bench.figures import Table, short
from bench.filled import Filled, fill
from bench.fleet import Fleet
from bench.goals import KINDS, QUICK, WHOLE, WRITERS, Found, Sizes, goals
from bench.lab import DATABASE_NAMES, Lab
from bench.rows import GROUP, SEED
from bench.served import Served, serve


def measure(lab: Lab, _fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table, and whether every row came or was stored exactly once."""
    sizes = QUICK if quick else WHOLE
    found = {kind: _database(lab, kind, sizes) for kind in KINDS}
    table = Table("5. Sync", ("figure", "goal", *(DATABASE_NAMES[kind] for kind in KINDS)))
    for goal in goals(sizes):
        cells = (goal.cell(kind, found[kind].figures.get(goal.key, [])) for kind in KINDS)
        table.rows.append((goal.label, goal.text(), *cells))
    faults = [f"FAILED on {DATABASE_NAMES[kind]}: {fault[:500]}" for kind in KINDS for fault in found[kind].faults[:5]]
    table.notes = faults + _notes(sizes)
    return table, not faults


def _database(lab: Lab, kind: str, sizes: Sizes) -> Found:
    """Measure one database. A part that fails is told of at the end: the others are worth having."""
    found = Found()

    def part(name: str, work: Callable[[], None]) -> None:
        print(f"bench: {DATABASE_NAMES[kind]}, {name}", file=sys.stderr, flush=True)
        try:
            work()
        except Exception as fault:  # noqa: BLE001
            traceback.print_exc()
            found.faults.append(f"{name}: {type(fault).__name__}: {fault}".replace("\n", " "))

    def deltas() -> None:
        many = _filled(lab, kind, "sync-many", rows=sizes.many, areas=sizes.areas, entries=sizes.entries)
        with serve(lab, lab.database(kind, "sync-few")) as small, serve(lab, lab.original(kind, "sync-many")) as large:
            pulls.deltas({"few": (small, few), "many": (large, many)}, sizes, found)

    def on(name: str, filled: Filled, *works: Callable[[Served, Filled, Sizes, Found], None]) -> Callable[[], None]:
        def served() -> None:
            with serve(lab, lab.database(kind, name)) as process:
                for work in works:
                    work(process, filled, sizes, found)

        return served

    whole = _filled(lab, kind, "sync-whole", rows=sizes.first, areas=1)
    few = _filled(lab, kind, "sync-few", rows=sizes.few, areas=1)
    part("first syncs", lambda: pulls.first_syncs(lab, lab.database(kind, "sync-whole"), whole, sizes, found))
    part("moves", on("sync-whole", whole, pushes.hand_over, pushes.moves))
    part("idle pulls and pushes", on("sync-few", few, pulls.idle, pushes.pushes))
    part("commits", lambda: stamps.measure(lab, lab.database(kind, "sync-whole"), sizes, found))
    part("deltas", deltas)
    return found


def _filled(lab: Lab, kind: str, name: str, *, rows: int, areas: int, entries: int = 0) -> Filled:
    return lab.template(kind, lambda database: fill(database, rows=rows, areas=areas, idle_areas=1, entries=entries), name)


def _notes(sizes: Sizes) -> list[str]:
    customers, sites = sizes.pushed // GROUP, sizes.pushed - sizes.pushed // GROUP
    return [
        f"{sizes.rounds} round(s): the median, and in brackets the least and the most. **Bold**: the median misses its goal; "
        "where there are two goals, the first is that of SQLite.",
        "granian as `python -m app up` starts it; one phone with one keep-alive connection. Whole requests with sign-in and "
        "rights, from the first byte sent to the last byte read. The phone asks for gzip; its decoding is not counted.",
        f"Rows: `bench/rows.py`, seed {SEED}; customers with {GROUP - 1} sites each, Chinese and English, ids of 16 letters.",
        "First sync: WatermelonDB's pull by a new phone in the pages the server chooses, from a web process that has answered "
        "five small pulls before. Growth: a worker's highest resident memory during it (VmHWM) less its memory before.",
        "Delta: 10 customers, 10 sites and 8 rows of each of the ten other collections get a new change number in one "
        f"transaction, then the phone pulls; {sizes.deltas} times a round (or for {pulls.LONG_S:.0f} s), both databases in "
        "turn. The same request writes down how far the phone has come, so that it is a reading and a writing transaction.",
        f"{sizes.entries:,} entries: {sizes.many:,} customers and sites in {sizes.areas} territories with a rep each, three "
        f"entries a row, and {sizes.entries - 3 * sizes.many:,} entries of rows that left a territory.",
        f"Idle: {sizes.idles} pulls a round in the small database. The head is every line before the body.",
        f"Push: one uncompressed request of {customers:,} customers without a code and {sites:,} sites. Again: the same bytes "
        f"from the same phone; nothing is made twice. One round where it takes longer than {pushes.LONG_S:.0f} s.",
        f"Moved: `edit_customer`, the verb behind `PATCH /customers/<id>`, for {sizes.moved // GROUP:,} customers, whose sites "
        "follow, in one transaction of our own process with its commit; no route of the API moves many. Handed over: "
        "`PUT /users/<id>/territories` for the one rep and for the other, two requests added up.",
        f"Commits: {WRITERS} processes for {short(sizes.stamps_s)} s a round, in a database of {sizes.first:,} rows; a "
        "transaction inserts two sites of one customer, is stamped, and its scope entries "
        "are kept. As verbs add them: two objects, each flushed, as `add` does.",
    ]
