"""Values that no float can square: one device's nonsense neither stays in what others need nor stops anybody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot import alarms
from iot.ingest import Message, follow_due
from iot.models import SubjectState, Telemetry
from iot.retention import retire_telemetry
from tests.conftest import MONDAY_MORNING, SetClock
from tests.factories import World, make_world, soh
from tests.iot.vehicles import counted, dead_letters, deliver
from tests.people import Http

NAMES = {"zh-CN": "规则", "en": "Rule"}
LEVELS = {"raise_if": {"above": 90.0}, "clear_if": {"at_most": 80.0}}
WINDOWED: list[dict[str, Any]] = [
    {"detector": "window", "aggregate": "stddev", "over_h": 48} | LEVELS,
    {"detector": "rate", "over_h": 48} | LEVELS,
    {"detector": "trend", "reaches": {"below": 10.0}, "within_days": 30, "clear_days": 60, "over_days": 2, "least": 3},
    {"detector": "duration", "raise_if": {"above": 90.0, "for_min": 5}, "clear_if": {"at_most": 80.0, "for_min": 5}},
]


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


def reading(world: World, hours: float, value: float, seq: int) -> Message:
    at = MONDAY_MORNING + timedelta(hours=hours)
    return soh(world.device, at, value, "b", seq, max(at, world.db.clock.now()))


@pytest.mark.parametrize("rule", WINDOWED, ids=[rule["detector"] for rule in WINDOWED])
@pytest.mark.parametrize("greatest", [1e308, -1e200, 1.1e100])
def test_a_value_beyond_all_measure_is_a_dead_letter_and_what_comes_after_is_judged(
    world: World, http: Http, clock: SetClock, rule: dict[str, Any], greatest: float
) -> None:
    """Its square would be infinite, written down as null, and every later reading of the device would fail on that."""
    document = {"name": NAMES, "severity": "minor", "component": "battery_pack", "metric": "soh_pct"} | rule
    http.as_(world.manager).post("/rules", {"code": "windowed", "document": document}, expect=201)
    clock.set(MONDAY_MORNING + timedelta(days=3))

    deliver(world, *[reading(world, 3 * n, 76.0 + n % 2, n) for n in range(10)])
    nonsense = deliver(world, reading(world, 31, greatest, 100), reading(world, 32, greatest, 101))
    after = [deliver(world, reading(world, 33 + 3 * n, 76.0 + n % 2, 200 + n)) for n in range(4)]
    follow_due(world.db, world.settings)

    assert (nonsense["reading"], nonsense["poison"]) == (0, 2)
    assert {letter.reason for letter in dead_letters(world.db)} == {"number_out_of_range"}
    assert [count["reading"] for count in after] == [1, 1, 1, 1]
    with world.db.reading() as session:
        assert "null" not in "".join(session.scalars(select(SubjectState.states)))


def test_the_greatest_values_there_may_be_are_added_up_and_told(world: World, http: Http, clock: SetClock) -> None:
    """Two readings near the end of what a float holds have no sum; such ones are not taken, so old ones can be rolled up."""
    deliver(world, *[reading(world, n / 10, 1e100 if n < 2 else 1.7e308, n) for n in range(4)])
    path = f"/devices/{world.device}/telemetry?metric=soh_pct&resolution=hour"
    [shown] = http.as_(world.manager).get(path)["rollups"]
    assert (shown["n"], shown["sum"]) == (2, 2e100)

    clock.advance(days=world.settings.telemetry_days + 2)
    assert retire_telemetry(world.db, world.settings) == 2
    with world.db.reading() as session:
        assert session.scalars(select(Telemetry)).all() == []
    [kept] = http.as_(world.manager).get(path)["rollups"]
    assert (kept["n"], kept["sum"]) == (2, 2e100)


def test_the_trial_of_a_profile_refuses_what_the_ingest_would(world: World, http: Http) -> None:
    profile = {"code": "x", "name": "x", "adapter": "native", "metrics": {"soh_pct": {"scale": 1e12}}}
    body = {"profile": profile, "topic": f"devices/0/{world.device}/telemetry"}
    for value, reason in ((1e88, None), (1e89, "number_out_of_range"), (-1e89, "number_out_of_range")):
        sent = f'{{"ts": {to_ms(MONDAY_MORNING)}, "m": {{"soh_pct": {value}}}}}'
        told = http.as_(world.manager).post("/device-profile-trials", body | {"payload": sent})
        assert told["reason"] == reason


def test_a_message_that_cannot_be_calculated_with_is_put_aside_and_the_others_are_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a detector stumbles over: one message must not end the process, to be handed over again for ever."""
    evaluate = alarms.evaluate

    def stumbles(session: Any, news: Any) -> Any:
        if any(found.key == "b:13" for one in news for readings in one.new.values() for found in readings):
            raise OverflowError(34, "Numerical result out of range")
        return evaluate(session, news)

    monkeypatch.setattr(alarms, "evaluate", stumbles)
    counts = deliver(world, *[reading(world, -24 + n, 80.0, n) for n in range(10, 16)])

    assert (counts["reading"], counts["poison"]) == (5, 1)
    [letter] = dead_letters(world.db)
    assert (letter.reason, letter.detail[:13]) == ("not_storable", "OverflowError")
    assert counted(world.db)["message"] == 6


def test_over_http_only_what_is_stored_is_answered_as_stored(world: World, http: Http) -> None:
    office = http.as_(world.manager)
    profile = office.post(
        "/device-profiles", {"code": "tb", "name": "tb", "adapter": "thingsboard", "metrics": {"soh_pct": {}}}, expect=201
    )
    secret = office.post(f"/assets/{world.asset}/devices", {"profile_id": profile["id"]}, expect=201)["secret"]

    def sends(value: float) -> Any:
        body = {"ts": to_ms(MONDAY_MORNING), "values": {"soh_pct": value}}
        return http.app.test_client().post(f"/api/v1/{secret}/telemetry", json=body, headers={"Accept-Language": "en"})

    assert sends(90).status_code == 200
    refused = sends(1e300)
    assert (refused.status_code, refused.get_json()["code"]) == (400, "malformed")
    assert "a value in it cannot be stored" in refused.get_json()["detail"]
    assert [letter.reason for letter in dead_letters(world.db)] == ["number_out_of_range"]
