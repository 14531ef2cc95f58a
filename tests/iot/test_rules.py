"""Rules of every kind through the doors people and devices use: saved over HTTP, fed over the ingest, read as alarms."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from sqlalchemy import event, select

from app.assets import operations as assets
from app.assets.models import Asset, Device
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.jobs import remind_due
from app.rules.models import RuleVersion
from app.rules.operations import create_rule
from app.work_orders.models import WorkOrder
from iot import folds, rule_trials
from iot.ingest import Message, follow_due
from iot.models import Alarm, Incident
from iot.silence import notice_silence
from tests.conftest import SetClock
from tests.factories import PART, World, make_world
from tests.iot.vehicles import BOSS, kinds, make_vehicle, offers, send, values
from tests.people import Http

NAME = {"zh-CN": "温度过高", "en": "Too hot"}
HOT = {"name": NAME, "detector": "threshold", "severity": "minor", "metric": "t_c", "lateness_h": 1}
HOT |= {"raise_if": {"above": 60, "readings": 2}, "clear_if": {"at_most": 50}}


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def new_rule(world: World, http: Http, document: dict[str, Any], code: str = "hot", **more: Any) -> dict[str, Any]:
    return http.as_(world.manager).post("/rules", {"code": code, "document": document} | more, 201)


def test_a_rule_that_cannot_be_read_any_more_keeps_the_others_from_nothing(world: World, http: Http) -> None:
    """An older release took it; what it read of it, this process never knew."""
    new_rule(world, http, HOT)
    with world.db.transaction() as session:
        old = create_rule(session, None, "old", HOT)
        session.get_one(RuleVersion, (old.id, 1)).document = HOT | {"raise_if": {"above": "sixty"}}
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=71)

    assert [alarm["rule_id"] != old.id for alarm in http.as_(world.manager).get("/alarms")["items"]] == [True]


class Sender:
    """The world's device; each message is a minute after the last one unless said otherwise."""

    def __init__(self, world: World, boot: str = "r") -> None:
        self.world, self.boot, self.seq = world, boot, 0

    def say(self, ago: timedelta = timedelta(0), device: str | None = None, **metrics: float) -> None:
        self.world.send(self.message(ago, device, **metrics))
        self.world.db.clock.advance(minutes=1)  # type: ignore[attr-defined]

    def message(self, ago: timedelta = timedelta(0), device: str | None = None, **metrics: float) -> Message:
        self.seq += 1
        present = self.world.db.clock.now()
        body = {"ts": to_ms(present - ago), "boot": self.boot, "seq": self.seq, "m": metrics}
        topic = f"devices/0/{device or self.world.device}/telemetry"
        return Message(topic, msgspec.json.encode(body), False, to_ms(present))


def alarms_of(db: Database, *states: str) -> list[Alarm]:
    with db.reading() as session:
        query = select(Alarm).order_by(Alarm.raised_at, Alarm.id)
        return list(session.scalars(query.where(Alarm.state.in_(states)) if states else query))


def test_a_rule_about_an_asset_raises_tells_the_rep_in_words_and_clears(world: World, http: Http) -> None:
    new_rule(world, http, HOT)
    device = Sender(world)
    for heat in (70, 71, 72):
        device.say(t_c=heat)
    [alarm] = alarms_of(world.db)
    assert (alarm.subject_kind, alarm.subject_id, alarm.asset_id, alarm.readings) == ("asset", world.asset, world.asset, 3)
    rep = http.as_(world.rep)
    [note] = rep.get("/notifications")["items"]
    assert note["title"] == "温度过高：Lin Logistics"
    assert "级别：次要" in note["body"]
    told = rep.get(f"/history/alarm/{alarm.id}")["about"]
    assert "t_c 高于 60，连续 2 条读数。" in told[0]["reason"]

    device.say(t_c=50)

    assert [a.state for a in alarms_of(world.db)] == ["cleared"]


