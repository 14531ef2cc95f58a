"""A process of the product with one planted death: SIGKILL to itself at a named point, once.

Usage: ``python -m tests.faults.dies_at POINT MARKER ARMED_BY MODULE [arguments]``. MARKER is the file that says it has died
before. ARMED_BY is a point that must have been passed before, for points that every transaction passes.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from app.core.fault_points import FaultPoint, listen


def dying(point: FaultPoint, marker: Path, armed_by: FaultPoint) -> Callable[[FaultPoint], None]:
    """Return a listener that ends the process at ``point``, unless the marker says that one before it has died."""
    armed = False

    def listener(passed: FaultPoint) -> None:
        nonlocal armed
        armed = armed or passed is armed_by
        if armed and passed is point and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return listener


if __name__ == "__main__":
    point, marker, armed_by, module, *arguments = sys.argv[1:]
    listen(dying(FaultPoint(point), Path(marker), FaultPoint(armed_by)))
    sys.argv[:] = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
