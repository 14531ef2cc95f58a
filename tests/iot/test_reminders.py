"""Reminders of an alarm that nobody acknowledges: who, when, how often, and what ends them."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from app.core.db import Database
from app.core.settings import Settings
from app.jobs import remind_due
from iot.models import Alarm
from push.models import Notification
from tests.conftest import SetClock
from tests.factories import World, make_user, make_world
from tests.iot.test_rules import HOT, Sender, alarms_of, new_rule
from tests.iot.vehicles import happened, kinds, make_vehicle
from tests.people import Http
from tests.races.together import together

REMIND = {"after_min": 30, "every_min": 60, "at_most": 4, "to": ["rep", "manager", "admin"]}
REMINDED = HOT | {"remind": REMIND, "lateness_h": 100}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def raise_one(world: World, http: Http, **more: Any) -> Alarm:
    """Save the rule, and let it raise; people are told at that minute."""
    new_rule(world, http, REMINDED | more)
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=70)
    [alarm] = alarms_of(world.db)
    assert alarm.acted_at is not None
    world.db.clock.set(alarm.acted_at)  # type: ignore[attr-defined]
    return alarm


def reminders(world: World) -> list[str]:
    """Return who was reminded, in order."""
    names = {world.rep: "rep", world.manager: "manager", world.admin: "admin"}
    with world.db.reading() as session:
        query = select(Notification.user_id).where(Notification.kind == "alarm_unacknowledged").order_by(Notification.id)
        return [names[user_id] for user_id in session.scalars(query)]


def test_one_after_the_other_is_reminded_until_the_last_reminder_was_sent(world: World, http: Http, clock: SetClock) -> None:
    alarm = raise_one(world, http)
    clock.advance(minutes=29)
    assert remind_due(world.db, world.settings) == 0
    for minutes, line in ((1, 1), (59, 1), (1, 2), (60, 3), (60, 4), (600, 4)):
        clock.advance(minutes=minutes)
        remind_due(world.db, world.settings)
        assert reminders(world) == ["rep", "manager", "admin", "admin"][:line]

    manager = http.as_(world.manager)
    [note] = [found for found in manager.get("/notifications")["items"] if found["kind"] == "alarm_unacknowledged"]
    assert note["title"] == "Nobody is on it yet: Too hot"
    reasons = [entry["reason"] for entry in manager.get(f"/history/alarm/{alarm.id}")["about"]]
    assert "reminder 2 of at most 4 went to the next in line (the managers)." in " ".join(reasons)
    causes = [cause["kind"] for cause in manager.get(f"/notifications/{note['id']}/why")["causes"]]
    assert {"alarm.reminded", "alarm.raised"} <= set(causes)


def test_who_acknowledges_ends_it(world: World, http: Http, clock: SetClock) -> None:
    alarm = raise_one(world, http)
    clock.advance(minutes=31)
    remind_due(world.db, world.settings)
    http.as_(world.rep).post(f"/alarms/{alarm.id}/acknowledge")
    clock.advance(days=2)

    assert remind_due(world.db, world.settings) == 0
    assert reminders(world) == ["rep"]


def test_an_alarm_that_cleared_reminds_nobody(world: World, http: Http, clock: SetClock) -> None:
    raise_one(world, http)
    clock.advance(minutes=40)
    remind_due(world.db, world.settings)
    device = Sender(world, "later")
    device.say(t_c=40)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["cleared"]
    clock.advance(hours=3)

    assert remind_due(world.db, world.settings) == 0
    assert reminders(world) == ["rep"]


def test_late_data_that_opens_an_alarm_again_lets_the_next_in_line_be_reminded(world: World, http: Http, clock: SetClock) -> None:
    raise_one(world, http, clear_if={"at_most": 50, "readings": 2})
    clock.advance(minutes=40)
    remind_due(world.db, world.settings)
    device = Sender(world, "later")
    for heat in (40, 40):
        device.say(t_c=heat)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["cleared"]
    device.say(ago=timedelta(minutes=1, seconds=30), t_c=70)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["raised"]
    clock.advance(minutes=61)

    remind_due(world.db, world.settings)
    assert reminders(world) == ["rep", "manager"]


def test_a_withdrawn_alarm_reminds_nobody(world: World, http: Http, clock: SetClock) -> None:
    raise_one(world, http)
    Sender(world, "late").say(ago=timedelta(seconds=30), t_c=40)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["withdrawn"]
    clock.advance(hours=9)

    assert remind_due(world.db, world.settings) == 0


def test_reminders_wait_while_the_rule_is_off_and_follow_its_present_version(world: World, http: Http, clock: SetClock) -> None:
    raise_one(world, http)
    manager = http.as_(world.manager)
    rule = next(found for found in manager.get("/rules")["items"] if found["code"] == "hot")
    rule = manager.edit(f"/rules/{rule['id']}", {"enabled": False}, rule["version"])
    clock.advance(hours=5)
    assert remind_due(world.db, world.settings) == 0

    change = {"enabled": True, "document": REMINDED | {"remind": REMIND | {"to": ["admin"], "at_most": 1}}}
    manager.edit(f"/rules/{rule['id']}", change, rule["version"])
    assert remind_due(world.db, world.settings) == 1
    clock.advance(hours=5)
    assert remind_due(world.db, world.settings) == 0
    assert reminders(world) == ["admin"]


def test_where_there_is_no_rep_the_next_in_line_is_reminded(world: World, http: Http, clock: SetClock) -> None:
    customer = http.as_(world.manager).get(f"/customers/{world.customer}")
    http.as_(world.admin).edit(f"/customers/{world.customer}", {"owner_id": None}, customer["version"])
    raise_one(world, http)
    clock.advance(minutes=30)

    assert remind_due(world.db, world.settings) == 1
    assert reminders(world) == ["manager"]


def test_a_critical_reminder_breaks_quiet_hours_and_another_waits(
    world: World, http: Http, clock: SetClock, settings: Settings
) -> None:
    with world.db.transaction() as session:
        boss = make_user(session, settings, "admin", "night", email="night@example.test")
    http.as_(boss.id).post("/me/quiet-hours", {"begins": "00:00", "ends": "23:59", "time_zone": "Asia/Shanghai"})
    document = REMINDED | {"remind": REMIND | {"to": ["admin"]}}
    for code, severity in (("a-critical", "critical"), ("b-minor", "minor")):
        new_rule(world, http, document | {"severity": severity}, code)
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=70)
    clock.advance(minutes=30)
    assert remind_due(world.db, world.settings) == 2

    outbox = http.as_(world.admin).get("/outbox?channel=email")["items"]
    assert len(outbox) == 2
    assert sorted(row["quiet_until"] is None for row in outbox) == [False, True]


def test_two_workers_send_each_step_of_each_alarm_once(world: World, http: Http, clock: SetClock) -> None:
    raise_one(world, http)
    for i in range(5):
        vehicle = make_vehicle(world, f"race-{i}")
        device = Sender(world, f"race-{i}")
        for _ in range(2):
            device.say(t_c=70, device=vehicle.device)
    clock.advance(hours=1)

    for step in range(1, 5):
        found = together(*[partial(remind_due, world.db, world.settings)] * 2)
        assert sum(found) == 6, found
        clock.advance(hours=1)
        assert len(reminders(world)) == 6 * step
    for alarm in alarms_of(world.db):
        told = [entry.facts["step"] for entry in happened(world.db, alarm.id) if entry.kind == "alarm.reminded"]
        assert told == [1, 2, 3, 4]


def test_who_acknowledges_while_a_worker_reminds_is_not_reminded_after(world: World, http: Http, clock: SetClock) -> None:
    for i in range(4):
        vehicle = make_vehicle(world, f"race-{i}")
        if not i:
            new_rule(world, http, REMINDED)
        device = Sender(world, f"race-{i}")
        for _ in range(2):
            device.say(t_c=70, device=vehicle.device)
    clock.advance(hours=1)
    rep = http.as_(world.rep)
    for alarm in alarms_of(world.db):
        _, answer = together(
            partial(remind_due, world.db, world.settings), partial(rep.call, "POST", f"/alarms/{alarm.id}/acknowledge")
        )
        assert answer.status_code == 200
    sent = len(reminders(world))
    clock.advance(days=1)

    assert remind_due(world.db, world.settings) == 0
    assert len(reminders(world)) == sent
    assert "alarm_unacknowledged" not in kinds(world.db, world.owner)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "wrong",
    [{"to": []}, {"to": ["customer"]}, {"after_min": 0}, {"every_min": -1}, {"at_most": 0}, {"at_most": 101}, {"by": "post"}],
)
def test_reminders_that_cannot_be_meant_are_refused(world: World, http: Http, wrong: dict[str, Any]) -> None:
    body = {"code": "hot", "document": HOT | {"remind": REMIND | wrong}}
    http.as_(world.manager).refused("POST", "/rules", 422, "rule_invalid", body)
