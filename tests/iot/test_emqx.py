"""The question EMQX asks at each sign-in: who is let in, what they may do there, and who is not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from app.core.clock import to_ms
from app.core.db import Database
from app.core.settings import Settings
from app.factory import create_app
from tests.conftest import SetClock
from tests.factories import World, make_world
from tests.people import Http

TOKEN = "the-token-of-the-broker"
DENIED = {"result": "deny", "is_superuser": False}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, emqx_token=TOKEN, mqtt_password="the-password-of-the-ingest")


@pytest.fixture
def world(db: Database, settings: Settings) -> World:
    return make_world(db, settings)


@pytest.fixture
def office(http: Http, world: World) -> Http:
    return http.as_(world.manager)


@pytest.fixture
def device(office: Http, world: World) -> Any:
    return office.post(f"/devices/{world.device}/secret")


def answer(http: Http, body: Any, token: str = TOKEN) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.app.test_client().post("/api/v1/broker/emqx/authentication", data=raw, headers={"X-Broker-Token": token})


def asks(http: Http, username: str, password: str, clientid: str | None = None, peerhost: str = "10.0.0.1") -> Any:
    body = {"username": username, "password": password, "clientid": clientid or username, "peerhost": peerhost}
    found = answer(http, body)
    assert found.status_code == 200, found.get_data(as_text=True)
    return found.json


def allowed(acl: list[dict[str, str]]) -> set[tuple[str, str]]:
    assert acl[-1] == {"permission": "deny", "action": "all", "topic": "#"}
    assert {rule["permission"] for rule in acl[:-1]} == {"allow"}
    return {(rule["action"], rule["topic"]) for rule in acl[:-1]}


def test_a_device_is_let_in_with_its_secret_and_told_its_own_topics(http: Http, device: Any) -> None:
    found = asks(http, device["username"], device["secret"])

    assert (found["result"], found["is_superuser"]) == ("allow", False)
    assert found["client_attrs"] == {"role": "device", "device": device["id"]}
    assert allowed(found["acl"]) == {
        ("publish", f"devices/+/{device['id']}/#"),
        ("subscribe", f"devices/+/{device['id']}/commands/#"),
        ("subscribe", f"devices/+/{device['id']}/settings"),
    }
    assert "expire_at" not in found


def test_another_makers_device_is_told_its_makers_topics_too(http: Http, office: Http, world: World) -> None:
    body = {"code": "ovms", "name": "ovms", "adapter": "ovms", "metrics": {"soh_pct": {"source": "v/b/soh"}}}
    profile = office.post("/device-profiles", body, expect=201)
    car = office.post(f"/assets/{world.asset}/devices", {"profile_id": profile["id"], "address": "anna/CAR-1"}, expect=201)

    found = asks(http, car["username"], car["secret"])

    assert {("publish", "ovms/anna/CAR-1/#"), ("subscribe", "ovms/anna/CAR-1/client/#")} < allowed(found["acl"])


def test_the_ingest_is_let_in_under_its_own_client_ids_only(http: Http, world: World) -> None:
    found = asks(http, "fieldloop-ingest", "the-password-of-the-ingest", "fieldloop-ingest-0")

    rights = allowed(found["acl"])
    assert {("subscribe", "devices/#"), ("publish", "devices/+/+/commands/#"), ("publish", "devices/+/+/settings")} < rights
    assert ("publish", "devices/#") not in rights
    assert asks(http, "fieldloop-ingest", "the-password-of-the-ingest", world.device) == DENIED
    assert asks(http, "fieldloop-ingest", "wrong", "fieldloop-ingest-0") == DENIED


def test_everybody_else_is_denied_with_200(http: Http, office: Http, device: Any, world: World) -> None:
    other, secret = "device-9999", device["secret"]
    for username, password, clientid in (
        (device["id"], "wrong", None),
        (device["id"], "", None),
        (device["id"], secret, other),  # it would take over the other one's session
        (device["id"], secret, "fieldloop-ingest-0"),
        (f"{device['id']}~2", secret, None),
        (other, secret, None),
        ("", "", ""),
        ("fieldloop-ingest", "", "fieldloop-ingest-0"),
    ):
        assert asks(http, username, password, clientid) == DENIED, (username, password, clientid)
    assert asks(http, device["id"], secret)["result"] == "allow"
    assert office.call("DELETE", f"/devices/{device['id']}", If_Match="*").status_code == 200
    assert asks(http, device["id"], secret) == DENIED


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"\xff", {}, {"username": 1}, b'{"username": "\\ud800"}', b"[" * 5000,
        {"username": "x" * 70_000, "password": "y" * 70_000, "clientid": "\x00", "peerhost": "\n"},
        {"username": "device-0001", "password": None, "clientid": "device-0001", "peerhost": "1"},
    ],
)  # fmt: skip
def test_whatever_a_client_sends_is_answered_with_200_and_denied(http: Http, world: World, body: Any) -> None:
    found = answer(http, body)

    assert (found.status_code, found.json) == (200, DENIED)


def test_a_broker_that_does_not_show_the_token_learns_nothing(http: Http, device: Any) -> None:
    body = {"username": device["id"], "password": device["secret"], "clientid": device["id"], "peerhost": "10.0.0.1"}

    for token in ("", "wrong", TOKEN + "x", TOKEN.upper()):
        found = answer(http, body, token)
        assert (found.status_code, found.json["code"]) == (401, "unauthenticated"), token


def test_without_a_token_in_the_settings_nobody_is_answered(settings: Settings, db: Database, device: Any) -> None:
    closed = replace(settings, emqx_token="")
    http = Http(create_app(closed, db), db, closed)

    for token in ("", "None", TOKEN):
        assert answer(http, {}, token).status_code == 401


def test_both_secrets_of_a_rotation_are_let_in_and_the_old_session_has_its_end(
    http: Http, office: Http, device: Any, clock: SetClock
) -> None:
    rotated = office.post(f"/devices/{device['id']}/secret-rotations", {"overlap_h": 2})

    old, new = asks(http, device["username"], device["secret"]), asks(http, rotated["username"], rotated["secret"])
    assert old["expire_at"] == to_ms(clock.now()) // 1000 + 7200
    assert "expire_at" not in new
    assert old["acl"] == new["acl"]
    clock.advance(hours=2)
    assert asks(http, device["username"], device["secret"]) == DENIED
    assert asks(http, rotated["username"], rotated["secret"])["result"] == "allow"


@pytest.fixture
def guessed(http: Http, device: Any) -> None:
    """Ten guesses from one address."""
    for i in range(10):
        assert asks(http, device["username"], f"guess {i}", peerhost="10.6.6.6") == DENIED


@pytest.mark.usefixtures("guessed")
def test_who_guesses_is_locked_out_and_the_device_itself_is_not(http: Http, device: Any, clock: SetClock) -> None:
    assert asks(http, device["username"], device["secret"], peerhost="10.6.6.6") == DENIED
    assert asks(http, device["username"], device["secret"], peerhost="10.0.0.1")["result"] == "allow"
    clock.advance(seconds=61)
    assert asks(http, device["username"], device["secret"], peerhost="10.6.6.6")["result"] == "allow"


def test_where_the_ingest_has_no_password_nobody_is_the_ingest(settings: Settings, db: Database, world: World) -> None:
    bare = replace(settings, mqtt_password="")
    http = Http(create_app(bare, db), db, bare)

    for password in ("", "None"):
        assert asks(http, "fieldloop-ingest", password, "fieldloop-ingest-0") == DENIED


@pytest.mark.parametrize("name", ["fieldloop-ingest", "fieldloop-ingest-0", "fieldloop-keeper"])
def test_a_device_with_a_name_of_ours_is_not_let_in(http: Http, office: Http, world: World, name: str) -> None:
    """As a client id it would take over the session of the ingest, or of who tells the broker its rights."""
    made = office.post(f"/assets/{world.asset}/devices", {"profile_id": world.profile, "id": name}, expect=201)

    assert asks(http, made["username"], made["secret"]) == DENIED


def test_the_tenth_guess_locks_and_none_before_it(http: Http, device: Any) -> None:
    for i in range(9):
        assert asks(http, device["username"], f"guess {i}") == DENIED
    assert asks(http, device["username"], device["secret"])["result"] == "allow"

    assert asks(http, device["username"], "guess 10") == DENIED

    assert asks(http, device["username"], device["secret"]) == DENIED


@pytest.mark.usefixtures("guessed")
def test_who_guesses_locks_no_other_device_out_behind_the_same_address(http: Http, office: Http, world: World) -> None:
    other = office.post(f"/assets/{world.asset}/devices", {"profile_id": world.profile}, expect=201)

    assert asks(http, other["username"], other["secret"], peerhost="10.6.6.6")["result"] == "allow"
