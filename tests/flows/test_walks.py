"""docs/walks.md says in which order a message enters the rooms; this traces it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

from app.core.db import Database
from app.core.settings import Settings
from iot.ingest import ingest_batch
from tests.factories import make_world

ROOT = Path(__file__).resolve().parents[2]


def documented() -> list[str]:
    text = (ROOT / "docs" / "walks.md").read_text()
    walk = text[text.index("## A.") : text.index("## B.")]
    return re.findall(r"^\d+\. `([\w.]+)`$", walk, re.MULTILINE)


def entered(call: Any) -> list[str]:
    """Return our modules in the order in which a call first enters them."""
    found: dict[str, None] = {}

    def watch(frame: FrameType, event: str, _arg: object) -> None:
        name = frame.f_globals.get("__name__", "")
        if event == "call" and name.split(".")[0] in {"app", "iot", "push"} and frame.f_code.co_name != "<module>":
            found.setdefault(name)

    sys.setprofile(watch)
    try:
        call()
    finally:
        sys.setprofile(None)
    return list(found)


def test_a_telemetry_message_walks_as_documented(db: Database, settings: Settings) -> None:
    world = make_world(db, settings)
    messages = world.telemetry(74.9, 74.5, 74.1)

    order = entered(lambda: ingest_batch(db, settings, messages))

    wanted = documented()
    assert len(wanted) > 8
    assert [name for name in order if name in wanted] == wanted
