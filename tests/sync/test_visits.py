"""Visits that were made offline, told as intents when there is network again."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.positions.datum import Datum
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.people import Http
from tests.sync.phones import Phone
from tests.visits.test_check_ins import WINDOW, fix

Phones = Callable[..., Phone]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def test_a_day_without_network_is_done_again_when_it_comes(world: World, phone: Phones, http: Http, clock: SetClock) -> None:
    """A visit that was planned, begun and ended offline, told in the evening."""
    device = phone(world.rep)
    device.pull()
    begun = fix(world, datum=Datum.GCJ02)
    clock.advance(minutes=30)
    ended = fix(world, outcome="ok", next_step="")
    clock.advance(hours=8)
    sent_ms = to_ms(world.db.clock.now())
    rows = [
        ("visit.plan", {"id": "visit-00000001", "site_id": world.site, **WINDOW}),
        ("visit.check_in", {"visit_id": "visit-00000001"} | begun | {"sent_ms": sent_ms}),
        ("visit.check_out", {"visit_id": "visit-00000001"} | ended | {"sent_ms": sent_ms}),
    ]
    for n, (kind, body) in enumerate(rows):
        device.create("intents", {"id": f"intent-{n:08}", "kind": kind, "body": json.dumps(body), "made_at": sent_ms})
        device.sync()
    device.sync()

    assert [device.rows["intents"][f"intent-{n:08}"]["verdict"] for n in range(3)] == ["accepted"] * 3
    rep = http.as_(world.rep)
    seen = rep.get("/visits/visit-00000001")
    assert (seen["state"], seen["began_at"], seen["ended_at"]) == (
        "finished", "2026-03-02T02:00:00.000Z", "2026-03-02T02:30:00.000Z",
    )  # fmt: skip
    assert {row["nearness"] for row in rep.get("/check-ins")["items"]} == {"inside"}
