"""Messages about one subject: they take each other's place, wait for the reader's quiet hours, and say why they came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.db import Database
from app.core.history import Subject, record
from app.core.settings import Settings
from app.findings import of_outbox
from app.meta import gauges
from app.users.models import User
from push.channels import Accepted, Outcome, Retry
from push.delivery import drain
from push.kinds import MESSAGES
from push.outbox import enqueue
from push.quiet import quiet_end
from tests.factories import make_world
from tests.people import Http

Send = Callable[..., str]


@pytest.fixture
def send(db: Database) -> Send:
    """Queue a message about a given subject."""

    def queue(user: User, subject: str, kind: str = "alarm_escalated", dedupe: str = "", **data: Any) -> str:
        with db.transaction() as session:
            facts = MESSAGES[kind].sample | data
            about = Subject("alarm", subject)
            (made,) = enqueue(session, [user], kind, about, dedupe=dedupe or f"{datetime.now(UTC)}", **facts)
        return made.id

    return queue


# --- one subject, one message ---


def test_an_unsent_message_is_superseded_by_a_newer_one_of_its_kind_and_subject(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send
) -> None:
    fcm, ann = fake_channel(), outbox.person("phone-a")
    first, other_subject = send(ann, "alarm-0001", severity="major"), send(ann, "alarm-0002", severity="major")
    newest = send(ann, "alarm-0001", severity="critical")
    assert outbox.row(notification_id=first).state == "superseded", "at once, not only when it would be sent"

    drain(db, settings, {"fcm": fcm})

    assert {message.data["notification_id"] for _, message, _ in fcm.sent} == {other_subject, newest}
    assert outbox.row(notification_id=first).state == "superseded"
    (entry,) = outbox.history("notification.superseded")
    assert (entry.subject_id, entry.facts) == (first, {"channel": "fcm"})


def test_another_persons_message_and_another_kind_are_not_superseded(outbox: Any, send: Send) -> None:
    ann, bo = outbox.person("phone-a"), outbox.person("phone-b")
    send(ann, "alarm-0001")
    send(bo, "alarm-0001")
    send(ann, "alarm-0001", "alarm_withdrawn")

    assert {row.state for row in outbox.rows()} == {"queued"}


def test_test_messages_and_links_stand_for_themselves(outbox: Any, send: Send) -> None:
    ann = outbox.person("phone-a")
    for _ in range(2):
        send(ann, ann.id, "test")

    assert [row.state for row in outbox.rows()] == ["queued", "queued"]


def test_messages_about_one_subject_carry_one_label_and_others_another(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send
) -> None:
    fcm, ann = fake_channel(), outbox.person("phone-a")
    for subject, kind in (("alarm-0001", "alarm_raised"), ("alarm-0001", "alarm_escalated"), ("alarm-0002", "alarm_raised")):
        send(ann, subject, kind)
    send(ann, ann.id, "test")

    drain(db, settings, {"fcm": fcm})

    labels = [message.collapse for _, message, _ in fcm.sent]
    assert labels == ["alarm:alarm-0001", "alarm:alarm-0001", "alarm:alarm-0002", ""]


def test_a_message_that_must_be_repeated_does_not_take_the_place_of_a_newer_one_on_the_screen(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send
) -> None:
    fcm, ann = fake_channel([Retry("busy")]), outbox.person("phone-a")
    raised = send(ann, "alarm-0001", "alarm_raised")
    drain(db, settings, {"fcm": fcm})
    withdrawn = send(ann, "alarm-0001", "alarm_withdrawn")
    drain(db, settings, {"fcm": fcm})
    outbox.clock.advance(seconds=60)

    drain(db, settings, {"fcm": fcm})

    assert fcm.sent[-1][1].data["notification_id"] == withdrawn
    assert (outbox.row(notification_id=raised).state, outbox.row(notification_id=raised).attempts) == ("superseded", 1)


def test_mail_is_repeated_though_a_newer_message_of_another_kind_arrived(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send
) -> None:
    email, ann = fake_channel([Retry("smtp 450")]), outbox.person(email="ann@site.example")
    raised = send(ann, "alarm-0001", "alarm_raised")
    drain(db, settings, {"email": email})
    send(ann, "alarm-0001", "alarm_withdrawn")
    outbox.clock.advance(seconds=60)

    drain(db, settings, {"email": email})

    assert outbox.row(notification_id=raised).state == "accepted"


def test_a_row_that_is_just_being_sent_is_left_to_its_sender_and_not_repeated(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send
) -> None:
    ann = outbox.person("phone-a")
    states: list[str] = []

    def be_overtaken() -> Outcome:
        send(ann, "alarm-0001")
        states.append(outbox.row(notification_id=first).state)
        return Retry("busy")

    first = send(ann, "alarm-0001")
    fcm = fake_channel([be_overtaken])
    for _ in range(2):
        drain(db, settings, {"fcm": fcm})
        outbox.clock.advance(seconds=60)
    drain(db, settings, {"fcm": fcm})

    assert states == ["queued"]
    assert [message.data["notification_id"] for _, message, _ in fcm.sent].count(first) == 1
    assert sorted(row.state for row in outbox.rows()) == ["accepted", "superseded"]


# --- quiet hours ---

NIGHT = {"begins": "22:00", "ends": "07:00", "time_zone": "Asia/Shanghai"}
EVENING = datetime(2026, 6, 1, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
MORNING = datetime(2026, 6, 1, 23, 0, tzinfo=UTC)  # 07:00 the next day


def test_a_message_waits_until_the_quiet_hours_end_and_the_inbox_has_it_at_once(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send, http: Http
) -> None:
    fcm, ann = fake_channel(), outbox.person("phone-a")
    door = http.as_(ann.id)
    assert door.get("/me/quiet-hours") == {"quiet_hours": None}
    assert door.post("/me/quiet-hours", NIGHT) == {"quiet_hours": NIGHT} == door.get("/me/quiet-hours")
    outbox.clock.set(EVENING)
    made = send(ann, "alarm-0001", "offer_expired")

    assert [each["id"] for each in door.get("/notifications")["items"]] == [made]
    assert drain(db, settings, {"fcm": fcm}) == 0
    outbox.clock.set(MORNING - timedelta(seconds=1))
    assert drain(db, settings, {"fcm": fcm}) == 0
    outbox.clock.set(MORNING)
    drain(db, settings, {"fcm": fcm})

    assert fcm.addresses == ["phone-a"]
    (held,) = outbox.history("notification.held")
    assert held.facts == {"channel": "fcm", "until": MORNING.isoformat()}


@pytest.mark.parametrize(("kind", "facts"), [("alarm_raised", {"severity": "critical"}), ("test", {})])
def test_a_critical_alarm_and_what_one_asked_for_break_the_quiet_hours(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send, http: Http, kind: str, facts: Any
) -> None:
    fcm, ann = fake_channel(), outbox.person("phone-a")
    http.as_(ann.id).post("/me/quiet-hours", NIGHT)
    outbox.clock.set(EVENING)
    send(ann, "alarm-0001", kind, **facts)
    waiting = send(ann, "alarm-0002", "alarm_raised", severity="major")

    drain(db, settings, {"fcm": fcm})

    assert len(fcm.sent) == 1
    assert fcm.sent[0][1].urgency == "high"
    assert outbox.row(notification_id=waiting).state == "queued"


def test_a_repetition_that_falls_into_the_quiet_hours_waits_too(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send, http: Http
) -> None:
    fcm, ann = fake_channel([Retry("busy", after_s=600)]), outbox.person("phone-a")
    http.as_(ann.id).post("/me/quiet-hours", NIGHT)
    outbox.clock.set(EVENING - timedelta(hours=1, minutes=5))
    send(ann, "alarm-0001", "offer_expired")
    drain(db, settings, {"fcm": fcm})
    outbox.clock.set(EVENING)

    for _ in range(2):
        drain(db, settings, {"fcm": fcm})

    assert (len(fcm.sent), outbox.row().attempts, outbox.row().next_at) == (1, 1, MORNING)
    assert len(outbox.history("notification.held")) == 1


def test_giving_up_quiet_hours_lets_what_waits_leave_and_shortening_them_judges_anew(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, send: Send, http: Http
) -> None:
    fcm, ann = fake_channel(), outbox.person("phone-a")
    door = http.as_(ann.id)
    door.post("/me/quiet-hours", NIGHT)
    outbox.clock.set(EVENING)
    send(ann, "alarm-0001", "offer_expired")

    door.post("/me/quiet-hours", NIGHT | {"ends": "06:30"})
    drain(db, settings, {"fcm": fcm})
    assert (fcm.sent, outbox.row().next_at) == ([], MORNING - timedelta(minutes=30))
    for _ in range(2):
        assert door.call("POST", "/me/quiet-hours/forget").status_code == 204
    drain(db, settings, {"fcm": fcm})

    assert len(fcm.sent) == 1
    assert len(outbox.history("user.quiet_hours_forgotten")) == 1


def test_what_waits_for_the_morning_is_not_reported_as_stuck(
    db: Database, settings: Settings, outbox: Any, send: Send, http: Http
) -> None:
    ann = outbox.person("phone-a")
    http.as_(ann.id).post("/me/quiet-hours", NIGHT)
    outbox.clock.set(EVENING)
    send(ann, "alarm-0001", "offer_expired")
    outbox.clock.advance(hours=2)

    def stuck() -> bool:
        with db.reading() as session:
            return any("wait in the outbox" in finding.what[0] for finding in of_outbox(session, db, settings))

    assert "fieldloop_outbox_oldest_seconds 0.0" in gauges(db)
    assert not stuck()
    outbox.clock.set(MORNING + timedelta(minutes=16))
    assert "fieldloop_outbox_oldest_seconds 960.0" in gauges(db)
    assert stuck()


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"begins": "24:00"}, "begins", "time_invalid"),
        ({"begins": "7:00"}, "begins", "time_invalid"),
        ({"ends": "22:00"}, "ends", "span_empty"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "zone_invalid"),
        ({"time_zone": "../../etc/passwd"}, "time_zone", "zone_invalid"),
    ],
)
def test_quiet_hours_are_checked(outbox: Any, http: Http, change: Any, field: str, code: str) -> None:
    refusal = http.as_(outbox.person().id).refused("POST", "/me/quiet-hours", 422, "validation_failed", NIGHT | change)

    assert [(each["field"], each["code"]) for each in refusal["errors"]] == [(field, code)]


ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Europe/Berlin", "UTC")]
TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))


@given(
    begins=TIMES,
    ends=TIMES,
    zone=st.sampled_from(ZONES),
    day=st.dates(date(2024, 1, 1), date(2034, 1, 1)),
    shown=st.times(),
)
def test_the_end_of_quiet_hours_is_the_next_moment_the_clocks_show_it(
    begins: time, ends: time, zone: ZoneInfo, day: date, shown: time
) -> None:
    at = datetime.combine(day, shown, UTC)
    local = at.astimezone(zone).time()
    inside = begins <= local < ends if begins <= ends else not ends <= local < begins

    found = quiet_end(begins, ends, zone, at)

    assert (found is not None) == inside
    if found is not None:
        assert at < found <= at + timedelta(hours=26)
        shown_then = found.astimezone(zone)
        skipped = datetime.combine(shown_then.date(), ends, zone).astimezone(UTC).astimezone(zone).time() != ends
        assert shown_then.time() == ends or skipped
        seconds_to_go = int((found - at).total_seconds())
        early = [at + timedelta(seconds=seconds_to_go * part // 7) for part in range(1, 7)]
        assert all(moment.astimezone(zone).time() != ends for moment in early if moment < found)


def test_an_hour_that_the_clocks_show_twice_is_quiet_twice() -> None:
    zone = ZoneInfo("Europe/Berlin")  # on 2026-10-25 at 01:00 UTC 03:00 becomes 02:00
    second_time = datetime(2026, 10, 25, 1, 10, tzinfo=UTC)

    assert quiet_end(time(22, 0), time(2, 30), zone, second_time) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


# --- why ---


def test_why_tells_the_rule_the_person_the_channels_and_each_step(
    db: Database, settings: Settings, fake_channel: Any, clock: Any, http: Http
) -> None:
    world = make_world(db, settings)
    rep = http.as_(world.rep)
    rep.post("/me/registration-tokens", {"address_kind": "fid", "address": "phone-a"}, expect=201)
    world.report(74.0, 74.0, 74.0, 74.0)
    (message,) = [each for each in rep.get("/notifications")["items"] if each["kind"] == "battery_alarm"]
    before = rep.get(f"/notifications/{message['id']}/why")
    drain(db, settings, {"fcm": fake_channel([Accepted()] * 9)})
    rep.post(f"/notifications/{message['id']}/opened")

    found = rep.get(f"/notifications/{message['id']}/why")

    assert (before["state"], found["state"]) == ("queued", "opened")
    assert found["recipient"] == "您负责该客户。"
    assert (found["rule"]["code"], found["rule"]["number"]) == ("battery-health", 1)
    assert found["rule"]["reason"].startswith("规则“battery-health”（第 1 版）条件成立")
    assert [(way["channel"], way["chosen"]) for way in found["channels"] if way["channel"] in {"fcm", "email"}] == [
        ("fcm", True),
        ("email", False),
    ]
    assert found["channels"][-1]["reason"] == "您在该渠道没有登记地址。"
    assert [step["kind"] for step in found["steps"]] == [
        "notification.queued",
        "notification.delivered_to_channel",
        "notification.opened",
    ]
    assert {"alarm.raised", "reading.observed"} <= {cause["kind"] for cause in found["causes"]}
    assert [(way["channel"], way["state"], way["attempts"]) for way in found["attempts"]] == [("fcm", "opened", 1)]


def test_why_tells_in_the_readers_language_why_a_channel_failed(
    db: Database, settings: Settings, outbox: Any, http: Http, send: Send
) -> None:
    ann = outbox.person("phone-a", email="ann@site.example")
    door = http.as_(ann.id)
    door.post("/me/channels", {"channel": "email", "enabled": False})
    made = send(ann, "alarm-0001")
    drain(db, settings, {})

    found = door.get(f"/notifications/{made}/why")

    assert (found["state"], found["rule"], found["causes"]) == ("failed", None, [])
    assert [each["outcome"] for each in found["attempts"]] == [
        "The message could not be sent (push to the app): this server has no such channel."
    ]
    assert {way["channel"]: way["reason"] for way in found["channels"]}["email"] == "You have switched this channel off."


def test_why_tells_nobody_about_somebody_elses_message(outbox: Any, http: Http, send: Send) -> None:
    made = send(outbox.person(), "alarm-0001")

    http.as_(outbox.person(role="manager").id).refused("GET", f"/notifications/{made}/why", 404, "not_found")


def test_why_tells_an_administrator_about_everybodys_messages(db: Database, settings: Settings, http: Http) -> None:
    world = make_world(db, settings)
    world.report(74.9, 74.5, 74.1)
    [message] = http.as_(world.rep).get("/notifications")["items"]
    admin = http.as_(world.admin)

    found = admin.get(f"/notifications/{message['id']}/why")

    assert (found["user_id"], found["recipient"]) == (world.rep, "They look after this customer.")
    assert {channel["reason"] for channel in found["channels"]} == {"It knows no address of theirs."}
    assert found["rule"]["code"] == "battery-health"
    assert [step["kind"] for step in found["steps"]] == ["notification.queued"]
    for user_id in (world.manager, world.owner):
        http.as_(user_id).refused("GET", f"/notifications/{message['id']}/why", 404, "not_found")
    admin.refused("POST", f"/notifications/{message['id']}/opened", 404, "not_found")


def test_why_of_a_message_from_before_reasons_were_written_down_still_answers(
    db: Database, outbox: Any, http: Http, send: Send
) -> None:
    ann = outbox.person("phone-a")
    made = send(ann, "alarm-0001")
    with db.transaction() as session:
        record(session, "notification.queued", Subject("notification", made), message="test", recipient_id=ann.id)

    found = http.as_(ann.id).get(f"/notifications/{made}/why")

    assert found["recipient"] == "It was not yet written down then why it came to you."
    assert [(way["channel"], way["chosen"]) for way in found["channels"]] == [("fcm", True)]
