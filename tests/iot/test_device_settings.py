"""What devices are to be set to: a profile's settings, a device's own over them, and what the device says it took over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import select

from app.assets.device_settings import set_device as set_own
from app.assets.models import Device, SettingsState
from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings, read_settings
from iot.handover import Handover, Outgoing
from iot.ingest import Message
from tests.conftest import SetClock
from tests.databases import copy_sqlite
from tests.factories import World, make_world
from tests.iot.vehicles import BOSS, counted, dead_letters, happened, heard, make_vehicle
from tests.people import Http


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


def set_profile(office: Http, world: World, expect: int = 200, **values: Any) -> Any:
    [profile] = [one for one in office.get("/device-profiles")["items"] if one["id"] == world.profile]
    return office.edit(f"/device-profiles/{world.profile}", {"settings": values}, profile["version"], expect)


def set_device(office: Http, device: str, expect: int = 200, **values: Any) -> Any:
    version = office.get(f"/devices/{device}/settings")["version"]
    return office.edit(f"/devices/{device}/settings", {"settings": values}, version, expect, "PUT")


def told(world: World, device: str, no: int, at_s: float = 0, **values: Any) -> Message:
    """Return a device's report; ``at_s``: so long ago, by its clock."""
    present_ms = to_ms(world.db.clock.now())
    body: dict[str, Any] = {"ts": present_ms - int(at_s * 1000), "no": no} | ({"settings": values} if values else {})
    return Message(f"devices/0/{device}/settings/applied", json.dumps(body).encode(), False, present_ms)


def taken(world: World, handover: Handover, *confirmed: Outgoing, connection: int = 1) -> list[Outgoing]:
    with world.db.transaction() as session:
        return handover.take(session, connection, [one.handed for one in confirmed])


def bodies(outgoing: list[Outgoing]) -> dict[str, Any]:
    return {one.topic: json.loads(one.payload) if one.payload else None for one in outgoing}


# --- what is wanted ---


def test_a_devices_own_settings_go_over_its_profiles_and_every_change_has_a_higher_number(world: World, office: Http) -> None:
    path = f"/devices/{world.device}/settings"
    before = office.get(path)
    assert (before["wanted"], before["wanted_no"], before["in_step"], before["published"]) == ({}, 0, None, False)

    set_profile(office, world, report_s=60, unit="km")
    set_device(office, world.device, report_s=5)
    found = office.get(path)
    assert (found["wanted"], found["wanted_no"]) == ({"report_s": 5, "unit": "km"}, 2)
    assert (found["settings"], found["profile_settings"]) == ({"report_s": 5}, {"report_s": 60, "unit": "km"})
    assert found["in_step"] is False

    set_profile(office, world, report_s=30, unit="mi")
    set_device(office, world.device)
    found = office.get(path)
    assert (found["wanted"], found["wanted_no"]) == ({"report_s": 30, "unit": "mi"}, 4)


def test_the_same_settings_again_are_no_change_and_true_is_not_one(world: World, office: Http) -> None:
    path = f"/devices/{world.device}/settings"
    set_device(office, world.device, lamp=1)
    set_device(office, world.device, lamp=1)
    assert office.get(path)["wanted_no"] == 1
    set_device(office, world.device, lamp=True)
    found = office.get(path)
    assert (found["wanted_no"], found["wanted"]["lamp"]) == (2, True)
    set_profile(office, world)
    assert office.get(path)["wanted_no"] == 2


def test_a_device_that_is_registered_later_has_its_profiles_settings(world: World, office: Http) -> None:
    set_profile(office, world, report_s=60)
    late = make_vehicle(world, "0002").device
    found = office.get(f"/devices/{late}/settings")
    assert (found["wanted"], found["wanted_no"], found["in_step"]) == ({"report_s": 60}, 1, False)


def test_an_edit_of_an_older_version_is_refused(world: World, office: Http) -> None:
    path = f"/devices/{world.device}/settings"
    answer = office.call("GET", path)
    assert answer.headers["ETag"] == f'"{answer.json["version"]}"'
    set_device(office, world.device, a=1)
    office.refused("PUT", path, 412, "version_stale", {"settings": {"a": 2}}, If_Match=answer.headers["ETag"])
    office.refused("PUT", path, 428, "version_required", {"settings": {"a": 2}})
    assert office.get(path)["wanted"] == {"a": 1}


