"""The product's ingest with one planted death: SIGKILL to itself at a named point of its first batch, once.

Usage: ingest_that_dies.py POINT MARKER --shard 0; MARKER is the file that says it has died before.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

POINT, MARKER = sys.argv[1], Path(sys.argv[2])
sys.argv[1:3] = []

import app.core.db  # noqa: E402
import iot.__main__ as ingest  # noqa: E402
import iot.ingest  # noqa: E402


def die(*_: Any, **__: Any) -> None:
    if not MARKER.exists():
        MARKER.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def before(owner: Any, name: str) -> None:
    real = getattr(owner, name)

    def dying(*args: Any, **kwargs: Any) -> Any:
        if ready[0]:
            die()
        return real(*args, **kwargs)

    setattr(owner, name, dying)


ready = [False]
real_ingest_batch = ingest.ingest_batch


def ingest_batch(*args: Any, **kwargs: Any) -> Any:
    ready[0] = True
    try:
        return real_ingest_batch(*args, **kwargs)
    finally:
        ready[0] = False


ingest.ingest_batch = ingest_batch  # type: ignore[assignment]
if POINT == "before_alarms":
    before(iot.ingest.alarms, "evaluate")
elif POINT == "between_offer_and_commit":
    before(iot.ingest.store, "add_counts")
elif POINT == "before_commit":
    before(app.core.db, "stamp_changes")
elif POINT == "after_commit_before_ack":
    real_acknowledge = ingest.Subscriber.acknowledge

    def acknowledge(self: Any, deliveries: Any) -> None:
        die()
        real_acknowledge(self, deliveries)

    ingest.Subscriber.acknowledge = acknowledge  # type: ignore[method-assign]
else:
    sys.exit(f"unknown point {POINT}")
ingest.main()
