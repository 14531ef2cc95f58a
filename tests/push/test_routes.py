"""One's own notifications, channels and phones, and the administrators' view of the outbox, over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.db import Database
from app.core.settings import Settings
from app.core.tracked import add
from app.users.models import Partner, User
from app.users.secrets import derived_code
from push.delivery import drain
from push.models import Notification
from tests.people import Http

Call = Callable[..., Any]


@pytest.fixture
def call(http: Http) -> Call:
    def send(user: User | None, method: str, path: str, status: int = 200, **body: Any) -> Any:
        caller = http.as_(user.id) if user else http
        answer = caller.call(method, path, body or None)
        assert answer.status_code == status, answer.get_data(as_text=True)
        return answer.get_json(silent=True)

    return send


def test_every_route_needs_somebody_signed_in(app: Flask, call: Call) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("push.")]

    assert len(rules) == 20
    for rule in rules:
        (method,) = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        call(
            None,
            method,
            rule.rule.removeprefix("/api/v1").replace("<notification_id>", "n-00000001").replace("<channel>", "email"),
            401,
            x=1,
        )


def test_the_inbox_is_ones_own_and_in_ones_language(outbox: Any, call: Call) -> None:
    ann, bo = outbox.person(), outbox.person(locale="zh-CN", role="rep")
    outbox.queue(ann)
    first = outbox.queue(bo)
    second = outbox.queue(bo, "battery_alarm", customer_name="陈氏物流")

    page = call(bo, "GET", "/notifications?limit=1")
    rest = call(bo, "GET", f"/notifications?limit=1&cursor={page['next']}")

    assert [each["id"] for each in page["items"] + rest["items"]] == [second.id, first.id]
    assert page["items"][0]["title"] == "电池告警：陈氏物流"
    assert rest["next"] is None
    assert rest["items"][0] | {"created_at": 0, "updated_at": 0} == {
        "id": first.id,
        "version": 1,
        "created_at": 0,
        "updated_at": 0,
        "kind": "offer_expired",
        "title": "您的优惠已到期",
        "body": "您的EV-200电池更换优惠已到期。如仍有需要，欢迎随时联系我们。",
        "subject_kind": "offer",
        "subject_id": first.subject_id,
        "delivered_at": None,
        "opened_at": None,
    }


def test_one_message_that_cannot_be_put_into_words_does_not_hide_the_others(outbox: Any, call: Call, settings: Settings) -> None:
    ann = outbox.person()
    outbox.queue(ann)
    outbox.queue(ann, "kind_of_tomorrow")

    titles = [each["title"] for each in call(ann, "GET", "/notifications")["items"]]

    assert titles == [settings.organisation_name, "Your offer has ended"]


def test_the_inbox_never_shows_a_links_secret(outbox: Any, call: Call, settings: Settings) -> None:
    ann = outbox.person(email="ann@site.example")
    outbox.queue(ann, "password_reset", link_id="link-00000001")

    answer = call(ann, "GET", "/notifications")

    assert derived_code(settings, "link", "link-00000001") not in str(answer)
    assert "is in your e-mail" in answer["items"][0]["body"]


def test_reports_move_forward_and_never_back(
    db: Database, settings: Settings, outbox: Any, call: Call, fake_channel: Any
) -> None:
    ann = outbox.person("phone-a", email="ann@site.example")
    path = f"/notifications/{outbox.queue(ann).id}"
    drain(db, settings, {"fcm": fake_channel(), "email": fake_channel()})

    def states() -> tuple[str, str]:
        return outbox.row(channel="fcm").state, outbox.row(channel="email").state

    delivered = call(ann, "POST", f"{path}/delivered")
    assert states() == ("delivered", "accepted")
    assert delivered["delivered_at"] == "2026-06-01T08:00:00.000Z"
    assert delivered["opened_at"] is None
    outbox.clock.advance(seconds=60)
    assert call(ann, "POST", f"{path}/delivered") == delivered

    opened = call(ann, "POST", f"{path}/opened")
    assert states() == ("opened", "accepted")
    assert (opened["delivered_at"], opened["opened_at"]) == ("2026-06-01T08:00:00.000Z", "2026-06-01T08:01:00.000Z")
    outbox.clock.advance(seconds=60)
    assert call(ann, "POST", f"{path}/opened") == opened
    assert call(ann, "POST", f"{path}/delivered") == opened
    assert states() == ("opened", "accepted")
    for kind in ("delivered", "opened"):
        (entry,) = outbox.history(f"notification.{kind}")
        assert entry.actor_id == ann.id


def test_opened_without_delivered_counts_as_both(outbox: Any, call: Call) -> None:
    ann = outbox.person()

    opened = call(ann, "POST", f"/notifications/{outbox.queue(ann).id}/opened")

    assert opened["delivered_at"] == opened["opened_at"] is not None


def test_a_report_leaves_what_is_still_queued_to_be_sent(outbox: Any, call: Call) -> None:
    ann = outbox.person("phone-a", "phone-b")

    call(ann, "POST", f"/notifications/{outbox.queue(ann).id}/opened")

    assert [row.state for row in outbox.rows()] == ["queued", "queued"]


def test_a_report_reaches_phones_as_a_change(db: Database, outbox: Any, call: Call) -> None:
    ann = outbox.person()
    made = outbox.queue(ann)

    answer = call(ann, "POST", f"/notifications/{made.id}/opened")

    with db.reading() as session:
        version, change_no = session.execute(select(Notification.version, Notification.change_no)).one()
        before = session.scalar(select(User.change_no))
    assert change_no is not None
    assert before is not None
    assert (version, answer["version"]) == (2, 2)
    assert change_no > before


@pytest.mark.parametrize("step", ["delivered", "opened"])
def test_somebody_elses_notification_does_not_exist(outbox: Any, call: Call, step: str) -> None:
    made = outbox.queue(outbox.person(role="rep"))

    call(outbox.person(), "POST", f"/notifications/{made.id}/{step}", 404)
    call(outbox.person(), "POST", f"/notifications/n-00000001/{step}", 404)


def test_channels_say_what_is_wanted_configured_and_reachable(outbox: Any, call: Call) -> None:
    ann = outbox.person("phone-a")

    before = call(ann, "GET", "/me/channels")
    after = call(ann, "POST", "/me/channels", channel="fcm", enabled=False)
    again = call(ann, "POST", "/me/channels", channel="fcm", enabled=True)

    email = {"channel": "email", "enabled": True, "configured": False, "reachable": False, "verified": False}
    web_push = {"channel": "web_push", "enabled": True, "configured": False, "reachable": False, "verified": False}
    fcm = {"channel": "fcm", "configured": False, "reachable": True, "verified": False}
    assert before == again == {"channels": [fcm | {"enabled": True}, web_push, email]}
    assert after == {"channels": [fcm | {"enabled": False}, web_push, email]}
    assert [entry.facts for entry in outbox.history("user.channel_set")] == [
        {"channel": "fcm", "enabled": False},
        {"channel": "fcm", "enabled": True},
    ]


def test_a_channel_that_is_off_gets_nothing_but_the_inbox_does(outbox: Any, call: Call) -> None:
    ann = outbox.person("phone-a", email="ann@site.example")
    call(ann, "POST", "/me/channels", channel="email", enabled=False)

    outbox.queue(ann)

    assert [row.channel for row in outbox.rows()] == ["fcm"]
    assert len(call(ann, "GET", "/notifications")["items"]) == 1


@pytest.mark.parametrize(
    "body", [{"channel": "pigeon", "enabled": True}, {"channel": "fcm"}, {"channel": "fcm", "enabled": "no"}]
)
def test_a_channel_choice_is_checked(outbox: Any, call: Call, body: dict[str, Any]) -> None:
    call(outbox.person(), "POST", "/me/channels", 422, **body)


def test_a_phone_registers_once_and_is_only_seen_again_later(outbox: Any, call: Call) -> None:
    ann = outbox.person()
    phone = {"address_kind": "fid", "address": "installation-a"}

    first = call(ann, "POST", "/me/registration-tokens", 201, **phone)
    outbox.clock.advance(seconds=60)
    again = call(ann, "POST", "/me/registration-tokens", 201, **phone)

    assert outbox.phones() == {"installation-a"}
    assert (again["id"], again["registered_at"]) == (first["id"], first["registered_at"])
    assert again["seen_at"] > first["seen_at"]
    assert "installation-a" not in str(first)
    assert len(outbox.history("user.phone_registered")) == 1


def test_a_phone_moves_to_who_signs_in_on_it_next(
    db: Database, settings: Settings, outbox: Any, call: Call, fake_channel: Any
) -> None:
    ann, bo, fcm = outbox.person("phone-a"), outbox.person(), fake_channel()
    outbox.queue(ann)

    call(bo, "POST", "/me/registration-tokens", 201, address_kind="token", address="phone-a")
    waiting_for_bo = outbox.queue(bo)
    outbox.queue(ann)
    drain(db, settings, {"fcm": fcm})

    assert outbox.phones() == {"phone-a"}
    assert [message.data["notification_id"] for _, message, _ in fcm.sent] == [waiting_for_bo.id]


def test_signing_out_forgets_ones_own_phone_only(
    db: Database, settings: Settings, outbox: Any, call: Call, fake_channel: Any
) -> None:
    ann, bo, fcm = outbox.person("phone-a", "phone-b"), outbox.person("phone-c"), fake_channel()
    outbox.queue(ann)

    call(bo, "POST", "/me/registration-tokens/forget", 204, address="phone-a")
    assert outbox.phones() == {"phone-a", "phone-b", "phone-c"}
    for _ in range(2):
        call(ann, "POST", "/me/registration-tokens/forget", 204, address="phone-a")
    drain(db, settings, {"fcm": fcm})

    assert outbox.phones() == {"phone-b", "phone-c"}
    assert fcm.addresses == ["phone-b"]
    assert len(outbox.history("user.phone_forgotten")) == 1


def test_beyond_twenty_phones_the_one_not_seen_for_longest_goes(outbox: Any, call: Call) -> None:
    ann, bo = outbox.person(), outbox.person("phone-of-bo")
    for number in range(22):
        call(ann, "POST", "/me/registration-tokens", 201, address_kind="token", address=f"phone-{number:02}")
        outbox.clock.advance(seconds=1)

    assert outbox.phones() == {f"phone-{number:02}" for number in range(2, 22)} | {"phone-of-bo"}
    call(bo, "GET", "/me/channels")


def test_a_test_message_takes_every_way_and_five_a_minute_is_enough(
    db: Database, settings: Settings, outbox: Any, call: Call, fake_channel: Any
) -> None:
    ann, fcm, email = outbox.person("phone-a", email="ann@site.example"), fake_channel(), fake_channel()

    made = call(ann, "POST", "/me/test-notification", 201)
    for _ in range(4):
        call(ann, "POST", "/me/test-notification", 201)
    call(ann, "POST", "/me/test-notification", 429)
    call(outbox.person(), "POST", "/me/test-notification", 201)
    outbox.clock.advance(seconds=61)
    call(ann, "POST", "/me/test-notification", 201)
    drain(db, settings, {"fcm": fcm, "email": email})

    assert (made["kind"], made["title"]) == ("test", "Test message")
    assert (len(fcm.sent), len(email.sent)) == (6, 6)


def test_administrators_see_how_far_messages_got_and_no_address(
    db: Database, settings: Settings, outbox: Any, call: Call
) -> None:
    ann = outbox.person("phone-a")
    made = outbox.queue(ann)
    drain(db, settings, {})
    outbox.queue(ann)

    (failed,) = call(ann, "GET", "/outbox?state=failed")["items"]

    assert (failed["notification_id"], failed["attempts"], failed["last_error"]) == (made.id, 0, "channel_not_configured")
    assert len(call(ann, "GET", "/outbox")["items"]) == 2
    assert call(ann, "GET", "/outbox?channel=email")["items"] == []
    assert "phone-a" not in str(failed)
    call(ann, "GET", "/outbox?state=lost", 422)


@pytest.mark.parametrize("role", ["manager", "rep"])
def test_nobody_else_sees_the_outbox(outbox: Any, call: Call, role: str) -> None:
    call(outbox.person(role=role), "GET", "/outbox", 403)


def test_a_partners_administrator_sees_the_partners_people_only(db: Database, outbox: Any, call: Call) -> None:
    with db.transaction() as session:
        partner = add(session, Partner(name="North Service"))
    theirs = outbox.person("phone-a", partner_id=partner.id)
    made = outbox.queue(theirs)
    outbox.queue(outbox.person("phone-b"))

    rows = call(theirs, "GET", "/outbox")["items"]

    assert [row["notification_id"] for row in rows] == [made.id]
