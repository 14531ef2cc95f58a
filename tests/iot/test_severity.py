"""How severe an alarm is follows from its readings and the clock: it grows with the time it stands, without a new message."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from iot.ingest import follow_due
from iot.models import Incident
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.test_rules import HOT, Sender, alarms_of, new_rule
from tests.iot.vehicles import happened, kinds
from tests.people import Http

SLOWLY = HOT | {
    "severity": "warning",
    "lateness_h": 500,
    "escalate": [
        {"severity": "minor", "above": 80},
        {"severity": "major", "after_h": 4},
        {"severity": "critical", "after_h": 24},
    ],
}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def severity(world: World, http: Http, document: dict[str, Any] = SLOWLY) -> str:
    """Return how severe the alarm is, which is also what the trial says."""
    [alarm] = alarms_of(world.db, "raised", "cleared")
    [tried] = http.as_(world.manager).post("/rule-trials", {"document": document})["items"]
    assert tried["severity"] == alarm.severity
    return alarm.severity


def test_an_alarm_that_stands_becomes_more_severe_on_the_tick_and_people_are_told_once(
    world: World, http: Http, clock: SetClock
) -> None:
    new_rule(world, http, SLOWLY)
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=70)
    clock.advance(hours=4, minutes=-2)
    assert follow_due(world.db, world.settings) == 0
    assert severity(world, http) == "warning"
    clock.advance(minutes=1)
    assert follow_due(world.db, world.settings) == 1
    assert follow_due(world.db, world.settings) == 0
    assert severity(world, http) == "major"
    clock.advance(hours=20)
    assert follow_due(world.db, world.settings) == 1

    assert severity(world, http) == "critical"
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_stands", "alarm_stands"]
    assert kinds(world.db, world.manager) == ["alarm_stands", "alarm_stands"]
    note = http.as_(world.rep).get("/notifications")["items"][0]
    assert "告警已持续" in note["body"] + http.as_(world.rep).get("/notifications")["items"][-1]["body"]
    [alarm] = alarms_of(world.db)
    told = http.as_(world.manager).get(f"/history/alarm/{alarm.id}")["about"]
    assert [entry["reason"] for entry in told if entry["kind"] == "alarm.stood_too_long"] == [
        "It has stood for 4 h: the alarm is now major.",
        "It has stood for 24 h: the alarm is now critical.",
    ]
    with world.db.reading() as session:
        assert session.get_one(Incident, alarm.incident_id).severity == "critical"


def test_a_late_end_takes_back_the_severity_that_only_time_had_given(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, SLOWLY)
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=70)
    clock.advance(hours=5)
    follow_due(world.db, world.settings)
    assert severity(world, http) == "major"

    device.say(ago=timedelta(hours=3), t_c=40)

    assert severity(world, http) == "warning"
    [alarm] = alarms_of(world.db)
    assert alarm.state == "cleared"
    assert "alarm.severity_corrected" in [entry.kind for entry in happened(world.db, alarm.id)]
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_stands"]


def test_a_late_reading_takes_back_a_level_that_was_not_reached(world: World, http: Http, clock: SetClock) -> None:
    worse = [{"severity": "major", "above": 80, "readings": 2}]
    document = SLOWLY | {"escalate": worse}
    new_rule(world, http, document)
    device = Sender(world)
    for heat in (70, 70, 85, 85):
        device.say(t_c=heat)
    assert severity(world, http, document) == "major"
    device.say(ago=timedelta(minutes=1, seconds=30), t_c=70)

    assert severity(world, http, document) == "warning"


def test_a_level_that_was_reached_stays_reached_when_only_what_is_new_is_folded(
    world: World, http: Http, clock: SetClock
) -> None:
    new_rule(world, http, SLOWLY)
    device = Sender(world)
    for heat in (70, 70, 85, 70, 70):
        device.say(t_c=heat)
    assert severity(world, http) == "minor"
    clock.advance(hours=4)
    follow_due(world.db, world.settings)
    assert severity(world, http) == "major"
    device.say(ago=timedelta(hours=3), t_c=40)

    assert severity(world, http) == "minor"


def test_what_is_told_late_and_has_stood_for_long_is_severe_at_once(world: World, http: Http) -> None:
    new_rule(world, http, SLOWLY)
    device = Sender(world)
    device.say(ago=timedelta(hours=30), t_c=70)
    device.say(ago=timedelta(hours=29), t_c=70)

    assert severity(world, http) == "critical"
    assert kinds(world.db, world.rep) == ["alarm_raised"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "step",
    [
        {"severity": "major", "after_h": -1},
        {"severity": "major", "after_h": 4, "above": 80},
        {"severity": "major", "after_h": 4, "readings": 2},
        {"severity": "warning", "after_h": 4},
        {"severity": "major"},
    ],
)
def test_steps_that_cannot_be_meant_are_refused(world: World, http: Http, step: dict[str, Any]) -> None:
    body = {"code": "hot", "document": SLOWLY | {"escalate": [step]}}
    http.as_(world.manager).refused("POST", "/rules", 422, "rule_invalid", body)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_kind_without_levels_takes_steps_by_time_only(world: World, http: Http) -> None:
    some = {
        "name": HOT["name"],
        "detector": "m_of_n",
        "severity": "minor",
        "metric": "t_c",
        "hit_if": {"above": 60},
        "m": 1,
        "n": 2,
    }
    manager = http.as_(world.manager)
    by_time, by_level = [{"severity": "major", "after_h": 4}], [{"severity": "major", "above": 4}]
    manager.refused("POST", "/rules", 422, "rule_invalid", {"code": "some", "document": some | {"escalate": by_level}})
    manager.post("/rules", {"code": "some", "document": some | {"escalate": by_time}}, 201)
