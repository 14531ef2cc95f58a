"""Sync beside the best-known peer: PouchDB against a server of CouchDB's protocol, both sides driven by their own library."""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

import msgspec

from bench.figures import Table, middle_of, short
from bench.filled import Filled, fill
from bench.fleet import Fleet
from bench.goals import KINDS, QUICK, WHOLE, Sizes
from bench.lab import DATABASE_NAMES, ROOT, Lab, free_port, listens, wait_for
from bench.rows import GROUP, SEED, Rows
from bench.served import serve

HERE = ROOT / "bench" / "peer"
_PEER = "express-pouchdb"
# PouchDB's own choice is 100; it is faster with more.
_BATCH = 1000
_DELTA = 100
_TIMEOUT_S = 600.0
_STEPS = (
    ("push", "push of {peer:,} rows made offline"),
    ("first", "first sync of {peer:,} rows"),
    ("delta", "delta of {delta} rows"),
    ("idle", "nothing new"),
)


class _Figure(msgspec.Struct):
    """What one step took, and all bytes it sent and received."""

    ms: float
    bytes: float


def measure(lab: Lab, _fleets: dict[str, Fleet], quick: bool) -> tuple[Table, bool]:
    """Return the table; a row that is lost ends the run."""
    sizes = QUICK if quick else WHOLE
    table = Table("6. Sync beside PouchDB and express-pouchdb", ("step", "of", _PEER, *_columns()))
    why_not = missing()
    if why_not:
        table.rows.append((why_not, *[""] * 6))
        return table, True
    filled = {
        kind: lab.template(kind, lambda database: fill(database, rows=10 * GROUP, areas=1, idle_areas=1), "sync-peer")
        for kind in KINDS
    }
    found: dict[str, dict[str, list[_Figure]]] = {_PEER: {}, **{kind: {} for kind in KINDS}}
    for turn in range(sizes.rounds):
        for side, figures in found.items():
            played = _couch(lab, sizes, turn) if side == _PEER else _fieldloop(lab, side, filled[side], sizes, turn)
            for step, figure in played.items():
                figures.setdefault(step, []).append(figure)
    for step, label in _STEPS:
        for unit in ("ms", "bytes"):
            table.rows.append(_row(label.format(peer=sizes.peer, delta=_delta(sizes)), unit, found, step))
    table.notes = _notes(sizes)
    return table, True


def missing() -> str:
    """Return why the peer cannot be measured here; nothing when it can."""
    if node() is None:
        return "not measured: Node is not installed"
    if not (HERE / "node_modules").exists() or not (ROOT / "examples" / "node_modules").exists():
        return "not measured: bench/peer/node_modules or examples/node_modules is missing (`make bench` installs both)"
    return ""


def node() -> str | None:
    """Return the Node that the development environment brings, else the machine's."""
    own = Path(sys.executable).parent / "node"
    return str(own) if own.exists() else shutil.which("node")


def _columns() -> tuple[str, ...]:
    names = [DATABASE_NAMES[kind] for kind in KINDS]
    return (*(f"Fieldloop, {name}" for name in names), *(f"{name}, ratio" for name in names))


def _row(label: str, unit: str, found: dict[str, dict[str, list[_Figure]]], step: str) -> tuple[str, ...]:
    values = {side: [getattr(figure, unit) for figure in figures[step]] for side, figures in found.items()}
    middle = {side: statistics.median(some) for side, some in values.items()}
    cells = [middle_of(some) for some in values.values()]
    return (label, unit, *cells, *(short(middle[kind] / middle[_PEER]) for kind in KINDS))


def _delta(sizes: Sizes) -> int:
    return min(_DELTA, sizes.peer // 10)


def _couch(lab: Lab, sizes: Sizes, turn: int) -> dict[str, _Figure]:
    port, folder = free_port(), lab.folder / f"couch-{turn}"
    folder.mkdir()
    with lab.process("couch", [str(node()), str(HERE / "server.mjs"), str(port), str(folder)]) as server:
        wait_for("express-pouchdb", lambda: server.must_run() and listens(port), 30, 0.1)
        return _play(lab, "couch", sizes, turn, ("territory-000001", "representative-1"), {"base": f"http://127.0.0.1:{port}"})


def _fieldloop(lab: Lab, kind: str, filled: Filled, sizes: Sizes, turn: int) -> dict[str, _Figure]:
    with serve(lab, lab.database(kind, "sync-peer")) as served:
        base = f"http://127.0.0.1:{served.settings.http_port}/api/v1"
        # A rep who has no row yet.
        whose = (filled.territories[-1], filled.reps[-1])
        return _play(lab, "fieldloop", sizes, turn, whose, {"base": base, "token": served.token(whose[1])})


def _play(lab: Lab, side: str, sizes: Sizes, turn: int, whose: tuple[str, str], more: dict[str, str]) -> dict[str, _Figure]:
    rows = Rows([whose], SEED + 100 + turn).take(sizes.peer)
    for customer in rows["customers"]:
        customer["code"] = ""
    plan: dict[str, Any] = {
        "name": f"bench-{turn}",
        "rows": rows,
        "delta": _delta(sizes),
        "deltas": 5,
        "idles": 20,
        "batch": _BATCH,
        **more,
    }
    file = lab.folder / f"plan-{side}-{turn}.json"
    file.write_bytes(msgspec.json.encode(plan))
    with lab.process(f"phones-{side}", [str(node()), str(HERE / f"{side}.mjs"), str(file)]) as phones:
        wait_for(f"phones of {side}", lambda: phones.process.poll() is not None, _TIMEOUT_S, 0.05)
        if phones.process.returncode:
            raise RuntimeError(f"{side}.mjs ended with code {phones.process.returncode}:\n{phones.tail()}")
        return msgspec.json.decode(phones.tail().splitlines()[-1], type=dict[str, _Figure])


def _notes(sizes: Sizes) -> list[str]:
    return [
        f"{sizes.rounds} round(s), the sides in turn, each with a new server and new phones: the median, and in brackets the "
        "least and the most. A ratio below 1 says that Fieldloop needs less.",
        "Both sides are one Node process with two phones that keep their rows in memory, and a server process on the same "
        "machine; a sync is all that the library does in both directions, what it does to its own rows included. Bytes: all "
        "that the process's connections sent and received, heads included.",
        f"The peer: PouchDB 9 with batches of {_BATCH:,} (its default of 100 is slower) against express-pouchdb 4.2 in the mode "
        "made for it, one process on LevelDB, which does not wait for the disk; without sign-in, rights, or anything that a "
        "person may not see.",
        "Fieldloop: WatermelonDB 0.28 by the phone of `examples/`, signed in beforehand, against granian as `python -m app up` "
        "starts it; each request with sign-in and rights, each commit on the disk, history and scopes kept.",
        "The same rows of `bench/rows.py` on both sides. Delta and nothing new: the median of 5 and of 20 syncs of the phone "
        "that did not edit.",
    ]
