"""What a cool-down held back and still stands when that is over: people hear of it then, once, without another reading."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import act_after_cool_downs, wake_snoozed
from iot.ingest import Message
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.test_rules import HOT, Sender, alarms_of, new_rule
from tests.iot.vehicles import causes_of, happened, kinds, make_vehicle, offers
from tests.people import Http
from tests.races.together import together

COOLING = HOT | {"lateness_h": 500, "raise_if": {"above": 60}, "cool_down_h": 10}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def held_back(world: World, http: Http, **more: Any) -> tuple[Sender, dict[str, Any]]:
    """Let an alarm end, and another one rise within the cool-down; return the device, and the rule."""
    rule = new_rule(world, http, COOLING | more)
    device = Sender(world)
    for heat in (70, 40, 70):
        device.say(t_c=heat)
    first, second = alarms_of(world.db)
    assert (first.acted_at is not None, second.acted_at) == (True, None)
    assert first.cleared_at is not None
    assert second.held_until == first.cleared_at + timedelta(hours=10)
    world.db.clock.set(second.held_until - timedelta(seconds=1))  # type: ignore[attr-defined]
    assert act(world) == 0
    world.db.clock.advance(seconds=1)  # type: ignore[attr-defined]
    return device, rule


def act(world: World) -> int:
    return act_after_cool_downs(world.db, world.settings)


def test_an_alarm_that_still_stands_starts_everything_when_the_cool_down_is_over(world: World, http: Http) -> None:
    service = {"kind": "check", "price": "300.00", "discount": "0.00"}
    held_back(world, http, component="battery_pack", service=service)
    assert kinds(world.db, world.rep) == ["alarm_raised"]

    assert act(world) == 1

    _, alarm = alarms_of(world.db)
    assert (alarm.acted_at, alarm.held_until) == (world.db.clock.now(), None)
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_raised"]
    manager = http.as_(world.manager)
    [incident] = manager.get("/incidents?state=open")["items"]
    assert alarm.incident_id == incident["id"]
    assert len(offers(world.db, world.pack)) == 1, "an offer for this component is open: why no other was made is written down"
    [entry] = [found for found in happened(world.db, alarm.id) if found.kind == "alarm.cooled_down"]
    assert {cause.kind for cause in causes_of(world.db, entry)} == {"alarm.raised", "alarm.held_back"}
    followed = [found.kind for found in happened(world.db, alarm.id)]
    assert followed.index("alarm.cooled_down") < followed.index("service_offer.not_made")
    told = " ".join(entry["reason"] for entry in manager.get(f"/history/alarm/{alarm.id}")["about"])
    assert "The rule's cool-down was over and the alarm still stood, so people were told." in told


def test_it_is_told_once_whatever_comes_afterwards_and_whoever_works(world: World, http: Http, clock: SetClock) -> None:
    device, _ = held_back(world, http)

    assert sorted(together(*[partial(act, world)] * 2)) == [0, 1]
    device.say(t_c=71)
    clock.advance(days=1)

    assert act(world) == 0
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_raised"]


def test_a_reading_and_the_clock_that_say_so_at_once_tell_people_once(world: World, http: Http) -> None:
    new_rule(world, http, COOLING)
    vehicles = [make_vehicle(world, f"race-{i}") for i in range(4)]
    for i, vehicle in enumerate(vehicles):
        device = Sender(world, f"race-{i}")
        for heat in (70, 40, 70):
            device.say(t_c=heat, device=vehicle.device)
    world.db.clock.advance(hours=10)  # type: ignore[attr-defined]
    last = Sender(world, "last")

    def say() -> int:
        for vehicle in vehicles:
            last.say(t_c=71, device=vehicle.device)
        return 0

    together(partial(act, world), say)

    assert act(world) == 0
    assert len(kinds(world.db, world.rep)) == 8


def test_what_ended_in_its_cool_down_or_was_closed_tells_nobody(world: World, http: Http) -> None:
    device, _ = held_back(world, http)
    device.say(t_c=40)
    assert act(world) == 0
    device.say(t_c=70)
    alarm = alarms_of(world.db)[-1]
    assert alarm.acted_at is not None, "the one that was held back ended and starts no cool-down"

    second = new_rule(world, http, COOLING | {"metric": "t_b"}, "other")
    other = Sender(world, "other")
    for heat in (70, 40, 70):
        other.say(t_b=heat)
    standing = next(found for found in alarms_of(world.db, "raised") if found.rule_id == second["id"])
    http.as_(world.manager).post(f"/alarms/{standing.id}/close", {"reason": "seen to"})
    world.db.clock.advance(hours=10)  # type: ignore[attr-defined]
    assert act(world) == 0
    assert "alarm.cooled_down" not in [entry.kind for found in alarms_of(world.db) for entry in happened(world.db, found.id)]


def test_what_is_snoozed_or_of_a_rule_that_is_off_waits_for_that_as_well(world: World, http: Http, clock: SetClock) -> None:
    _, rule = held_back(world, http)
    alarm = alarms_of(world.db)[-1]
    http.as_(world.rep).post(f"/alarms/{alarm.id}/snooze", {"hours": 5})
    assert act(world) == 0
    clock.advance(hours=5)
    assert wake_snoozed(world.db, world.settings) == 1
    manager = http.as_(world.manager)
    rule = manager.edit(f"/rules/{rule['id']}", {"enabled": False}, rule["version"])
    assert act(world) == 0
    manager.edit(f"/rules/{rule['id']}", {"enabled": True}, rule["version"])

    assert act(world) == 1
    assert alarms_of(world.db)[-1].acted_at == clock.now()


def test_late_data_that_moves_the_end_of_the_alarm_before_moves_the_end_of_the_cool_down(
    world: World, http: Http, clock: SetClock
) -> None:
    new_rule(world, http, COOLING | {"clear_if": {"at_most": 50, "readings": 2}})
    device = Sender(world)
    for heat in (70, 40, 40):
        device.say(t_c=heat)
    clock.advance(hours=5)
    for heat in (70, 55):  # the second neither violates nor ends it: readings do not ask again whether people must be told
        device.say(t_c=heat)
    early = alarms_of(world.db)[-1].held_until
    assert early is not None

    clock.set(early - timedelta(hours=1))
    # One between the two readings that had ended it, and one that ends it later: heard at once, so that the next one stays.
    late = ((early - timedelta(hours=10, seconds=30), 70), (early - timedelta(hours=7), 40))
    bodies = [{"ts": to_ms(at), "boot": "late", "seq": i, "m": {"t_c": heat}} for i, (at, heat) in enumerate(late)]
    topic, received = f"devices/0/{world.device}/telemetry", to_ms(clock.now())
    world.send(*[Message(topic, msgspec.json.encode(body), False, received) for body in bodies])
    first, second = alarms_of(world.db)
    assert second.held_until == early
    assert first.cleared_at is not None
    assert first.cleared_at > early - timedelta(hours=8)
    clock.set(early)
    assert act(world) == 0
    clock.set(first.cleared_at + timedelta(hours=10))

    assert act(world) == 1
    assert alarms_of(world.db)[-1].id == second.id


def test_what_was_last_seen_to_violate_too_long_ago_is_history_until_a_fresh_reading(
    world: World, http: Http, clock: SetClock
) -> None:
    device, _ = held_back(world, http, lateness_h=5)

    assert act(world) == 0
    assert act(world) == 0
    assert alarms_of(world.db)[-1].held_until is None
    device.say(t_c=70)

    assert alarms_of(world.db)[-1].acted_at is not None


def test_an_alarm_that_latches_is_told_though_its_condition_has_ended_meanwhile(
    world: World, http: Http, clock: SetClock
) -> None:
    rule = new_rule(world, http, COOLING | {"latch": True})
    device = Sender(world)
    device.say(t_c=70)
    http.as_(world.manager).post(f"/alarms/{alarms_of(world.db)[0].id}/close", {"reason": "seen to"})
    for heat in (40, 70, 40):
        device.say(t_c=heat)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["closed", "raised"]
    clock.advance(hours=10)

    assert act(world) == 1
    assert rule["id"] == alarms_of(world.db)[-1].rule_id
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_raised"]