def test_several_symptoms_of_an_asset_are_one_incident_that_ends_with_the_last(world: World, http: Http) -> None:
    new_rule(world, http, HOT)
    new_rule(world, http, HOT | {"metric": "v_mm_s", "severity": "critical", "clear_if": {"at_most": 50}}, "shaking")
    device = Sender(world)
    for _ in range(2):
        device.say(t_c=70)
    for _ in range(2):
        device.say(v_mm_s=70)

    manager = http.as_(world.manager)
    [incident] = manager.get("/incidents?state=open")["items"]
    assert (incident["asset_id"], incident["severity"]) == (world.asset, "critical")
    assert len(manager.get(f"/alarms?incident_id={incident['id']}")["items"]) == 2

    device.say(t_c=20)
    assert manager.get(f"/incidents/{incident['id']}")["state"] == "open"
    device.say(v_mm_s=20)
    assert manager.get(f"/incidents/{incident['id']}")["state"] == "closed"
    for _ in range(2):
        device.say(t_c=70)
    assert len(manager.get("/incidents")["items"]) == 2
    world_of_another = http.as_(world.staff[0])
    assert world_of_another.get("/incidents")["items"] == []
    world_of_another.refused("GET", f"/incidents/{incident['id']}", 404, "not_found")


def test_an_alarm_that_goes_on_opens_its_incident_again_and_nobody_is_told_twice(world: World, http: Http) -> None:
    new_rule(world, http, HOT | {"reopens_h": 2})
    device, manager = Sender(world), http.as_(world.manager)
    for heat in (70, 70, 40):
        device.say(t_c=heat)
    assert [incident["state"] for incident in manager.get("/incidents")["items"]] == ["closed"]
    for heat in (70, 70):
        device.say(t_c=heat)

    assert [alarm.state for alarm in alarms_of(world.db)] == ["raised"]
    assert [(found["state"], found["closed_at"]) for found in manager.get("/incidents")["items"]] == [("open", None)]
    assert kinds(world.db, world.rep) == ["alarm_raised"]


def test_a_long_history_that_is_folded_anew_is_not_asked_for_alarm_by_alarm(world: World, http: Http) -> None:
    """What a flapping value raised is thousands of alarms: a parameter for each is more than a statement takes."""
    new_rule(world, http, HOT | {"reopens_h": 0.5})
    device, other = Sender(world), make_vehicle(world, "van-2")
    heats = [heat for _ in range(40) for heat in (70, 70, 20)]
    hours = [timedelta(hours=2 * (len(heats) - n)) for n in range(len(heats))]
    world.send(*[device.message(ago, t_c=heat) for heat, ago in zip(heats, hours, strict=True)])
    other_too = partial(device.message, device=other.device)
    world.send(other_too(t_c=20))
    given = []
    listen = ("before_cursor_execute", lambda *told: given.append(len(told[3])))
    event.listen(world.db.engine, *listen)
    world.send(device.message(hours[0] + timedelta(hours=1), t_c=70), other_too(t_c=70))
    event.remove(world.db.engine, *listen)

    assert len(alarms_of(world.db)) == 40
    assert max(given) < 40


def test_a_silent_device_joins_the_incident_of_its_asset_grows_severe_and_leaves_when_it_is_heard(
    world: World, http: Http, clock: SetClock
) -> None:
    silent = {"name": NAME, "detector": "silence", "severity": "minor", "silent_after_h": 1}
    reminds = {"after_min": 10, "every_min": 10, "at_most": 1, "to": ["admin"]}
    new_rule(world, http, silent | {"escalate": [{"severity": "critical", "after_h": 2}], "remind": reminds}, "quiet")
    new_rule(world, http, HOT)
    device, manager = Sender(world), http.as_(world.manager)
    for _ in range(2):
        device.say(t_c=70)

    def look() -> None:
        with world.db.transaction() as session:
            notice_silence(session)

    clock.advance(minutes=61)
    look()
    [incident] = manager.get("/incidents?state=open")["items"]
    assert len(manager.get(f"/alarms?incident_id={incident['id']}")["items"]) == 2
    clock.advance(minutes=121)
    look()
    look()
    assert manager.get(f"/incidents/{incident['id']}")["severity"] == "critical"
    assert kinds(world.db, world.rep) == ["alarm_raised", "device_silent", "alarm_stands"]
    assert remind_due(world.db, world.settings) == 1
    assert kinds(world.db, world.admin) == ["alarm_unacknowledged"]
    device.say(t_c=40)
    assert manager.get(f"/incidents/{incident['id']}")["state"] == "closed"
    assert alarms_of(world.db, "raised") == []


