"""Every kind of message reads well in both languages, and fits."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from push.kinds import LINK_KINDS, MESSAGES
from push.messages import JOBS, PAYLOAD_BYTES, REASONS, Message, MessageError, payload_bytes, render

SHANGHAI = ZoneInfo("Asia/Shanghai")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def words(kind: str, locale: str = "en", link_code: str | None = None, **changes: Any) -> Message:
    facts = MESSAGES[kind].sample | changes
    return render(
        kind,
        facts,
        locale,
        organisation="Fieldloop",
        public_url="https://fieldloop.example",
        time_zone=SHANGHAI,
        link_code=link_code,
    )


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_every_kind_is_rendered_in_both_languages(kind: str) -> None:
    english, chinese = words(kind, "en"), words(kind, "zh-CN")

    for message in (english, chinese):
        assert message.title
        assert message.body
        assert not re.search(r"[{}]|None|  ", message.title + message.body)
        assert message.data == {"kind": kind}
    assert not CHINESE.search(english.title + english.body)
    assert CHINESE.search(chinese.title)
    assert CHINESE.search(chinese.body)


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind in sorted(MESSAGES) for key in sorted(MESSAGES[kind].sample)])
def test_a_missing_fact_is_an_error_that_names_it(kind: str, key: str) -> None:
    facts = {name: value for name, value in MESSAGES[kind].sample.items() if name != key}

    with pytest.raises(MessageError, match=rf"^{kind}: missing {key}$"):
        render(kind, facts, "en", organisation="F", public_url="https://f.example", time_zone=SHANGHAI)


def test_an_unknown_kind_is_an_error_that_names_it() -> None:
    with pytest.raises(MessageError, match="offer_mad"):
        render("offer_mad", {}, "en", organisation="F", public_url="https://f.example", time_zone=SHANGHAI)


@pytest.mark.parametrize(
    "changes",
    [{"amount_due": "much"}, {"currency": 5}, {"valid_until": "2026-06-14T10:00:00"}, {"valid_until": None}, {"soh_pct": "low"}],
)
def test_a_fact_that_cannot_be_read_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match=r"^offer_made: "):
        words("offer_made", **changes)


def test_money_days_and_times_are_written_as_the_reader_writes_them() -> None:
    english, chinese = words("offer_made", "en"), words("offer_made", "zh-CN")

    assert "CN¥4,300.00" in english.body
    assert "71.4%" in english.body
    assert "Sun, Jun 14, 18:00" in english.body
    assert "仅需 ¥4,300.00，已优惠 ¥500.00" in chinese.body
    assert "6月14日周日 18:00" in chinese.body


def test_times_are_told_in_the_given_zone() -> None:
    facts = MESSAGES["task_booked"].sample | {"slot_at": "2026-05-31T23:30:00+00:00"}

    berlin = render(
        "task_booked", facts, "en", organisation="F", public_url="https://f.example", time_zone=ZoneInfo("Europe/Berlin")
    )

    assert "Mon, Jun 1, 01:30" in berlin.body


def test_a_late_measurement_says_when_it_was_made() -> None:
    for kind in ("offer_made", "battery_alarm"):
        assert "May 31, 2026" not in words(kind).body
        assert words(kind, late=True).body.startswith("Measured on May 31, 2026")
        assert words(kind, "zh-CN", late=True).body.startswith("2026年5月31日测得")


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, "discount", "warranty"),
        ({"discount": "0.00"}, "for CN¥4,300.00.", "discount"),
        ({"warranty": True, "amount_due": "0.00"}, "nothing to pay", "¥"),
        ({"warranty": True}, "your share is CN¥4,300.00", "discount"),
    ],
)
def test_an_offer_says_what_there_is_to_pay(changes: dict[str, Any], said: str, unsaid: str) -> None:
    body = words("offer_made", **changes).body

    assert said in body
    assert unsaid not in body


def test_a_device_that_never_reported_is_said_to_have_never_reported() -> None:
    assert "has never reported" in words("device_silent", last_heard=None).body
    assert "从未上报" in words("device_silent", "zh-CN", last_heard=None).body


def test_known_reasons_are_sentences_and_unknown_codes_are_left_out() -> None:
    for code, (english, chinese) in REASONS.items():
        assert english in words("task_withdrawn", reason=code).body
        assert chinese in words("task_withdrawn", "zh-CN", reason=code).body
    assert "some_new_code" not in words("task_withdrawn", reason="some_new_code").body
    assert "Closed for stocktaking. Reserved" in words("task_withdrawn", reason="Closed for stocktaking").body
    assert "needed. flooded. Reserved" in words("task_withdrawn", reason="flooded").body
    assert "盘点。预留" in words("task_withdrawn", "zh-CN", reason="盘点").body


def test_known_jobs_are_told_in_the_readers_language() -> None:
    for code, (english, chinese) in JOBS.items():
        assert words("task_offered", job=code).body.startswith(english + ".")
        assert words("task_offered", "zh-CN", job=code).body.startswith(chinese + "。")
    assert words("task_offered", part_no=None).body.startswith("Replace the battery. Please answer")
    assert words("task_offered", job="motor_check").body.startswith("motor check.")


@pytest.mark.parametrize("kind", sorted(LINK_KINDS))
@pytest.mark.parametrize("locale", ["en", "zh-CN"])
def test_a_link_is_there_only_with_its_secret(kind: str, locale: str) -> None:
    link = "https://fieldloop.example/accounts/link?code=ABCDEFGH23456777"

    with_secret, without = words(kind, locale, link_code="ABCDEFGH23456777"), words(kind, locale)

    assert link in with_secret.body.splitlines()
    assert "http" not in without.body
    assert "ABCDEFGH" not in str(with_secret.data)


def test_a_name_may_hold_anything_but_stays_on_one_line() -> None:
    message = words("battery_alarm", customer_name="Evil\r\nBcc: x@y.example\x00\u202e{organisation}")

    assert message.title == "Battery alarm: Evil Bcc: x@y.example {organisation}"


@given(
    kind=st.sampled_from(sorted(MESSAGES)),
    locale=st.sampled_from(["en", "zh-CN"]),
    filler=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    times=st.integers(1, 500),
    url=st.integers(0, 5000),
)
def test_no_message_is_larger_than_fcm_takes(kind: str, locale: str, filler: str, times: int, url: int) -> None:
    texts = {
        "asset_model",
        "asset_serial",
        "customer_name",
        "station_name",
        "reason",
        "job",
        "part_no",
        "device_id",
        "order_number",
    }
    facts = {key: filler * times if key in texts else value for key, value in MESSAGES[kind].sample.items()}

    message = render(
        kind, facts, locale, organisation=filler * times, public_url="u" * url, time_zone=SHANGHAI, link_code="A" * 16
    )

    assert payload_bytes(message) <= PAYLOAD_BYTES
    assert "\n" not in message.title


@pytest.mark.parametrize("locale", ["en", "zh-CN"])
@pytest.mark.parametrize("letter", ["a", "电", "🔋"])
def test_a_body_is_cut_at_the_last_whole_letter_that_fits(locale: str, letter: str) -> None:
    facts = MESSAGES["invitation"].sample

    message = render(
        "invitation", facts, locale, organisation="F", public_url=letter * 5000, time_zone=SHANGHAI, link_code="A" * 16
    )

    assert PAYLOAD_BYTES - 4 < payload_bytes(message) <= PAYLOAD_BYTES
    assert message.body.endswith(letter + "…")


def test_a_long_reason_does_not_push_out_what_follows() -> None:
    body = words("task_withdrawn", reason="because " * 1000).body

    assert body.endswith("Reserved parts are free again.")
