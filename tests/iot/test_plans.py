"""Twenty rules of all kinds on one vehicle: whatever a quiet rule leaves out, the alarms are those of the readings."""

from __future__ import annotations

import os
import random
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from app.assets.models import DeviceProfile
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.rules.detectors import DETECTORS, Reading, State
from app.rules.documents import read_document
from app.rules.models import Rule
from app.rules.operations import create_rule
from app.rules.parts import Context
from iot import folds
from iot.ingest import Message, follow_due
from iot.models import Alarm, SubjectState
from tests.app.rules.test_kinds import COMMON, RULES
from tests.factories import World, make_world

MINUTE = 60_000
METRICS = ("x", "y", "lat_deg", "lon_deg", "accuracy_m")
SPREAD_MIN = 60 * 24 * 6
DOCUMENTS = {name: COMMON | rule for name, rule in RULES.items() if rule["detector"] != "usage"} | {
    # The same window under another question, the same question under another level, and what never happens.
    "steeper": COMMON | RULES["rate"] | {"raise_if": {"above": 2.0}},
    "rarely": COMMON | RULES["m_of_n"] | {"m": 4},
    "never": COMMON | {"detector": "threshold", "metric": "x", "raise_if": {"above": 1_000}, "clear_if": {"at_most": 900}},
    "low": COMMON | {
        "detector": "threshold", "metric": "x", "raise_if": {"below": 40, "readings": 2}, "clear_if": {"at_least": 45},
    },
    "at once worse": COMMON | {
        "detector": "threshold", "metric": "x", "raise_if": {"above": 60, "readings": 2}, "clear_if": {"at_most": 50},
        "escalate": [{"severity": "critical", "above": 66}],
    },
}  # fmt: skip


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.mark.parametrize("order", ["in time", "some late", "any"])
def test_however_readings_come_the_alarms_of_all_rules_are_those_of_the_readings(world: World, order: str) -> None:
    """Late, doubled, in batches of any size, with looks in between, and with processes that begin anew."""
    seed = int(os.environ.get("SEED", "0")) or random.randrange(10**6)
    rng = random.Random(seed)
    readings, messages = _history(world, rng)
    with world.db.transaction() as session:
        session.get_one(DeviceProfile, world.profile).metrics = {
            name: {} for name in ("x", "y", "lat_deg", "lon_deg", "accuracy_m")
        }
        added_late = rng.sample(sorted(DOCUMENTS), 3)
        for name in set(DOCUMENTS) - set(added_late):
            create_rule(session, None, name, DOCUMENTS[name])
    arriving = [*messages, *rng.sample(messages, len(messages) // 5)]
    rng.shuffle(arriving)
    if order != "any":
        # What comes too late makes everything fold afresh: only in time are whole batches folded on top of what was.
        delays = [0, 0, 0, 0, 2, 200] if order == "some late" else [0]
        arriving.sort(key=lambda one: one.received_ms + rng.choice(delays) * 10 * MINUTE * rng.random())
    while arriving:
        size = rng.choice([1, 2, 7, 40])
        world.send(*arriving[:size])
        arriving = arriving[size:]
        if added_late and rng.random() < 0.2:
            with world.db.transaction() as session:
                create_rule(session, None, name := added_late.pop(), DOCUMENTS[name])
        if rng.random() < 0.1:
            follow_due(world.db, world.settings)
        if rng.random() < 0.1:
            folds._READ._known.clear()
    with world.db.transaction() as session:
        for name in added_late:
            create_rule(session, None, name, DOCUMENTS[name])
    world.send(messages[-1])
    last = _message(world, 10**6, to_ms(world.db.clock.now()), {"x": 40.0, "y": 4.0, "lat_deg": 22.6, "lon_deg": 114.0})
    world.send(last[1])
    readings += last[0]
    follow_due(world.db, world.settings)

    until_ms = to_ms(world.db.clock.now())
    expected = {name: _expected(world, name, readings, until_ms) for name in DOCUMENTS}
    assert _alarms(world.db) == {name: found for name, found in expected.items() if found}, f"seed {seed}"


def test_a_quiet_rule_leaves_nothing_behind_but_what_it_remembers(world: World) -> None:
    """A hundred rules that nothing happens to are kept in one line."""
    with world.db.transaction() as session:
        session.get_one(DeviceProfile, world.profile).metrics = {"x": {}}
        for i in range(50):
            create_rule(session, None, f"high-{i}", DOCUMENTS["never"] | {"raise_if": {"above": 1_000 + i}})
            create_rule(session, None, f"steep-{i}", DOCUMENTS["steeper"] | {"raise_if": {"above": 1_000 + i}})
    now_ms = to_ms(world.db.clock.now())
    for i in range(5):
        world.send(_message(world, i, now_ms - (10 - i) * MINUTE, {"x": 40.0})[1])

    with world.db.reading() as session:
        states = [row.states for row in session.scalars(select(SubjectState)) if "memories" in row.states]
    assert [(len(msgspec.json.decode(text)["memories"]), "rules" in msgspec.json.decode(text)) for text in states] == [(1, False)]


def _history(world: World, rng: random.Random) -> tuple[list[Reading], list[Message]]:
    """Return readings of six days, and the messages that bring them."""
    begin = to_ms(world.db.clock.now()) - (SPREAD_MIN + 60) * MINUTE
    at, x, y, place = begin, 50.0, 4.0, [22.51, 114.01]
    readings: list[Reading] = []
    messages = []
    for i in range(150):
        at += rng.randrange(1, 2 * SPREAD_MIN // 150) * MINUTE
        if at >= begin + SPREAD_MIN * MINUTE:
            break
        x = min(90.0, max(20.0, x + rng.choice([-9, -3, 0, 3, 9])))
        y = rng.choice([3.0, 4.0, 6.0])
        place = [place[0] + rng.uniform(-0.008, 0.008), place[1] + rng.uniform(-0.008, 0.008)]
        told = {"x": x}
        if rng.random() < 0.5:
            told["y"] = y
        if rng.random() < 0.7:
            told |= {"lat_deg": round(place[0], 6), "lon_deg": round(place[1], 6)}
        if rng.random() < 0.3:
            told["accuracy_m"] = 20.0
        found, message = _message(world, i, at, told)
        readings += found
        messages.append(message)
    return readings, messages


def _message(world: World, seq: int, at_ms: int, told: dict[str, float]) -> tuple[list[Reading], Message]:
    body = msgspec.json.encode({"ts": at_ms, "boot": "p", "seq": seq, "m": told})
    key = f"p:{seq}"
    return (
        [Reading(at_ms, key, value, world.device, metric) for metric, value in told.items()],
        Message(f"devices/0/{world.device}/telemetry", body, False, at_ms),
    )


def _expected(world: World, name: str, readings: list[Reading], until_ms: int) -> list[tuple[Any, Any]]:
    document = read_document(DOCUMENTS[name])
    own = sorted(reading for reading in readings if reading.metric in document.metrics)
    settings = document.settings(Context(time_zone=world.settings.time_zone))
    folded = DETECTORS[document.detector](State(), own, settings, until_ms)
    return [(e.raised_at_ms, e.cleared_at_ms) for e in folded.episodes]


def _alarms(db: Database) -> dict[str, list[tuple[Any, Any]]]:
    found: dict[str, list[tuple[Any, Any]]] = {}
    with db.reading() as session:
        query = select(Rule.code, Alarm.raised_at, Alarm.cleared_at).join(Rule, Rule.id == Alarm.rule_id)
        for code, raised_at, cleared_at in session.execute(query.where(Alarm.state != "withdrawn").order_by(Alarm.raised_at)):
            found.setdefault(code, []).append((to_ms(raised_at), to_ms(cleared_at) if cleared_at else None))
    return found
