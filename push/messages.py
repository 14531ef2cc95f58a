"""Puts a message into its reader's language, by the rows of ``push.kinds``. Pure: facts in, words out.

Called by ``delivery.py`` when a message leaves and by ``queries.py`` when somebody opens the inbox.
"""

from __future__ import annotations

import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Literal

from babel import Locale
from babel.dates import format_date, format_skeleton
from babel.numbers import format_currency, format_percent, is_currency

from app.core.locales import EN, ZH
from push.kinds import MESSAGES, STANDALONE_KINDS
from push.kinds.base import Kind, Sentence

PAYLOAD_BYTES = 3_000
"""Bytes of title, body and data together: FCM takes 4,096, the rest is for ids and tags the channel adds."""

_LONGEST_FACT = 80
_LONGEST_TITLE = 120
_CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")
_LOCALES = {EN: Locale("en"), ZH: Locale.parse("zh_CN")}
_JOINTS = {EN: " ", ZH: ""}

Urgency = Literal["low", "normal", "high"]


class MessageError(ValueError):
    """A message that cannot be put into words: unknown kind, missing or unreadable facts."""


@dataclass(frozen=True)
class Message:
    """Words for one person. ``data`` is what the app needs to open the right place.

    ``collapse``: messages with the same one take each other's place on a screen; empty: only repetitions do.
    ``keep_s``: for how many seconds a provider may keep it for somebody who cannot be reached.
    """

    title: str
    body: str
    data: dict[str, str]
    collapse: str = ""
    urgency: Urgency = "normal"
    keep_s: int = 259_200


_ASKED_FOR = STANDALONE_KINDS
_CAN_WAIT = frozenset({"offer_made", "service_offer_made", "offer_expired"})


# A reason's code: (English sentence, Chinese sentence)
REASONS: dict[str, tuple[str, str]] = {
    "alarm_withdrawn": ("The measurements behind it did not hold up.", "所依据的测量数据经核实不成立。"),
    "readings_do_not_show_it": ("Readings that came in later do not show it.", "后续收到的数据未显示该问题。"),
    "part_of_earlier_episode": ("Later readings show that it belongs to an earlier alarm.", "后续数据表明其属于更早的告警。"),
    "rule_changed": ("The rule behind it has been changed.", "所依据的规则已更改。"),
    "component_replaced": ("The part has been replaced meanwhile.", "该部件已更换。"),
    "order_cancelled": ("The work order was cancelled.", "相关工单已取消。"),
    "offer_declined": ("The owner declined the offer.", "客户已谢绝该优惠。"),
    "offer_expired": ("The owner did not answer in time.", "客户未在有效期内答复。"),
    "offer_withdrawn": ("The offer was withdrawn.", "该优惠已撤回。"),
    "no_station": ("No service station is known there.", "当地没有已登记的服务站。"),
    "no_station_able": ("No station can take it on at present.", "目前没有能够承接的服务站。"),
}

# How severe an alarm is: (English, Chinese)
GRADES: dict[str, tuple[str, str]] = {
    "critical": ("critical", "紧急"),
    "major": ("major", "重要"),
    "minor": ("minor", "次要"),
    "warning": ("warning", "提示"),
}

# A job's code: (English, Chinese)
JOBS: dict[str, tuple[str, str]] = {
    "battery_replacement": ("Replace the battery", "更换电池"),
}


def render(
    kind: str,
    data: Mapping[str, Any],
    locale: str,
    *,
    organisation: str,
    public_url: str,
    time_zone: tzinfo,
    link_code: str | None = None,
    channel_code: str | None = None,
) -> Message:
    """Put one message into words.

    Args:
        kind: a key of ``MESSAGES``.
        data: the facts that the kind's ``sample`` names; further ones are ignored.
        locale: the reader's language; anything but Chinese reads English.
        organisation: who writes.
        public_url: where the web app is reached, without a trailing slash.
        time_zone: in which days and times are told.
        link_code: the secret of an invitation or a password reset. Without it the words say where the link is.
        channel_code: what shows that a channel reaches its reader; only for the channel itself.

    Returns:
        Title, body and data, cut so that FCM takes them.

    Raises:
        MessageError: an unknown kind, or a fact that is missing or cannot be read.
    """
    row = _checked(kind, data)
    locale = ZH if locale.lower().startswith("zh") else EN
    words = row.zh if locale == ZH else row.en
    try:
        facts = _facts({key: data[key] for key in row.sample}, locale)
        link = f"{public_url}/accounts/link?code={link_code}" if link_code else ""
        facts |= {"organisation": _tidy(organisation), "link": link, "code": channel_code or ""}
        speech = _Speech(locale, time_zone, str(facts.get("currency", "")))
        title = speech.vformat(words.title, (), facts)
        body = _JOINTS[locale].join(speech.vformat(sentence, (), facts) for sentence in _said(words.body, facts))
    except (ValueError, TypeError, ArithmeticError, KeyError) as fault:
        raise MessageError(f"{kind}: {type(fault).__name__}: {fault}") from fault
    return _fit(Message(title, body, {"kind": kind}))