def test_several_symptoms_lead_to_one_work_order(world: World, http: Http) -> None:
    service = {"kind": "check", "price": "300.00", "discount": "0.00"}
    new_rule(world, http, HOT | {"component": "battery_pack", "service": service})
    world.report(74.9, 74.5, 74.1)
    device = Sender(world)
    for _ in range(2):
        device.say(t_c=70)

    assert len(alarms_of(world.db, "raised")) == 2
    with world.db.reading() as session:
        [order] = session.scalars(select(WorkOrder))
        [incident] = session.scalars(select(Incident))
    assert incident.work_order_id == order.id
    assert len(offers(world.db, world.pack)) == 1
    hot = next(alarm for alarm in alarms_of(world.db) if alarm.metric == "t_c")
    assert "工单" in str(http.as_(world.rep).get(f"/history/alarm/{hot.id}"))


def test_where_the_alarm_that_led_to_the_order_falls_away_another_one_of_the_incident_goes_on(world: World, http: Http) -> None:
    service = {"kind": "check", "price": "300.00", "discount": "0.00"}
    new_rule(world, http, HOT | {"component": "battery_pack", "service": service})
    send(world, world.device, *values(world.db.clock.now() - timedelta(hours=30), timedelta(hours=15), 74.9, 74.5, 74.1))
    device = Sender(world)
    for _ in range(2):
        device.say(t_c=70)
    device.say(ago=timedelta(hours=20), soh_pct=90)

    states = sorted((offer.kind, offer.state) for offer in offers(world.db, world.pack))
    assert states == [("battery_replacement", "withdrawn"), ("check", "issued")]
    with world.db.reading() as session:
        live = session.scalars(select(WorkOrder).where(WorkOrder.state != "cancelled")).one()
        assert session.scalars(select(Incident)).one().work_order_id == live.id


def test_an_alarm_that_gets_worse_is_told_to_rep_and_manager_once(world: World, http: Http) -> None:
    new_rule(world, http, HOT | {"escalate": [{"severity": "critical", "above": 80, "readings": 2}]})
    device = Sender(world)
    for heat in (70, 70, 85, 86, 87):
        device.say(t_c=heat)

    [alarm] = alarms_of(world.db)
    assert alarm.severity == "critical"
    assert kinds(world.db, world.rep) == ["alarm_raised", "alarm_escalated"]
    assert kinds(world.db, world.manager) == ["alarm_escalated"]
    with world.db.reading() as session:
        assert session.scalars(select(Incident)).one().severity == "critical"


def test_a_duration_fires_on_the_tick_without_a_new_message(world: World, http: Http, clock: SetClock) -> None:
    lasting = {"detector": "duration", "raise_if": {"above": 60, "for_min": 30}, "clear_if": {"at_most": 50, "for_min": 0}}
    new_rule(world, http, HOT | lasting)
    Sender(world).say(t_c=70)
    clock.advance(minutes=28)
    assert follow_due(world.db, world.settings) == 0
    clock.advance(minutes=2)

    assert follow_due(world.db, world.settings) == 1
    assert follow_due(world.db, world.settings) == 0
    assert [alarm.state for alarm in alarms_of(world.db)] == ["raised"]


