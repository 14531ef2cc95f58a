"""Down: first syncs, deltas and idle pulls."""

from __future__ import annotations

import contextlib
import time

from bench.figures import percentile
from bench.filled import Filled, change
from bench.goals import Found, Sizes
from bench.lab import Lab
from bench.phone import Phone
from bench.served import Served, serve

_WARMING = 5
# A round of deltas ends after so long, but not before so many.
LONG_S = 30.0
_LEAST = 3


def first_syncs(lab: Lab, url: str, filled: Filled, sizes: Sizes, found: Found) -> None:
    """Bring a new phone all its rows, each time from a web process that has just begun, so that its memory can be judged."""
    wanted = {"customers": filled.mine // 10, "sites": filled.mine - filled.mine // 10}
    for _ in range(sizes.rounds):
        with serve(lab, url) as served, served.phone(filled.reps[0]) as phone:
            for _ in range(_WARMING):  # this connection's worker has then imported and compiled what it needs
                phone.pull_page(limit=50)
            served.forget_peak()
            before = served.memory()
            pulled = phone.pull()
            grown = [served.memory("VmHWM")[pid] - size for pid, size in before.items()]
        for name, count in wanted.items():
            found.check(f"{name} of a first sync", len({row["id"] for row in pulled.rows.get(name, [])}), count)
        distinct = sum(len({row["id"] for row in rows}) for rows in pulled.rows.values())
        found.check("rows of a first sync that came twice", pulled.count - distinct, 0)
        found.note("first", pulled.took_s)
        found.note("first rate", pulled.count / pulled.took_s)
        found.note("first row", pulled.body_bytes / pulled.count)
        found.note("plain row", pulled.plain_bytes / pulled.count)
        if grown:
            found.note("memory", max(grown))


def deltas(sides: dict[str, tuple[Served, Filled]], sizes: Sizes, found: Found) -> None:
    """Change a hundred rows over all collections and pull them, again and again, among few and many entries in turn."""
    with contextlib.ExitStack() as kept:
        phones = {name: kept.enter_context(_standing(*side)) for name, side in sides.items()}
        for _ in range(sizes.rounds):
            for name, (served, filled) in sides.items():
                changes_ms, pulls_ms = _round(served, filled, phones[name], sizes, found)
                found.note(f"{name} change", percentile(changes_ms, 50))
                found.note(f"{name} p50", percentile(pulls_ms, 50))
                found.note(f"{name} p95", percentile(pulls_ms, 95))
            found.note("ratio", found.figures["many p50"][-1] / found.figures["few p50"][-1])


def _round(served: Served, filled: Filled, phone: Phone, sizes: Sizes, found: Found) -> tuple[list[float], list[float]]:
    """Return the milliseconds of changes and of the pulls after them; fewer of them where they would take minutes."""
    wanted = {model.__tablename__: sorted(ids) for model, ids in filled.delta.items()}
    changes_ms: list[float] = []
    pulls_ms: list[float] = []
    ends = time.monotonic() + LONG_S
    while len(pulls_ms) < sizes.deltas and (len(pulls_ms) < _LEAST or time.monotonic() < ends):
        began = time.perf_counter()
        change(served.database, filled.delta)
        changes_ms.append((time.perf_counter() - began) * 1000)
        pulled = phone.pull()
        pulls_ms.append(pulled.took_s * 1000)
        came = {table: sorted(row["id"] for row in rows) for table, rows in pulled.rows.items()}
        found.check(f"rows of a delta among {filled.entries:,} entries", (came, pulled.removed), (wanted, 0))
    found.figures["delta bytes"] = [pulled.body_bytes]
    return changes_ms, pulls_ms


def idle(served: Served, filled: Filled, sizes: Sizes, found: Found) -> None:
    """Pull where nothing is new."""
    with _standing(served, filled) as phone:
        for _ in range(sizes.rounds):
            pulls = [phone.pull() for _ in range(sizes.idles)]
            took_ms = [pulled.took_s * 1000 for pulled in pulls]
            found.check("rows of idle pulls", sum(pulled.count + pulled.removed for pulled in pulls), 0)
            found.note("idle p50", percentile(took_ms, 50))
            found.note("idle p95", percentile(took_ms, 95))
            found.note("idle body", max(pulled.body_bytes for pulled in pulls))
            found.note("idle all", max(pulled.body_bytes + pulled.head_bytes for pulled in pulls))


def _standing(served: Served, filled: Filled) -> Phone:
    """Return a phone that has everything, over a warm connection."""
    phone = served.phone(filled.reps[0])
    phone.pull()
    change(served.database, filled.delta)
    for _ in range(_WARMING):
        phone.pull()
    return phone
