"""What a rule's trial says of history is what the rule would have raised live, however the readings had come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as tried
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.rules.detectors import DETECTORS
from iot import rule_trials
from iot.ingest import Message, follow_due
from iot.models import Alarm
from iot.subjects import Watched
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.test_placements import place
from tests.iot.vehicles import Vehicle, make_vehicle, replace_pack
from tests.people import Http

BY_TIME = {"severity": "critical", "after_h": 20}
COMMON: dict[str, Any] = {
    "name": {"zh-CN": "规则", "en": "Rule"},
    "severity": "warning",
    "escalate": [BY_TIME],
    "lateness_h": 0.001,
}
SOON = {"within_days": 2, "clear_days": 4, "over_days": 2, "least": 3, "readings": 1}
ON_PACK = {"component": "battery_pack"}
SQUARE = [[22.50, 114.00], [22.50, 114.02], [22.52, 114.02], [22.52, 114.00]]
LEVELS = {"raise_if": {"above": 60}, "clear_if": {"at_most": 55}}
WORSE = [{"severity": "minor", "above": 72}, {"severity": "major", "after_h": 12}, {"severity": "critical", "above": 80}]

# Every kind but silence, which is judged by arrival: there is nothing stored to try it on.
RULES: dict[str, dict[str, Any]] = {
    "threshold": {"metric": "x", "escalate": WORSE} | LEVELS,
    "duration": {"metric": "x", "raise_if": {"above": 60, "for_min": 600}, "clear_if": {"at_most": 55, "for_min": 60}},
    "rate": {"metric": "x", "over_h": 24, "least": 2, "raise_if": {"above": 0.8}, "clear_if": {"at_most": 0.1}},
    "m_of_n": {"metric": "x", "hit_if": {"below": 60}, "m": 2, "n": 4},
    "window": {"metric": "x", "aggregate": "avg", "over_h": 24, "least": 2} | LEVELS,
    "usage": {"metric": "x", "raise_if": {"at_least": 80}} | ON_PACK,
    "trend": {"metric": "x", "reaches": {"below": 50}} | SOON | ON_PACK,
    "fence": {"when": "outside", "polygon": SQUARE, "for_min": 300, "readings": 1},
    "condition": {"metrics": ["x", "y"], "raise_when": "x > y * 10.0", "for_min": 500, "stale_after_min": 2000},
}
DOCUMENTS = {kind: COMMON | {"detector": kind} | document for kind, document in RULES.items()}
DOCUMENTS |= {f"{kind}-latched": document | {"latch": True} for kind, document in DOCUMENTS.items()}
VALUES = st.sampled_from([40.0, 50.0, 58.0, 61.0, 75.0, 90.0])
PLACES = st.sampled_from([(22.51, 114.01), (22.513, 114.012), (22.60, 114.10)])
SAID = st.fixed_dictionaries({"x": VALUES}, optional={"y": VALUES.map(lambda value: value / 10), "at": PLACES})
SPAN_H = 100


@st.composite
def deliveries(draw: st.DrawFn) -> list[tuple[int, list[tuple[int, dict[str, Any]]]]]:
    """Batches of messages, each with the hours that pass before it: shuffled, some of them twice."""
    said = [(hour, draw(SAID)) for hour in draw(st.lists(st.integers(0, SPAN_H), min_size=3, max_size=12, unique=True))]
    order = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=4))))
    batches: list[tuple[int, list[tuple[int, dict[str, Any]]]]] = []
    for one in order:
        if not batches or draw(st.booleans()):
            batches.append((draw(st.integers(0, 20)), []))
        batches[-1][1].append(one)
    return batches


def message(device: str, start: datetime, hour: int, said: dict[str, Any], received: datetime) -> Message:
    metrics = {name: value for name, value in said.items() if name != "at"}
    if "at" in said:
        metrics |= {"lat_deg": said["at"][0], "lon_deg": said["at"][1]}
    body = {"ts": to_ms(start + timedelta(hours=hour)), "boot": "b", "seq": hour, "m": metrics}
    return Message(f"devices/0/{device}/telemetry", msgspec.json.encode(body), False, to_ms(received))


def live(world: World, rule_id: str, vehicle: Vehicle) -> list[tuple[Any, ...]]:
    with world.db.reading() as session:
        found = session.scalars(
            select(Alarm)
            .where(Alarm.rule_id == rule_id, Alarm.subject_id.in_([vehicle.asset, vehicle.pack]), Alarm.state != "withdrawn")
            .order_by(Alarm.raised_at)
        )
        return [
            (a.raised_at, a.cleared_at, a.end_reason, a.severity, a.first_value, a.last_value, a.readings, a.state) for a in found
        ]


def foretold(door: Http, document: dict[str, Any], vehicle: Vehicle) -> list[tuple[Any, ...]]:
    found = door.post("/rule-trials", {"document": document})["items"]
    told = [one for one in found if one["subject_id"] in (vehicle.asset, vehicle.pack)]
    return [
        (
            datetime.fromisoformat(one["raised_at"]),
            datetime.fromisoformat(one["cleared_at"]) if one["cleared_at"] else None,
            *(one[name] for name in ("end_reason", "severity", "first_value", "last_value", "readings", "state")),
        )
        for one in sorted(told, key=lambda one: one["raised_at"])
    ]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def rules(world: World, http: Http) -> dict[str, str]:
    """All kinds, switched on at once; ids by kind."""
    manager = http.as_(world.manager)
    return {kind: manager.post("/rules", {"code": kind, "document": document}, 201)["id"] for kind, document in DOCUMENTS.items()}


def test_every_kind_but_silence_is_here() -> None:
    assert set(RULES) == set(DETECTORS) - {"silence"}


@tried(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(deliveries())
def test_readings_that_came_live_in_any_order_raise_what_the_trial_says_of_history(
    world: World, http: Http, clock: SetClock, rules: dict[str, str], batches: list[tuple[int, list[tuple[int, dict[str, Any]]]]]
) -> None:
    vehicle, manager = make_vehicle(world, f"v{to_ms(clock.now())}"), http.as_(world.manager)
    start = clock.now() - timedelta(hours=SPAN_H)
    for hours, batch in batches:
        clock.advance(hours=hours)
        world.send(*[message(vehicle.device, start, hour, said, clock.now()) for hour, said in batch])
        follow_due(world.db, world.settings)
    clock.advance(hours=30)
    while follow_due(world.db, world.settings):
        pass

    for kind, rule_id in rules.items():
        assert live(world, rule_id, vehicle) == foretold(manager, DOCUMENTS[kind], vehicle), kind


PLACED: dict[str, dict[str, Any]] = {
    f"{kind}-{part or 'asset'}": COMMON | {"detector": kind, "metric": "x", "component": part, "escalate": []} | document
    for kind, document in {"threshold": LEVELS, "m_of_n": {"hit_if": {"above": 60}, "m": 2, "n": 3}}.items()
    for part in ("", "battery_pack")
}


@tried(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(0, SPAN_H), VALUES), min_size=6, max_size=20, unique_by=lambda one: one[:2]
    ),
    st.lists(st.integers(1, SPAN_H - 1), max_size=2, unique=True),
    st.integers(1, SPAN_H - 1),
)
def test_what_a_device_measured_elsewhere_and_before_a_pack_was_fitted_is_not_looked_at(
    world: World, http: Http, clock: SetClock, said: list[tuple[int, int, float]], moves: list[int], fitted: int
) -> None:
    """Two vehicles: the device of the first moves into the second and back, and the second gets another pack."""
    office, name = http.as_(world.manager), str(to_ms(clock.now()))
    known = {rule["code"]: rule["id"] for rule in office.get("/rules?limit=100")["items"]}
    rules = {
        code: known.get(code) or office.post("/rules", {"code": code, "document": document}, 201)["id"]
        for code, document in PLACED.items()
    }
    one, two = make_vehicle(world, f"one{name}"), make_vehicle(world, f"two{name}")
    start = clock.now()
    clock.advance(hours=SPAN_H + 1)
    pack = replace_pack(world, two, start + timedelta(hours=fitted), f"fresh{name}")
    for number, hour in enumerate(sorted(moves)):
        place(office, one.device, (two, one)[number % 2].asset, start + timedelta(hours=hour))
    world.send(*[message((one, two)[device].device, start, hour, {"x": heat}, clock.now()) for device, hour, heat in said])
    while follow_due(world.db, world.settings):
        pass

    for code, rule_id in rules.items():
        for vehicle in (one, two, Vehicle("", pack, "")):
            assert live(world, rule_id, vehicle) == foretold(office, PLACED[code], vehicle), code


def test_a_trial_tells_one_alarm_of_a_rule_that_latches_until_somebody_closed_it(
    world: World, http: Http, clock: SetClock
) -> None:
    manager, start = http.as_(world.manager), clock.now()
    document = DOCUMENTS["threshold-latched"] | {"escalate": [{"severity": "major", "above": 80}]}
    rule = manager.post("/rules", {"code": "latched", "document": document}, 201)

    def say(*heats: float) -> None:
        for heat in heats:
            hour = round((clock.now() - start) / timedelta(hours=1))
            world.send(message(world.device, start, hour, {"x": heat}, clock.now()))
            clock.advance(hours=1)

    def tried(path: str) -> list[tuple[Any, ...]]:
        found = manager.post(path, {"document": document}) if path == "/rule-trials" else manager.get(path)
        names = ("state", "first_value", "last_value", "severity", "end_reason")
        return [tuple(one[name] for name in names) for one in found["items"]]

    say(70, 40, 90, 40)
    own = f"/rules/{rule['id']}/trial"
    one = ("raised", 70, 90, "major", "readings_recovered")
    assert tried(own) == tried("/rule-trials") == [one]
    assert manager.get(own + "?since=" + quote(clock.now().isoformat()))["items"], "it stands, though its condition has ended"
    [alarm] = manager.get("/alarms")["items"]
    manager.post(f"/alarms/{alarm['id']}/close", {"reason": "seen to"})
    clock.advance(hours=1)
    say(75)

    assert tried(own) == [("closed", *one[1:]), ("raised", 75, 75, "warning", None)]
    assert [alarm["state"] for alarm in manager.get("/alarms")["items"]] == ["raised", "closed"], "the newest first"
    [of_document] = tried("/rule-trials")
    assert of_document == ("raised", 70, 75, "major", None), "of a document alone nobody has closed anything"


def test_what_an_alarm_that_latches_went_through_between_its_episodes_makes_it_no_worse(
    world: World, http: Http, clock: SetClock
) -> None:
    manager, start = http.as_(world.manager), clock.now()
    worse = [{"severity": "major", "above": 80}]
    document = DOCUMENTS["threshold-latched"] | {"raise_if": {"above": 60, "readings": 2}, "escalate": worse}
    manager.post("/rules", {"code": "latched", "document": document}, 201)

    def severities() -> list[str]:
        found = manager.get("/alarms")["items"] + manager.post("/rule-trials", {"document": document})["items"]
        return [one["severity"] for one in found]

    for hour, heat in enumerate((70, 70, 40, 90, 40, 70, 70)):
        world.send(message(world.device, start, 2 * hour, {"x": heat}, clock.now()))
        clock.advance(hours=2)
    assert severities() == ["warning", "warning"]
    world.send(message(world.device, start, 3, {"x": 70}, clock.now()))
    assert severities() == ["warning", "warning"], "nor where all is folded again"
    world.send(message(world.device, start, 13, {"x": 90}, clock.now()))
    assert severities() == ["major", "major"]


def test_each_of_these_rules_can_raise(world: World, http: Http, clock: SetClock) -> None:
    """Else the property above would hold for nothing."""
    start = clock.now() - timedelta(hours=SPAN_H)
    rising = [(4 * i, {"x": 40.0 + 5 * i, "y": 1.0, "at": (22.60, 114.10)}) for i in range(20)]
    falling = [(80 + i, {"x": 140.0 - 5 * i}) for i in range(20)]
    world.send(*[message(world.device, start, hour, said, clock.now()) for hour, said in rising + falling])

    manager = http.as_(world.manager)
    for kind, document in DOCUMENTS.items():
        assert manager.post("/rule-trials", {"document": document})["items"], kind


def test_a_guess_that_was_far_out_does_not_make_a_trial_hold_more_than_it_may(
    world: World, http: Http, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Quiet vehicles come first, so that many are asked for at once when the busy ones come."""
    vehicles = sorted((make_vehicle(world, f"van-{n}") for n in range(24)), key=lambda one: one.asset)
    start = clock.now() - timedelta(hours=SPAN_H)
    for n, vehicle in enumerate(vehicles):
        hours = range(1 if n < 12 else 40)
        world.send(*[message(vehicle.device, start, hour, {"x": 75.0}, clock.now()) for hour in hours])
    ask = {"document": DOCUMENTS["threshold"]}
    whole = http.as_(world.manager).post("/rule-trials", ask)
    held: list[tuple[int, int]] = []
    real = rule_trials.load_items_of_many

    def spied(session: Session, watched: Sequence[Watched], *rest: Any) -> Any:
        found = real(session, watched, *rest)
        if found is not None:
            held.append((len(watched), sum(map(len, found))))
        return found

    monkeypatch.setattr(rule_trials, "load_items_of_many", spied)
    monkeypatch.setattr(rule_trials, "_AT_ONCE", 30)
    monkeypatch.setattr(rule_trials, "_MOST_AT_ONCE", 100)
    assert http.as_(world.manager).post("/rule-trials", ask) == whole
    assert sum(readings for _, readings in held) >= 12 + 12 * 40
    assert max(many for many, _ in held) > 1
    assert max(readings for many, readings in held if many > 1) <= 100
