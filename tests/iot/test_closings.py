"""Alarms that people close, that latch, that are snoozed, and rules that cool down; with data that comes late."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st

from app.core.clock import to_ms
from app.core.db import Database
from app.core.ids import new_id
from app.core.settings import Settings
from app.jobs import remind_due, wake_snoozed
from iot.ingest import Message, follow_due
from iot.models import OPEN_STATES, Alarm, AlarmClosing
from iot.silence import notice_silence
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.test_reminders import REMIND
from tests.iot.test_rules import HOT, Sender, alarms_of, new_rule
from tests.iot.vehicles import causes_of, first_vehicle, happened, kinds, make_vehicle, offers, replace_pack
from tests.people import Http
from tests.races.together import together

EASY = HOT | {"lateness_h": 500, "raise_if": {"above": 60}}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def states(world: World) -> list[str]:
    return [alarm.state for alarm in alarms_of(world.db)]


def close(http: Http, world: World, alarm: Alarm, reason: str = "the sensor was loose") -> Any:
    return http.as_(world.manager).post(f"/alarms/{alarm.id}/close", {"reason": reason})


def test_a_closed_alarm_stays_closed_while_the_readings_go_on_and_rises_anew_only_after_they_recovered(
    world: World, http: Http
) -> None:
    new_rule(world, http, EASY)
    device, manager = Sender(world), http.as_(world.manager)
    device.say(t_c=70)
    [alarm] = alarms_of(world.db)
    shown = close(http, world, alarm)
    assert (shown["state"], shown["close_reason"], shown["closed_by"]) == ("closed", "the sensor was loose", world.manager)
    assert manager.get("/incidents?state=open")["items"] == []

    for heat in (71, 72, 55):
        device.say(t_c=heat)
    assert states(world) == ["closed"]
    assert alarms_of(world.db)[0].readings == 3
    device.say(t_c=40)
    assert (states(world), alarms_of(world.db)[0].cleared_at is not None) == (["closed"], True)
    device.say(t_c=70)
    assert states(world) == ["closed", "raised"]

    told = " ".join(entry["reason"] for entry in manager.get(f"/history/alarm/{alarm.id}")["about"])
    assert "Somebody closed the alarm: the sensor was loose." in told
    manager.refused("POST", f"/alarms/{alarm.id}/close", 409, "state_conflict", {"reason": "again"})


def test_who_may_close_and_snooze(world: World, http: Http) -> None:
    new_rule(world, http, EASY)
    Sender(world).say(t_c=70)
    [alarm] = alarms_of(world.db)
    http.as_(world.rep).refused("POST", f"/alarms/{alarm.id}/close", 403, "forbidden", {"reason": "x"})
    http.as_(world.owner).refused("POST", f"/alarms/{alarm.id}/snooze", 403, "forbidden", {"hours": 1})
    rep = http.as_(world.rep)
    for body in ({}, {"hours": 1, "until": "2026-03-02T05:00:00Z"}, {"until": "2020-01-01T00:00:00Z"}, {"hours": 721}):
        rep.refused("POST", f"/alarms/{alarm.id}/snooze", 422, "validation_failed", body)
    rep.post(f"/alarms/{alarm.id}/snooze", {"hours": 1})
    http.as_(world.manager).refused("POST", f"/alarms/{alarm.id}/close", 422, "validation_failed", {"reason": ""})
    close(http, world, alarm)
    rep.refused("POST", f"/alarms/{alarm.id}/snooze", 409, "state_conflict", {"hours": 1})


def test_a_late_end_before_the_closing_shows_that_it_had_cleared_and_what_followed_is_closed(
    world: World, http: Http, clock: SetClock
) -> None:
    """One alarm was closed; late data shows two episodes, and only the second one stood at that time."""
    new_rule(world, http, EASY)
    device = Sender(world)
    device.say(t_c=70)
    clock.advance(hours=3)
    device.say(t_c=71)
    [alarm] = alarms_of(world.db)
    close(http, world, alarm)
    clock.advance(hours=1)

    device.say(ago=timedelta(hours=3), t_c=40)

    assert states(world) == ["cleared", "closed"]
    assert kinds(world.db, world.rep) == ["alarm_raised"], "nobody is told of what was closed"
    device.say(t_c=72)
    assert states(world) == ["cleared", "closed"]


def test_a_late_start_after_the_closing_is_a_new_alarm(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY | {"raise_if": {"above": 60, "readings": 2}})
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=70)
    [alarm] = alarms_of(world.db)
    close(http, world, alarm)
    clock.advance(hours=1)
    device.say(t_c=70)
    assert states(world) == ["closed"]
    device.say(t_c=70)

    device.say(ago=timedelta(minutes=62, seconds=90), t_c=40)  # between the two that had raised

    assert [s for s in states(world) if s != "withdrawn"] == ["raised"]


def test_an_edited_rule_leaves_closed_alarms_as_they_are(world: World, http: Http) -> None:
    rule = new_rule(world, http, EASY)
    device, manager = Sender(world), http.as_(world.manager)
    device.say(t_c=70)
    close(http, world, alarms_of(world.db)[0])
    rule = manager.edit(f"/rules/{rule['id']}", {"document": EASY | {"raise_if": {"above": 65}}}, rule["version"])
    device.say(t_c=70)
    assert states(world) == ["closed"], "what stands by the new version was closed"
    manager.edit(f"/rules/{rule['id']}", {"document": EASY | {"raise_if": {"above": 90}}}, rule["version"])
    device.say(t_c=70)
    assert states(world) == ["closed"]
    device.say(t_c=95)
    assert states(world) == ["closed", "raised"]


def test_a_silent_device_whose_alarm_was_closed_is_told_again_only_after_it_was_heard(
    world: World, http: Http, clock: SetClock
) -> None:
    def look() -> int:
        with world.db.transaction() as session:
            return notice_silence(session)

    Sender(world).say(t_c=20)
    clock.advance(hours=25)
    assert look() == 1
    close(http, world, alarms_of(world.db)[0])
    clock.advance(hours=25)
    assert look() == 0
    Sender(world, "again").say(t_c=20)
    assert states(world) == ["closed"]
    clock.advance(hours=25)
    assert look() == 1
    assert states(world) == ["closed", "raised"]


def test_an_alarm_that_latches_stands_until_somebody_closes_it(world: World, http: Http) -> None:
    new_rule(world, http, EASY | {"latch": True})
    device, manager = Sender(world), http.as_(world.manager)
    for heat in (70, 40):
        device.say(t_c=heat)
    [alarm] = alarms_of(world.db)
    assert (alarm.state, alarm.end_reason) == ("raised", "readings_recovered")
    first = alarm.raised_at
    for heat in (45, 75, 76):
        device.say(t_c=heat)
    [alarm] = alarms_of(world.db)
    assert (alarm.state, alarm.cleared_at, alarm.raised_at, alarm.first_value) == ("raised", None, first, 70)
    http.as_(world.rep).post(f"/alarms/{alarm.id}/acknowledge")
    device.say(t_c=40)
    assert states(world) == ["acknowledged"]
    assert len(manager.get("/incidents?state=open")["items"]) == 1
    close(http, world, alarm)
    assert manager.get("/incidents?state=open")["items"] == []
    device.say(t_c=45)
    assert states(world) == ["closed"]
    device.say(t_c=70)

    assert states(world) == ["closed", "raised"]
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_raised"]
    told = [entry.kind for entry in happened(world.db, alarm.id) if entry.kind.startswith("alarm.condition")]
    assert told == ["alarm.condition_ended", "alarm.condition_returned", "alarm.condition_ended"]


def test_late_data_does_not_join_again_what_a_closing_parted(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY | {"latch": True})
    device = Sender(world)
    for heat in (70, 40):
        device.say(t_c=heat)
    close(http, world, alarms_of(world.db)[0])
    clock.advance(minutes=1)
    device.say(t_c=70)
    assert states(world) == ["closed", "raised"]

    device.say(ago=timedelta(hours=1), t_c=45)  # from before all of it: everything is folded again
    device.say(t_c=71)

    assert states(world) == ["closed", "raised"]


def test_a_new_part_ends_an_alarm_that_latches_while_its_condition_holds(world: World, http: Http) -> None:
    new_rule(world, http, EASY | {"latch": True, "component": "battery_pack"})
    Sender(world).say(t_c=70)
    replace_pack(world, first_vehicle(world), world.db.clock.now(), "NEW")
    follow_due(world.db, world.settings)

    assert [(alarm.state, alarm.end_reason) for alarm in alarms_of(world.db)] == [("cleared", "component_replaced")]


def test_a_snoozed_alarm_tells_nobody_anything_and_wakes_by_itself(world: World, http: Http, clock: SetClock) -> None:
    worse = [{"severity": "critical", "above": 80}]
    new_rule(world, http, EASY | {"escalate": worse, "remind": REMIND | {"to": ["rep"]}})
    device, manager = Sender(world), http.as_(world.manager)
    device.say(t_c=70)
    [alarm] = alarms_of(world.db)
    shown = manager.post(f"/alarms/{alarm.id}/snooze", {"hours": 5})
    assert shown["snoozed_until"] is not None
    clock.advance(hours=4)
    device.say(t_c=85)
    assert remind_due(world.db, world.settings) == 0
    assert wake_snoozed(world.db, world.settings) == 0
    assert (alarms_of(world.db)[0].severity, kinds(world.db, world.rep)) == ("critical", ["alarm_raised"])

    clock.advance(hours=1)
    assert wake_snoozed(world.db, world.settings) == 1
    assert wake_snoozed(world.db, world.settings) == 0
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_woke"]
    assert kinds(world.db, world.manager) == ["alarm_woke"], "who asked for quiet is told as well"
    clock.advance(minutes=59)
    assert remind_due(world.db, world.settings) == 0
    clock.advance(minutes=1)
    assert remind_due(world.db, world.settings) == 1


def test_a_snooze_is_ended_early_by_hand_once_and_who_did_not_do_it_is_told(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY | {"remind": REMIND | {"to": ["rep"]}})
    Sender(world).say(t_c=70)
    [alarm] = alarms_of(world.db)
    rep, manager, path = http.as_(world.rep), http.as_(world.manager), f"/alarms/{alarm.id}/wake"
    rep.refused("POST", path, 409, "not_snoozed")
    manager.post(f"/alarms/{alarm.id}/snooze", {"hours": 5})
    clock.advance(hours=1)

    assert rep.post(path)["snoozed_until"] is None
    rep.refused("POST", path, 409, "not_snoozed")
    clock.advance(hours=5)
    assert wake_snoozed(world.db, world.settings) == 0
    assert (kinds(world.db, world.rep), kinds(world.db, world.manager)) == (["alarm_raised"], ["alarm_woke"])
    [ended] = [found for found in happened(world.db, alarm.id) if found.kind == "alarm.snooze_ended"]
    assert ended.actor_id == world.rep
    assert [cause.kind for cause in causes_of(world.db, ended)] == ["alarm.snoozed"]
    assert remind_due(world.db, world.settings) == 1


def test_two_workers_wake_an_alarm_once(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY)
    Sender(world).say(t_c=70)
    http.as_(world.rep).post(f"/alarms/{alarms_of(world.db)[0].id}/snooze", {"hours": 1})
    clock.advance(hours=1)

    assert sorted(together(*[partial(wake_snoozed, world.db, world.settings)] * 2)) == [0, 1]
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_woke"]


def test_an_alarm_that_ended_in_its_snooze_does_not_wake(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY)
    device = Sender(world)
    device.say(t_c=70)
    [alarm] = alarms_of(world.db)
    http.as_(world.rep).post(f"/alarms/{alarm.id}/snooze", {"hours": 1})
    device.say(t_c=40)
    clock.advance(hours=2)

    assert wake_snoozed(world.db, world.settings) == 0
    assert alarms_of(world.db)[0].snoozed_until is None


def test_a_rule_that_cools_down_records_the_next_alarm_and_does_nothing_until_then(
    world: World, http: Http, clock: SetClock
) -> None:
    service = {"kind": "check", "price": "300.00", "discount": "0.00"}
    new_rule(world, http, EASY | {"cool_down_h": 10, "component": "battery_pack", "service": service})
    device = Sender(world)
    for heat in (70, 40):
        device.say(t_c=heat)
    assert len(offers(world.db, world.pack)) == 1
    clock.advance(hours=1)
    for heat in (70, 71):
        device.say(t_c=heat)

    first, second = alarms_of(world.db)
    assert (second.state, second.acted_at, second.incident_id) == ("raised", None, None)
    assert kinds(world.db, world.rep) == ["alarm_raised"]
    assert len(offers(world.db, world.pack)) == 1
    [entry] = [found for found in happened(world.db, second.id) if found.kind == "alarm.held_back"]
    assert first.cleared_at is not None
    until = first.cleared_at + timedelta(hours=10)
    assert (entry.facts["reason"], entry.facts["until"]) == ("rule_cool_down", until.isoformat())
    clock.advance(hours=9)
    device.say(t_c=72)
    assert alarms_of(world.db)[1].acted_at is not None
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_raised"]


def test_a_cool_down_is_over_to_the_instant(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY | {"cool_down_h": 1})
    device = Sender(world)
    for heat in (70, 40):
        device.say(t_c=heat)
    [first] = alarms_of(world.db)
    assert first.cleared_at is not None
    until = first.cleared_at + timedelta(hours=1)

    clock.set(until - timedelta(seconds=1))
    device.say(t_c=70)
    assert alarms_of(world.db)[1].acted_at is None
    clock.set(until)
    device.say(t_c=71)

    assert alarms_of(world.db)[1].acted_at == until
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_raised"]


def test_a_cool_down_is_of_one_rule_on_one_asset(world: World, http: Http) -> None:
    new_rule(world, http, EASY | {"cool_down_h": 10})
    new_rule(world, http, EASY | {"cool_down_h": 10, "metric": "oil_c"}, "oil")
    device, other = Sender(world), make_vehicle(world, "0002")
    for heat in (70, 40):
        device.say(t_c=heat)

    device.say(oil_c=70)
    device.say(t_c=70, device=other.device)

    assert [alarm.acted_at is not None for alarm in alarms_of(world.db)] == [True, True, True]


def test_a_cool_down_after_an_alarm_that_was_closed_counts_from_the_closing(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY | {"cool_down_h": 6})
    device = Sender(world)
    device.say(t_c=70)
    closed_at = clock.now()
    close(http, world, alarms_of(world.db)[0])
    clock.advance(hours=5)
    for heat in (40, 70):
        device.say(t_c=heat)
    assert [alarm.acted_at is not None for alarm in alarms_of(world.db)] == [True, False]

    clock.set(closed_at + timedelta(hours=6))
    device.say(t_c=71)

    assert [alarm.acted_at is not None for alarm in alarms_of(world.db)] == [True, True]


def test_an_alarm_nobody_heard_of_begins_no_cool_down(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY | {"cool_down_h": 10})
    device = Sender(world)
    for heat in (70, 40):
        device.say(t_c=heat)
    clock.advance(hours=8)
    for heat in (70, 40):
        device.say(t_c=heat)
    clock.advance(hours=2)

    device.say(t_c=70)

    assert [alarm.acted_at is not None for alarm in alarms_of(world.db)] == [True, False, True]


def test_an_alarm_of_a_device_whose_clock_is_ahead_stays_closed(world: World, http: Http) -> None:
    """It rose a little after the instant at which it was closed."""
    new_rule(world, http, EASY)
    device = Sender(world)
    device.say(ago=timedelta(minutes=-4), t_c=70)

    close(http, world, alarms_of(world.db)[0])
    device.say(ago=timedelta(minutes=-4), t_c=71)

    assert states(world) == ["closed"]


def test_what_ended_at_the_very_instant_of_its_closing_has_cleared(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY)
    device = Sender(world)
    device.say(t_c=70)
    close(http, world, alarms_of(world.db)[0])

    device.say(t_c=40)  # measured then, and known only afterwards

    assert states(world) == ["cleared"]


def test_who_closes_an_alarm_ends_its_quiet_time(world: World, http: Http) -> None:
    new_rule(world, http, EASY)
    Sender(world).say(t_c=70)
    [alarm] = alarms_of(world.db)
    http.as_(world.rep).post(f"/alarms/{alarm.id}/snooze", {"hours": 1})

    assert close(http, world, alarm)["snoozed_until"] is None


def test_a_snooze_lasts_for_thirty_days_at_most_and_is_told_of_with_what_followed(
    world: World, http: Http, clock: SetClock
) -> None:
    new_rule(world, http, EASY)
    Sender(world).say(t_c=70)
    [alarm] = alarms_of(world.db)
    rep, path = http.as_(world.rep), f"/alarms/{alarm.id}/snooze"
    for wrong in (timedelta(0), timedelta(days=30, seconds=1)):
        rep.refused("POST", path, 422, "validation_failed", {"until": (clock.now() + wrong).isoformat()})

    assert rep.post(path, {"hours": 720})["snoozed_until"] == "2026-04-01T02:01:00.000Z"
    clock.advance(days=30)
    assert wake_snoozed(world.db, world.settings) == 1

    snoozed, woke = (found for found in happened(world.db, alarm.id) if found.kind in {"alarm.snoozed", "alarm.woke"})
    assert (snoozed.actor_id, snoozed.facts["until"][:10]) == (world.rep, "2026-04-01")
    assert [cause.kind for cause in causes_of(world.db, snoozed)] == ["alarm.raised"]
    assert [cause.id for cause in causes_of(world.db, woke)] == [snoozed.id]


def test_who_asked_for_quiet_and_left_is_told_nothing(world: World, http: Http, clock: SetClock) -> None:
    new_rule(world, http, EASY)
    Sender(world).say(t_c=70)
    http.as_(world.manager).post(f"/alarms/{alarms_of(world.db)[0].id}/snooze", {"hours": 1})
    http.as_(world.admin).post(f"/users/{world.manager}/deactivate", {})
    clock.advance(hours=1)

    assert wake_snoozed(world.db, world.settings) == 1

    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_woke"]
    assert kinds(world.db, world.manager) == []


def test_a_pack_that_comes_back_into_a_vehicle_does_not_go_on_with_a_latched_alarm(
    world: World, http: Http, clock: SetClock
) -> None:
    new_rule(world, http, EASY | {"latch": True, "component": "battery_pack"})
    device, other, office = Sender(world), make_vehicle(world, "0002"), http.as_(world.manager)
    device.say(t_c=70)
    replace_pack(world, first_vehicle(world), clock.now(), "NEW")
    follow_due(world.db, world.settings)
    clock.advance(minutes=1)
    office.post(f"/assets/{other.asset}/fittings", {"component_id": world.pack, "fitted_at": clock.now().isoformat()}, expect=201)
    clock.advance(minutes=1)

    device.say(t_c=75, device=other.device)

    found = [alarm for alarm in alarms_of(world.db) if alarm.subject_id == world.pack]
    assert [(alarm.state, alarm.asset_id) for alarm in found] == [("cleared", world.asset), ("raised", other.asset)]


HEATS = st.lists(st.sampled_from([40.0, 55.0, 70.0]), min_size=3, max_size=7)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("latch", [False, True])
@tried(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(heats=HEATS, drawn=st.data())
def test_closed_alarms_follow_from_readings_and_closings_however_late_the_readings_come(
    world: World, http: Http, clock: SetClock, latch: bool, heats: list[float], drawn: st.DataObject
) -> None:
    """A reading a minute, closings at half minutes. At once from one asset, late and shuffled from another: the same alarms."""
    name, manager = f"m{new_id()}", http.as_(world.manager)
    rule = new_rule(world, http, EASY | {"latch": latch, "metric": name}, name)
    vehicles = [make_vehicle(world, f"{i}-{name[-20:]}") for i in range(2)]
    closings = drawn.draw(st.sets(st.integers(0, len(heats) + 2), max_size=2), label="closings")
    delays = drawn.draw(st.lists(st.integers(0, 6), min_size=len(heats), max_size=len(heats)), label="delays")
    start = clock.now()

    def say(vehicle: int, numbers: list[int]) -> None:
        topic, received = f"devices/0/{vehicles[vehicle].device}/telemetry", to_ms(clock.now())
        bodies = [{"ts": to_ms(start + timedelta(minutes=i)), "boot": "b", "seq": i, "m": {name: heats[i]}} for i in numbers]
        if bodies:
            world.send(*[Message(topic, msgspec.json.encode(body), False, received) for body in bodies])

    def found(vehicle: int) -> list[Alarm]:
        return [
            alarm for alarm in alarms_of(world.db) if alarm.subject_id == vehicles[vehicle].asset and alarm.state != "withdrawn"
        ]

    def close_at(vehicle: int) -> None:
        """Close what stands. Where nothing is known to stand yet, the instant is put on record all the same."""
        standing = [alarm.id for alarm in found(vehicle) if alarm.state in OPEN_STATES]
        for alarm_id in standing:
            manager.post(f"/alarms/{alarm_id}/close", {"reason": "x"})
        if not standing:
            with world.db.transaction() as session:
                session.add(AlarmClosing(rule_id=rule["id"], subject_id=vehicles[vehicle].asset, at_ms=to_ms(clock.now())))

    for minute in range(len(heats) + 7):
        clock.set(start + timedelta(minutes=minute))
        say(0, [minute] if minute < len(heats) else [])
        say(1, [i for i, delay in enumerate(delays) if i + delay == minute])
        clock.advance(seconds=30)
        for vehicle in range(2) if minute in closings else ():
            close_at(vehicle)
    shown = [
        [(a.state, a.raised_at, a.cleared_at, a.closed_at is not None, a.readings, a.first_value) for a in found(vehicle)]
        for vehicle in range(2)
    ]
    assert shown[0] == shown[1]
    manager.edit(f"/rules/{rule['id']}", {"enabled": False}, rule["version"])
