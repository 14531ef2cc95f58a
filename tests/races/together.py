"""Letting calls race: each in a thread of its own, released together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE_S = 60.0


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls at the same time; return what each returned, or the exception it raised, in order."""
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        barrier.wait(PATIENCE_S)
        try:
            return call()
        except Exception as fault:  # noqa: BLE001 - what a call raised is its outcome
            return fault

    with ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(run, call) for call in calls]
        return [future.result(PATIENCE_S) for future in futures]