SETTING_FAULTS: dict[str, tuple[Any, str]] = {
    "a list": ({"a": [1]}, "not_scalar"),
    "an object": ({"a": {}}, "not_scalar"),
    "null": ({"a": None}, "null"),
    "a long text": ({"a": "x" * 201}, "too_long"),
    "two lines": ({"a": "x\ny"}, "control_characters"),
    "too great a number": ({"a": 2**53 + 1}, "out_of_range"),
    "a name of nothing": ({"": 1}, "setting_name"),
    "a name with a blank": ({"a b": 1}, "setting_name"),
    "a long name": ({"a" * 41: 1}, "setting_name"),
    "a name with a digit first": ({"1a": 1}, "setting_name"),
    "a name of ours": ({"settings_no": 1}, "setting_reserved"),
    "another name of ours": ({"deleted": "a"}, "setting_reserved"),
    "51 of them": ({f"a{i}": i for i in range(51)}, "too_many"),
    "no object": ([], "not_object"),
}


@pytest.mark.parametrize("name", SETTING_FAULTS)
def test_settings_that_no_device_should_get_are_refused_for_profiles_and_devices(name: str, world: World, office: Http) -> None:
    values, code = SETTING_FAULTS[name]
    new = {"code": "new", "name": "New", "adapter": "native", "metrics": {}, "settings": values}
    for method, path, body in (
        ("PUT", f"/devices/{world.device}/settings", {"settings": values}),
        ("PATCH", f"/device-profiles/{world.profile}", {"settings": values}),
        ("POST", "/device-profiles", new),
    ):
        problem = office.refused(method, path, 422, "validation_failed", body, If_Match="*")
        assert [fault["code"] for fault in problem["errors"]] == [code], (method, path)
    assert office.get(f"/devices/{world.device}/settings")["wanted_no"] == 0


def test_fifty_settings_of_every_kind_reach_the_message_as_they_were_given(world: World, office: Http) -> None:
    values = {f"s{i}": (i, i / 8, f"text {i} 中", i % 2 == 0)[i % 4] for i in range(50)}
    set_device(office, world.device, **values)
    [out] = taken(world, Handover(0))
    sent = json.loads(out.payload)
    assert sent == {"no": 1, "settings": values}
    assert {name: type(one) for name, one in sent["settings"].items()} == {name: type(one) for name, one in values.items()}


def test_devices_nothing_can_be_sent_to_take_no_settings(world: World, office: Http) -> None:
    body = {"code": "car", "name": "Car", "adapter": "ovms", "metrics": {}}
    problem = office.refused("POST", "/device-profiles", 422, "validation_failed", body | {"settings": {"a": 1}})
    assert [(fault["field"], fault["code"]) for fault in problem["errors"]] == [("settings", "no_settings")]
    profile = office.post("/device-profiles", body, expect=201)["id"]
    made = office.post(f"/assets/{world.asset}/devices", {"profile_id": profile, "address": "anna/CAR1"}, expect=201)
    for path in (f"/device-profiles/{profile}", f"/devices/{made['id']}/settings"):
        method = "PUT" if path.endswith("settings") else "PATCH"
        problem = office.refused(method, path, 422, "validation_failed", {"settings": {"a": 1}}, If_Match="*")
        assert [fault["code"] for fault in problem["errors"]] == ["no_settings"]


# --- what the broker is handed ---


def test_what_is_wanted_is_handed_over_once_and_again_only_when_it_changes(world: World, office: Http) -> None:
    topic = f"devices/0/{world.device}/settings"
    handover = Handover(0)
    assert taken(world, handover) == []
    set_profile(office, world, report_s=60)

    first = taken(world, handover)
    assert bodies(first) == {topic: {"no": 1, "settings": {"report_s": 60}}}
    assert all(one.retain for one in first)
    assert taken(world, handover) == [], "it is on its way"
    assert not office.get(f"/devices/{world.device}/settings")["published"]
    for confirmed in (first, [], []):
        assert taken(world, handover, *confirmed) == []
    assert office.get(f"/devices/{world.device}/settings")["published"]

    set_device(office, world.device, report_s=5)
    assert not office.get(f"/devices/{world.device}/settings")["published"]
    second = taken(world, handover)
    set_device(office, world.device, report_s=7)
    third = taken(world, handover, *second)
    assert [json.loads(one.payload)["no"] for one in (*second, *third)] == [2, 3]
    assert taken(world, handover, *third) == []


def test_what_a_dead_process_handed_over_is_handed_over_again_by_the_next(world: World, office: Http) -> None:
    set_device(office, world.device, report_s=5)
    assert len(taken(world, Handover(0))) == 1
    [again] = taken(world, Handover(0))
    assert json.loads(again.payload)["no"] == 1


