"""The web process with one planted death: ``granian ... tests.faults.web_that_dies:served``."""

from __future__ import annotations

import os
from pathlib import Path

from app.core.fault_points import FaultPoint, listen
from tests.faults.dies_at import dying

if "TEST_DIES_AT" in os.environ:
    from wsgi import served as served

    point = FaultPoint(os.environ["TEST_DIES_AT"])
    listen(dying(point, Path(os.environ["TEST_MARKER"]), point))
