"""What people read: one row per message kind, in both languages. Pure: facts in, words out.

Called by ``delivery.py`` when a message leaves and by ``queries.py`` when somebody opens the inbox.
A body is a row of sentences; a pair ``(condition, sentence)`` is said only when the fact of that
name is there, ``!name`` only when it is not. ``{name:money}``, ``:pct``, ``:day`` and ``:moment``
are put into the reader's own form.
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

PAYLOAD_BYTES = 3_000
"""Bytes of title, body and data together: FCM takes 4,096, the rest is for ids and tags the channel adds."""

_LONGEST_FACT = 80
_LONGEST_TITLE = 120
_CODE = re.compile(r"[a-z0-9]+(_[a-z0-9]+)+")
_LOCALES = {EN: Locale("en"), ZH: Locale.parse("zh_CN")}
_JOINTS = {EN: " ", ZH: ""}

Sentence = str | tuple[str, str]
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


@dataclass(frozen=True)
class Words:
    """Title and sentences in one language."""

    title: str
    body: tuple[Sentence, ...]


@dataclass(frozen=True)
class Kind:
    """One kind of message. ``sample`` documents its facts: exactly these keys are needed."""

    sample: dict[str, Any]
    en: Words
    zh: Words


LINK_KINDS = frozenset({"invitation", "password_reset"})
"""They carry a link that signs somebody in: by e-mail only, whatever the person switched off."""

STANDALONE_KINDS = LINK_KINDS | {"test", "channel_check"}
"""Each stands for itself: a later one of the same subject neither replaces nor supersedes it."""

_ASKED_FOR = STANDALONE_KINDS
_CAN_WAIT = frozenset({"offer_made", "service_offer_made", "offer_expired"})

_INSTANT = "2026-05-31T06:30:00Z"
_MODEL = {"asset_model": "EV-200"}

MESSAGES: dict[str, Kind] = {
    "offer_made": Kind(
        _MODEL
        | {"asset_serial": "LFP-0042", "soh_pct": 71.4, "measured_on": _INSTANT, "amount_due": "4300.00", "currency": "CNY"}
        | {"discount": "500.00", "valid_until": "2026-06-14T10:00:00Z", "warranty": False, "late": False},
        Words(
            "A battery offer for your {asset_model}",
            (
                ("!late", "The battery health of your {asset_model} ({asset_serial}) is down to {soh_pct:pct}."),
                (
                    "late",
                    "Measured on {measured_on:day}: the battery health of your {asset_model} ({asset_serial}) was {soh_pct:pct}.",
                ),
                ("covered", "Your warranty covers a replacement, so there is nothing to pay."),
                ("share", "Your warranty bears part of a replacement; your share is {amount_due:money}."),
                (
                    "reduced",
                    "We can replace it for {amount_due:money}; your personal discount of {discount:money} is already taken off.",
                ),
                ("plain", "We can replace it for {amount_due:money}."),
                "Please let us know by {valid_until:moment}.",
            ),
        ),
        Words(
            "您的{asset_model}电池更换优惠",
            (
                ("!late", "您的{asset_model}（序列号 {asset_serial}）电池健康度已降至 {soh_pct:pct}。"),
                ("late", "{measured_on:day}测得：您的{asset_model}（序列号 {asset_serial}）电池健康度为 {soh_pct:pct}。"),
                ("covered", "本次更换在保修范围内，您无需付费。"),
                ("share", "保修承担部分更换费用，您只需支付 {amount_due:money}。"),
                ("reduced", "为您准备了专属优惠：更换仅需 {amount_due:money}，已优惠 {discount:money}。"),
                ("plain", "更换费用为 {amount_due:money}。"),
                "请在 {valid_until:moment} 前答复我们。",
            ),
        ),
    ),
    "service_offer_made": Kind(
        _MODEL
        | {"asset_serial": "LFP-0042", "rule_zh": "机油该换了", "rule_en": "Oil change due", "measured_on": _INSTANT}
        | {"job": "oil_change", "amount_due": "380.00", "currency": "CNY", "discount": "20.00"}
        | {"valid_until": "2026-06-14T10:00:00Z", "warranty": False},
        Words(
            "An offer for your {asset_model}",
            (
                "{rule_en}: {asset_model} ({asset_serial}), measured on {measured_on:day}.",
                ("covered", "Your warranty covers the work ({work}), so there is nothing to pay."),
                ("share", "Your warranty bears part of the work ({work}); your share is {amount_due:money}."),
                (
                    "reduced",
                    "We can do the work ({work}) for {amount_due:money}; your personal discount of {discount:money} is already"
                    " taken off.",
                ),
                ("plain", "We can do the work ({work}) for {amount_due:money}."),
                "Please let us know by {valid_until:moment}.",
            ),
        ),
        Words(
            "您的{asset_model}专属优惠",
            (
                "{rule_zh}：{asset_model}（序列号 {asset_serial}），测量日期 {measured_on:day}。",
                ("covered", "本次服务（{work}）在保修范围内，您无需付费。"),
                ("share", "保修承担部分服务（{work}）费用，您只需支付 {amount_due:money}。"),
                ("reduced", "为您准备了专属优惠：服务（{work}）仅需 {amount_due:money}，已优惠 {discount:money}。"),
                ("plain", "服务（{work}）费用为 {amount_due:money}。"),
                "请在 {valid_until:moment} 前答复我们。",
            ),
        ),
    ),
    "offer_slots_ready": Kind(
        {"station_name": "North Service", **_MODEL},
        Words(
            "Choose your appointment", ("{station_name} is ready for your {asset_model}.", "Pick the time that suits you best.")
        ),
        Words("请选择预约时间", ("{station_name}已为您的{asset_model}做好准备，", "请挑选您方便的时间。")),
    ),
    "offer_new_slot_needed": Kind(
        {"station_name": "North Service", **_MODEL},
        Words(
            "Please choose a new time",
            ("We are sorry: the appointment for your {asset_model} ({station_name}) has to be moved.", "Please pick a new time."),
        ),
        Words("请重新选择时间", ("非常抱歉，您的{asset_model}预约（{station_name}）需要改期，", "请重新选择方便的时间。")),
    ),
    "offer_expired": Kind(
        _MODEL,
        Words(
            "Your offer has ended",
            (
                "The battery offer for your {asset_model} has expired.",
                "Still interested? Just get in touch, we are happy to help.",
            ),
        ),
        Words("您的优惠已到期", ("您的{asset_model}电池更换优惠已到期。", "如仍有需要，欢迎随时联系我们。")),
    ),
    "offer_withdrawn": Kind(
        {**_MODEL, "reason": "readings_do_not_show_it"},
        Words(
            "Your offer was withdrawn",
            ("We have withdrawn the battery offer for your {asset_model}.", ("why", "{why}"), "There is nothing you need to do."),
        ),
        Words("优惠已撤回", ("我们已撤回您的{asset_model}电池更换优惠。", ("why", "{why}"), "您无需进行任何操作。")),
    ),
    "task_offered": Kind(
        {"job": "battery_replacement", **_MODEL, "part_no": "BAT-200", "answer_by": _INSTANT},
        Words(
            "New task: {asset_model}",
            (
                "{work}.",
                ("part_no", "Part needed: {part_no}."),
                "Please answer by {answer_by:moment}; after that another station is asked.",
            ),
        ),
        Words(
            "新任务：{asset_model}",
            ("{work}。", ("part_no", "所需备件：{part_no}。"), "请在 {answer_by:moment} 前答复，逾期将转派其他服务站。"),
        ),
    ),
    "task_withdrawn": Kind(
        {**_MODEL, "reason": "offer_declined"},
        Words(
            "Task withdrawn",
            ("The task for the {asset_model} is no longer needed.", ("why", "{why}"), "Reserved parts are free again."),
        ),
        Words("任务已撤回", ("{asset_model}的任务已取消。", ("why", "{why}"), "预留的备件已释放。")),
    ),
    "task_lapsed": Kind(
        _MODEL,
        Words("Task passed on", ("The time to answer is over, so the task for the {asset_model} was passed on.",)),
        Words("任务已转派", ("{asset_model}的任务超过答复时限，已转派。",)),
    ),
    "task_booked": Kind(
        {**_MODEL, "slot_at": _INSTANT, "part_no": "BAT-200"},
        Words(
            "Booked: {asset_model}", ("The owner comes on {slot_at:moment}.", ("part_no", "Please have part {part_no} ready."))
        ),
        Words("已预约：{asset_model}", ("客户将于 {slot_at:moment} 到店。", ("part_no", "请备好备件 {part_no}。"))),
    ),
    "battery_alarm": Kind(
        {
            "customer_name": "Chen Logistics",
            **_MODEL,
            "asset_serial": "LFP-0042",
            "soh_pct": 71.4,
            "measured_on": _INSTANT,
            "late": False,
        },
        Words(
            "Battery alarm: {customer_name}",
            (
                ("!late", "The battery health of the {asset_model} ({asset_serial}) is down to {soh_pct:pct}."),
                (
                    "late",
                    "Measured on {measured_on:day}: the battery health of the {asset_model} ({asset_serial}) was {soh_pct:pct}.",
                ),
            ),
        ),
        Words(
            "电池告警：{customer_name}",
            (
                ("!late", "{asset_model}（序列号 {asset_serial}）电池健康度已降至 {soh_pct:pct}。"),
                ("late", "{measured_on:day}测得：{asset_model}（序列号 {asset_serial}）电池健康度为 {soh_pct:pct}。"),
            ),
        ),
    ),
    "alarm_raised": Kind(
        {
            "customer_name": "Chen Logistics",
            **_MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "major",
            "measured_on": _INSTANT,
            "late": False,
        },
        Words(
            "{rule_en}: {customer_name}",
            (
                ("!late", "{asset_model} ({asset_serial}), measured {measured_on:moment}."),
                ("late", "Measured on {measured_on:day}: {asset_model} ({asset_serial})."),
                "Severity: {grade}.",
            ),
        ),
        Words(
            "{rule_zh}：{customer_name}",
            (
                ("!late", "{asset_model}（序列号 {asset_serial}），测量时间 {measured_on:moment}。"),
                ("late", "测量日期 {measured_on:day}：{asset_model}（序列号 {asset_serial}）。"),
                "级别：{grade}。",
            ),
        ),
    ),
    "alarm_escalated": Kind(
        {
            "customer_name": "Chen Logistics",
            **_MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "critical",
        },
        Words("Now {grade}: {rule_en}", ("{asset_model} ({asset_serial}) of {customer_name} has become worse.",)),
        Words("升级为{grade}：{rule_zh}", ("{customer_name}的{asset_model}（序列号 {asset_serial}）情况加重。",)),
    ),
    "alarm_stands": Kind(
        {
            "customer_name": "Chen Logistics",
            **_MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "critical",
            "after_h": 24.0,
        },
        Words(
            "Now {grade}: {rule_en}",
            ("{asset_model} ({asset_serial}) of {customer_name}: the alarm has stood for {after_h:g} h.",),
        ),
        Words(
            "升级为{grade}：{rule_zh}",
            ("{customer_name}的{asset_model}（序列号 {asset_serial}）：告警已持续 {after_h:g} 小时。",),
        ),
    ),
    "alarm_woke": Kind(
        {
            "customer_name": "Chen Logistics",
            **_MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "major",
        },
        Words(
            "Still there: {rule_en}",
            ("The quiet time is over: {asset_model} ({asset_serial}) of {customer_name}, severity: {grade}.",),
        ),
        Words(
            "告警仍未解除：{rule_zh}",
            ("静默已结束：{customer_name}的{asset_model}（序列号 {asset_serial}），级别：{grade}。",),
        ),
    ),
    "alarm_unacknowledged": Kind(
        {
            "customer_name": "Chen Logistics",
            **_MODEL,
            "asset_serial": "LFP-0042",
            "rule_zh": "冷却液温度过高",
            "rule_en": "Coolant is too hot",
            "severity": "major",
            "since": _INSTANT,
        },
        Words(
            "Nobody is on it yet: {rule_en}",
            (
                "{asset_model} ({asset_serial}) of {customer_name}; severity: {grade}.",
                "Nobody has taken charge since {since:moment}. Please see to it.",
            ),
        ),
        Words(
            "告警无人受理：{rule_zh}",
            (
                "{customer_name}的{asset_model}（序列号 {asset_serial}），级别：{grade}。",
                "自 {since:moment} 起无人受理，请尽快处理。",
            ),
        ),
    ),
    "alarm_withdrawn": Kind(
        {"customer_name": "Chen Logistics", **_MODEL, "reason": "readings_do_not_show_it"},
        Words("Alarm withdrawn: {customer_name}", ("The alarm for the {asset_model} no longer stands.", ("why", "{why}"))),
        Words("告警已撤回：{customer_name}", ("{asset_model}的告警不再成立。", ("why", "{why}"))),
    ),
    "decision_needed": Kind(
        {"customer_name": "Chen Logistics", **_MODEL},
        Words(
            "Your decision is needed: {customer_name}",
            (
                "The alarm for the {asset_model} was withdrawn after the customer had accepted the offer.",
                "Please decide whether the work goes ahead.",
            ),
        ),
        Words("需要您决定：{customer_name}", ("客户接受优惠后，{asset_model}的告警被撤回。", "请决定是否继续安排服务。")),
    ),
    "order_unassigned": Kind(
        {"order_number": "WO-1024", **_MODEL, "customer_name": "Chen Logistics", "reason": "no_station_able"},
        Words(
            "No station for {order_number}",
            ("The {asset_model} of {customer_name} is waiting for a station.", ("why", "{why}"), "Please assign one by hand."),
        ),
        Words(
            "工单 {order_number} 无服务站", ("{customer_name}的{asset_model}尚未安排服务站。", ("why", "{why}"), "请手动指派。")
        ),
    ),
    "order_scheduled": Kind(
        {"customer_name": "Chen Logistics", "station_name": "North Service", "slot_at": _INSTANT},
        Words("Appointment made: {customer_name}", ("{slot_at:moment} at {station_name}.",)),
        Words("已预约：{customer_name}", ("时间：{slot_at:moment}，地点：{station_name}。",)),
    ),
    "order_finished": Kind(
        {**_MODEL, "station_name": "North Service"},
        Words("All done: {asset_model}", ("{station_name} has finished the work on the {asset_model}.",)),
        Words("服务已完成：{asset_model}", ("{station_name}已完成{asset_model}的服务。",)),
    ),
    "device_silent": Kind(
        {"device_id": "device-00042", **_MODEL, "customer_name": "Chen Logistics", "last_heard": _INSTANT},
        Words(
            "Device silent: {customer_name}",
            (
                ("last_heard", "Device {device_id} ({asset_model}) has not reported since {last_heard:moment}."),
                ("!last_heard", "Device {device_id} ({asset_model}) has never reported."),
                "Please check its power and its connection.",
            ),
        ),
        Words(
            "设备失联：{customer_name}",
            (
                ("last_heard", "设备 {device_id}（{asset_model}）自 {last_heard:moment} 起未再上报数据。"),
                ("!last_heard", "设备 {device_id}（{asset_model}）从未上报过数据。"),
                "请检查其供电与网络连接。",
            ),
        ),
    ),
    "invitation": Kind(
        {"link_id": "link-00000042"},
        Words(
            "Welcome to {organisation}",
            (
                "You have been invited to {organisation}.",
                ("link", "Open this link to choose your password:\n{link}\n\nIt works once."),
                ("!link", "The link to choose your password is in your e-mail."),
            ),
        ),
        Words(
            "欢迎加入{organisation}",
            (
                "您已受邀使用{organisation}。",
                ("link", "请打开以下链接设置密码：\n{link}\n\n链接仅可使用一次。"),
                ("!link", "设置密码的链接已发送至您的邮箱。"),
            ),
        ),
    ),
    "password_reset": Kind(
        {"link_id": "link-00000042"},
        Words(
            "Choose a new password",
            (
                "Somebody, hopefully you, asked to reset your password.",
                ("link", "Open this link to choose a new one:\n{link}\n\nIt works once."),
                ("!link", "The link to choose a new one is in your e-mail."),
                "If it was not you, do nothing: your password stays as it is.",
            ),
        ),
        Words(
            "重设密码",
            (
                "我们收到了重设您密码的请求。",
                ("link", "请打开以下链接设置新密码：\n{link}\n\n链接仅可使用一次。"),
                ("!link", "设置新密码的链接已发送至您的邮箱。"),
                "如非您本人操作，请忽略本消息，您的密码不会改变。",
            ),
        ),
    ),
    "test": Kind(
        {},
        Words("Test message", ("It works: messages from {organisation} reach you here.",)),
        Words("测试消息", ("一切正常：您可以在这里收到{organisation}的消息。",)),
    ),
    "channel_check": Kind(
        {},
        Words(
            "Does this reach you?",
            (
                ("code", "Enter {code} in {organisation} to confirm that messages reach you here. It is valid for 30 minutes."),
                ("!code", "The code is in the message that came the way you are checking."),
            ),
        ),
        Words(
            "确认接收渠道",
            (
                ("code", "请在{organisation}中输入 {code}，确认您可在此收到消息。30 分钟内有效。"),
                ("!code", "验证码在通过该渠道发送的消息中。"),
            ),
        ),
    ),
}

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
