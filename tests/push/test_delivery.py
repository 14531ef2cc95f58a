"""Messages leave once, again when they must, and never get lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import select, update
from structlog.testing import CapturingLogger

from app.core import history
from app.core.db import Base, Database
from app.core.settings import Settings
from app.users.models import OneTimeLink, User
from app.users.secrets import derived_code
from push import delivery
from push.channels import Accepted, DeadAddress, Failed, Outcome, Retry
from push.channels.email import EmailChannel
from push.channels.fcm import FcmChannel
from push.delivery import drain, make_channels
from push.kinds import LINK_KINDS
from push.models import ChannelPreference, Notification, OutboxMessage, RegistrationToken


class Crash(BaseException):
    """The process dies: not even ``except Exception`` sees it."""


def causes_of(db: Database, entry: history.HistoryEntry) -> list[str]:
    with db.reading() as session:
        found = select(history.HistoryEntry.kind).join(
            history.HistoryCause, history.HistoryCause.cause_id == history.HistoryEntry.id
        )
        return list(session.scalars(found.where(history.HistoryCause.effect_id == entry.id)))


def sent_count(channel: str, outcome: str) -> float:
    return REGISTRY.get_sample_value("fieldloop_push_sent_total", {"channel": channel, "outcome": outcome}) or 0.0


def test_an_accepted_message_is_settled_with_its_history(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    fcm, before = fake_channel(), sent_count("fcm", "accepted")
    notification = outbox.queue(outbox.person("phone-a"))

    assert drain(db, settings, {"fcm": fcm}) == 1
    assert drain(db, settings, {"fcm": fcm}) == 0

    row = outbox.row()
    assert (row.state, row.attempts, row.leased_until, row.last_error) == ("accepted", 1, None, None)
    assert row.settled_at == outbox.clock.now()
    ((to, message, dedupe_id),) = fcm.sent
    assert (to.kind, to.value, dedupe_id) == ("token", "phone-a", row.dedupe_key)
    assert message.data == {
        "kind": "offer_expired",
        "notification_id": notification.id,
        "subject_kind": "offer",
        "subject_id": notification.subject_id,
    }
    (entry,) = outbox.history("notification.delivered_to_channel")
    assert entry.subject_id == notification.id
    assert causes_of(db, entry) == ["notification.queued"]
    assert sent_count("fcm", "accepted") == before + 1


def test_every_address_of_a_person_gets_its_own_message(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    fcm, email = fake_channel(), fake_channel()
    outbox.queue(outbox.person("phone-a", "phone-b", email="ann@site.example"))

    drain(db, settings, {"fcm": fcm, "email": email})

    assert sorted(fcm.addresses) == ["phone-a", "phone-b"]
    assert email.addresses == ["ann@site.example"]
    assert len(set(fcm.dedupe_ids + email.dedupe_ids)) == 3


@pytest.mark.parametrize(("locale", "title"), [("en", "Your offer has ended"), ("zh-CN", "您的优惠已到期")])
def test_words_are_in_the_recipients_language(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, locale: str, title: str
) -> None:
    fcm = fake_channel()
    outbox.queue(outbox.person("phone-a", locale=locale))

    drain(db, settings, {"fcm": fcm})

    assert fcm.sent[0][1].title == title


def test_no_connection_is_held_while_sending(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    held: list[int] = []

    def look() -> Outcome:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return Accepted()

    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([look])})

    assert held == [0]


def test_at_most_the_limit_is_taken_oldest_first(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    person, fcm = outbox.person("phone-a"), fake_channel()
    for _ in range(5):
        outbox.queue(person)
        outbox.clock.advance(seconds=1)

    assert drain(db, settings, {"fcm": fcm}, limit=2) == 2

    assert fcm.dedupe_ids == [row.dedupe_key for row in outbox.rows()[:2]]
    assert [row.leased_until for row in outbox.rows(state="queued")] == [None] * 3


def test_a_refused_attempt_waits_longer_each_time_and_an_hour_at_most(
    db: Database, with_settings: Callable[..., Settings], outbox: Any, fake_channel: Any
) -> None:
    settings = with_settings(push_attempts=20)
    fcm = fake_channel([Retry("busy")] * 9)
    outbox.queue(outbox.person("phone-a"))

    for attempt, longest_s in enumerate([20, 60, 180, 540, 1620, 3600, 3600, 3600, 3600], start=1):
        assert drain(db, settings, {"fcm": fcm}) == 1
        row = outbox.row()
        pause_s = (row.next_at - outbox.clock.now()).total_seconds()
        assert (row.state, row.attempts, row.last_error, row.leased_until) == ("queued", attempt, "busy", None)
        assert longest_s / 2 <= pause_s <= longest_s
        outbox.clock.advance(seconds=pause_s - 0.001)
        assert drain(db, settings, {"fcm": fcm}) == 0
        outbox.clock.advance(seconds=0.002)


@pytest.mark.parametrize("wanted_s", [120.0, 7200.0])
def test_the_providers_wish_is_never_undercut(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, wanted_s: float
) -> None:
    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([Retry("quota", after_s=wanted_s)])})

    assert wanted_s <= (outbox.row().next_at - outbox.clock.now()).total_seconds() <= wanted_s * 1.1


def test_attempts_are_capped(db: Database, with_settings: Callable[..., Settings], outbox: Any, fake_channel: Any) -> None:
    settings, fcm = with_settings(push_attempts=3), fake_channel([Retry("busy")] * 9)
    notification = outbox.queue(outbox.person("phone-a"))

    for _ in range(9):
        drain(db, settings, {"fcm": fcm})
        outbox.clock.advance(seconds=4000)

    assert len(fcm.sent) == 3
    row = outbox.row()
    assert (row.state, row.attempts, row.last_error) == ("failed", 3, "attempts_exhausted: busy")
    (entry,) = outbox.history("notification.failed")
    assert (entry.subject_id, entry.facts["reason"]) == (notification.id, "attempts_exhausted: busy")
    assert causes_of(db, entry) == ["notification.queued"]


def test_a_message_that_is_too_old_is_not_sent(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    fcm = fake_channel()
    outbox.queue(outbox.person("phone-a"))
    outbox.clock.advance(seconds=3 * 86_400)

    drain(db, settings, {"fcm": fcm})

    assert fcm.sent == []
    assert (outbox.row().state, outbox.row().attempts, outbox.row().last_error) == ("failed", 0, "expired")


def test_a_message_that_would_be_too_old_by_then_is_given_up_now(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([Retry("busy", after_s=4 * 86_400)])})

    assert (outbox.row().state, outbox.row().last_error) == ("failed", "expired: busy")


def test_a_failed_message_keeps_the_address(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([Failed("invalid_argument 400")])})

    assert (outbox.row().state, outbox.row().last_error) == ("failed", "invalid_argument 400")
    assert outbox.phones() == {"phone-a"}


def test_a_dead_address_is_deleted_alone_and_what_waits_for_it_fails(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    person = outbox.person("phone-a", "phone-b")
    outbox.person("phone-c")
    outbox.queue(person)
    outbox.queue(person)

    def answer_a() -> Outcome:
        return DeadAddress("unregistered") if fcm.addresses[-1] == "phone-a" else Accepted()

    fcm = fake_channel([answer_a] * 9)
    drain(db, settings, {"fcm": fcm})

    assert outbox.phones() == {"phone-b", "phone-c"}
    assert sorted(fcm.addresses) == ["phone-a", "phone-b", "phone-b"]
    assert sorted((row.state, row.last_error) for row in outbox.rows(state="failed")) == [
        ("failed", "address_gone"),
        ("failed", "unregistered"),
    ]


def test_a_phone_that_registered_again_meanwhile_is_not_deleted(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    def register_again() -> Outcome:
        with db.transaction() as session:
            session.execute(update(RegistrationToken).values(seen_at=datetime(2026, 6, 2, tzinfo=UTC)))
        return DeadAddress("unregistered")

    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([register_again])})

    assert outbox.phones() == {"phone-a"}


def test_a_crash_after_sending_repeats_under_the_same_id_and_loses_nothing(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    fcm = fake_channel([Crash()])
    outbox.queue(outbox.person("phone-a"))

    with pytest.raises(Crash):
        drain(db, settings, {"fcm": fcm})
    assert drain(db, settings, {"fcm": fcm}) == 0, "leased: perhaps somebody is still sending it"
    outbox.lapse_leases()
    assert drain(db, settings, {"fcm": fcm}) == 1

    assert len(fcm.sent) == 2
    assert len(set(fcm.dedupe_ids)) == 1
    assert (outbox.row().state, outbox.row().attempts) == ("accepted", 2)


def test_a_crash_before_the_first_send_costs_the_others_no_attempt(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    person = outbox.person("phone-a")
    for _ in range(3):
        outbox.queue(person)

    with pytest.raises(Crash):
        drain(db, settings, {"fcm": fake_channel([Crash()])})

    assert sorted(row.attempts for row in outbox.rows()) == [0, 0, 1]


def test_a_message_that_kills_every_process_is_given_up(
    db: Database, with_settings: Callable[..., Settings], outbox: Any, fake_channel: Any
) -> None:
    settings, fcm = with_settings(push_attempts=3), fake_channel([Crash()] * 9)
    outbox.queue(outbox.person("phone-a"))

    for _ in range(3):
        with pytest.raises(Crash):
            drain(db, settings, {"fcm": fcm})
        outbox.lapse_leases()
    drain(db, settings, {"fcm": fcm})

    assert len(fcm.sent) == 3
    assert (outbox.row().state, outbox.row().last_error) == ("failed", "attempts_exhausted")


def test_a_fault_in_one_message_does_not_stop_the_others(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    person, fcm = outbox.person("phone-a"), fake_channel([KeyError("name")])
    outbox.queue(person)
    outbox.queue(person)

    drain(db, settings, {"fcm": fcm})
    first, second = outbox.rows()
    assert (first.state, first.attempts, first.last_error, first.leased_until) == ("queued", 1, "fault: KeyError", None)
    assert second.state == "accepted"
    outbox.clock.advance(seconds=21)
    drain(db, settings, {"fcm": fcm})

    assert [row.state for row in outbox.rows()] == ["accepted", "accepted"]
    assert fcm.dedupe_ids[0] == fcm.dedupe_ids[2]


def test_a_kind_nobody_can_put_into_words_waits_for_a_version_that_can(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    fcm = fake_channel()
    outbox.queue(outbox.person("phone-a"), kind="kind_of_tomorrow")

    drain(db, settings, {"fcm": fcm})

    assert fcm.sent == []
    assert (outbox.row().state, outbox.row().attempts, outbox.row().last_error) == ("queued", 1, "fault: MessageError")


def test_two_drains_racing_send_each_message_once(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    person = outbox.person("phone-a")
    for _ in range(24):
        outbox.queue(person)
    fcm, start = fake_channel(), threading.Barrier(4)

    def run() -> None:
        start.wait(timeout=10)
        while drain(db, settings, {"fcm": fcm}, limit=3):
            pass

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(run) for _ in range(4)]:
            done.result()

    assert sorted(fcm.dedupe_ids) == sorted(row.dedupe_key for row in outbox.rows(state="accepted"))
    assert len(fcm.sent) == 24


def test_a_drain_that_was_overtaken_does_not_settle(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    other = fake_channel()

    def be_overtaken() -> Outcome:
        outbox.lapse_leases()
        drain(db, settings, {"fcm": other})
        return Failed("too late to say so")

    outbox.queue(outbox.person("phone-a"))
    slow = fake_channel([be_overtaken])

    drain(db, settings, {"fcm": slow})

    assert slow.dedupe_ids == other.dedupe_ids
    assert (outbox.row().state, outbox.row().last_error) == ("accepted", None)
    assert outbox.history("notification.failed") == []


def test_a_drain_that_was_overtaken_leaves_the_row_to_who_holds_it_now(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    def be_overtaken() -> Outcome:
        outbox.lapse_leases()
        outbox.clock.advance(seconds=settings.push_lease_s)
        with pytest.raises(Crash):
            drain(db, settings, {"fcm": fake_channel([Crash()])})
        return Failed("too late to say so")

    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([be_overtaken])})

    assert (outbox.row().state, outbox.row().attempts, outbox.row().last_error) == ("queued", 2, None)
    assert outbox.row().leased_until is not None


def test_a_row_whose_lease_lapsed_while_it_waited_its_turn_is_not_sent_again(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    other = fake_channel()
    first_row: list[str] = []

    def let_the_second_be_overtaken() -> Outcome:
        first_row.append(slow.dedupe_ids[0])
        with db.transaction() as session:
            session.execute(
                update(OutboxMessage)
                .where(OutboxMessage.dedupe_key != first_row[0])
                .values(leased_until=datetime(2001, 1, 1, tzinfo=UTC))
            )
        drain(db, settings, {"fcm": other})
        return Accepted()

    person = outbox.person("phone-a")
    outbox.queue(person)
    outbox.queue(person)
    slow = fake_channel([let_the_second_be_overtaken])

    drain(db, settings, {"fcm": slow})

    assert len(slow.sent) == len(other.sent) == 1
    assert [(row.state, row.attempts) for row in outbox.rows()] == [("accepted", 1)] * 2


def test_the_lease_runs_anew_from_the_moment_of_sending(db: Database, settings: Settings, outbox: Any, fake_channel: Any) -> None:
    leases_s: list[float] = []

    def be_slow() -> Outcome:
        leased_until = outbox.row(dedupe_key=fcm.dedupe_ids[-1]).leased_until
        leases_s.append((leased_until - outbox.clock.now()).total_seconds())
        outbox.clock.advance(seconds=settings.push_lease_s - 1)
        return Accepted()

    person = outbox.person("phone-a")
    for _ in range(3):
        outbox.queue(person)
    fcm = fake_channel([be_slow] * 3)

    drain(db, settings, {"fcm": fcm})

    assert leases_s == [settings.push_lease_s] * 3
    assert [row.state for row in outbox.rows()] == ["accepted"] * 3


def test_a_channel_that_is_down_rests_and_the_others_go_on(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    email, fcm = fake_channel([Retry("ConnectionRefusedError", channel_down=True)]), fake_channel()
    for number in range(3):
        outbox.queue(outbox.person(f"phone-{number}", email="ann@site.example"))

    drain(db, settings, {"fcm": fcm, "email": email})

    assert len(email.sent) == 1
    assert len(fcm.sent) == 3
    waiting = outbox.rows(channel="email")
    assert sorted(row.attempts for row in waiting) == [0, 0, 1]
    assert {row.leased_until for row in waiting} == {None}
    assert all(outbox.clock.now() < row.next_at <= outbox.clock.now() + timedelta(seconds=20) for row in waiting)


def test_what_waits_for_a_phones_former_holder_does_not_reach_the_next_one(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    fcm, next_holder = fake_channel(), outbox.person()
    outbox.queue(outbox.person("phone-a"))
    with db.transaction() as session:
        session.execute(update(RegistrationToken).values(user_id=next_holder.id))

    drain(db, settings, {"fcm": fcm})

    assert fcm.sent == []
    assert (outbox.row().state, outbox.row().last_error) == ("failed", "address_gone")


def test_nothing_is_sent_to_people_who_left_or_switched_it_off(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    fcm, left, quiet = fake_channel(), outbox.person("phone-a"), outbox.person("phone-b")
    outbox.queue(left)
    outbox.queue(quiet)
    with db.transaction() as session:
        session.execute(update(User).where(User.id == left.id).values(state="deactivated"))
        session.add(ChannelPreference(user_id=quiet.id, channel="fcm", enabled=False))

    drain(db, settings, {"fcm": fcm})

    assert fcm.sent == []
    assert sorted(row.last_error for row in outbox.rows()) == ["recipient_gone", "switched_off"]


def test_a_channel_that_is_not_configured_fails_once_and_the_inbox_still_has_it(
    db: Database, settings: Settings, outbox: Any
) -> None:
    outbox.queue(outbox.person("phone-a", email="ann@site.example"))

    assert drain(db, settings, {}) == 2
    assert drain(db, settings, {}) == 0

    assert {(row.state, row.attempts, row.last_error) for row in outbox.rows()} == {("failed", 0, "channel_not_configured")}
    with db.reading() as session:
        assert session.scalar(select(Notification.deleted_at)) is None


def test_only_configured_channels_are_made_and_the_log_names_the_others(
    with_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = CapturingLogger()
    monkeypatch.setattr(delivery, "log", log)

    assert make_channels(with_settings(smtp_host="", fcm_url="", fcm_credentials_file="")) == {}
    assert [line.kwargs for line in log.calls] == [{"channel": "email"}, {"channel": "fcm"}, {"channel": "web_push"}]

    channels = make_channels(with_settings(smtp_host="127.0.0.1", fcm_url="http://127.0.0.1:1/send"))

    assert isinstance(channels["email"], EmailChannel)
    assert isinstance(channels["fcm"], FcmChannel)


@pytest.mark.parametrize(("column", "state"), [("delivered_at", "delivered"), ("opened_at", "opened")])
def test_a_phone_that_reports_before_we_settle_is_not_overruled(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, column: str, state: str
) -> None:
    def report() -> Outcome:
        with db.transaction() as session:
            session.execute(update(Notification).values({column: datetime(2026, 6, 1, 8, 0, tzinfo=UTC)}))
        return Accepted()

    outbox.queue(outbox.person("phone-a"))

    drain(db, settings, {"fcm": fake_channel([report])})

    assert outbox.row().state == state


def everything_stored(db: Database) -> str:
    with db.reading() as session:
        return "\n".join(
            str(dict(row._mapping)) for table in Base.metadata.sorted_tables for row in session.execute(select(table))
        )


@pytest.mark.parametrize("kind", sorted(LINK_KINDS))
@pytest.mark.parametrize("answer", [Accepted(), Failed("smtp 550"), Retry("smtp 450"), RuntimeError("after sending")])
def test_a_links_secret_goes_by_mail_and_lies_in_no_row_and_no_log(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any, kind: str, answer: Any, caplog: Any, capfd: Any
) -> None:
    email, fcm = fake_channel([answer]), fake_channel()
    person = outbox.person("phone-a", email="ann@site.example", state="invited")
    outbox.queue(person, kind, link_id="link-00000001")
    secret = derived_code(settings, "link", "link-00000001")

    drain(db, settings, {"fcm": fcm, "email": email})

    assert f"/accounts/link?code={secret}" in email.sent[0][1].body
    assert "link?code=" not in fcm.sent[0][1].body
    assert secret not in str([message.data for _, message, _ in email.sent + fcm.sent])
    assert secret not in everything_stored(db)
    assert secret not in caplog.text + "".join(capfd.readouterr())


def test_a_link_is_mailed_even_when_mail_was_switched_off_since(
    db: Database, settings: Settings, outbox: Any, fake_channel: Any
) -> None:
    email, person = fake_channel(), outbox.person(email="ann@site.example")
    outbox.queue(person, "password_reset")
    with db.transaction() as session:
        session.add(ChannelPreference(user_id=person.id, channel="email", enabled=False))

    drain(db, settings, {"email": email})

    assert email.addresses == ["ann@site.example"]


@pytest.mark.parametrize("over", ["used_at", "expires_at"])
def test_a_link_that_is_over_is_not_mailed(db: Database, settings: Settings, outbox: Any, fake_channel: Any, over: str) -> None:
    email = fake_channel()
    outbox.queue(outbox.person(email="ann@site.example"), "password_reset")
    with db.transaction() as session:
        session.execute(update(OneTimeLink).values({over: outbox.clock.now()}))

    drain(db, settings, {"email": email})

    assert email.sent == []
    assert (outbox.row().state, outbox.row().last_error) == ("failed", "link_over")