def urgency_of(kind: str, data: Mapping[str, Any]) -> Urgency:
    """Tell how urgent a message is; only one of high urgency breaks a person's quiet hours.

    High: critical alarms, and what the reader asked for this minute. Low: offers. The words are those of RFC 8030, 5.3.
    """
    if kind in _ASKED_FOR or data.get("severity") == "critical":
        return "high"
    return "low" if kind in _CAN_WAIT else "normal"


def _checked(kind: str, data: Mapping[str, Any]) -> Kind:
    row = MESSAGES.get(kind)
    if row is None:
        raise MessageError(f"unknown message kind {kind!r}")
    missing = sorted(row.sample.keys() - data.keys())
    if missing:
        raise MessageError(f"{kind}: missing {', '.join(missing)}")
    return row


def _said(body: Sequence[Sentence], facts: Mapping[str, Any]) -> list[str]:
    """Choose the sentences whose condition holds."""
    chosen = []
    for sentence in body:
        condition, words = ("", sentence) if isinstance(sentence, str) else sentence
        if not condition or bool(facts[condition.removeprefix("!")]) is not condition.startswith("!"):
            chosen.append(words)
    return chosen


def _facts(data: dict[str, Any], locale: str) -> dict[str, Any]:
    """Tidy the facts and add the ones that follow from them."""
    facts = {key: _tidy(value) if isinstance(value, str) else value for key, value in data.items()}
    if "reason" in facts:
        facts["why"] = _reason(str(facts["reason"] or ""), locale)
    if "severity" in facts:
        facts["grade"] = _in_language(GRADES.get(facts["severity"], (facts["severity"],) * 2), locale)
    if "job" in facts:
        plain = str(facts["job"]).replace("_", " ")
        facts["work"] = _in_language(JOBS.get(facts["job"], (plain, plain)), locale)
    if "amount_due" in facts:
        to_pay, reduced = Decimal(facts["amount_due"]) > 0, Decimal(facts["discount"] or 0) > 0
        facts |= {
            "covered": facts["warranty"] and not to_pay,
            "share": facts["warranty"] and to_pay,
            "reduced": not facts["warranty"] and reduced,
            "plain": not facts["warranty"] and not reduced,
        }
    return facts


def _reason(reason: str, locale: str) -> str:
    """Return a reason as a sentence: a known code's own, a person's words as they are, nothing for an unknown code."""
    if reason in REASONS:
        return _in_language(REASONS[reason], locale)
    if not reason or _CODE.fullmatch(reason):
        return ""
    return reason if reason[-1] in ".!?…。！？" else reason + ("。" if locale == ZH else ".")


def _in_language(pair: tuple[str, str], locale: str) -> str:
    return pair[1] if locale == ZH else pair[0]


def _tidy(value: str) -> str:
    """Return one line without control characters, not too long: a name may not take the message over."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in value).split())
    return line if len(line) <= _LONGEST_FACT else line[: _LONGEST_FACT - 1].rstrip() + "…"


def payload_bytes(message: Message) -> int:
    """Return the size of title, body and data as FCM counts it: UTF-8 bytes of keys and values."""
    texts = [message.title, message.body, *message.data.keys(), *message.data.values()]
    return sum(len(text.encode()) for text in texts)


def _fit(message: Message) -> Message:
    """Cut the title, then the end of the body, to what FCM takes."""
    title = message.title if len(message.title) <= _LONGEST_TITLE else message.title[: _LONGEST_TITLE - 1].rstrip() + "…"
    message = replace(message, title=title)
    excess = payload_bytes(message) - PAYLOAD_BYTES
    if excess <= 0:
        return message
    raw = message.body.encode()
    kept = raw[: len(raw) - excess - len("…".encode())].decode(errors="ignore")
    return replace(message, body=kept.rstrip() + "…")


class _Speech(string.Formatter):
    """Fills facts into words; knows how a language writes money, shares, days and moments."""

    def __init__(self, locale: str, time_zone: tzinfo, currency: str) -> None:
        self.locale, self.time_zone, self.currency = _LOCALES[locale], time_zone, currency

    def format_field(self, value: Any, format_spec: str) -> str:
        """Write one fact in the form its place asks for."""
        if format_spec == "money":
            if not is_currency(self.currency):
                raise ValueError(f"not a currency: {self.currency!r}")
            return format_currency(Decimal(value), self.currency, locale=self.locale)
        if format_spec == "pct":
            return format_percent(Decimal(str(value)) / 100, "#,##0.#%", locale=self.locale)
        if format_spec == "day":
            return format_date(self._local(value), "medium", locale=self.locale)
        if format_spec == "moment":
            parts = [format_skeleton(part, self._local(value), locale=self.locale) for part in ("MMMEd", "Hm")]
            return (" " if self.locale.language == "zh" else ", ").join(parts)
        return str(super().format_field(value, format_spec))

    def _local(self, value: str) -> datetime:
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(f"an instant without an offset: {value!r}")
        return at.astimezone(self.time_zone)