def test_after_each_connection_everything_goes_out_once_more_and_old_confirmations_count_no_more(
    world: World, office: Http
) -> None:
    set_device(office, world.device, report_s=5)
    handover = Handover(0)
    first = taken(world, handover)
    assert taken(world, handover, *first) == []
    assert office.get(f"/devices/{world.device}/settings")["published"]

    [again] = taken(world, handover, connection=2)
    assert not office.get(f"/devices/{world.device}/settings")["published"], "the broker may have lost it"
    assert taken(world, handover, *first, connection=2) == [], "it is on its way"
    assert not office.get(f"/devices/{world.device}/settings")["published"]
    assert taken(world, handover, again, connection=2) == []
    assert office.get(f"/devices/{world.device}/settings")["published"]


def test_a_transaction_nobody_knows_the_end_of_is_done_again(world: World, office: Http) -> None:
    set_device(office, world.device, report_s=5)
    handover = Handover(0)
    assert len(taken(world, handover)) == 1
    handover.start_over()
    assert len(taken(world, handover)) == 1


@examples(max_examples=15)
@given(steps=st.lists(st.sampled_from(["edit", "take", "arrive", "lose the link", "die", "restart the broker"]), max_size=14))
def test_whatever_dies_the_broker_holds_the_newest_in_the_end_and_never_goes_back(
    steps: list[str], sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The broker: what it retains, and what is on its way to it over the present connection and not confirmed."""
    folder = tmp_path_factory.mktemp("handover")
    db = Database(copy_sqlite(sqlite_file, folder / "test.db"), SetClock())
    world = make_world(db, read_settings(var_dir=folder, argon2_profile="test"))
    handover, connection, value = Handover(0), 1, 0
    retained: dict[str, int] = {}
    flying: list[Outgoing] = []
    confirmed: list[Outgoing] = []

    def arrive() -> None:
        for one in flying:
            number = json.loads(one.payload)["no"]
            assert number >= retained.get(one.topic, 0), "an older one came after a newer one"
            retained[one.topic] = number
        confirmed.extend(flying)
        flying.clear()

    def take() -> None:
        flying.extend(taken(world, handover, *confirmed, connection=connection))
        confirmed.clear()

    for step in steps:
        if step == "edit":
            value += 1
            with db.transaction() as session:
                set_own(session, BOSS, session.get_one(Device, world.device), {"report_s": value})
        elif step == "take":
            take()
        elif step == "arrive":
            arrive()
        else:
            connection += 1
            if step == "lose the link":  # what was on its way is sent again before anything else
                arrive()
            flying.clear()
            if step == "die":
                handover = Handover(0)
                confirmed.clear()
            if step == "restart the broker":
                retained.clear()
    for _ in range(12):
        take()
        arrive()
    assert retained == ({f"devices/0/{world.device}/settings": value} if value else {})
    with db.reading() as session:
        assert session.scalars(select(SettingsState.published_no)).all() == ([value] if value else [])
    db.close()


def test_each_shard_hands_over_its_own(world: World, office: Http) -> None:
    set_device(office, world.device, report_s=5)
    assert taken(world, Handover(1)) == []
    assert len(taken(world, Handover(0))) == 1


def test_many_devices_go_out_in_parts_and_none_is_forgotten(world: World, office: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iot.handover._AT_ONCE", 3)
    devices = {world.device, *(make_vehicle(world, f"v{i}").device for i in range(7))}
    set_profile(office, world, report_s=60)
    handover, confirmed = Handover(0), list[Outgoing]()
    got: list[str] = []
    for _ in range(4):
        confirmed = taken(world, handover, *confirmed)
        assert len(confirmed) <= 3
        got += [one.handed.device_id for one in confirmed]
    assert sorted(got) == sorted(devices)


def test_what_is_retained_for_a_revoked_device_is_taken_away(world: World, office: Http) -> None:
    set_device(office, world.device, report_s=5)
    handover = Handover(0)
    taken(world, handover, *taken(world, handover))
    assert office.call("DELETE", f"/devices/{world.device}", If_Match="*").status_code == 200

    gone = taken(world, handover)
    assert [(one.topic, one.payload, one.retain) for one in gone] == [(f"devices/0/{world.device}/settings", b"", True)]
    assert taken(world, handover, *gone) == []
    assert taken(world, handover, connection=2) == [], "there is nothing at the broker any more"


# --- what the device says ---


def test_a_device_that_took_over_what_is_wanted_is_in_step_until_that_changes(
    world: World, office: Http, clock: SetClock
) -> None:
    path = f"/devices/{world.device}/settings"
    set_profile(office, world, report_s=60)
    world.send(told(world, world.device, 1, 30, report_s=60))

    found = office.get(path)
    assert (found["in_step"], found["reported_no"], found["reported"]) == (True, 1, {"report_s": 60})
    assert found["reported_at"] == "2026-03-02T01:59:30.000Z"
    assert [one["id"] for one in office.get("/devices?settings=in_step")["items"]] == [world.device]
    assert office.get("/devices?settings=behind")["items"] == []

    set_device(office, world.device, report_s=5)
    assert office.get(path)["in_step"] is False
    assert [one["id"] for one in office.get("/devices?settings=behind")["items"]] == [world.device]
    assert office.get("/devices?settings=in_step")["items"] == []
    clock.advance(minutes=1)
    world.send(told(world, world.device, 2))
    assert office.get(path)["in_step"] is True, "it need not say what it is set to"


def test_a_device_without_settings_is_neither_in_step_nor_behind(world: World, office: Http) -> None:
    assert office.get("/devices?settings=behind")["items"] == office.get("/devices?settings=in_step")["items"] == []
    world.send(told(world, world.device, 0))
    assert office.get("/devices?settings=behind")["items"] == office.get("/devices?settings=in_step")["items"] == []
    office.refused("GET", "/devices?settings=other", 422, "validation_failed")


@pytest.mark.parametrize("values", [{"report_s": 10}, {"unit": "km"}])
def test_a_device_that_took_over_other_values_under_the_number_is_behind(
    values: dict[str, Any], world: World, office: Http
) -> None:
    set_device(office, world.device, report_s=5)
    world.send(told(world, world.device, 1, **values))
    found = office.get(f"/devices/{world.device}/settings")
    assert (found["in_step"], found["reported_no"], found["reported"], found["wanted_no"]) == (False, 1, values, 1)
    assert [one["id"] for one in office.get("/devices?settings=behind")["items"]] == [world.device]
    assert [entry.kind for entry in happened(world.db, world.device)][-1] == "device.settings_differ"


def test_late_doubled_and_shuffled_reports_end_in_the_newest_by_the_devices_clock(world: World, office: Http) -> None:
    for value in (1, 2, 3):
        set_device(office, world.device, report_s=value)
    reports = [told(world, world.device, no, 100 - no, report_s=no) for no in (1, 2, 3)]

    @examples(max_examples=25)
    @given(st.permutations([*range(3), *range(3)]), st.integers(1, 6))
    def arrive(order: list[int], cut: int) -> None:
        with world.db.transaction() as session:
            session.execute(SettingsState.__table__.delete())
        world.send(*[reports[i] for i in order[:cut]])
        world.send(*[reports[i] for i in order[cut:]])
        found = office.get(f"/devices/{world.device}/settings")
        assert (found["in_step"], found["reported_no"], found["wanted_no"]) == (True, 3, 3)

    arrive()


def test_a_clock_that_is_ahead_does_not_hold_up_later_reports(world: World, office: Http, clock: SetClock) -> None:
    set_device(office, world.device, report_s=5)
    world.send(told(world, world.device, 0, -3600))
    assert office.get(f"/devices/{world.device}/settings")["reported_at"] == "2026-03-02T02:00:00.000Z"
    clock.advance(seconds=1)
    world.send(told(world, world.device, 1))
    assert office.get(f"/devices/{world.device}/settings")["in_step"] is True


def test_a_device_that_knows_a_higher_number_is_overtaken_once(world: World, office: Http, clock: SetClock) -> None:
    """As after a restored backup: it would take over nothing that has a lower number."""
    set_device(office, world.device, report_s=5)
    world.send(*[told(world, world.device, 7, report_s=1)] * 2)
    clock.advance(seconds=1)
    world.send(told(world, world.device, 7, report_s=1))
    found = office.get(f"/devices/{world.device}/settings")
    assert (found["wanted_no"], found["in_step"]) == (8, False)
    assert bodies(taken(world, Handover(0))) == {f"devices/0/{world.device}/settings": {"no": 8, "settings": {"report_s": 5}}}
    clock.advance(seconds=1)
    world.send(told(world, world.device, 8, report_s=5))
    assert office.get(f"/devices/{world.device}/settings")["in_step"] is True
    set_device(office, world.device, report_s=6)
    assert office.get(f"/devices/{world.device}/settings")["wanted_no"] == 9

    clock.advance(seconds=1)
    world.send(told(world, world.device, 10**9 + 1))
    assert office.get(f"/devices/{world.device}/settings")["wanted_no"] == 9, "so high a number is no number of ours"


def test_the_causal_log_leads_from_what_the_device_took_over_to_who_set_it(world: World, office: Http) -> None:
    set_profile(office, world, report_s=60)
    set_device(office, world.device, report_s=5)
    world.send(*[told(world, world.device, 2, report_s=5)] * 2)

    entries = [entry for entry in happened(world.db, world.device) if "settings" in entry.kind]
    assert [(entry.kind, entry.actor_id) for entry in entries] == [
        ("device.settings_set", world.manager),
        ("device.settings_applied", None),
    ]
    chain = office.get(f"/history/device/{world.device}")
    applied = next(entry for entry in chain["about"] if entry["kind"] == "device.settings_applied")
    assert entries[0].id in applied["because_of"]
    assert applied["reason"] == "The device took over settings number 2; wanted was 2."


def test_a_report_of_another_shard_or_of_a_revoked_device_says_nothing(world: World, office: Http) -> None:
    set_device(office, world.device, report_s=5)
    other = told(world, world.device, 1)
    world.send(other._replace(topic=f"devices/3/{world.device}/settings/applied"))
    assert office.get(f"/devices/{world.device}/settings")["reported_no"] is None
    assert [letter.reason for letter in dead_letters(world.db)] == ["wrong_shard"]
    assert office.call("DELETE", f"/devices/{world.device}", If_Match="*").status_code == 200
    world.send(other)
    assert counted(world.db)["revoked_device"] == 1
    with world.db.reading() as session:
        assert session.scalars(select(SettingsState.reported_no)).all() in ([], [None])


REPORT_POISON: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "no JSON": (b"{", "not_json"),
    "no number": (b'{"ts": 1772424000000}', "shape_invalid"),
    "a negative number": (b'{"ts": 1772424000000, "no": -1}', "shape_invalid"),
    "an endless number": (b'{"ts": 1772424000000, "no": 9007199254740993}', "shape_invalid"),
    "a fraction": (b'{"ts": 1772424000000, "no": 1.5}', "shape_invalid"),
    "no time": (b'{"no": 1}', "shape_invalid"),
    "seconds": (b'{"ts": 1772424000, "no": 1}', "time_invalid"),
    "a list": (b'{"ts": 1772424000000, "no": 1, "settings": {"a": [1]}}', "shape_invalid"),
    "null": (b'{"ts": 1772424000000, "no": 1, "settings": {"a": null}}', "shape_invalid"),
    "a great integer": (b'{"ts": 1772424000000, "no": 1, "settings": {"a": 9223372036854775808}}', "shape_invalid"),
    "a long text": (b'{"ts": 1772424000000, "no": 1, "settings": {"a": "' + b"x" * 201 + b'"}}', "text_too_long"),
    "NUL": (b'{"ts": 1772424000000, "no": 1, "settings": {"a\\u0000": 1}}', "text_invalid"),
    "101 of them": (
        json.dumps({"ts": 1772424000000, "no": 1, "settings": {f"a{i}": i for i in range(101)}}).encode(),
        "shape_invalid",
    ),
    "another field": (b'{"ts": 1772424000000, "no": 1, "values": {}}', "shape_invalid"),
}


@pytest.mark.parametrize("name", REPORT_POISON)
def test_a_report_in_another_form_becomes_a_dead_letter(name: str, world: World, office: Http) -> None:
    payload, reason = REPORT_POISON[name]
    world.send(Message(f"devices/0/{world.device}/settings/applied", payload, False, to_ms(world.db.clock.now())))
    assert [letter.reason for letter in dead_letters(world.db)] == [reason]
    assert office.get(f"/devices/{world.device}/settings")["reported_no"] is None


def test_our_own_settings_that_come_back_say_nothing(world: World) -> None:
    topic, present_ms = f"devices/0/{world.device}/settings", to_ms(world.db.clock.now())
    ours = [
        Message(topic, payload, kept, present_ms) for payload in (b'{"no": 1, "settings": {}}', b"") for kept in (True, False)
    ]
    assert {name: n for name, n in world.send(*ours).items() if n} == {"message": 4}
    assert (dead_letters(world.db), heard(world.db, world.device)) == ([], None)


def test_a_device_that_reports_without_end_is_held_to_its_rate(world: World, office: Http, clock: SetClock) -> None:
    [profile] = office.get("/device-profiles")["items"]
    office.edit(f"/device-profiles/{world.profile}", {"messages_per_minute": 1, "message_burst": 3}, profile["version"])
    world.send(*[told(world, world.device, i % 2, 100 - i) for i in range(50)])
    assert sum(entry.kind == "device.settings_applied" for entry in happened(world.db, world.device)) == 3
    assert counted(world.db)["rate_limited"] == 47