def test_a_condition_over_two_metrics_joins_what_the_device_said_last(world: World, http: Http) -> None:
    document = {"name": NAME, "detector": "condition", "severity": "major", "metrics": ["t_c", "speed_km_h"]}
    new_rule(world, http, document | {"raise_when": "t_c > 60.0 && speed_km_h < 1.0", "clear_when": "t_c < 50.0"})
    device = Sender(world)
    device.say(t_c=70, speed_km_h=30)
    assert alarms_of(world.db) == []
    device.say(speed_km_h=0)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["raised"]
    device.say(t_c=40)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["cleared"]


def test_who_leaves_the_yard_is_noticed_once_though_the_position_jumps(world: World, http: Http) -> None:
    yard = {"circle": {"lat": 22.54, "lon": 114.05, "radius_m": 300}}
    new_rule(world, http, {"name": NAME, "detector": "fence", "severity": "major", "when": "outside"} | yard)
    device = Sender(world)
    for lat, accuracy in ((22.54, 5), (22.5429, 400), (22.5428, 5), (22.55, 5), (22.56, 5), (22.543, 5), (22.55, 5)):
        device.say(lat_deg=lat, lon_deg=114.05, accuracy_m=accuracy)

    assert [alarm.state for alarm in alarms_of(world.db)] == ["raised"]
    for _ in range(2):
        device.say(lat_deg=22.54, lon_deg=114.05, accuracy_m=5)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["cleared"]


def test_usage_since_the_part_was_fitted_begins_anew_with_a_new_part(world: World, http: Http) -> None:
    usage = {"name": NAME, "detector": "usage", "severity": "minor", "metric": "run_h", "component": "battery_pack"}
    new_rule(world, http, usage | {"raise_if": {"at_least": 500}})
    device = Sender(world)
    for hours in (1000, 1400, 1500):
        device.say(run_h=hours)
    assert [alarm.state for alarm in alarms_of(world.db)] == ["raised"]

    with world.db.transaction() as session:
        fresh = assets.create_component(session, BOSS, {"serial": "NEW", "kind": "battery_pack", "part_no": PART})
        assets.fit_component(session, BOSS, session.get_one(Asset, world.asset), fresh, world.db.clock.now())
    for hours in (1510, 1900):
        device.say(run_h=hours)
    follow_due(world.db, world.settings)

    assert [(alarm.state, alarm.end_reason) for alarm in alarms_of(world.db)] == [("cleared", "component_replaced")]


def test_a_limit_of_the_asset_goes_before_that_of_its_profile(world: World, http: Http) -> None:
    new_rule(world, http, HOT | {"raise_if": {"above": {"limit": "t_max_c", "otherwise": 60}, "readings": 1}})
    manager, admin = http.as_(world.manager), http.as_(world.admin)
    device = Sender(world)
    profile = manager.get("/device-profiles")["items"][0]
    admin.edit(f"/device-profiles/{profile['id']}", {"limits": {"t_max_c": 100}}, profile["version"])
    device.say(t_c=90)
    assert alarms_of(world.db) == []
    asset = manager.get(f"/assets/{world.asset}")
    manager.edit(f"/assets/{world.asset}", {"limits": {"t_max_c": 80}}, asset["version"])
    device.say(t_c=90)

    [alarm] = alarms_of(world.db)
    assert alarm.readings == 2, "what is known is judged by the level of now"


def test_a_trend_says_when_the_level_will_be_reached(world: World, http: Http) -> None:
    trend = {"name": NAME, "detector": "trend", "severity": "minor", "metric": "soh_pct", "component": "battery_pack"}
    new_rule(
        world, http,
        trend | {"reaches": {"below": 75}, "within_days": 90, "clear_days": 120, "over_days": 60, "least": 10},
    )  # fmt: skip
    start = world.db.clock.now() - timedelta(days=59)
    found = [90 - 0.15 * day + (0.2 if day % 2 else -0.2) for day in range(60)]
    send(world, world.device, *values(start, timedelta(days=1), *found))

    [alarm] = alarms_of(world.db)
    history = http.as_(world.manager).get(f"/history/alarm/{alarm.id}")["about"]
    raised = next(entry for entry in history if entry["kind"] == "alarm.raised")
    foreseen = raised["facts"]["foreseen"]
    assert foreseen["earliest"] < foreseen["expected"] < foreseen["latest"]
    assert foreseen["expected"][:7] == (start + timedelta(days=100)).isoformat()[:7]


