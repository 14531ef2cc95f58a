"""A code that goes out through a channel and comes back shows that the channel reaches its person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.core.db import Database
from app.core.settings import Settings
from push.delivery import drain
from tests.people import Http


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, fcm_url="http://127.0.0.1:1/{0}", smtp_host="127.0.0.1")


def verified(door: Http) -> dict[str, bool]:
    return {way["channel"]: way["verified"] for way in door.get("/me/channels")["channels"]}


@pytest.fixture
def sent_code(db: Database, settings: Settings, fake_channel: Any) -> Callable[[Http, str], str]:
    """Ask for a code through a channel, and return what arrived there."""

    def ask(door: Http, channel: str) -> str:
        far_end = fake_channel()
        door.post(f"/me/channels/{channel}/test", expect=201)
        drain(db, settings, {channel: far_end})
        code = far_end.sent[0][1].data["code"]
        assert code in far_end.sent[0][1].body
        return str(code)

    return ask


def test_a_code_that_comes_back_verifies_the_channel_it_came_through(outbox: Any, http: Http, sent_code: Any, app: Flask) -> None:
    door = http.as_(outbox.person("phone-a", email="ann@site.example").id)
    code = sent_code(door, "email")
    assert code not in str(door.get("/notifications")), "the inbox shows nothing that only the channel may show"
    assert verified(door) == {"fcm": False, "web_push": False, "email": False}

    for _ in range(2):
        door.post("/me/channels/email/verify", {"code": f" {code.lower()} "})

    assert verified(door) == {"fcm": False, "web_push": False, "email": True}
    (entry,) = outbox.history("user.channel_verified")
    assert entry.facts == {"channel": "email"}


def test_a_code_verifies_neither_another_channel_nor_another_person(outbox: Any, http: Http, sent_code: Any) -> None:
    ann = http.as_(outbox.person("phone-a", email="ann@site.example").id)
    bo = http.as_(outbox.person("phone-b", email="bo@site.example").id)
    code = sent_code(ann, "email")

    ann.refused("POST", "/me/channels/fcm/verify", 422, "code_wrong", {"code": code})
    bo.refused("POST", "/me/channels/email/verify", 422, "code_wrong", {"code": code})


def test_another_address_is_not_verified_by_the_earlier_ones_code(db: Database, outbox: Any, http: Http, sent_code: Any) -> None:
    ann = outbox.person(email="ann@site.example")
    door = http.as_(ann.id)
    door.post("/me/channels/email/verify", {"code": sent_code(door, "email")})
    with db.transaction() as session:
        session.get_one(type(ann), ann.id).email = "ann@other.example"

    assert verified(door)["email"] is False


def test_a_code_ends_after_half_an_hour(outbox: Any, http: Http, sent_code: Any) -> None:
    door = http.as_(outbox.person("phone-a").id)
    code = sent_code(door, "fcm")
    outbox.clock.advance(minutes=31)

    door.refused("POST", "/me/channels/fcm/verify", 422, "code_wrong", {"code": code})


def test_ten_wrong_codes_lock_also_the_right_one_for_a_while(outbox: Any, http: Http, sent_code: Any) -> None:
    door = http.as_(outbox.person("phone-a").id)
    code = sent_code(door, "fcm")
    for number in range(10):
        door.refused("POST", "/me/channels/fcm/verify", 422, "code_wrong", {"code": f"WRONG{number}"})

    door.refused("POST", "/me/channels/fcm/verify", 429, "too_many_requests", {"code": code})
    outbox.clock.advance(minutes=2)
    door.post("/me/channels/fcm/verify", {"code": code})

    assert verified(door)["fcm"] is True


@pytest.mark.parametrize("channel", ["web_push", "email"])
def test_a_channel_without_an_address_or_a_server_cannot_be_checked(outbox: Any, http: Http, channel: str) -> None:
    door = http.as_(outbox.person("phone-a").id)

    door.refused("POST", f"/me/channels/{channel}/test", 409, "channel_unreachable")
    assert door.get("/notifications")["items"] == []


def test_a_channel_nobody_knows_does_not_exist_and_three_checks_a_minute_are_enough(outbox: Any, http: Http) -> None:
    door = http.as_(outbox.person("phone-a").id)
    door.refused("POST", "/me/channels/pigeon/test", 404, "not_found")
    for _ in range(3):
        door.post("/me/channels/fcm/test", expect=201)

    door.refused("POST", "/me/channels/fcm/test", 429, "too_many_requests")
