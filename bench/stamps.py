"""Several processes that commit as fast as they can, each transaction stamped and its scopes kept.

Processes and not threads, as in ``writers.py``, because the threads of one Python share one processor. Each is
``python -m bench.stamps <JSON of Work>``.
"""

from __future__ import annotations

import contextlib
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

import app.tables  # noqa: F401 - declares every table
from app.core.db import Database, last_change, now
from app.core.tracked import add
from app.customers.models import Customer, Site
from bench.goals import WRITERS, Found, Sizes
from bench.lab import Lab, wait_for

_GO = "go"
_READY_S = 60.0
_BETWEEN_S = 1.0


class Work(msgspec.Struct):
    """What one process is to do.

    Attributes:
        url: of the database.
        writer: number of this process, which is in the ids of its rows.
        customer: whose sites they are.
        ways: how rows are inserted, one for each round in turn.
        lasts_s: how long a round is.
        folder: where it says that it is ready, and reads when the first round begins.
    """

    url: str
    writer: int
    customer: str
    ways: list[str]
    lasts_s: float
    folder: str


def _values(work: Work, number: int, place: int) -> dict[str, Any]:
    return {
        "id": f"s{work.writer}-{number:010d}-{place}", "customer_id": work.customer, "name": "Yard", "address": "科技路1号",
        "lat": 22.5, "lon": 114.0,
    }  # fmt: skip


def _as_verbs(session: Session, work: Work, number: int) -> None:
    for place in (0, 1):
        add(session, Site(**_values(work, number, place)))


def _in_bulk(session: Session, work: Work, number: int) -> None:
    stamps = {"version": 1, "created_at": now(session), "updated_at": now(session)}
    session.execute(insert(Site.__table__), [_values(work, number, place) | stamps for place in (0, 1)])  # type: ignore[arg-type]


WAYS: dict[str, Callable[[Session, Work, int], None]] = {"verbs": _as_verbs, "bulk": _in_bulk}


def run(work: Work) -> list[int]:
    """Return how many transactions were committed in each round."""
    database, folder = Database(work.url, pool_size=1), Path(work.folder)
    with database.reading() as session:
        session.get(Site, "warm")
    (folder / f"ready-{work.writer}").touch()
    go = folder / _GO
    wait_for("go", go.exists, _READY_S)
    first = float(go.read_text())
    number, found = 0, []
    for turn, way in enumerate(work.ways):
        # Whoever still waits for a lock when a round begins comes to it later, and commits less in it.
        start = first + turn * (work.lasts_s + _BETWEEN_S)
        time.sleep(max(0.0, start - time.monotonic()))
        began_at = number
        while time.monotonic() < start + work.lasts_s:
            with database.transaction() as session:
                WAYS[way](session, work, number)
            number += 1
        found.append(number - began_at)
    database.close()
    return found


def measure(lab: Lab, url: str, sizes: Sizes, found: Found) -> None:
    """Let the writers commit in rounds that begin together; both ways in turn."""
    database = Database(url)
    with database.reading() as session:
        customer = session.scalars(select(Customer.id).order_by(Customer.id)).first() or ""
        before, began = session.scalar(select(func.count()).select_from(Site)) or 0, last_change(session)
    ways = list(WAYS) * sizes.rounds
    folder = lab.folder / f"writers-{uuid.uuid4()}"
    folder.mkdir()
    with contextlib.ExitStack() as running:
        writers = []
        for writer in range(WRITERS):
            work = Work(url, writer, customer, ways, sizes.stamps_s, str(folder))
            command = [sys.executable, "-m", "bench.stamps", msgspec.json.encode(work).decode()]
            writers.append(running.enter_context(lab.process(f"writer-{writer}", command)))
        ready = [folder / f"ready-{writer}" for writer in range(WRITERS)]
        wait_for("writers", lambda: all(one.must_run() for one in writers) and all(file.exists() for file in ready), _READY_S)
        (folder / "soon").write_text(str(time.monotonic() + _BETWEEN_S))  # the clock that all processes share
        (folder / "soon").rename(folder / _GO)
        longest_s = len(ways) * (sizes.stamps_s + _BETWEEN_S) + _READY_S
        wait_for("end of the writers", lambda: all(one.process.poll() is not None for one in writers), longest_s, 0.1)
        for one in writers:
            if one.process.returncode:
                raise RuntimeError(f"{one.log_file.stem} ended with code {one.process.returncode}:\n{one.tail()}")
        counts = [msgspec.json.decode(one.tail().splitlines()[-1], type=list[int]) for one in writers]
    for turn, way in enumerate(ways):
        found.note(f"stamps {way}", sum(count[turn] for count in counts) / sizes.stamps_s)
    committed = sum(map(sum, counts))
    with database.reading() as session:
        stored = (session.scalar(select(func.count()).select_from(Site)) or 0) - before
        found.check("rows and numbers of stamped commits", (stored, last_change(session) - began), (2 * committed, committed))
    database.close()


if __name__ == "__main__":
    print(msgspec.json.encode(run(msgspec.json.decode(sys.argv[1].encode(), type=Work))).decode())