def test_a_draft_is_tried_on_what_is_stored_and_on_what_arrives_and_tells_nobody(world: World, http: Http) -> None:
    device = Sender(world)
    for heat in (70, 71, 40):
        device.say(t_c=heat)
    manager = http.as_(world.manager)
    tried = manager.post("/rule-trials", {"document": HOT})
    [raised] = tried["items"]
    assert (raised["subject_id"], raised["first_value"], raised["end_reason"]) == (world.asset, 70, "readings_recovered")
    assert (tried["subjects"], tried["readings"], tried["next"]) == (1, 3, None)

    draft = new_rule(world, http, HOT, enabled=False)
    assert manager.get(f"/rules/{draft['id']}/trial")["items"] == [], "it was saved after that"
    for heat in (72, 73):
        device.say(t_c=heat)
    [raised] = manager.get(f"/rules/{draft['id']}/trial")["items"]
    assert raised["cleared_at"] is None
    assert alarms_of(world.db) == []
    assert kinds(world.db, world.rep) == []

    manager.edit(f"/rules/{draft['id']}", {"enabled": True}, draft["version"])
    device.say(t_c=74)
    [alarm] = alarms_of(world.db)
    assert alarm.raised_at.isoformat().replace("+00:00", "Z")[:19] == raised["raised_at"][:19], "it raises what it had foretold"
    manager.refused("POST", "/rule-trials", 422, "rule_invalid", {"document": HOT | {"detector": "magic"}})
    silence = {"name": NAME, "severity": "minor", "detector": "silence", "silent_after_h": 1}
    manager.refused("POST", "/rule-trials", 422, "rule_invalid", {"document": silence})
    http.as_(world.rep).refused("POST", "/rule-trials", 403, "forbidden", {"document": HOT})


def test_trials_take_turns_so_that_many_at_once_do_not_stop_the_web_server(world: World, http: Http) -> None:
    manager = http.as_(world.manager)
    draft = new_rule(world, http, HOT, enabled=False)
    with rule_trials.taking_turns():  # as another request's, in the middle of its readings
        answer = manager.call("POST", "/rule-trials", {"document": HOT})
        assert (answer.status_code, answer.get_json()["code"], answer.headers["Retry-After"]) == (429, "trial_running", "5")
        manager.refused("GET", f"/rules/{draft['id']}/trial", 429, "trial_running")
    assert manager.post("/rule-trials", {"document": HOT})["items"] == []
    manager.refused("POST", "/rule-trials", 422, "rule_invalid", {"document": HOT | {"metric": ""}})
    assert manager.get(f"/rules/{draft['id']}/trial")["items"] == [], "one that ended, however it ended, leaves the turn"


def test_another_device_in_the_same_asset_speaks_for_it_too(world: World, http: Http) -> None:
    with world.db.transaction() as session:
        asset = session.get_one(Asset, world.asset)
        second, _ = assets.create_device(session, BOSS, asset, {"profile_id": world.profile})
        second_id = second.id
        session.get_one(Device, second_id).installed_at = world.db.clock.now() - timedelta(days=1)
    new_rule(world, http, HOT)
    device = Sender(world)
    device.say(t_c=70)
    device.say(t_c=70, device=second_id)

    assert [alarm.readings for alarm in alarms_of(world.db)] == [2]


def test_a_process_goes_on_from_what_another_one_folded_since(world: World, http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    new_rule(world, http, HOT)
    device = Sender(world)
    device.say(t_c=70)
    with monkeypatch.context() as other:
        other.setattr("iot.folds._READ", folds._Read(10))
        device.say(t_c=71)
    device.say(t_c=72)

    assert [alarm.readings for alarm in alarms_of(world.db)] == [3]
