"""One channel after the other: the next when one fails for good, or when nobody opened the message in time."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import Database
from app.core.settings import Settings
from push.channels import Failed
from push.delivery import drain
from push.fallback import fall_back
from push.models import FallbackPlan
from tests.factories import make_world
from tests.people import Http
from tests.races.together import together

ORDER = {"channels": ["fcm", "email"], "after_min": 15}


def tick(db: Database) -> int:
    with db.transaction() as session:
        return fall_back(session)


def channels(outbox: Any) -> list[tuple[str, str]]:
    return [(row.channel, row.state) for row in outbox.rows()]


@pytest.fixture
def door(outbox: Any, http: Http) -> Http:
    made = http.as_(outbox.person("phone-a", email="ann@site.example").id)
    assert made.get("/me/fallback-order") == {"fallback_order": None}
    assert made.post("/me/fallback-order", ORDER) == {"fallback_order": ORDER}
    return made


def queue_for(outbox: Any, door: Http) -> str:
    assert door.bearer
    with outbox.db.reading() as session:
        from app.users.models import User

        user = session.get_one(User, door.bearer[0])
        session.expunge(user)
    return str(outbox.queue(user).id)


def test_the_next_channel_is_tried_when_nobody_opened_the_message_in_time(
    db: Database, settings: Settings, outbox: Any, door: Http, fake_channel: Any
) -> None:
    made, ways = queue_for(outbox, door), {"fcm": fake_channel(), "email": fake_channel()}
    drain(db, settings, ways)
    outbox.clock.advance(minutes=14)
    assert tick(db) == 0
    outbox.clock.advance(minutes=1)

    assert (tick(db), tick(db)) == (1, 0)
    drain(db, settings, ways)

    assert channels(outbox) == [("fcm", "accepted"), ("email", "accepted")]
    why = door.get(f"/notifications/{made}/why")
    assert [step["kind"] for step in why["steps"]][2:] == ["notification.fell_back", "notification.delivered_to_channel"]
    assert why["steps"][2]["reason"] == "The next channel was tried (e-mail): nobody opened the message in time."
    assert {way["channel"]: way["reason"] for way in why["channels"]}["email"] == "It comes later in your order of channels."


def test_an_opened_message_goes_no_further(db: Database, settings: Settings, outbox: Any, door: Http, fake_channel: Any) -> None:
    made = queue_for(outbox, door)
    drain(db, settings, {"fcm": fake_channel()})
    door.post(f"/notifications/{made}/opened")
    outbox.clock.advance(minutes=16)

    assert tick(db) == 0
    assert channels(outbox) == [("fcm", "opened")]
    with db.reading() as session:
        assert session.get(FallbackPlan, made) is None


def test_the_next_channel_is_tried_at_once_when_one_fails_for_good(
    db: Database, settings: Settings, outbox: Any, door: Http, fake_channel: Any
) -> None:
    queue_for(outbox, door)
    email = fake_channel()

    for _ in range(2):
        drain(db, settings, {"fcm": fake_channel([Failed("refused")]), "email": email})

    assert email.addresses == ["ann@site.example"]
    assert channels(outbox) == [("fcm", "failed"), ("email", "accepted")]
    assert tick(db) == 0


def test_a_channel_that_cannot_be_taken_any_more_is_passed_over(db: Database, outbox: Any, door: Http) -> None:
    queue_for(outbox, door)
    door.post("/me/channels", {"channel": "email", "enabled": False})
    outbox.clock.advance(minutes=16)

    assert tick(db) == 0
    assert channels(outbox) == [("fcm", "queued")]


def test_the_time_to_open_begins_when_the_quiet_hours_end(db: Database, outbox: Any, door: Http) -> None:
    door.post("/me/quiet-hours", {"begins": "07:00", "ends": "09:00", "time_zone": "UTC"})  # it is 08:00
    queue_for(outbox, door)
    outbox.clock.advance(minutes=74)
    assert tick(db) == 0
    outbox.clock.advance(minutes=1)

    assert tick(db) == 1


def test_of_two_that_would_go_on_at_once_one_does(db: Database, outbox: Any, door: Http) -> None:
    for _ in range(5):
        queue_for(outbox, door)
    outbox.clock.advance(minutes=16)

    found = together(*[lambda: tick(db)] * 4)

    assert not [each for each in found if isinstance(each, Exception)]
    assert sum(found) == 5
    assert [channel for channel, _ in channels(outbox)].count("email") == 5


def test_without_an_order_every_channel_carries_everything(outbox: Any, door: Http) -> None:
    assert door.call("POST", "/me/fallback-order/forget").status_code == 204
    queue_for(outbox, door)

    assert {channel for channel, _ in channels(outbox)} == {"fcm", "email"}


@pytest.mark.parametrize("given", [[], ["fcm", "fcm"]])
def test_an_order_names_each_channel_once(door: Http, given: list[str]) -> None:
    refusal = door.refused("POST", "/me/fallback-order", 422, "validation_failed", ORDER | {"channels": given})

    assert refusal["errors"][0]["code"] == "not_each_once"


@pytest.mark.parametrize(
    ("verb", "body"), [("acknowledge", None), ("close", {"reason": "a test drive"}), ("snooze", {"hours": 1})]
)
def test_an_alarm_somebody_looks_after_tries_no_further_channel(
    db: Database, settings: Settings, http: Http, clock: Any, verb: str, body: Any
) -> None:
    world = make_world(db, settings)
    with db.transaction() as session:
        from app.users.models import User

        session.get_one(User, world.rep).email = "rep@example.test"
    rep = http.as_(world.rep)
    rep.post("/me/registration-tokens", {"address_kind": "fid", "address": "phone-a"}, expect=201)
    rep.post("/me/fallback-order", ORDER)
    world.report(74.0, 74.0, 74.0, 74.0)
    (alarm,) = rep.get("/alarms")["items"]

    http.as_(world.manager).post(f"/alarms/{alarm['id']}/{verb}", body)
    clock.advance(minutes=16)

    assert tick(db) == 0
