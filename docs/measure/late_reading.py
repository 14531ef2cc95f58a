"""Measures what one late reading costs (ADR 0006): ``PYTHONPATH=. .venv/bin/python docs/measure/late_reading.py``."""
# ruff: noqa: T201

from __future__ import annotations

import tempfile
import time
from datetime import timedelta
from pathlib import Path

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import read_settings
from app.migrate import migrate
from iot.models import Telemetry
from tests.factories import make_world

for stored in (1_000, 10_000, 100_000):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = Database(f"sqlite:///{folder}/late.db")
        migrate(db)
        world = make_world(db, read_settings(var_dir=folder, argon2_profile="test"))
        start = db.clock.now()
        times = [to_ms(start - timedelta(days=399) * (i + 1) / stored) for i in range(stored)]
        rows = [
            {"device_id": world.device, "message_key": f"old:{at}", "metric": "soh_pct", "at_ms": at, "value": 80.0}
            | {"received_ms": at, "ahead": False}
            for at in times
        ]
        with db.transaction() as session:
            session.execute(Telemetry.__table__.insert(), rows)
        world.report(80.0, boot="first")
        for what, at in (("in order", db.clock.now()), ("late", start - timedelta(days=30, seconds=1))):
            began = time.perf_counter()
            world.report(80.0, start=at, boot=what)
            print(f"{stored:7} stored, one more {what:8}: {(time.perf_counter() - began) * 1000:6.0f} ms")
        db.close()
