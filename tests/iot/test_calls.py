"""Commands to ThingsBoard devices: out through their gateway or fetched over HTTP, and the answers back to whom they belong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from app.assets.models import SettingsState
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from iot import commands, polls
from iot.commands import Outgoing
from iot.handover import Handover
from iot.ingest import Message
from iot.models import DevicePoll
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.iot.test_other_makers import add_device
from tests.iot.vehicles import dead_letters, happened, heard
from tests.people import Http

RPC, ATTRIBUTES = "v1/gateway/rpc", "v1/gateway/attributes"


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def van(world: World, office: Http) -> dict[str, Any]:
    return add_device(office, world, "thingsboard", "Van 1")


def ask(office: Http, device: str, method: str = "toggle", **more: Any) -> dict[str, Any]:
    body = {"body": {"method": method} | more, "timeout_s": 60}
    made: dict[str, Any] = office.post(f"/devices/{device}/commands", body, expect=201)
    return made


def queued(world: World) -> list[Outgoing]:
    with world.db.transaction() as session:
        return commands.take_queued(session, [0])


def gateway_says(world: World, topic: str, body: Any) -> dict[str, int]:
    return world.send(Message(topic, json.dumps(body).encode(), False, to_ms(world.db.clock.now())))


def state(office: Http, command: dict[str, Any]) -> tuple[str, Any]:
    found = office.get(f"/device-commands/{command['id']}")
    return found["state"], found["answer"]


def number_of(outgoing: Outgoing) -> int:
    found: int = json.loads(outgoing.payload)["data"]["id"]
    return found


def fetch(http: Http, token: str, query: str = "") -> Any:
    return http.app.test_client().get(f"/api/v1/{token}/rpc{query}")


def answer_over_http(http: Http, token: str, number: Any, body: Any = b'{"ok": true}') -> Any:
    return http.app.test_client().post(f"/api/v1/{token}/rpc/{number}", data=body)


# --- through a gateway ---


def test_a_command_goes_out_in_thingsboards_form_and_its_answer_is_the_commands(
    world: World, office: Http, van: dict[str, Any]
) -> None:
    asked = ask(office, van["id"], "toggle_gpio", params={"pin": 1})
    [out] = queued(world)
    number = number_of(out)
    assert (out.topic, out.qos) == (RPC, 1)
    assert json.loads(out.payload) == {
        "device": "Van 1",
        "data": {"id": number, "method": "toggle_gpio", "params": {"pin": 1}},
    }
    assert state(office, asked) == ("sent", None)

    gateway_says(world, RPC, {"device": "Van 1", "id": number, "data": {"success": True}})

    assert state(office, asked) == ("answered", {"success": True})
    assert [entry.kind for entry in happened(world.db, asked["id"])] == ["device_command.queued", "device_command.answered"]
    assert heard(world.db, van["id"]) == world.db.clock.now()
    assert queued(world) == []


@pytest.mark.parametrize("answer", [0, "ok", [1, 2], None, {"a": {"b": 1}}])
def test_an_answer_may_be_any_json(answer: Any, world: World, office: Http, van: dict[str, Any]) -> None:
    asked = ask(office, van["id"])
    [out] = queued(world)
    gateway_says(world, RPC, {"device": "Van 1", "id": number_of(out), "data": answer})
    assert state(office, asked)[0] == "answered"
    assert office.get(f"/device-commands/{asked['id']}")["answer"] == answer


def test_what_comes_twice_from_another_device_or_to_nothing_changes_nothing(
    world: World, office: Http, van: dict[str, Any]
) -> None:
    other = add_device(office, world, "thingsboard", "Van 2")
    mine, theirs = ask(office, van["id"]), ask(office, other["id"])
    numbers = {json.loads(out.payload)["device"]: number_of(out) for out in queued(world)}

    for body in (
        {"device": "Van 2", "id": numbers["Van 1"], "data": "of another"},
        {"device": "Van 1", "id": numbers["Van 1"] + 1, "data": "to nothing"},
        {"device": "Van 1", "id": -1, "data": "to nothing"},
        {"device": "Stranger", "id": numbers["Van 1"], "data": "of a stranger"},
    ):
        gateway_says(world, RPC, body)
        assert state(office, mine) == state(office, theirs) == ("sent", None), body
    for word in ("first", "second"):
        gateway_says(world, RPC, {"device": "Van 1", "id": numbers["Van 1"], "data": word})
    assert state(office, mine) == ("answered", "first")
    assert state(office, theirs) == ("sent", None)
    assert dead_letters(world.db) == []


def test_a_command_nobody_answers_times_out_and_a_late_answer_still_counts(
    world: World, office: Http, van: dict[str, Any], clock: SetClock
) -> None:
    asked = ask(office, van["id"])
    [out] = queued(world)
    clock.advance(seconds=61)
    with world.db.transaction() as session:
        assert commands.time_out_commands(session) == 1
    assert state(office, asked) == ("timed_out", None)
    gateway_says(world, RPC, {"device": "Van 1", "id": number_of(out), "data": "late"})
    assert state(office, asked) == ("answered", "late")


def test_an_answer_to_what_was_not_sent_yet_answers_nothing(world: World, office: Http, van: dict[str, Any]) -> None:
    asked = ask(office, van["id"])
    with world.db.reading() as session:
        number = session.scalar(select(commands.DeviceCommand.number).where(commands.DeviceCommand.id == asked["id"]))
    gateway_says(world, RPC, {"device": "Van 1", "id": number, "data": 1})
    assert state(office, asked) == ("queued", None)


def test_what_we_ask_a_gateway_says_nothing_when_we_hear_it_ourselves(world: World, office: Http, van: dict[str, Any]) -> None:
    ask(office, van["id"], params={"deep": {"er": [1, {"x": "y" * 4000}]}})
    [out] = queued(world)
    fates = world.send(Message(RPC, out.payload, False, to_ms(world.db.clock.now())))
    assert {name: n for name, n in fates.items() if n} == {"message": 1}
    assert (dead_letters(world.db), heard(world.db, van["id"])) == ([], None)


CALL_FAULTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "no method": ({}, "body.method", "required"),
    "a number": ({"method": 1}, "body.method", "not_text"),
    "an empty method": ({"method": ""}, "body.method", "too_short"),
    "a long method": ({"method": "m" * 101}, "body.method", "too_long"),
    "another field": ({"method": "m", "timeout": 5}, "body.timeout", "unknown"),
    "endless parameters": ({"method": "m", "params": ["x" * 1000] * 64}, "body.params", "too_large"),
    "deep parameters": ({"method": "m", "params": json.loads("[" * 13 + "]" * 13)}, "body.params", "too_large"),
    "many parameters": ({"method": "m", "params": [1] * 2000}, "body.params", "too_large"),
}


@pytest.mark.parametrize("name", CALL_FAULTS)
def test_what_is_no_call_is_refused(name: str, world: World, office: Http, van: dict[str, Any]) -> None:
    body, field, code = CALL_FAULTS[name]
    problem = office.refused("POST", f"/devices/{van['id']}/commands", 422, "validation_failed", {"body": body})
    assert [(fault["field"], fault["code"]) for fault in problem["errors"]] == [(field, code)]
    assert queued(world) == []


# --- over HTTP ---


def test_a_device_fetches_its_command_once_and_brings_the_answer(
    world: World, office: Http, http: Http, van: dict[str, Any]
) -> None:
    assert fetch(http, van["secret"]).status_code == 408
    asked = ask(office, van["id"], "setGpio", params={"pin": "23", "value": 1})
    assert queued(world) == [], "it fetches, so it is asked in no other way"

    found = fetch(http, van["secret"], "?timeout=20000")
    assert found.status_code == 200
    assert {name: value for name, value in found.json.items() if name != "id"} == {
        "method": "setGpio",
        "params": {"pin": "23", "value": 1},
    }
    again = fetch(http, van["secret"])
    assert (again.status_code, again.data) == (408, b"")
    assert state(office, asked) == ("sent", None)

    for word in ("ok", "again"):
        assert answer_over_http(http, van["secret"], found.json["id"], json.dumps({"result": word})).status_code == 200
    assert state(office, asked) == ("answered", {"result": "ok"})
    assert heard(world.db, van["id"]) == world.db.clock.now()


def test_commands_are_fetched_oldest_first_and_not_after_their_time(
    world: World, office: Http, http: Http, van: dict[str, Any], clock: SetClock
) -> None:
    fetch(http, van["secret"])
    for method in ("late", "first", "second"):
        if method == "first":
            clock.advance(seconds=61)
        ask(office, van["id"], method)
    assert [fetch(http, van["secret"]).json["method"] for _ in range(2)] == ["first", "second"]
    assert fetch(http, van["secret"]).status_code == 408


def test_a_device_fetches_and_answers_for_itself_alone(world: World, office: Http, http: Http, van: dict[str, Any]) -> None:
    other = add_device(office, world, "thingsboard", "Van 2")
    for one in (van, other):
        fetch(http, one["secret"])
    asked = ask(office, van["id"])
    assert fetch(http, other["secret"]).status_code == 408
    number = fetch(http, van["secret"]).json["id"]
    assert answer_over_http(http, other["secret"], number).status_code == 200
    assert state(office, asked) == ("sent", None)
    assert answer_over_http(http, van["secret"], number).status_code == 200
    assert state(office, asked) == ("answered", {"ok": True})


def test_wrong_tokens_wrong_numbers_and_wrong_bodies_are_refused(
    world: World, office: Http, http: Http, van: dict[str, Any]
) -> None:
    native = office.post(f"/devices/{world.device}/secret")["secret"]
    for token in ("x", native, "A" * 2000):
        for answer in (fetch(http, token), answer_over_http(http, token, 1), answer_over_http(http, token, "x")):
            assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
    assert fetch(http, van["secret"], "?timeout=x").status_code == 422
    assert fetch(http, van["secret"], "?other=1").status_code == 422
    for number in ("x", "-1", "1" * 11, "１"):
        assert answer_over_http(http, van["secret"], number).status_code == 404, number
    for body, reason in ((b"", "empty"), (b"{", "not_json"), (b"[" * 17 + b"]" * 17, "too_deep"), (b" " * 70_000, "too_large")):
        refused = answer_over_http(http, van["secret"], 1, body)
        assert (refused.status_code, refused.json["code"]) == (400, "malformed"), reason
    assert dead_letters(world.db) == []
    assert office.call("DELETE", f"/devices/{van['id']}", If_Match="*").status_code == 200
    assert fetch(http, van["secret"]).status_code == 401


def test_wrong_tokens_are_limited_by_address_whatever_they_ask(
    http: Http, world: World, office: Http, van: dict[str, Any]
) -> None:
    told = [fetch(http, f"guess-{i}").status_code for i in range(31)]
    assert told == [401] * 30 + [429]
    assert answer_over_http(http, "guess", 1).status_code == 429
    assert fetch(http, van["secret"]).status_code == 408


def test_a_device_a_gateway_connects_is_asked_through_it_again(
    world: World, office: Http, http: Http, van: dict[str, Any]
) -> None:
    fetch(http, van["secret"])
    asked = ask(office, van["id"])
    assert queued(world) == []
    gateway_says(world, "v1/gateway/connect", {"device": "Van 1"})
    assert [number_of(out) > 0 for out in queued(world)] == [True]
    assert state(office, asked) == ("sent", None)
    with world.db.reading() as session:
        assert session.scalars(select(DevicePoll)).all() == []


def test_one_look_tells_all_who_wait_whether_there_is_something_for_them(
    world: World, office: Http, van: dict[str, Any], clock: SetClock
) -> None:
    other = add_device(office, world, "thingsboard", "Van 2")
    waiting = [polls.Poll(world.db, one["id"]) for one in (van, other, van)]
    assert polls.Poll.look(waiting) == [b"", b"", b""]
    ask(office, van["id"])
    assert polls.Poll.look(waiting) == [b"asked", b"", b"asked"]
    clock.advance(seconds=61)
    assert polls.Poll.look(waiting) == [b"", b"", b""]


# --- settings, as shared attributes ---


def set_device(office: Http, device: str, **values: Any) -> None:
    path = f"/devices/{device}/settings"
    office.edit(path, {"settings": values}, office.get(path)["version"], method="PUT")


def handed(world: World, handover: Handover, *confirmed: Any) -> list[Any]:
    with world.db.transaction() as session:
        return handover.take(session, 1, [one.handed for one in confirmed])


def test_settings_go_out_as_shared_attributes_and_names_that_end_are_told(
    world: World, office: Http, van: dict[str, Any]
) -> None:
    handover = Handover(0)
    set_device(office, van["id"], report_s=60, unit="km")
    first = handed(world, handover)
    assert [(one.topic, one.retain) for one in first] == [(ATTRIBUTES, False)]
    assert json.loads(first[0].payload) == {"device": "Van 1", "data": {"report_s": 60, "unit": "km", "settings_no": 1}}
    assert handed(world, handover, *first) == []

    set_device(office, van["id"], report_s=5)
    second = handed(world, handover)
    told = {"report_s": 5, "settings_no": 2, "deleted": ["unit"]}
    assert json.loads(second[0].payload) == {"device": "Van 1", "data": told}

    for out in (*first, *second):
        fates = world.send(Message(ATTRIBUTES, out.payload, False, to_ms(world.db.clock.now())))
        assert {name: n for name, n in fates.items() if n} == {"message": 1}, "our own words say nothing"
    assert dead_letters(world.db) == []


def test_a_device_that_tells_the_number_among_its_attributes_is_in_step(
    world: World, office: Http, van: dict[str, Any], clock: SetClock
) -> None:
    path = f"/devices/{van['id']}/settings"
    set_device(office, van["id"], report_s=60, unit="km")
    gateway_says(world, ATTRIBUTES, {"Van 1": {"report_s": 60, "fw": "1.2"}, "Van 2": {"settings_no": 1}})
    assert office.get(path)["in_step"] is False

    told = {"settings_no": 1, "report_s": 60, "fw": "1.2", "place": {"lat": 1}, "notes": "x" * 300}
    gateway_says(world, ATTRIBUTES, {"Van 1": told})
    found = office.get(path)
    assert (found["in_step"], found["reported"]) == (True, {"report_s": 60, "fw": "1.2"})

    clock.advance(seconds=1)
    gateway_says(world, ATTRIBUTES, {"Van 1": {"settings_no": 1, "report_s": 10}})
    assert office.get(path)["in_step"] is False, "it says that it is set otherwise"
    for number in ("1", True, -1, 1.5, None):
        clock.advance(seconds=1)
        gateway_says(world, ATTRIBUTES, {"Van 1": {"settings_no": number}})
        assert office.get(path)["reported"] == {"report_s": 10}, number
    assert dead_letters(world.db) == []


def test_a_device_its_gateway_connects_gets_its_settings_anew(world: World, office: Http, van: dict[str, Any]) -> None:
    handover = Handover(0)
    set_device(office, van["id"], report_s=60)
    assert handed(world, handover, *handed(world, handover)) == []
    gateway_says(world, "v1/gateway/connect", {"device": "Van 1"})
    found = [one for _ in range(10) for one in handed(world, handover)]
    assert [json.loads(one.payload)["data"]["report_s"] for one in found] == [60]
    with world.db.reading() as session:
        assert session.scalars(select(SettingsState.published_no)).all() == [0]
